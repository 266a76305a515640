//! The processes, from `/proc` (proc_pid_stat(5)).

use anyhow::Context as _;
use std::{
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
};

/// One process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: i32,
    /// Its parent's.
    pub(crate) parent: i32,
    /// Its group's.
    pub(crate) group: i32,
    /// Its session's.
    pub(crate) session: i32,
    /// Its terminal, as a device's number; 0 for none.
    pub(crate) terminal: u64,
    /// The group in its terminal's foreground, or -1.
    pub(crate) foreground: i32,
    /// The kernel's flags (`PF_...`).
    pub(crate) flags: u64,
    /// The name of its program, up to 15 bytes.
    pub(crate) name: String,
    /// `R`, `S`, `D`, `T`, `Z` and so on.
    pub(crate) state: char,
    /// Processor time used, in user and kernel mode, clock ticks.
    pub(crate) ticks: u64,
    /// The kernel's priority: 20 and the nice value; negative for realtime.
    pub(crate) priority: i32,
    /// How nice it is.
    pub(crate) nice: i32,
    /// Threads.
    pub(crate) threads: u64,
    /// When it was started, clock ticks after the machine was.
    pub(crate) started: u64,
    /// Address space, bytes.
    pub(crate) space: u64,
    /// Resident memory, pages.
    pub(crate) pages: u64,
    /// The processor that it ran on last.
    pub(crate) processor: u64,
    /// Its effective user's and group's numbers.
    pub(crate) owner: (u32, u32),
    /// Its command line, words separated by blanks; of a kernel thread `[name]`.
    pub(crate) command: String,
}

/// Every process, by number. Those that end while we look are left out.
pub(crate) fn all() -> anyhow::Result<Vec<Process>> {
    let mut processes: Vec<Process> = fs::read_dir("/proc")
        .context("cannot read /proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(read)
        .collect();
    processes.sort_by_key(|process| process.pid);
    Ok(processes)
}

/// The session that we are in.
pub(crate) fn own_session() -> anyhow::Result<i32> {
    let own = read(std::process::id().cast_signed());
    Ok(own.context("/proc does not show this process")?.session)
}

fn read(pid: i32) -> Option<Process> {
    let metadata = fs::metadata(format!("/proc/{pid}")).ok()?;
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let mut process = parse(&String::from_utf8_lossy(&stat))?;
    process.owner = (metadata.uid(), metadata.gid());
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command: Vec<_> = words.split(|b| *b == 0).map(String::from_utf8_lossy).collect();
    let command = command.join(" ");
    process.command = match command.trim_end() {
        "" => format!("[{}]", process.name),
        command => command.to_owned(),
    };
    Some(process)
}

/// `12 (a) name) S 1 ...`: the name ends at the last parenthesis, for it may have some itself.
fn parse(stat: &str) -> Option<Process> {
    let (front, rest) = stat.rsplit_once(')')?;
    let (pid, name) = front.split_once(" (")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // Fields are numbered from 3 (the state), as in the manual.
    let signed = |field: usize| fields.get(field - 3)?.parse::<i32>().ok();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Process {
        pid: pid.parse().ok()?,
        parent: signed(4)?,
        group: signed(5)?,
        session: signed(6)?,
        terminal: number(7)?,
        foreground: signed(8)?,
        flags: number(9)?,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        ticks: number(14)?.saturating_add(number(15)?),
        priority: signed(18)?,
        nice: signed(19)?,
        threads: number(20)?,
        started: number(22)?,
        space: number(23)?,
        pages: number(24)?,
        processor: number(39).unwrap_or(0),
        owner: (0, 0),
        command: String::new(),
    })
}

impl Process {
    /// A file of its folder in `/proc`, or nothing.
    pub(crate) fn file(&self, name: &str) -> String {
        let bytes = fs::read(format!("/proc/{}/{name}", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A line of its `status`: what follows `key` and the colon.
    pub(crate) fn status(&self, key: &str) -> String {
        let status = self.file("status");
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or("").trim().to_owned()
    }

    /// The numbers of its users: real, effective, saved, of the file system.
    pub(crate) fn ids(&self, key: &str) -> Vec<u32> {
        self.status(key).split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// Its terminal's name: `tty1`, `pts/0`, `ttyS0`, or `?`.
    pub(crate) fn terminal_name(&self) -> String {
        // The encoding of the kernel's new_encode_dev().
        let (major, minor) =
            (self.terminal >> 8 & 0xfff, self.terminal & 0xff | self.terminal >> 12 & 0xfff00);
        match (self.terminal, major) {
            (0, _) => "?".into(),
            (_, 136..=143) => format!("pts/{}", (major - 136) * 256 + minor),
            _ => fs::read_link(format!("/sys/dev/char/{major}:{minor}"))
                .ok()
                .and_then(|link| Some(String::from_utf8_lossy(link.file_name()?.as_bytes()).into()))
                .unwrap_or_else(|| "?".into()),
        }
    }

    /// Its state and what else is worth a letter, as `ps` shows it.
    pub(crate) fn letters(&self) -> String {
        let mut text = self.state.to_string();
        if self.nice < 0 {
            text.push('<');
        } else if self.nice > 0 {
            text.push('N');
        }
        if !matches!(self.status("VmLck").as_str(), "" | "0 kB") {
            text.push('L');
        }
        if self.session == self.pid {
            text.push('s');
        }
        if self.threads > 1 {
            text.push('l');
        }
        if self.foreground == self.group {
            text.push('+');
        }
        text
    }
}

/// Seconds since the machine was started.
pub(crate) fn uptime() -> f64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0.0)
}

/// When the machine was started, seconds since 1970.
pub(crate) fn booted() -> i64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
}

/// A field of /proc/meminfo, KiB.
pub(crate) fn memory(name: &str) -> u64 {
    kib(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), name)
}

/// A line of /proc/meminfo: `MemTotal:       16384 kB`.
pub(crate) fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a) (b c)) S 7 41 40 34816 41 4194560 1 2 3 4 50 60 7 8 25 5 3 0 99 1000 25 18446744073709551615";

    #[test]
    fn a_name_with_parentheses() {
        let process = parse(STAT).unwrap();
        assert_eq!((process.pid, process.parent, process.name.as_str()), (42, 7, "a) (b c)"));
        assert_eq!((process.state, process.ticks, process.pages), ('S', 110, 25));
        assert_eq!((process.priority, process.nice, process.threads), (25, 5, 3));
        assert_eq!((process.started, process.space), (99, 1000));
        assert_eq!(process.terminal_name(), "pts/0");
        assert_eq!(process.letters(), "SNl+");
        assert_eq!(parse("42 (name"), None);
        assert_eq!(parse("42 (name) S 1"), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in "([0-9 ]{0,3}\\([a-z()]{0,4}\\))?[ 0-9SR-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
