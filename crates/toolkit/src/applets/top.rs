//! `top`: the processes that do most.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    dates::date,
    names::{self, Names},
    processes::{self, Process, kib},
    terminal::{Event, Key, Terminal},
};
use anyhow::Context as _;
use std::{cmp::Reverse, collections::HashMap, fs, io::Write as _, time::Duration};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "top",
    summary: "Prints, again and again, what the machine does and which processes do most.",
    usage: "[-b] [-n COUNT] [-d SECONDS] [-o COLUMN] [-p PIDS] [-u USER] [-c] [-w COLUMNS]",
    options: &[
        flag('b', "batch", "print one after the other, for files and pipes"),
        value('n', "iterations", "COUNT", "so often, then end"),
        value('d', "delay", "SECONDS", "between two; 3 if not given"),
        value(
            'o',
            "sort-override",
            "COLUMN",
            "sort by %CPU, %MEM, TIME+, PID, RES or VIRT; +: smallest first",
        ),
        value('p', "pid", "LIST", "only these processes"),
        value('u', "filter-any-user", "USER", "only this user's"),
        flag('c', "cmdline-toggle", "command lines, no names"),
        flag('i', "idle-toggle", "only those that used the processor"),
        value('w', "width", "[COLUMNS]", "cut lines there"),
    ],
    notes: "Keys: q ends; P, M, T, N sort by processor, memory, time, number; R turns the order round;\n\
            c command lines; i idle processes; blank: now.",
    example: "top -b -n 1 -o %MEM | head -20",
    run,
};

/// What lines are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SortKey {
    Cpu,
    Memory,
    Time,
    Pid,
    Space,
}

impl SortKey {
    fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "%CPU" => Self::Cpu,
            "%MEM" | "RES" => Self::Memory,
            "TIME" | "TIME+" => Self::Time,
            "PID" => Self::Pid,
            "VIRT" => Self::Space,
            _ => return None,
        })
    }
}

struct View {
    key: SortKey,
    upside_down: bool,
    command_lines: bool,
    only_busy: bool,
    pids: Vec<i32>,
    user: Option<u32>,
    names: Names,
}

/// What was seen the last time.
#[derive(Default)]
struct Before {
    /// Clock ticks of all processors by kind.
    ticks: Vec<u64>,
    used: HashMap<i32, u64>,
    /// Seconds since the start.
    uptime: f64,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    let mut view = view(args)?;
    let delay = match args.text("delay")?.map(str::parse::<f64>) {
        None => 3.0,
        Some(Ok(seconds)) if (0.0..1e6).contains(&seconds) => seconds,
        Some(_) => return usage_error("bad delay interval"),
    };
    let mut left = match args.number::<u64>("iterations")? {
        Some(0) => return usage_error("bad iterations argument '0'"),
        Some(count) => count,
        None => u64::MAX,
    };
    let mut screen = if args.has("batch") {
        None
    } else {
        Some(Terminal::take(false).context("failed tty get (use -b)")?)
    };
    // The first shares are those of a short moment.
    let mut before = Before::default();
    look(&view, &mut before)?;
    std::thread::sleep(Duration::from_millis(150));
    loop {
        let text = look(&view, &mut before)?;
        show(args, screen.as_ref(), &text)?;
        left -= 1;
        if left == 0 {
            return Ok(0);
        }
        match &mut screen {
            None => {
                println!();
                std::thread::sleep(Duration::from_secs_f64(delay));
            }
            Some(screen) => {
                if !keys(&mut view, screen, delay)? {
                    return Ok(0);
                }
            }
        }
    }
}

fn view(args: &Args) -> anyhow::Result<View> {
    let order = args.text("sort-override")?.unwrap_or("%CPU");
    let (upside_down, name) = match order.strip_prefix('+') {
        Some(name) => (true, name),
        None => (false, order.trim_start_matches('-')),
    };
    let Some(key) = SortKey::parse(name) else {
        return usage_error(format!("unrecognized field name '{name}'"));
    };
    let pids = args.text("pid")?.unwrap_or_default().split(',').filter(|pid| !pid.is_empty());
    let pids: Result<Vec<i32>, _> = pids.map(str::parse).collect();
    let Ok(pids) = pids else { return usage_error("bad pid") };
    let user = match args.text("filter-any-user")? {
        None => None,
        Some(name) => match names::uid(name).or_else(|| name.parse().ok()) {
            Some(user) => Some(user),
            None => return usage_error("Invalid user"),
        },
    };
    Ok(View {
        key,
        upside_down,
        command_lines: args.has("cmdline-toggle"),
        only_busy: args.has("idle-toggle"),
        pids,
        user,
        names: Names::read(),
    })
}

/// Waits for the time or for keys; false at `q`.
fn keys(view: &mut View, screen: &mut Terminal, delay: f64) -> anyhow::Result<bool> {
    let typed = match screen.next(Some(Duration::from_secs_f64(delay)), None).context("keyboard")? {
        Event::Key(key) => key,
        // When nobody is there any more, nobody can press q.
        Event::Closed => return Ok(false),
        Event::Redraw | Event::Ready | Event::Timeout => return Ok(true),
    };
    match typed {
        Key::Char('q') | Key::Ctrl('c') => return Ok(false),
        Key::Char('P') => view.key = SortKey::Cpu,
        Key::Char('M') => view.key = SortKey::Memory,
        Key::Char('T') => view.key = SortKey::Time,
        Key::Char('N') => view.key = SortKey::Pid,
        Key::Char('R') => view.upside_down = !view.upside_down,
        Key::Char('c') => view.command_lines = !view.command_lines,
        Key::Char('i') => view.only_busy = !view.only_busy,
        _ => {}
    }
    Ok(true)
}

fn show(args: &Args, screen: Option<&Terminal>, text: &str) -> anyhow::Result<()> {
    let size = screen.map(Terminal::size);
    let width = match (args.number::<usize>("width").unwrap_or(None), size) {
        (Some(width), _) => width,
        (None, Some(size)) => size.columns,
        (None, None) => 512,
    };
    let mut out = std::io::stdout().lock();
    let cut = |line: &str| line.chars().take(width).collect::<String>();
    if screen.is_none() {
        for line in text.lines() {
            writeln!(out, "{}", cut(line))?;
        }
        return Ok(());
    }
    let height = size.map_or(24, |size| size.rows).max(2);
    // Home; each line cleared to its end, then all below.
    let lines: Vec<String> = text.lines().take(height - 1).map(cut).collect();
    write!(out, "\x1b[H{}\x1b[K\n\x1b[J", lines.join("\x1b[K\n"))?;
    Ok(out.flush()?)
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn float(number: u64) -> f64 {
    number as f64
}

/// All lines of one look.
fn look(view: &View, before: &mut Before) -> anyhow::Result<String> {
    let stat = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let ticks: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .map_while(|n| n.parse().ok())
        .collect();
    let all = processes::all()?;
    let uptime = processes::uptime();
    let span = (uptime - before.uptime).max(0.01);
    let hertz = float(rustix::param::clock_ticks_per_second().max(1));
    let mut out = head(uptime, &all);
    out += &cpu(&ticks, &before.ticks);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    out += &mem(&memory);
    let pid = super::ps::fields::pid_width();
    out += &format!(
        "\n{:>pid$} {:<8}  {:>2} {:>3} {:>7} {:>6} {:>6} S {:>5} {:>5} {:>9} COMMAND\n",
        "PID", "USER", "PR", "NI", "VIRT", "RES", "SHR", "%CPU", "%MEM", "TIME+"
    );
    let share = |process: &Process| {
        let old = before.used.get(&process.pid).copied().unwrap_or(0);
        float(process.ticks.saturating_sub(old)) / hertz / span * 100.0
    };
    let mut rows: Vec<(&Process, f64)> =
        all.iter().map(|process| (process, share(process))).collect();
    rows.retain(|(process, share)| {
        (view.pids.is_empty() || view.pids.contains(&process.pid))
            && view.user.is_none_or(|user| user == process.owner.0)
            && (!view.only_busy || *share > 0.0)
    });
    match view.key {
        SortKey::Cpu => rows.sort_by(|one, other| other.1.total_cmp(&one.1)),
        SortKey::Memory => rows.sort_by_key(|(process, _)| Reverse(process.pages)),
        SortKey::Time => rows.sort_by_key(|(process, _)| Reverse(process.ticks)),
        SortKey::Pid => rows.sort_by_key(|(process, _)| Reverse(process.pid)),
        SortKey::Space => rows.sort_by_key(|(process, _)| Reverse(process.space)),
    }
    if view.upside_down {
        rows.reverse();
    }
    let total = kib(&memory, "MemTotal").max(1);
    for (process, share) in rows {
        out += &row(view, process, share, total, pid);
    }
    *before = Before { ticks, used: all.iter().map(|p| (p.pid, p.ticks)).collect(), uptime };
    Ok(out)
}

fn head(uptime: f64, all: &[Process]) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = date(now.ok().and_then(|now| i64::try_from(now.as_secs()).ok()).unwrap_or(0));
    let minutes = Duration::from_secs_f64(uptime.max(0.0)).as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let up = match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours:>2}:{minutes:02}"),
        (1, hours) => format!("1 day, {hours:>2}:{minutes:02}"),
        (days, hours) => format!("{days} days, {hours:>2}:{minutes:02}"),
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let count = |states: &str| all.iter().filter(|process| states.contains(process.state)).count();
    format!(
        "top - {} up {up},  0 user,  load average: {}\n\
         Tasks: {:>3} total, {:>3} running, {:>3} sleeping, {:>3} stopped, {:>3} zombie\n",
        now.time,
        load.join(", "),
        all.len(),
        count("R"),
        count("SDI"),
        count("Tt"),
        count("Z")
    )
}

/// Shares of the processors' time since the last look.
fn cpu(now: &[u64], before: &[u64]) -> String {
    let spent = |n: usize| {
        let at = |list: &[u64]| list.get(n).copied().unwrap_or(0);
        at(now).saturating_sub(at(before))
    };
    let all: u64 = (0..8).map(spent).sum();
    // In the order of the line: user, system, nice, idle, waiting, interrupts, soft ones, stolen.
    let kinds =
        [(0, "us"), (2, "sy"), (1, "ni"), (3, "id"), (4, "wa"), (5, "hi"), (6, "si"), (7, "st")];
    let kinds = kinds.map(|(n, name)| {
        let share = format!("{:.1}", float(spent(n)) * 100.0 / float(all.max(1)));
        format!("{share:>5} {name}")
    });
    format!("%Cpu(s):{} \n", kinds.join(","))
}

fn mem(text: &str) -> String {
    let field = |name: &str| kib(text, name);
    let mib = |kib: u64| format!("{:>8.1}", float(kib) / 1024.0);
    let cache = field("Buffers") + field("Cached") + field("SReclaimable");
    let used = field("MemTotal").saturating_sub(field("MemAvailable"));
    let (swap, swap_free) = (field("SwapTotal"), field("SwapFree"));
    format!(
        "MiB Mem : {} total, {} free, {} used, {} buff/cache     \n\
         MiB Swap: {} total, {} free, {} used. {} avail Mem \n",
        mib(field("MemTotal")),
        mib(field("MemFree")),
        mib(used),
        mib(cache),
        mib(swap),
        mib(swap_free),
        mib(swap.saturating_sub(swap_free)),
        mib(field("MemAvailable"))
    )
}

fn row(view: &View, process: &Process, share: f64, total: u64, pid: usize) -> String {
    let page = rustix::param::page_size() as u64 / 1024;
    let shared = process.file("statm").split(' ').nth(2).and_then(|n| n.parse::<u64>().ok());
    let user = match view.names.user(process.owner.0) {
        Some(name) => name.to_owned(),
        None if process.owner.0 == 0 => "root".into(),
        None => process.owner.0.to_string(),
    };
    let hundredths = process.ticks * 100 / rustix::param::clock_ticks_per_second().max(1);
    let (minutes, seconds) = (hundredths / 6000, hundredths / 100 % 60);
    let priority = if process.priority < -99 { "rt".into() } else { process.priority.to_string() };
    let name = if view.command_lines { &process.command } else { &process.name };
    format!(
        "{:>pid$} {user:<8.8}  {priority:>2} {:>3} {:>7} {:>6} {:>6} {} {share:>5.1} {:>5.1} {:>9} {}\n",
        process.pid,
        process.nice,
        scaled(process.space / 1024, 7),
        scaled(process.pages * page, 6),
        scaled(shared.unwrap_or(0) * page, 6),
        process.state,
        float(process.pages * page) * 100.0 / float(total),
        format!("{minutes}:{seconds:02}.{:02}", hundredths % 100),
        super::ps::fields::clean(name)
    )
}

/// KiB in so many characters, else with a unit.
fn scaled(kib: u64, width: usize) -> String {
    let plain = kib.to_string();
    if plain.len() <= width {
        return plain;
    }
    let mut size = float(kib);
    for unit in ["m", "g", "t", "p"] {
        size /= 1024.0;
        let text = format!("{size:.1}{unit}");
        if text.len() <= width {
            return text;
        }
    }
    format!("{size:.0}p")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares() {
        assert_eq!(scaled(999_999, 6), "999999");
        assert_eq!(scaled(1_048_576, 6), "1.0g");
        let line = cpu(&[10, 0, 10, 80, 0, 0, 0, 0], &[]);
        assert_eq!(
            line,
            "%Cpu(s): 10.0 us, 10.0 sy,  0.0 ni, 80.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st \n"
        );
    }
}
