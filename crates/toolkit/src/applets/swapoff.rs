//! `swapoff`: stops using swap spaces.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    devices,
    partitions::plain,
};
use anyhow::{Context as _, anyhow};
use std::{fs, io::ErrorKind, path::Path};
use xenoboot_sys::swap;

pub(crate) static APPLET: Applet = Applet {
    name: "swapoff",
    summary: "Stops using DEVICEs or files as swap spaces.",
    usage: "DEVICE...\n-a",
    options: &[
        Opt { short: 'a', long: "all", value: "", help: "all that are in use" },
        Opt { short: 'L', long: "label", value: "LABEL", help: "the one with this label" },
        Opt { short: 'U', long: "uuid", value: "UUID", help: "the one with this UUID" },
        Opt { short: 'v', long: "verbose", value: "", help: "say what is done" },
    ],
    notes: "DEVICE may be LABEL=..., UUID=..., PARTLABEL=... or PARTUUID=...",
    example: "swapoff -a",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut sources = devices::named(args)?;
    if args.has("all") {
        let text = fs::read_to_string("/proc/swaps").context("cannot read /proc/swaps")?;
        let names = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
        sources.extend(names.map(str::to_owned));
    } else if sources.is_empty() {
        return usage_error("which device?");
    }
    let mut status = 0;
    for source in sources {
        let failed = match devices::resolve(Path::new(&source)) {
            Err(error) => error,
            Ok(path) => {
                if args.has("verbose") {
                    println!("swapoff {}", path.display());
                }
                match swap::off(&path) {
                    Ok(()) => continue,
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                        eprintln!("swapoff: Not superuser.");
                        return Ok(16);
                    }
                    Err(error) => {
                        anyhow!("{}: swapoff failed: {}", path.display(), plain(&error))
                    }
                }
            }
        };
        eprintln!("swapoff: {failed:#}");
        status = 4;
    }
    Ok(status)
}
