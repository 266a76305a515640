//! Control groups, version 2 (kernel: `Documentation/admin-guide/cgroup-v2.rst`).
//!
//! A run gets a group of its own: limits, one switch that kills whatever it left behind, and counters
//! that tell whether memory ran out.

use std::{
    fs,
    io::{self, ErrorKind},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Where init mounts the hierarchy.
pub const ROOT: &str = "/sys/fs/cgroup";

/// How often [`Cgroup::destroy`] looks whether the group is empty.
const POLL: Duration = Duration::from_millis(10);

/// A control group: a folder below [`ROOT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    path: PathBuf,
}

/// Limits of a group; `None` means no limit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory (`memory.max`); past it the whole group is killed (`memory.oom.group`).
    pub memory: Option<u64>,
    /// Processes and threads (`pids.max`).
    pub processes: Option<u64>,
}

/// Counters of `memory.events`, since the group was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryEvents {
    /// How often the limit was hit and nothing could be reclaimed.
    pub oom: u64,
    /// How many processes the kernel killed for want of memory.
    pub oom_kill: u64,
}

impl Cgroup {
    /// Makes the group `name` below `parent` (usually [`ROOT`]) with `limits`; one that exists is
    /// taken over as it is, with the processes in it.
    ///
    /// The controllers `memory` and `pids` are switched on in `parent` when they are not yet.
    ///
    /// # Errors
    /// When the file system refuses, or a limit cannot be set. A controller that the kernel does not
    /// have is an error only when a limit needs it.
    pub fn create(parent: &Path, name: &str, limits: Limits) -> io::Result<Self> {
        enable_controllers(parent)?;
        let path = parent.join(name);
        match fs::create_dir(&path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        let group = Self { path };
        if let Some(bytes) = limits.memory {
            group.write("memory.max", &bytes.to_string())?;
            group.write("memory.oom.group", "1")?;
        }
        if let Some(count) = limits.processes {
            group.write("pids.max", &count.to_string())?;
        }
        Ok(group)
    }

    /// The folder of the group.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens `cgroup.procs`, for [`crate::process::Setup::cgroup`].
    pub(crate) fn open_procs(&self) -> io::Result<OwnedFd> {
        Ok(fs::OpenOptions::new().write(true).open(self.path.join("cgroup.procs"))?.into())
    }

    /// Moves a process into the group.
    ///
    /// # Errors
    /// When the process is gone or the kernel refuses.
    pub fn add(&self, pid: u32) -> io::Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Whether a live process is in the group or below it.
    ///
    /// # Errors
    /// When `cgroup.events` cannot be read.
    pub fn populated(&self) -> io::Result<bool> {
        let text = fs::read_to_string(self.path.join("cgroup.events"))?;
        Ok(counter(&text, "populated") != 0)
    }

    /// What the kernel counted about memory.
    ///
    /// # Errors
    /// When `memory.events` cannot be read.
    pub fn memory_events(&self) -> io::Result<MemoryEvents> {
        let text = fs::read_to_string(self.path.join("memory.events"))?;
        Ok(MemoryEvents { oom: counter(&text, "oom"), oom_kill: counter(&text, "oom_kill") })
    }

    /// Kills every process in the group and below it, at once (`cgroup.kill`, Linux 5.14).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(&self) -> io::Result<()> {
        self.write("cgroup.kill", "1")
    }

    /// Kills what is in the group, waits until it is empty, and removes it and the groups below it.
    /// Blocks for at most `patience`.
    ///
    /// # Errors
    /// `TimedOut` when processes are still there (in uninterruptible sleep); whatever the kernel said.
    pub fn destroy(&self, patience: Duration) -> io::Result<()> {
        self.kill()?;
        let end = Instant::now() + patience;
        while self.populated()? {
            if Instant::now() >= end {
                return Err(ErrorKind::TimedOut.into());
            }
            thread::sleep(POLL);
        }
        remove_tree(&self.path)
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.path.join(file), value)
    }
}

/// Switches on the controllers that our groups use, as far as the kernel has them.
fn enable_controllers(parent: &Path) -> io::Result<()> {
    let offered = fs::read_to_string(parent.join("cgroup.controllers"))?;
    let control = parent.join("cgroup.subtree_control");
    let on = fs::read_to_string(&control)?;
    for name in ["memory", "pids"] {
        let listed = |list: &str| list.split_whitespace().any(|c| c == name);
        if listed(&offered) && !listed(&on) {
            fs::write(&control, format!("+{name}"))?;
        }
    }
    Ok(())
}

/// Groups are removed by `rmdir`, innermost first; their files vanish with them.
fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// The number after `key` in a flat keyed file; 0 when it is not there.
fn counter(text: &str, key: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a cgroup to the code above.
    fn hierarchy() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        fs::write(dir.path().join("cgroup.subtree_control"), "memory\n").unwrap();
        dir
    }

    #[test]
    fn limits_are_written_and_a_missing_controller_is_switched_on() {
        let dir = hierarchy();
        let limits = Limits { memory: Some(1 << 20), processes: Some(7) };
        let group = Cgroup::create(dir.path(), "run", limits).unwrap();
        let read = |file: &str| fs::read_to_string(group.path().join(file)).unwrap();
        assert_eq!(read("memory.max"), "1048576");
        assert_eq!(read("memory.oom.group"), "1");
        assert_eq!(read("pids.max"), "7");
        let control = fs::read_to_string(dir.path().join("cgroup.subtree_control")).unwrap();
        assert_eq!(control, "+pids", "memory was on already and is not written again");
        assert!(
            Cgroup::create(dir.path(), "run", limits).is_ok(),
            "an existing group is taken over"
        );
    }

    #[test]
    fn counters_are_read() {
        let dir = hierarchy();
        let group = Cgroup::create(dir.path(), "run", Limits::default()).unwrap();
        let events = "low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 1\n";
        fs::write(group.path().join("memory.events"), events).unwrap();
        fs::write(group.path().join("cgroup.events"), "populated 1\nfrozen 0\n").unwrap();
        assert_eq!(group.memory_events().unwrap(), MemoryEvents { oom: 2, oom_kill: 3 });
        assert!(group.populated().unwrap());
        let stuck = group.destroy(Duration::ZERO).unwrap_err();
        assert_eq!(stuck.kind(), ErrorKind::TimedOut);
        assert_eq!(fs::read_to_string(group.path().join("cgroup.kill")).unwrap(), "1");
    }
}
