//! `mountpoint`: whether a folder is one.

use crate::{
    applet::{Applet, Args, Opt, reason, usage_error},
    mounts,
};
use anyhow::bail;
use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::PathBuf,
};

pub(crate) static APPLET: Applet = Applet {
    name: "mountpoint",
    summary: "Tells whether something is mounted on FOLDER: exit status 0, else 32.",
    usage: "[-q|-d] FOLDER\n-x DEVICE",
    options: &[
        Opt { short: 'q', long: "quiet", value: "", help: "print nothing" },
        Opt { short: 'd', long: "fs-devno", value: "", help: "print the device's numbers" },
        Opt { short: 'x', long: "devno", value: "", help: "print the numbers of a block device" },
        Opt { short: '\0', long: "nofollow", value: "", help: "a symbolic link is none" },
    ],
    notes: "",
    example: "mountpoint -q /mnt || mount /dev/sda1 /mnt",
    run,
};

/// The status that scripts know from util-linux.
const NOT_A_MOUNT_POINT: u8 = 32;

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let [given] = words.as_slice() else { return usage_error("which folder?") };
    let follow = !args.has("nofollow");
    let meta = if follow { fs::metadata(given) } else { fs::symlink_metadata(given) };
    let meta = match meta {
        Ok(meta) => meta,
        Err(_) if args.has("quiet") => return Ok(1),
        Err(error) => bail!("{given}: {}", reason(&error)),
    };
    if args.has("devno") {
        if meta.file_type().is_block_device() {
            println!("{}:{}", rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
            return Ok(0);
        }
        if !args.has("quiet") {
            eprintln!("mountpoint: {given}: not a block device");
        }
        return Ok(NOT_A_MOUNT_POINT);
    }
    let path = if meta.is_symlink() { PathBuf::from(given) } else { fs::canonicalize(given)? };
    let mounts = mounts::all()?;
    let found = mounts.iter().rev().find(|m| m.target == path);
    match found {
        Some(mount) if args.has("fs-devno") => println!("{}", mount.device),
        _ if args.has("quiet") => {}
        Some(_) => println!("{given} is a mountpoint"),
        None => println!("{given} is not a mountpoint"),
    }
    Ok(if found.is_some() { 0 } else { NOT_A_MOUNT_POINT })
}
