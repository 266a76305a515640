//! Processes: starting them cleanly, reaping, and signalling all of them.

use crate::{Kernel, cgroup::Cgroup};
use nix::sys::signal::SigSet;
use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal, WaitOptions, WaitStatus},
};
use std::{
    ffi::CStr,
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    process::Command,
};

const OOM_SCORE_ADJ: &CStr = c"/proc/self/oom_score_adj";

/// What a child gets that [`Command`] has no method for. Its signal mask is always emptied and every
/// signal's disposition set to the default.
#[derive(Debug, Default)]
pub struct Setup<'a> {
    /// A session and process group of its own.
    pub new_session: bool,
    /// Makes the child's standard input its controlling terminal; needs [`Setup::new_session`].
    pub controlling_terminal: bool,
    /// How eagerly the kernel kills it when memory runs out: -1000 (never) to 1000 (first). Left as
    /// it is when the caller may not lower it.
    pub oom_score_adj: Option<i16>,
    /// Starts inside this group.
    pub cgroup: Option<&'a Cgroup>,
    /// Killed when the thread that started it ends.
    pub dies_with_parent: bool,
    /// Descriptors the child gets under the numbers named. Each number must be open in the calling
    /// process too: otherwise `Command` might have put a pipe of its own there.
    pub descriptors: Vec<(OwnedFd, RawFd)>,
}

/// Arranges that `command` starts its child as `setup` says.
///
/// # Errors
/// When the group cannot be opened, or a number in [`Setup::descriptors`] is not open here.
pub fn prepare(command: &mut Command, setup: Setup<'_>) -> io::Result<()> {
    let procs = setup.cgroup.map(Cgroup::open_procs).transpose()?;
    let score = setup.oom_score_adj.map(|n| n.to_string());
    for (_, number) in &setup.descriptors {
        // SAFETY: F_GETFD only looks at the descriptor table; a number that is not open gives EBADF.
        if unsafe { libc::fcntl(*number, libc::F_GETFD) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let Setup { new_session, controlling_terminal, dies_with_parent, descriptors, .. } = setup;
    let hook = move || {
        default_signals()?;
        if let Some(procs) = &procs {
            rustix::io::write(procs, b"0")?;
        }
        if let Some(score) = &score {
            let file = rustix::fs::open(OOM_SCORE_ADJ, OFlags::WRONLY, Mode::empty())?;
            // Lowering it needs CAP_SYS_RESOURCE; without, the child starts all the same.
            let _ = rustix::io::write(file, score.as_bytes());
        }
        if dies_with_parent {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        }
        if new_session {
            rustix::process::setsid()?;
        }
        if controlling_terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        }
        descriptors.iter().try_for_each(|(from, to)| place(from, *to))
    };
    // SAFETY: between fork and exec the hook only makes system calls: it neither allocates nor locks.
    unsafe { command.pre_exec(hook) };
    Ok(())
}

/// Empties the signal mask and sets every disposition to the default.
fn default_signals() -> io::Result<()> {
    for number in 1..=libc::SIGRTMAX() {
        // SAFETY: setting SIG_DFL installs no code; KILL, STOP and those libc keeps give EINVAL.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    Ok(SigSet::empty().thread_set_mask()?)
}

/// Makes `to` a copy of `from` that exec keeps.
fn place(from: &OwnedFd, to: RawFd) -> io::Result<()> {
    // SAFETY: in the child alone: whatever `to` was here is given up; `from` stays open until exec.
    let done = unsafe {
        if from.as_raw_fd() == to {
            libc::fcntl(to, libc::F_SETFD, 0)
        } else {
            libc::dup2(from.as_raw_fd(), to)
        }
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Forks; `child` runs in the new process and never returns. Call it only while the process has one
/// thread: another thread's locks would stay held in the child for ever.
///
/// # Errors
/// When the kernel cannot make a process.
pub fn fork(child: fn() -> !) -> io::Result<Pid> {
    // SAFETY: the caller has one thread, so the child's copy of memory is consistent.
    let pid = unsafe { libc::fork() };
    match Pid::from_raw(pid) {
        Some(pid) => Ok(pid),
        None if pid == 0 => child(),
        None => Err(io::Error::last_os_error()),
    }
}

/// Takes one dead child, if there is one; never blocks.
///
/// # Errors
/// Never `ECHILD`, which means that there is no child: `None`.
pub fn reap_any() -> io::Result<Option<(Pid, WaitStatus)>> {
    match rustix::process::wait(WaitOptions::NOHANG) {
        Err(rustix::io::Errno::CHILD) => Ok(None),
        other => Ok(other?),
    }
}

/// Whether the child `pid` is dead; never blocks.
#[derive(Clone, Copy, Debug)]
pub enum Reaped {
    /// Still running.
    Running,
    /// It ended like this.
    Ended(WaitStatus),
    /// Somebody else reaped it.
    Elsewhere,
}

/// Reaps the child `pid` if it is dead; never blocks.
///
/// # Errors
/// What `waitpid(2)` says, except `ECHILD`.
pub fn reap(pid: Pid) -> io::Result<Reaped> {
    match rustix::process::waitpid(Some(pid), WaitOptions::NOHANG) {
        Err(rustix::io::Errno::CHILD) => Ok(Reaped::Elsewhere),
        Ok(Some((_, status))) => Ok(Reaped::Ended(status)),
        Ok(None) => Ok(Reaped::Running),
        Err(e) => Err(e.into()),
    }
}

/// How a process ended, in words: `exited with status 3`, `was killed by signal 9`.
#[must_use]
pub fn describe(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (_, Some(signal)) => format!("was killed by signal {signal}"),
        _ => "ended".to_owned(),
    }
}

/// All processes but PID 1, the caller and the kernel's own.
pub trait Processes {
    /// Sends each of them a signal.
    ///
    /// # Errors
    /// When there is none, or the kernel refuses.
    fn signal_all(&self, signal: Signal) -> io::Result<()>;

    /// Who is there and not dead, by number and name.
    fn others(&self) -> Vec<(Pid, String)>;
}

impl Processes for Kernel {
    fn signal_all(&self, signal: Signal) -> io::Result<()> {
        // SAFETY: kill(2) takes two numbers; -1 means every process but PID 1 and the caller.
        if unsafe { libc::kill(-1, signal.as_raw()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn others(&self) -> Vec<(Pid, String)> {
        let own = rustix::process::getpid();
        let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
        numbers
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter_map(Pid::from_raw)
            .filter(|pid| *pid != Pid::INIT && *pid != own)
            .filter_map(|pid| {
                let stat = fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
                Some((pid, user_process(&stat)?))
            })
            .collect()
    }
}

/// The name in a `/proc/PID/stat`, unless it is a zombie or a thread of the kernel (whose parent is
/// 2, kthreadd, or which is kthreadd, whose parent is 0).
fn user_process(stat: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stat);
    // The name is in parentheses and may itself hold any.
    let (head, rest) = text.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    let mut fields = rest.split(' ');
    let (state, parent) = (fields.next()?, fields.next()?);
    (!matches!(state, "Z" | "X") && !matches!(parent, "0" | "2")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, process::Stdio};

    #[test]
    fn stat_lines() {
        let name = |line: &str| user_process(line.as_bytes());
        assert_eq!(name("77 (a ) b) S 1 77 77 0"), Some("a ) b".to_owned()));
        assert_eq!(name("77 (x) Z 1 77 77 0"), None);
        assert_eq!(name("2 (kthreadd) S 0 0 0 0"), None);
        assert_eq!(name("9 (kworker/0:1) I 2 0 0 0"), None);
        assert_eq!(name("garbage"), None);
    }

    #[test]
    fn a_child_starts_clean() {
        // Blocked here, as in init; must not be in the child. Descriptor 9 is placed at 2, which is open.
        let mut blocked = SigSet::empty();
        blocked.add(nix::sys::signal::Signal::SIGTERM);
        blocked.thread_block().unwrap();
        let (mut read, write) = io::pipe().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            "grep SigBlk /proc/self/status; cat /proc/self/oom_score_adj; echo x >&2",
        ]);
        command.stdout(Stdio::piped());
        let setup = Setup {
            new_session: true,
            oom_score_adj: Some(321),
            descriptors: vec![(write.into(), 2)],
            ..Setup::default()
        };
        prepare(&mut command, setup).unwrap();
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        drop(command);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text, "SigBlk:\t0000000000000000\n321\n");
        let mut placed = String::new();
        read.read_to_string(&mut placed).unwrap();
        assert_eq!(placed, "x\n");
    }

    #[test]
    fn a_number_that_is_not_open_is_refused() {
        let (read, _write) = io::pipe().unwrap();
        let setup = Setup { descriptors: vec![(read.into(), 1000)], ..Setup::default() };
        assert!(prepare(&mut Command::new("/bin/true"), setup).is_err());
    }

    #[test]
    fn others_finds_a_child_and_not_ourselves() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let found = Kernel.others();
        let has = |id: u32| found.iter().any(|(p, _)| p.as_raw_nonzero().get() as u32 == id);
        assert!(has(child.id()));
        assert!(!has(std::process::id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
