//! `free`: how much memory is used.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    processes::kib,
};
use anyhow::Context as _;
use std::{fs, time::Duration};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "free",
    summary: "Prints how much memory there is, is used, and could be had.",
    usage: "[-b|-k|-m|-g|-h] [-t] [-w] [-s SECONDS] [-c COUNT]",
    options: &[
        flag('b', "bytes", "in bytes"),
        flag('k', "kibi", "in KiB (so if nothing is said)"),
        flag('m', "mebi", "in MiB"),
        flag('g', "gibi", "in GiB"),
        flag('h', "human", "each with the unit that fits"),
        flag('\0', "si", "units are powers of 1000"),
        flag('t', "total", "with the sum of memory and swap"),
        flag('w', "wide", "buffers and cache apart"),
        Opt { short: 's', long: "seconds", value: "SECONDS", help: "again and again" },
        Opt { short: 'c', long: "count", value: "COUNT", help: "so often" },
    ],
    notes: "",
    example: "free -h",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    let count = args.number::<u64>("count")?;
    let pause = match args.text("seconds")?.map(str::parse::<f64>) {
        None => Duration::from_secs(1),
        Some(Ok(seconds)) if (0.01..1e6).contains(&seconds) => Duration::from_secs_f64(seconds),
        Some(_) => return usage_error("seconds argument failed"),
    };
    let mut left = match (count, args.has("seconds")) {
        (Some(0), _) => return usage_error("failed to parse count argument: 0"),
        (Some(count), _) => count,
        (None, true) => u64::MAX,
        (None, false) => 1,
    };
    loop {
        print!("{}", table(args)?);
        left -= 1;
        if left == 0 {
            return Ok(0);
        }
        println!();
        std::thread::sleep(pause);
    }
}

fn table(args: &Args) -> anyhow::Result<String> {
    let path = "/proc/meminfo";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let field = |name: &str| kib(&text, name);
    let row = |name: &str, row: &[u64]| {
        let cells: String = row.iter().map(|kib| format!("{:>12}", unit(args, *kib))).collect();
        format!("{name:<8}{cells}\n")
    };
    let (total, free) = (field("MemTotal"), field("MemFree"));
    let (buffers, cache) = (field("Buffers"), field("Cached") + field("SReclaimable"));
    let available = field("MemAvailable").min(total);
    let used = total - available;
    let (headings, middle) = if args.has("wide") {
        (["buffers", "cache"].as_slice(), vec![buffers, cache])
    } else {
        (["buff/cache"].as_slice(), vec![buffers + cache])
    };
    let mut out = " ".repeat(8);
    for heading in ["total", "used", "free", "shared"].iter().chain(headings).chain(&["available"])
    {
        out.push_str(&format!("{heading:>12}"));
    }
    out.push('\n');
    let start = [total, used, free, field("Shmem")].into_iter();
    out += &row("Mem:", &start.chain(middle).chain([available]).collect::<Vec<_>>());
    let (swap, swap_free) = (field("SwapTotal"), field("SwapFree"));
    let swap_used = swap.saturating_sub(swap_free);
    out += &row("Swap:", &[swap, swap_used, swap_free]);
    if args.has("total") {
        out += &row("Total:", &[total + swap, used + swap_used, free + swap_free]);
    }
    Ok(out)
}

fn unit(args: &Args, kib: u64) -> String {
    let bytes = kib.saturating_mul(1024);
    let base: u64 = if args.has("si") { 1000 } else { 1024 };
    if args.has("human") {
        return human(bytes, base);
    }
    let power = match () {
        () if args.has("bytes") => 0,
        () if args.has("mebi") => 2,
        () if args.has("gibi") => 3,
        () => 1,
    };
    (bytes / base.pow(power)).to_string()
}

/// At most four characters, and the `i` of binary units.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(crate) fn human(bytes: u64, base: u64) -> String {
    let binary = if base == 1024 { "i" } else { "" };
    let plain = format!("{bytes}B");
    if plain.len() <= 4 {
        return plain;
    }
    let mut unit = base;
    for letter in ["K", "M", "G", "T", "P"] {
        let tenths = format!("{:.1}{letter}", bytes as f64 / unit as f64);
        if tenths.len() <= 4 {
            return tenths + binary;
        }
        let whole = format!("{}{letter}", bytes / unit);
        if whole.len() <= 4 {
            return whole + binary;
        }
        unit = unit.saturating_mul(base);
    }
    format!("{}E{binary}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_characters() {
        let cases =
            [(0, "0B"), (999, "999B"), (1000, "1.0Ki"), (9_216 << 10, "9.0Mi"), (23 << 30, "23Gi")];
        for (bytes, text) in cases {
            assert_eq!(human(bytes, 1024), text);
        }
        assert_eq!(human(1_500_000, 1000), "1.5M");
    }
}
