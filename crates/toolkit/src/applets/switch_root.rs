//! `switch_root`: leaves the initramfs for another root.

use crate::{
    applet::{Applet, Args, usage_error},
    exec,
};
use anyhow::{Context as _, bail};
use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, StatVfsMountFlags},
    mount::mount_move,
};
use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

pub(crate) static APPLET: Applet = Applet {
    name: "switch_root",
    summary: "Makes FOLDER, a mount, the root, frees the initramfs and becomes COMMAND.",
    usage: "FOLDER COMMAND [ARGUMENT]...",
    options: &[],
    notes: "Only for process 1 of an initramfs: all that is in it is deleted. /dev, /proc, /sys and /run are\n\
            moved into FOLDER.",
    example: "exec switch_root /new /sbin/init",
    run,
};

/// `statfs(2)`: file systems in memory, which an initramfs is.
const RAMFS_MAGIC: u64 = 0x8584_58f6;
const TMPFS_MAGIC: u64 = 0x0102_1994;

fn run(args: &Args) -> anyhow::Result<u8> {
    let [root, command @ ..] = args.operands.as_slice() else {
        return usage_error("which folder?");
    };
    if command.is_empty() {
        return usage_error("which command?");
    }
    if !rustix::process::getpid().is_init() {
        bail!("this is not process 1");
    }
    let root = Path::new(root);
    let (old, new) = (rustix::fs::stat("/")?, rustix::fs::stat(root)?);
    if old.st_dev == new.st_dev {
        bail!("{} is not a mount", root.display());
    }
    #[expect(clippy::cast_sign_loss, reason = "the magic number is 32 bits, never negative")]
    let kind = rustix::fs::statfs("/")?.f_type as u64;
    if !matches!(kind, RAMFS_MAGIC | TMPFS_MAGIC) {
        bail!("the root is not an initramfs");
    }
    let writable = !rustix::fs::statvfs("/")?.f_flag.contains(StatVfsMountFlags::RDONLY);
    for name in ["dev", "proc", "sys", "run"] {
        let (from, to) = (Path::new("/").join(name), root.join(name));
        // What is no mount, or has no folder to go to, stays behind and is deleted.
        if rustix::fs::stat(&from).is_ok_and(|stat| stat.st_dev != old.st_dev) {
            let _ = mount_move(&from, &to);
        }
    }
    let folder =
        rustix::fs::open("/", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::process::chdir(root)?;
    mount_move(".", "/").with_context(|| format!("cannot move {} to /", root.display()))?;
    rustix::process::chroot(".").and_then(|()| rustix::process::chdir("/"))?;
    if writable {
        empty(folder, old.st_dev, 0);
    }
    Ok(exec::replace("switch_root", exec::command(command)))
}

/// Deletes all that is in a folder and on the same device. What cannot be deleted stays.
fn empty(folder: OwnedFd, device: u64, depth: usize) {
    // No initramfs is that deep.
    if depth > 64 {
        return;
    }
    let Ok(entries) = Dir::read_from(&folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(stat) = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        if stat.st_dev != device {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(folder.as_fd(), name, flags, Mode::empty()) {
            Ok(below) => {
                empty(below, device, depth + 1);
                let _ = rustix::fs::unlinkat(&folder, name, AtFlags::REMOVEDIR);
            }
            Err(_) => {
                let _ = rustix::fs::unlinkat(&folder, name, AtFlags::empty());
            }
        }
    }
}
