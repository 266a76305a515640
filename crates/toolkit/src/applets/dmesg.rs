//! `dmesg`: the kernel's log.

use crate::applet::{Applet, Args, Opt, usage_error};
use anyhow::Context as _;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{io::Write as _, os::fd::OwnedFd};

pub(crate) static APPLET: Applet = Applet {
    name: "dmesg",
    summary: "Prints the kernel's log.",
    usage: "[-w] [-r] [-l LEVEL]",
    options: &[
        Opt { short: 'w', long: "follow", value: "", help: "go on with what comes" },
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

/// No record is longer than this (the kernel's `CONSOLE_EXT_LOG_MAX`).
const RECORD: usize = 8192;

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    let worst = match args.text("level")? {
        None => 7,
        Some(text) => match LEVELS.iter().position(|l| *l == text).or(text.parse().ok()) {
            Some(level @ 0..=7) => level,
            _ => return usage_error(format!("{text:?} is not a level")),
        },
    };
    let wait = if args.has("follow") { OFlags::empty() } else { OFlags::NONBLOCK };
    let log = rustix::fs::open("/dev/kmsg", OFlags::RDONLY | OFlags::CLOEXEC | wait, Mode::empty())
        .context("cannot open /dev/kmsg")?;
    let mut out = std::io::stdout().lock();
    while let Some(record) = next(&log)? {
        if let Some(line) = line(&record, args.has("raw"), worst) {
            out.write_all(line.as_bytes())?;
        }
    }
    Ok(0)
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
fn line(record: &str, raw: bool, worst: usize) -> Option<String> {
    let (head, text) = record.split_once(';')?;
    let mut fields = head.split(',');
    let priority: usize = fields.next()?.parse().ok()?;
    let microseconds: u64 = fields.nth(1)?.parse().ok()?;
    if priority & 7 > worst {
        return None;
    }
    let text = text.lines().next().unwrap_or("");
    let prefix = if raw { format!("<{priority}>") } else { String::new() };
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    Some(format!("{prefix}[{seconds:>5}.{rest:06}] {text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line() {
        let record = "30,339,5140900,-;NET: registered\n SUBSYSTEM=net\n";
        assert_eq!(line(record, false, 7).unwrap(), "[    5.140900] NET: registered\n");
        assert_eq!(line(record, true, 7).unwrap(), "<30>[    5.140900] NET: registered\n");
        assert_eq!(line(record, false, 3), None);
        assert_eq!(line("nonsense", false, 7), None);
    }
}
