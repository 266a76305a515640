//! `umount`: detach file systems.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    mounts::{self, Mount},
};
use anyhow::{anyhow, bail};
use rustix::{io::Errno, mount::UnmountFlags};
use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) static APPLET: Applet = Applet {
    name: "umount",
    summary: "Detaches file systems, by folder or by device.",
    usage: "[OPTION]... FOLDER|DEVICE...",
    options: &[
        Opt {
            short: 'l',
            long: "lazy",
            value: "",
            help: "hide it now, detach when nobody uses it",
        },
        Opt { short: 'f', long: "force", value: "", help: "even when a network server is gone" },
        Opt { short: 'R', long: "recursive", value: "", help: "with all that is mounted below" },
        Opt { short: 'r', long: "read-only", value: "", help: "when busy, make it read-only" },
    ],
    notes: "",
    example: "umount -R /mnt              detaches /mnt and everything below it",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    if args.operands.is_empty() {
        return usage_error("which folder or device?");
    }
    let mut failures = 0;
    for operand in &args.operands {
        if let Err(error) = umount(args, Path::new(operand)) {
            eprintln!("umount: {error:#}");
            failures += 1;
        }
    }
    Ok(u8::from(failures > 0))
}

fn umount(args: &Args, what: &Path) -> anyhow::Result<()> {
    let mut flags = UnmountFlags::empty();
    flags.set(UnmountFlags::DETACH, args.has("lazy"));
    flags.set(UnmountFlags::FORCE, args.has("force"));
    let target = target(what, &mounts::all()?)?;
    let mut targets = vec![target.clone()];
    if args.has("recursive") {
        let below = mounts::all()?.into_iter().map(|m| m.target);
        targets.extend(below.filter(|t| *t != target && t.starts_with(&target)));
    }
    // What was mounted last lies on top.
    for target in targets.iter().rev() {
        let done = match rustix::mount::unmount(target, flags) {
            Err(Errno::BUSY) if args.has("read-only") => {
                rustix::mount::mount_remount(target, rustix::mount::MountFlags::RDONLY, "")
            }
            done => done,
        };
        done.map_err(|error| match error {
            Errno::INVAL => anyhow!("{}: not mounted.", target.display()),
            Errno::BUSY => anyhow!("{}: target is busy.", target.display()),
            error => anyhow!("{}: {}", target.display(), std::io::Error::from(error)),
        })?;
    }
    Ok(())
}

/// The mount point that a person means by a folder or a device: of a device, the latest.
fn target(what: &Path, mounts: &[Mount]) -> anyhow::Result<PathBuf> {
    // A mount whose server is gone cannot be resolved; its name is then taken as it is.
    let path = fs::canonicalize(what).unwrap_or_else(|_| what.to_owned());
    if let Some(mount) = mounts.iter().rev().find(|m| m.target == path) {
        return Ok(mount.target.clone());
    }
    match mounts.iter().rev().find(|m| m.source == path || m.source == what) {
        Some(mount) => Ok(mount.target.clone()),
        None if path.exists() => Ok(path),
        None => bail!("{}: no such file or folder", what.display()),
    }
}
