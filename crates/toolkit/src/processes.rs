//! The processes, from `/proc` (proc_pid_stat(5)).

use anyhow::Context as _;
use std::fs;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: i32,
    /// Its parent's.
    pub(crate) parent: i32,
    /// The name of its program, up to 15 bytes.
    pub(crate) name: String,
    /// `R`, `S`, `D`, `T`, `Z` and so on.
    pub(crate) state: char,
    /// Processor time used, in user and kernel mode, clock ticks.
    pub(crate) ticks: u64,
    /// Resident memory, pages.
    pub(crate) pages: u64,
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

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut process = parse(&stat)?;
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
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Process {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        ticks: number(14)? + number(15)?,
        pages: number(24)?,
        command: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses() {
        let stat = "42 (a) (b c)) S 7 42 42 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 1 0 99 1000 25 18446744073709551615";
        let process = parse(stat).unwrap();
        assert_eq!((process.pid, process.parent, process.name.as_str()), (42, 7, "a) (b c)"));
        assert_eq!((process.state, process.ticks, process.pages), ('S', 110, 25));
        assert_eq!(parse("42 (name"), None);
    }
}
