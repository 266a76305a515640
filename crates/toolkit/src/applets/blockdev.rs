//! `blockdev`: asks and tells block devices.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    partitions::plain,
};
use anyhow::bail;
use std::{fs::File, io};
use xenoboot_sys::blockdev::{self as sys, Ask};

const fn flag(long: &'static str, help: &'static str) -> Opt {
    Opt { short: '\0', long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "blockdev",
    summary: "Asks and tells block DEVICEs, one line for each question and device.",
    usage: "[-q|-v] OPTION... DEVICE...",
    options: &[
        Opt { short: 'q', long: "quiet", value: "", help: "print no words" },
        Opt { short: 'v', long: "verbose", value: "", help: "print what each number is" },
        flag("getsz", "size, sectors of 512 bytes"),
        flag("getsize", "the same"),
        flag("getsize64", "size, bytes"),
        flag("getss", "logical sector, bytes"),
        flag("getpbsz", "physical sector, bytes"),
        flag("getiomin", "smallest efficient request, bytes"),
        flag("getioopt", "best request, bytes"),
        flag("getalignoff", "offset of the first sector, bytes"),
        flag("getmaxsect", "most sectors a request"),
        flag("getbsz", "block, bytes"),
        flag("getra", "read-ahead, sectors of 512 bytes"),
        flag("getfra", "read-ahead of the file system"),
        flag("getro", "1 when read-only"),
        Opt { short: '\0', long: "setra", value: "SECTORS", help: "set the read-ahead" },
        flag("setro", "refuse writes"),
        flag("setrw", "allow writes"),
        flag("flushbufs", "write and forget cached pages"),
        flag("rereadpt", "read the partition table"),
    ],
    notes: "",
    example: "blockdev --getsize64 /dev/sda",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let quiet = |name: &str| matches!(name, "quiet" | "verbose");
    if words.is_empty() || args.all().all(|(name, ..)| quiet(name)) {
        return usage_error("a question or an order, and a device");
    }
    for word in words {
        let device = match File::open(word) {
            Ok(device) => device,
            Err(error) => bail!("cannot open {word}: {}", plain(&error)),
        };
        for (name, ..) in args.all().filter(|(name, ..)| !quiet(name)) {
            match obey(args, name, &device) {
                Ok(Some(answer)) if args.has("verbose") => println!("{}: {answer}", meaning(name)),
                Ok(Some(answer)) => println!("{answer}"),
                Ok(None) if args.has("verbose") => println!("{} succeeded.", meaning(name)),
                Ok(None) => {}
                Err(error) => bail!("ioctl error on --{name}: {word}: {}", plain(&error)),
            }
        }
    }
    Ok(0)
}

fn meaning(name: &str) -> &'static str {
    APPLET.options.iter().find(|option| option.long == name).map_or("", |option| option.help)
}

fn obey(args: &Args, name: &str, device: &File) -> io::Result<Option<i64>> {
    let ask = match name {
        "getsz" | "getsize" => return Ok(Some(sys::ask(device, Ask::Size)? / 512)),
        "getss" => return Ok(Some(i64::from(rustix::fs::ioctl_blksszget(device)?))),
        "setro" | "setrw" => return sys::set_read_only(device, name == "setro").map(|()| None),
        "flushbufs" => return sys::flush(device).map(|()| None),
        "rereadpt" => return sys::read_partitions(device).map(|()| None),
        "setra" => {
            let sectors = args.number("setra").ok().flatten().ok_or(io::ErrorKind::InvalidInput)?;
            return sys::set_read_ahead(device, sectors).map(|()| None);
        }
        "getsize64" => Ask::Size,
        "getpbsz" => Ask::PhysicalSector,
        "getiomin" => Ask::MinimumIo,
        "getioopt" => Ask::OptimalIo,
        "getalignoff" => Ask::AlignmentOffset,
        "getmaxsect" => Ask::MaxSectors,
        "getbsz" => Ask::BlockSize,
        "getra" => Ask::ReadAhead,
        "getfra" => Ask::FileReadAhead,
        _ => Ask::ReadOnly,
    };
    sys::ask(device, ask).map(Some)
}
