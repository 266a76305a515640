//! `losetup`: files as block devices.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    loops,
};
use anyhow::Context as _;
use std::{
    fs::{self, File},
    path::Path,
};
use xenoboot_sys::loopdev::{self, Attach};

pub(crate) static APPLET: Applet = Applet {
    name: "losetup",
    summary: "Makes a file a block device; without arguments prints which are.",
    usage: "[-r] [-P] [-o BYTES] -f FILE\n-d DEVICE...\n[-a]",
    options: &[
        Opt { short: 'f', long: "find", value: "", help: "take a free device and print its name" },
        Opt { short: '\0', long: "show", value: "", help: "print the device (always so)" },
        Opt { short: 'r', long: "read-only", value: "", help: "refuse writes" },
        Opt { short: 'P', long: "partscan", value: "", help: "look for partitions" },
        Opt { short: 'o', long: "offset", value: "BYTES", help: "begin so far into the file" },
        Opt { short: 'd', long: "detach", value: "", help: "detach DEVICEs" },
        Opt { short: 'a', long: "all", value: "", help: "print all" },
    ],
    notes: "",
    example: "losetup -P -f disk.img    prints /dev/loop0; its partitions are /dev/loop0p1 ...",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    if args.has("detach") {
        for device in &args.operands {
            let shown = Path::new(device).display();
            let opened = File::open(device).with_context(|| format!("cannot open {shown}"))?;
            loopdev::detach(&opened).with_context(|| format!("cannot detach {shown}"))?;
        }
        return Ok(0);
    }
    match args.operands.as_slice() {
        [] if !args.has("find") => print(),
        [file] if args.has("find") => attach(args, Path::new(file)),
        _ => usage_error("one FILE after -f"),
    }
}

fn attach(args: &Args, path: &Path) -> anyhow::Result<u8> {
    let offset = match args.text("offset")?.map(str::parse) {
        None => 0,
        Some(Ok(offset)) => offset,
        Some(Err(_)) => return usage_error("the offset is not a number of bytes"),
    };
    let read_only = args.has("read-only");
    let file = File::options().read(true).write(!read_only).open(path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    let how = Attach {
        read_only,
        auto_clear: false,
        partitions: args.has("partscan"),
        offset,
        direct: false,
    };
    let (_, device) =
        loops::attach(&file, how).with_context(|| format!("cannot attach {}", path.display()))?;
    println!("{}", device.display());
    Ok(0)
}

fn print() -> anyhow::Result<u8> {
    let mut lines = Vec::new();
    for entry in fs::read_dir("/sys/block").context("cannot read /sys/block")? {
        let entry = entry?;
        let backing = entry.path().join("loop/backing_file");
        if let Ok(file) = fs::read_to_string(backing) {
            let name = entry.file_name();
            lines.push(format!("/dev/{}: {}", name.to_string_lossy(), file.trim_end()));
        }
    }
    lines.sort();
    lines.iter().for_each(|line| println!("{line}"));
    Ok(0)
}
