//! `xb partitions`: the table of a disk that lost it, as a script for sfdisk.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    partitions::{
        Disk,
        search::{Found, search},
    },
};
use anyhow::bail;
use std::path::Path;

pub(crate) static APPLET: Applet = Applet {
    name: "xb partitions",
    summary: "Looks for the partitions of a DISK whose table is lost, by what they hold.",
    usage: "[--label gpt|dos] DISK",
    options: &[Opt {
        short: '\0',
        long: "label",
        value: "KIND",
        help: "gpt, if not given, or dos",
    }],
    notes: "Prints a script for sfdisk; nothing is written. Looked for are ext2 to ext4, xfs, btrfs, f2fs, jfs, vfat, exfat,\n\
            ntfs, swap space, LUKS, LVM and RAID, at each MiB and at sector 63. An ext file system is found by a copy\n\
            of its superblock, too. What was not formatted is not found. Exit status: 1 nothing was found.",
    example: "xb partitions /dev/sda > found && sfdisk /dev/sda < found",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let [path] = words.as_slice() else { return usage_error("which one disk?") };
    let label = args.text("label")?.unwrap_or("gpt");
    if !matches!(label, "gpt" | "dos") {
        return usage_error(format!("no label {label:?}: gpt or dos"));
    }
    let disk = Disk::open(Path::new(path), false)?;
    let found = search(&disk)?;
    if found.is_empty() {
        bail!("nothing that is known begins at a whole MiB of {path}");
    }
    println!("label: {label}\nunit: sectors\n");
    for part in &found {
        println!("{}", line(part, disk.sector, label == "gpt"));
    }
    Ok(0)
}

fn line(found: &Found, sector: u64, gpt: bool) -> String {
    let (start, size) = (found.start / sector, found.size.div_ceil(sector));
    let kind = kind(found.kind, gpt);
    let copy = if found.by_copy { ", by a copy of its superblock" } else { "" };
    format!("# {}{copy}\nstart={start}, size={size}, type={kind}", found.kind)
}

/// The type of a partition that holds it. A FAT file system is most often the firmware's.
fn kind(content: &str, gpt: bool) -> &'static str {
    let (guid, byte) = match content {
        "vfat" => ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef"),
        "ntfs" | "exfat" => ("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "7"),
        "swap" => ("0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", "82"),
        "LVM2_member" => ("E6D6D379-F507-44C2-A23C-238F2A3DF928", "8e"),
        "linux_raid_member" => ("A19D880F-05FC-4D3B-A006-743F0F84911E", "fd"),
        _ => ("0FC63DAF-8483-4772-8E79-3D69D8477DE4", "83"),
    };
    if gpt { guid } else { byte }
}
