//! `free`: how much memory is used.

use crate::applet::{Applet, Args, Opt};
use anyhow::Context as _;
use std::fs;

pub(crate) static APPLET: Applet = Applet {
    name: "free",
    summary: "Prints how much memory there is, is used, and could be had.",
    usage: "[-b|-k|-m|-g]",
    options: &[
        Opt { short: 'b', long: "bytes", value: "", help: "in bytes" },
        Opt { short: 'k', long: "kibi", value: "", help: "in KiB (so if nothing is said)" },
        Opt { short: 'm', long: "mebi", value: "", help: "in MiB" },
        Opt { short: 'g', long: "gibi", value: "", help: "in GiB" },
    ],
    notes: "",
    example: "free -m",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    let path = "/proc/meminfo";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let unit = |kib: u64| {
        if args.has("bytes") {
            kib << 10
        } else if args.has("mebi") {
            kib >> 10
        } else if args.has("gibi") {
            kib >> 20
        } else {
            kib
        }
    };
    let field = |name: &str| kib(&text, name);
    let (total, free) = (field("MemTotal"), field("MemFree"));
    let cache = field("Buffers") + field("Cached") + field("SReclaimable");
    let available = field("MemAvailable");
    println!(
        "{:<6}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "", "total", "used", "free", "shared", "buff/cache", "available"
    );
    let row = [total, total.saturating_sub(available), free, field("Shmem"), cache, available];
    let shown: String = row.iter().map(|kib| format!("{:>12}", unit(*kib))).collect();
    println!("{:<6}{shown}", "Mem:");
    let (total, free) = (field("SwapTotal"), field("SwapFree"));
    let shown: String = [total, total.saturating_sub(free), free]
        .iter()
        .map(|kib| format!("{:>12}", unit(*kib)))
        .collect();
    println!("{:<6}{shown}", "Swap:");
    Ok(0)
}

/// A line of /proc/meminfo: `MemTotal:       16384 kB`.
fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
