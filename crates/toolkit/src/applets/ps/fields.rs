//! What `ps` can say of a process, and how wide it says it (procps-ng's `ps(1)`, STANDARD FORMAT
//! SPECIFIERS).

use crate::{
    dates::date,
    names::Names,
    processes::{self, Process},
};
use std::{cmp::Ordering, fs};

/// Where the text of a field stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
    /// Left, and numbers right.
    User,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its usual name.
    pub(super) name: &'static str,
    /// What stands above it.
    pub(super) heading: String,
    pub(super) width: usize,
    pub(super) side: Side,
}

/// A width of 0 is that of the longest process number.
const PID: usize = 0;

use Side::{Left, Right, User};

/// Name, heading, width, side, other names.
type Known = (&'static str, &'static str, usize, Side, &'static [&'static str]);

const KNOWN: &[Known] = &[
    ("pid", "PID", PID, Right, &["tgid"]),
    ("ppid", "PPID", PID, Right, &[]),
    ("pgid", "PGID", PID, Right, &["pgrp"]),
    ("sid", "SID", PID, Right, &["sess", "session"]),
    ("tpgid", "TPGID", PID, Right, &[]),
    ("user", "USER", 8, User, &["uname", "euser"]),
    ("ruser", "RUSER", 8, User, &[]),
    ("group", "GROUP", 8, User, &["egroup"]),
    ("uid", "UID", 5, Right, &["euid"]),
    ("ruid", "RUID", 5, Right, &[]),
    ("gid", "GID", 5, Right, &["egid"]),
    ("comm", "COMMAND", 15, Left, &["ucmd", "ucomm"]),
    ("args", "COMMAND", 27, Left, &["cmd", "command"]),
    ("exe", "EXE", 27, Left, &[]),
    ("s", "S", 1, Left, &["state"]),
    ("stat", "STAT", 4, Left, &[]),
    ("f", "F", 1, Right, &["flag", "flags"]),
    ("tty", "TT", 8, Left, &["tt"]),
    ("tname", "TTY", 8, Left, &["longtname"]),
    ("time", "TIME", 8, Right, &["cputime"]),
    ("times", "TIME", 8, Right, &["cputimes"]),
    ("bsdtime", "TIME", 6, Right, &[]),
    ("etime", "ELAPSED", 11, Right, &[]),
    ("etimes", "ELAPSED", 7, Right, &[]),
    ("start_time", "START", 5, Right, &[]),
    ("stime", "STIME", 5, Right, &[]),
    ("bsdstart", "START", 6, Right, &[]),
    ("start", "STARTED", 8, Right, &[]),
    ("lstart", "STARTED", 24, Right, &[]),
    ("c", "C", 2, Right, &[]),
    ("pcpu", "%CPU", 4, Right, &["%cpu"]),
    ("pmem", "%MEM", 4, Right, &["%mem"]),
    ("pri", "PRI", 3, Right, &[]),
    ("opri", "PRI", 3, Right, &[]),
    ("ni", "NI", 3, Right, &["nice"]),
    ("psr", "PSR", 3, Right, &[]),
    ("nlwp", "NLWP", 4, Right, &[]),
    ("thcount", "THCNT", 5, Right, &[]),
    ("rss", "RSS", 5, Right, &["rssize", "rsz"]),
    ("vsz", "VSZ", 6, Right, &["vsize"]),
    ("sz", "SZ", 5, Right, &[]),
    ("size", "SIZE", 5, Right, &[]),
    ("addr", "ADDR", 4, Left, &[]),
    // That of -l, which leaves its heading to the next column.
    ("addr_1", "ADDR", 1, Left, &[]),
    ("wchan", "WCHAN", 6, Left, &[]),
    ("cgroup", "CGROUP", 27, Left, &[]),
    ("label", "LABEL", 31, Left, &[]),
];

/// The field of a name.
pub(super) fn find(name: &str) -> Option<Field> {
    let (own, heading, width, side, _) =
        *KNOWN.iter().find(|(own, _, _, _, others)| *own == name || others.contains(&name))?;
    // Some other names have headings of their own.
    let heading = match name {
        "cmd" | "ucmd" => "CMD",
        "euser" => "EUSER",
        "egroup" => "EGROUP",
        "euid" => "EUID",
        "egid" => "EGID",
        "tgid" => "TGID",
        "pgrp" => "PGRP",
        "sess" | "session" => "SESS",
        "rsz" => "RSZ",
        _ => heading,
    };
    let width = if width == PID { pid_width() } else { width };
    let width = if own == "addr_1" { width } else { width.max(heading.len()) };
    Some(Field { name: own, heading: heading.into(), width, side })
}

/// Digits of the greatest number that a process may have, at least 5.
pub(crate) fn pid_width() -> usize {
    let most = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap_or_default();
    let most = most.trim().parse::<u64>().unwrap_or(32768).saturating_sub(1);
    most.to_string().len().max(5)
}

/// What is needed to say something of processes.
pub(super) struct Facts {
    names: Names,
    uptime: f64,
    booted: i64,
    now: i64,
    per_second: u64,
    page: u64,
    total: u64,
}

#[expect(clippy::cast_precision_loss, reason = "clock ticks are far fewer than 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
fn whole(number: f64) -> u64 {
    number as u64
}

impl Facts {
    pub(super) fn read() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            names: Names::read(),
            uptime: processes::uptime(),
            booted: processes::booted(),
            now: now.ok().and_then(|now| i64::try_from(now.as_secs()).ok()).unwrap_or(0),
            per_second: rustix::param::clock_ticks_per_second().max(1),
            page: rustix::param::page_size() as u64,
            total: processes::memory("MemTotal").max(1),
        }
    }

    /// Seconds since the process was started.
    fn elapsed(&self, process: &Process) -> u64 {
        whole(self.uptime - float(process.started) / float(self.per_second))
    }

    /// Thousandths of a processor used in its life.
    fn share(&self, process: &Process) -> u64 {
        let elapsed = self.uptime - float(process.started) / float(self.per_second);
        let used = float(process.ticks) / float(self.per_second);
        if elapsed >= 1.0 { whole(used * 1000.0 / elapsed.floor()) } else { 0 }
    }

    fn user(&self, id: u32) -> String {
        match self.names.user(id) {
            Some(name) => cut(name, 8),
            None if id == 0 => "root".into(),
            None => id.to_string(),
        }
    }

    fn group(&self, id: u32) -> String {
        match self.names.group(id) {
            Some(name) => cut(name, 8),
            None if id == 0 => "root".into(),
            None => id.to_string(),
        }
    }

    fn start(&self, process: &Process) -> i64 {
        self.booted + i64::try_from(process.started / self.per_second).unwrap_or(0)
    }

    /// The text of a field.
    pub(super) fn text(&self, field: &str, process: &Process) -> String {
        let first = |key: &str| process.ids(key).first().copied().unwrap_or(0);
        match field {
            "pid" => process.pid.to_string(),
            "ppid" => process.parent.to_string(),
            "pgid" => process.group.to_string(),
            "sid" => process.session.to_string(),
            "tpgid" => process.foreground.to_string(),
            "user" => self.user(process.owner.0),
            "ruser" => self.user(first("Uid")),
            "group" => self.group(process.owner.1),
            "uid" => process.owner.0.to_string(),
            "ruid" => first("Uid").to_string(),
            "gid" => process.owner.1.to_string(),
            "comm" if process.state == 'Z' => format!("{} <defunct>", clean(&process.name)),
            "comm" => clean(&process.name),
            "args" if process.state == 'Z' => format!("[{}] <defunct>", clean(&process.name)),
            "args" => clean(&process.command),
            "exe" => fs::read_link(format!("/proc/{}/exe", process.pid))
                .map_or("-".into(), |path| clean(&path.to_string_lossy())),
            "s" => process.state.to_string(),
            "stat" => process.letters(),
            "f" => format!("{:o}", process.flags >> 6 & 7),
            "tty" | "tname" => process.terminal_name(),
            "c" => (self.share(process) / 10).min(99).to_string(),
            "pcpu" => tenths(self.share(process)),
            "pmem" => tenths((process.pages * self.page / 1024 * 1000 / self.total).min(999)),
            "pri" => (39 - process.priority).to_string(),
            "opri" => (60 + process.priority).to_string(),
            // Realtime processes have none.
            "ni" if process.priority < 0 => "-".into(),
            "ni" => process.nice.to_string(),
            "psr" => process.processor.to_string(),
            "nlwp" | "thcount" => process.threads.to_string(),
            "rss" => (process.pages * self.page / 1024).to_string(),
            "vsz" => (process.space / 1024).to_string(),
            "sz" => (process.space / self.page).to_string(),
            "size" => {
                let kib = |key| process.status(key).trim_end_matches(" kB").parse().unwrap_or(0u64);
                (kib("VmData") + kib("VmStk")).to_string()
            }
            "addr" | "addr_1" => "-".into(),
            "wchan" => match process.file("wchan").trim() {
                "" | "0" => "-".into(),
                name => name.chars().take(6).collect(),
            },
            "cgroup" => dash(process.file("cgroup").trim().replace('\n', ";")),
            "label" => dash(process.file("attr/current").trim_end_matches(['\0', '\n']).to_owned()),
            _ => self.time(field, process),
        }
    }

    fn time(&self, field: &str, process: &Process) -> String {
        let (elapsed, used) = (self.elapsed(process), process.ticks / self.per_second);
        let start = date(self.start(process));
        match field {
            "time" => clock(used, true),
            "times" => used.to_string(),
            "bsdtime" => format!("{}:{:02}", used / 60, used % 60),
            "etime" => clock(elapsed, false),
            "etimes" => elapsed.to_string(),
            "lstart" => {
                format!(
                    "{} {} {:>2} {} {}",
                    start.weekday, start.month, start.day, start.time, start.year
                )
            }
            // Within the last day the time, else the day.
            "bsdstart" | "start" => {
                let recent = self.now - self.start(process) < 24 * 60 * 60;
                match (field, recent) {
                    ("start", true) => start.time,
                    ("start", false) => format!("  {} {:02}", start.month, start.day),
                    (_, true) => format!(" {}", start.minutes()),
                    (_, false) => format!("{} {:02}", start.month, start.day),
                }
            }
            _ => {
                let now = date(self.now);
                if now.year != start.year {
                    format!(" {}", start.year)
                } else if (now.month, now.day) != (start.month, start.day) {
                    format!("{}{:02}", start.month, start.day)
                } else {
                    start.minutes().to_owned()
                }
            }
        }
    }

    /// The order of two processes by a field.
    pub(super) fn compare(&self, field: &str, one: &Process, other: &Process) -> Ordering {
        let key = |process: &Process| -> (u64, String) {
            match field {
                "pcpu" | "c" => (self.share(process), String::new()),
                "pmem" | "rss" => (process.pages, String::new()),
                "vsz" | "sz" => (process.space, String::new()),
                "time" | "times" | "bsdtime" => (process.ticks, String::new()),
                "etime" | "etimes" => (u64::MAX - process.started, String::new()),
                "start_time" | "stime" | "start" | "bsdstart" | "lstart" => {
                    (process.started, String::new())
                }
                _ => {
                    let text = self.text(field, process);
                    match text.parse::<i64>() {
                        Ok(number) => (number.wrapping_sub(i64::MIN).cast_unsigned(), text),
                        Err(_) => (0, text),
                    }
                }
            }
        };
        key(one).cmp(&key(other))
    }
}

fn dash(text: String) -> String {
    if text.is_empty() { "-".into() } else { clean(&text) }
}

/// A process says what it likes; a terminal must not obey it.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn cut(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width - 1).chain(['+']).collect()
}

fn tenths(thousandths: u64) -> String {
    if thousandths > 999 {
        (thousandths / 10).to_string()
    } else {
        format!("{}.{}", thousandths / 10, thousandths % 10)
    }
}

/// `[DD-]HH:MM:SS`; without `hours` they are only there when they are some.
fn clock(seconds: u64, hours: bool) -> String {
    let (days, left) = (seconds / 86400, seconds % 86400);
    let (h, m, s) = (left / 3600, left / 60 % 60, left % 60);
    match (days, h) {
        (0, 0) if !hours => format!("{m:02}:{s:02}"),
        (0, h) => format!("{h:02}:{m:02}:{s:02}"),
        (days, h) => format!("{days}-{h:02}:{m:02}:{s:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_shares() {
        assert_eq!(clock(59, false), "00:59");
        assert_eq!(clock(59, true), "00:00:59");
        assert_eq!(clock(3661, false), "01:01:01");
        assert_eq!(clock(90061, false), "1-01:01:01");
        assert_eq!(
            (tenths(5), tenths(999), tenths(1001)),
            ("0.5".into(), "99.9".into(), "100".into())
        );
        assert_eq!(cut("systemd-network", 8), "systemd+");
        assert_eq!(clean("a\x1b[2Jb"), "a?[2Jb");
    }

    #[test]
    fn names_are_unique() {
        let mut all: Vec<&str> = Vec::new();
        for (own, _, _, _, others) in KNOWN {
            all.push(own);
            all.extend(*others);
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
