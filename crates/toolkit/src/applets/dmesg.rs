//! `dmesg`: the kernel's log.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    dates::date,
    processes,
};
use anyhow::Context as _;
use rustix::{
    fs::{Mode, OFlags, SeekFrom},
    io::Errno,
};
use std::{fs, io::Write as _, os::fd::OwnedFd};

pub(crate) static APPLET: Applet = Applet {
    name: "dmesg",
    summary: "Prints the kernel's log.",
    usage: "[-w|-W|-c|-C] [-r|-x] [-T|-t] [-l LEVEL]\n-n LEVEL",
    options: &[
        Opt { short: 'w', long: "follow", value: "", help: "go on with what comes" },
        Opt { short: 'W', long: "follow-new", value: "", help: "only what comes" },
        Opt { short: 'c', long: "read-clear", value: "", help: "then begin anew" },
        Opt { short: 'C', long: "clear", value: "", help: "print nothing, begin anew" },
        Opt {
            short: 'n',
            long: "console-level",
            value: "LEVEL",
            help: "show LEVEL and worse on the console",
        },
        Opt { short: 'T', long: "ctime", value: "", help: "with dates" },
        Opt { short: 't', long: "notime", value: "", help: "without times" },
        Opt { short: 'x', long: "decode", value: "", help: "with facility and level as words" },
        Opt { short: 'r', long: "raw", value: "", help: "with facility and level, as <6>" },
        Opt {
            short: 'l',
            long: "level",
            value: "LEVEL",
            help: "only LEVEL and worse, 0 to 7 or its name",
        },
    ],
    notes: "Levels: emerg alert crit err warn notice info debug.",
    example: "dmesg -l err              prints what went wrong",
    run,
};

const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

const FACILITIES: [&str; 12] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp",
];

/// No record is longer than this (the kernel's `CONSOLE_EXT_LOG_MAX`).
const RECORD: usize = 8192;

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    if let Some(text) = args.text("console-level")? {
        // The kernel shows what is below the number. It is the first of four in the file, and the
        // others stay when they are not written.
        let level = level(text)? + 1;
        fs::write("/proc/sys/kernel/printk", level.to_string())
            .context("cannot set /proc/sys/kernel/printk")?;
        return Ok(0);
    }
    if args.has("clear") {
        xenoboot_sys::klog::clear().context("cannot clear the log")?;
        return Ok(0);
    }
    let worst = args.text("level")?.map_or(Ok(7), level)?;
    let follows = args.has("follow") || args.has("follow-new");
    let wait = if follows { OFlags::empty() } else { OFlags::NONBLOCK };
    let log = rustix::fs::open("/dev/kmsg", OFlags::RDONLY | OFlags::CLOEXEC | wait, Mode::empty())
        .context("cannot open /dev/kmsg")?;
    // What was there before it was cleared is not shown any more.
    let from = if args.has("follow-new") { SeekFrom::End(0) } else { SeekFrom::Data(0) };
    rustix::fs::seek(&log, from).context("cannot seek in /dev/kmsg")?;
    let shape = Shape {
        raw: args.has("raw"),
        words: args.has("decode"),
        times: match () {
            () if args.has("notime") => Times::None,
            () if args.has("ctime") => Times::Dates(processes::booted()),
            () => Times::Seconds,
        },
    };
    let mut out = std::io::stdout().lock();
    while let Some(record) = next(&log)? {
        if let Some(line) = line(&record, &shape, worst) {
            out.write_all(line.as_bytes())?;
        }
    }
    if args.has("read-clear") {
        xenoboot_sys::klog::clear().context("cannot clear the log")?;
    }
    Ok(0)
}

/// A level's number or name.
fn level(text: &str) -> anyhow::Result<usize> {
    match LEVELS.iter().position(|l| *l == text).or(text.parse().ok()) {
        Some(level @ 0..=7) => Ok(level),
        _ => usage_error(format!("{text:?} is not a level")),
    }
}

/// How a line looks.
struct Shape {
    raw: bool,
    words: bool,
    times: Times,
}

enum Times {
    None,
    Seconds,
    /// With the moment at which the machine was started, seconds since 1970.
    Dates(i64),
}

fn next(log: &OwnedFd) -> anyhow::Result<Option<String>> {
    let mut record = vec![0; RECORD];
    loop {
        match rustix::io::read(log, &mut record) {
            Ok(length) => {
                record.truncate(length);
                return Ok(Some(String::from_utf8_lossy(&record).into_owned()));
            }
            Err(Errno::AGAIN) => return Ok(None),
            // Overwritten before it was read, or interrupted: the next one.
            Err(Errno::PIPE | Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot read /dev/kmsg"),
        }
    }
}

/// `6,339,5140900,-;text` and lines of ` KEY=value` (the kernel's Documentation/ABI/testing/dev-kmsg).
fn line(record: &str, shape: &Shape, worst: usize) -> Option<String> {
    let (head, text) = record.split_once(';')?;
    let mut fields = head.split(',');
    let priority: usize = fields.next()?.parse().ok()?;
    let microseconds: u64 = fields.nth(1)?.parse().ok()?;
    if priority & 7 > worst {
        return None;
    }
    let text = text.lines().next().unwrap_or("");
    let prefix = match () {
        () if shape.raw => format!("<{priority}>"),
        () if shape.words => {
            let facility = FACILITIES.get(priority >> 3).unwrap_or(&"");
            format!("{facility:<6}:{:<6}: ", LEVELS.get(priority & 7).unwrap_or(&""))
        }
        () => String::new(),
    };
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let time = match shape.times {
        Times::None => String::new(),
        Times::Seconds => format!("[{seconds:>5}.{rest:06}] "),
        Times::Dates(start) => {
            let date = date(start.saturating_add(i64::try_from(seconds).ok()?));
            format!(
                "[{} {} {:>2} {} {}] ",
                date.weekday, date.month, date.day, date.time, date.year
            )
        }
    };
    Some(format!("{prefix}{time}{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line() {
        let record = "30,339,5140900,-;NET: registered\n SUBSYSTEM=net\n";
        let shape = |raw, words, times| Shape { raw, words, times };
        let plain = shape(false, false, Times::Seconds);
        assert_eq!(line(record, &plain, 7).unwrap(), "[    5.140900] NET: registered\n");
        let raw = shape(true, false, Times::Seconds);
        assert_eq!(line(record, &raw, 7).unwrap(), "<30>[    5.140900] NET: registered\n");
        let words = shape(false, true, Times::None);
        assert_eq!(line(record, &words, 7).unwrap(), "daemon:info  : NET: registered\n");
        let dates = shape(false, false, Times::Dates(1_795_426_764));
        assert_eq!(
            line(record, &dates, 7).unwrap(),
            "[Mon Nov 23 09:39:29 2026] NET: registered\n"
        );
        assert_eq!(line(record, &plain, 3), None);
        assert_eq!(line("nonsense", &plain, 7), None);
    }
}
