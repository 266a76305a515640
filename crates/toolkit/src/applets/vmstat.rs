//! `vmstat`: memory, swapping, input and output, and the processor.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    dates::date,
    processes::kib,
};
use anyhow::Context as _;
use std::{fs, io::Write as _, time::Duration};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "vmstat",
    summary: "Prints what memory, disks and processor do: since the start, then each DELAY seconds.",
    usage: "[OPTION]... [DELAY [COUNT]]",
    options: &[
        flag('a', "active", "inactive and active memory for buffers and cache"),
        flag('n', "one-header", "headings only once"),
        flag('s', "stats", "counters, one a line"),
        flag('t', "timestamp", "with the time"),
        flag('w', "wide", "wide columns"),
        flag('y', "no-first", "not the line about the time since the start"),
        Opt { short: 'S', long: "unit", value: "UNIT", help: "k (1000), K (1024), m or M bytes" },
    ],
    notes: "r: processes that run or could; b: that wait for a disk. si, so: swapped in and out, KiB/s.\n\
            bi, bo: read and written, KiB/s. in, cs: interrupts and switches a second. us sy id wa st: percent.",
    example: "vmstat 1 5",
    run,
};

/// Headings come again after so many lines.
const PAGE: usize = 22;

/// One look at the counters.
#[derive(Clone, Debug, Default)]
struct Look {
    memory: String,
    /// user, nice, system, idle, iowait, irq, softirq, steal: clock ticks.
    ticks: Vec<u64>,
    running: u64,
    blocked: u64,
    interrupts: u64,
    switches: u64,
    booted: u64,
    forks: u64,
    /// /proc/vmstat
    paging: String,
}

impl Look {
    fn take() -> anyhow::Result<Self> {
        let read =
            |path: &str| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
        let stat = read("/proc/stat")?;
        let line = |key: &str| {
            let line = stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
            line.unwrap_or("")
                .split_whitespace()
                .map_while(|n| n.parse().ok())
                .collect::<Vec<u64>>()
        };
        let first = |key: &str| line(key).first().copied().unwrap_or(0);
        Ok(Self {
            ticks: line("cpu"),
            running: first("procs_running"),
            blocked: first("procs_blocked"),
            interrupts: first("intr"),
            switches: first("ctxt"),
            booted: first("btime"),
            forks: first("processes"),
            memory: read("/proc/meminfo")?,
            paging: read("/proc/vmstat")?,
        })
    }

    fn tick(&self, n: usize) -> u64 {
        self.ticks.get(n).copied().unwrap_or(0)
    }

    /// user, system, idle, waiting, stolen.
    fn shares(&self) -> [u64; 5] {
        let sum = |list: &[usize]| list.iter().map(|n| self.tick(*n)).sum();
        [sum(&[0, 1]), sum(&[2, 5, 6]), sum(&[3]), sum(&[4]), sum(&[7])]
    }

    fn paged(&self, key: &str) -> u64 {
        let line = self.paging.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let number = |text: &&str| match text.parse::<u64>() {
        Ok(number) if number > 0 => Ok(number),
        _ => usage_error(format!("failed to parse argument: {text:?}")),
    };
    let (delay, count) = match words.as_slice() {
        [] => (0, 1),
        [delay] => (number(delay)?, u64::MAX),
        [delay, count] => (number(delay)?, number(count)?),
        [_, _, extra, ..] => return usage_error(format!("unexpected argument {extra:?}")),
    };
    let unit = match args.text("unit")?.unwrap_or("K") {
        "k" => 1000,
        "K" => 1024,
        "m" => 1_000_000,
        "M" => 1 << 20,
        other => {
            return usage_error(format!(
                "-S requires k, K, m or M (default is KiB), not {other:?}"
            ));
        }
    };
    if args.has("stats") {
        print!("{}", counters(&Look::take()?));
        return Ok(0);
    }
    let mut out = std::io::stdout().lock();
    let (mut before, mut shown, mut left) = (Look::default(), 0, count);
    if args.has("no-first") {
        before = Look::take()?;
        std::thread::sleep(Duration::from_secs(delay.max(1)));
    }
    loop {
        if shown == 0 || (shown % PAGE == 0 && !args.has("one-header")) {
            write!(out, "{}", headings(args))?;
        }
        let now = Look::take()?;
        let seconds = (shown > 0 || args.has("no-first")).then_some(delay.max(1));
        writeln!(out, "{}", line(args, &before, &now, seconds, unit))?;
        (before, shown, left) = (now, shown + 1, left - 1);
        if left == 0 {
            return Ok(0);
        }
        std::thread::sleep(Duration::from_secs(delay));
    }
}

fn headings(args: &Args) -> String {
    let (buffers, cache) = if args.has("active") { ("inact", "active") } else { ("buff", "cache") };
    let (above, mut below) = if args.has("wide") {
        (
            "--procs-- -----------------------memory---------------------- ---swap-- -----io---- -system-- ----------cpu----------",
            format!(
                "{:>4} {:>4} {:>12} {:>12} {buffers:>12} {cache:>12} {:>4} {:>4} {:>5} {:>5} {:>4} {:>4} {:>3} {:>3} {:>3} {:>3} {:>3} {:>3}",
                "r",
                "b",
                "swpd",
                "free",
                "si",
                "so",
                "bi",
                "bo",
                "in",
                "cs",
                "us",
                "sy",
                "id",
                "wa",
                "st",
                "gu"
            ),
        )
    } else {
        (
            "procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----",
            format!(
                "{:>2} {:>2} {:>6} {:>6} {buffers:>6} {cache:>6} {:>4} {:>4} {:>5} {:>5} {:>4} {:>4} {:>2} {:>2} {:>2} {:>2} {:>2}",
                "r",
                "b",
                "swpd",
                "free",
                "si",
                "so",
                "bi",
                "bo",
                "in",
                "cs",
                "us",
                "sy",
                "id",
                "wa",
                "st"
            ),
        )
    };
    let mut above = above.to_owned();
    if args.has("timestamp") {
        above += " -----timestamp-----";
        below += &format!(" {:>19}", "UTC");
    }
    format!("{above}\n{below}\n")
}

/// Differences a second; without `seconds` those since the start, as the original counts them: by
/// the ticks of all processors together.
fn line(args: &Args, before: &Look, now: &Look, seconds: Option<u64>, unit: u64) -> String {
    let (old, new) = (before.shares(), now.shares());
    let spent = new.iter().zip(old).map(|(n, o)| n.saturating_sub(o)).collect::<Vec<_>>();
    let all = spent.iter().sum::<u64>().max(1);
    let hertz = rustix::param::clock_ticks_per_second().max(1);
    let rate = |new: u64, old: u64| match seconds {
        Some(seconds) => (new.saturating_sub(old) + seconds / 2) / seconds,
        None => (new.saturating_mul(hertz) + all / 2) / all,
    };
    let page = rustix::param::page_size() as u64;
    let memory = |name: &str| kib(&now.memory, name);
    let scaled = |kib: u64| kib * 1024 / unit;
    let (buffers, cache) = if args.has("active") {
        (memory("Inactive"), memory("Active"))
    } else {
        (memory("Buffers"), memory("Cached") + memory("SReclaimable"))
    };
    let swap = memory("SwapTotal").saturating_sub(memory("SwapFree"));
    let swapped = |key: &str| {
        let pages = |look: &Look| look.paged(key) * page / unit;
        rate(pages(now), pages(before))
    };
    let paged = |key: &str| rate(now.paged(key), before.paged(key));
    let mut cells = vec![
        now.running,
        now.blocked,
        scaled(swap),
        scaled(memory("MemFree")),
        scaled(buffers),
        scaled(cache),
        swapped("pswpin"),
        swapped("pswpout"),
        paged("pgpgin"),
        paged("pgpgout"),
        rate(now.interrupts, before.interrupts),
        rate(now.switches, before.switches),
    ];
    cells.extend(spent.iter().map(|ticks| (100 * ticks + all / 2) / all));
    if args.has("wide") {
        let guests = |look: &Look| look.tick(8) + look.tick(9);
        cells.push((100 * guests(now).saturating_sub(guests(before)) + all / 2) / all);
    }
    const NARROW: [usize; 18] = [2, 2, 6, 6, 6, 6, 4, 4, 5, 5, 4, 4, 2, 2, 2, 2, 2, 0];
    const WIDE: [usize; 18] = [4, 4, 12, 12, 12, 12, 4, 4, 5, 5, 4, 4, 3, 3, 3, 3, 3, 3];
    let widths = if args.has("wide") { WIDE } else { NARROW };
    let cells: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
    let mut line = cells.join(" ");
    if args.has("timestamp") {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = date(now.ok().and_then(|now| i64::try_from(now.as_secs()).ok()).unwrap_or(0));
        line += &format!(" {} {}", now.iso(), now.time);
    }
    line
}

fn counters(now: &Look) -> String {
    let memory = |name: &str| kib(&now.memory, name);
    let swap = (memory("SwapTotal"), memory("SwapFree"));
    let rows: [(u64, &str); 28] = [
        (memory("MemTotal"), "K total memory"),
        (memory("MemTotal").saturating_sub(memory("MemAvailable")), "K used memory"),
        (memory("Active"), "K active memory"),
        (memory("Inactive"), "K inactive memory"),
        (memory("MemFree"), "K free memory"),
        (memory("Buffers"), "K buffer memory"),
        (memory("Cached") + memory("SReclaimable"), "K swap cache"),
        (swap.0, "K total swap"),
        (swap.0.saturating_sub(swap.1), "K used swap"),
        (swap.1, "K free swap"),
        (now.tick(0), "non-nice user cpu ticks"),
        (now.tick(1), "nice user cpu ticks"),
        (now.tick(2), "system cpu ticks"),
        (now.tick(3), "idle cpu ticks"),
        (now.tick(4), "IO-wait cpu ticks"),
        (now.tick(5), "IRQ cpu ticks"),
        (now.tick(6), "softirq cpu ticks"),
        (now.tick(7), "stolen cpu ticks"),
        (now.tick(8), "non-nice guest cpu ticks"),
        (now.tick(9), "nice guest cpu ticks"),
        (now.paged("pgpgin"), "K paged in"),
        (now.paged("pgpgout"), "K paged out"),
        (now.paged("pswpin"), "pages swapped in"),
        (now.paged("pswpout"), "pages swapped out"),
        (now.interrupts, "interrupts"),
        (now.switches, "CPU context switches"),
        (now.booted, "boot time"),
        (now.forks, "forks"),
    ];
    rows.iter().map(|(number, name)| format!("{number:>13} {name}\n")).collect()
}
