//! `fstrim`: a file system gives up what it does not use.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    mounts,
    partitions::plain,
    sizes::{self, Style, human},
};
use anyhow::bail;
use std::{
    collections::BTreeSet,
    fs::File,
    path::{Path, PathBuf},
};
use xenoboot_sys::blockdev;

pub(crate) static APPLET: Applet = Applet {
    name: "fstrim",
    summary: "Lets the device below a mounted file system forget what the file system does not use.",
    usage: "[-v] [-o OFFSET] [-l LENGTH] [-m LEAST] FOLDER\n-a",
    options: &[
        Opt { short: 'a', long: "all", value: "", help: "every mounted file system that can" },
        Opt { short: 'o', long: "offset", value: "BYTES", help: "where to begin; 0" },
        Opt { short: 'l', long: "length", value: "BYTES", help: "how much; all" },
        Opt { short: 'm', long: "minimum", value: "BYTES", help: "leave smaller holes alone" },
        Opt { short: 'n', long: "dry-run", value: "", help: "do nothing" },
        Opt { short: 'v', long: "verbose", value: "", help: "say how much it was" },
        Opt {
            short: '\0',
            long: "quiet-unsupported",
            value: "",
            help: "no error where it cannot be",
        },
    ],
    notes: "",
    example: "fstrim -v /mnt",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    if args.has("all") {
        let mut seen = BTreeSet::new();
        for mount in mounts::all()? {
            if mount.source.starts_with("/dev") && seen.insert(mount.device.clone()) {
                trim(args, &mount.target, true)?;
            }
        }
        return Ok(0);
    }
    let [folder] = words.as_slice() else { return usage_error("no mountpoint specified") };
    trim(args, Path::new(folder), args.has("quiet-unsupported"))?;
    Ok(0)
}

fn trim(args: &Args, folder: &Path, quietly: bool) -> anyhow::Result<()> {
    let size = |name: &str, default| match args.text(name)? {
        None => Ok(default),
        Some(text) => match sizes::parse(text) {
            Some(size) => Ok(size),
            None => usage_error(format!("failed to parse {name}: {text:?}")),
        },
    };
    let (start, length, least) =
        (size("offset", 0)?, size("length", u64::MAX)?, size("minimum", 0)?);
    let shown: PathBuf = folder.to_owned();
    let file = match File::open(folder) {
        Ok(file) => file,
        Err(error) => bail!("cannot open {}: {}", shown.display(), plain(&error)),
    };
    if args.has("dry-run") {
        return Ok(());
    }
    match blockdev::trim(&file, start, length, least) {
        Ok(bytes) if args.has("verbose") => {
            println!("{}: {} ({bytes} bytes) trimmed", shown.display(), human(bytes, Style::Long));
        }
        Err(error) if !quietly => match error.raw_os_error() {
            // EOPNOTSUPP and ENOTTY.
            Some(95 | 25) => bail!("{}: the discard operation is not supported", shown.display()),
            _ => bail!("{}: FITRIM ioctl failed: {}", shown.display(), plain(&error)),
        },
        _ => {}
    }
    Ok(())
}
