//! `swapoff`: stops using swap spaces.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    devices,
    partitions::plain,
};
use anyhow::Context as _;
use std::{fs, path::Path};
use xenoboot_sys::swap;

pub(crate) static APPLET: Applet = Applet {
    name: "swapoff",
    summary: "Stops using DEVICEs or files as swap spaces.",
    usage: "DEVICE...\n-a",
    options: &[
        Opt { short: 'a', long: "all", value: "", help: "all that are in use" },
        Opt { short: 'v', long: "verbose", value: "", help: "say what is done" },
    ],
    notes: "DEVICE may be LABEL=... or UUID=...",
    example: "swapoff -a",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut sources: Vec<String> = args.words()?.into_iter().map(str::to_owned).collect();
    if args.has("all") {
        let text = fs::read_to_string("/proc/swaps").context("cannot read /proc/swaps")?;
        let names = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
        sources.extend(names.map(str::to_owned));
    } else if sources.is_empty() {
        return usage_error("which device?");
    }
    let mut status = 0;
    for source in sources {
        let done = devices::resolve(Path::new(&source)).and_then(|path| {
            if args.has("verbose") {
                println!("swapoff {}", path.display());
            }
            swap::off(&path).map_err(|error| {
                anyhow::anyhow!("{}: swapoff failed: {}", path.display(), plain(&error))
            })
        });
        if let Err(error) = done {
            eprintln!("swapoff: {error:#}");
            status = 4;
        }
    }
    Ok(status)
}
