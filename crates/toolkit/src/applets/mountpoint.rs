//! `mountpoint`: whether a folder is one.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    mounts,
};
use std::fs;

pub(crate) static APPLET: Applet = Applet {
    name: "mountpoint",
    summary: "Tells whether something is mounted on FOLDER: exit status 0, else 32.",
    usage: "[-q|-d] FOLDER",
    options: &[
        Opt { short: 'q', long: "quiet", value: "", help: "print nothing" },
        Opt { short: 'd', long: "fs-devno", value: "", help: "print the device's numbers" },
    ],
    notes: "",
    example: "mountpoint -q /mnt || mount /dev/sda1 /mnt",
    run,
};

/// The status that scripts know from util-linux.
const NOT_A_MOUNT_POINT: u8 = 32;

fn run(args: &Args) -> anyhow::Result<u8> {
    let [folder] = args.operands.as_slice() else { return usage_error("which folder?") };
    let path = fs::canonicalize(folder).unwrap_or_else(|_| folder.into());
    let mounts = mounts::all()?;
    let found = mounts.iter().rev().find(|m| m.target == path);
    if let (Some(mount), true) = (found, args.has("fs-devno")) {
        println!("{}", mount.device);
    } else if !args.has("quiet") {
        let not = if found.is_some() { "" } else { "not " };
        println!("{} is {not}a mount point", path.display());
    }
    Ok(if found.is_some() { 0 } else { NOT_A_MOUNT_POINT })
}
