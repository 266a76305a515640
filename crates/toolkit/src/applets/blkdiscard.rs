//! `blkdiscard`: lets a device forget its content.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    partitions::{Disk, plain},
    sizes,
};
use anyhow::bail;
use std::path::Path;
use xenoboot_sys::blockdev::{self, Discard};

pub(crate) static APPLET: Applet = Applet {
    name: "blkdiscard",
    summary: "Lets DEVICE forget what it holds: all of it is lost.",
    usage: "[-o OFFSET] [-l LENGTH] [-s|-z] [-f] DEVICE",
    options: &[
        Opt { short: 'o', long: "offset", value: "BYTES", help: "where to begin; 0" },
        Opt { short: 'l', long: "length", value: "BYTES", help: "how much; all" },
        Opt { short: 'p', long: "step", value: "BYTES", help: "so much at once" },
        Opt { short: 's', long: "secure", value: "", help: "copies that the device made, too" },
        Opt { short: 'z', long: "zeroout", value: "", help: "make it read as zeros" },
        Opt { short: 'f', long: "force", value: "", help: "even when it is in use" },
        Opt { short: 'v', long: "verbose", value: "", help: "say what was done" },
    ],
    notes: "",
    example: "blkdiscard -f /dev/nvme0n1",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let [device] = words.as_slice() else { return usage_error("which one device?") };
    let size = |name: &str| match args.text(name)? {
        None => Ok(None),
        Some(text) => match sizes::parse(text) {
            Some(size) => Ok(Some(size)),
            None => usage_error(format!("failed to parse {name}: {text:?}")),
        },
    };
    let (offset, length, step) = (size("offset")?.unwrap_or(0), size("length")?, size("step")?);
    if !args.has("force") && blockdev::in_use(Path::new(device)) {
        bail!("cannot open {device}: Device or resource busy (-f to do it nevertheless)");
    }
    let disk = Disk::open(Path::new(device), true)?;
    if !disk.device {
        bail!("{device}: not a block device");
    }
    let Some(room) = disk.bytes().checked_sub(offset) else {
        bail!("{device}: offset is greater than device size");
    };
    let length = length.unwrap_or(room).min(room);
    if offset % disk.sector != 0 || length % disk.sector != 0 {
        bail!("{device}: offset and length must be multiples of {} bytes", disk.sector);
    }
    let how = match (args.has("secure"), args.has("zeroout")) {
        (false, false) => Discard::Plain,
        (true, false) => Discard::Secure,
        (false, true) => Discard::Zero,
        _ => return usage_error("--secure or --zeroout, not both"),
    };
    let step = step.filter(|step| *step > 0).unwrap_or(length.max(1));
    let mut done = 0;
    while done < length {
        let part = step.min(length - done);
        if let Err(error) = blockdev::discard(&disk.file, how, offset + done, part) {
            bail!("{device}: discarding failed: {}", plain(&error));
        }
        done += part;
    }
    if args.has("verbose") {
        let what = if how == Discard::Zero { "Zero-filled" } else { "Discarded" };
        println!("{device}: {what} {length} bytes from the offset {offset}");
    }
    Ok(0)
}
