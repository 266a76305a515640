//! Processes: how they are started, forked and waited for.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use nix::{
    errno::Errno,
    sys::{
        signal::Signal,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{error, sys};

/// A process number.
pub type ProcessId = i32;

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It exited with this status.
    Exited(u8),
    /// This signal ended it.
    Killed(i32),
    /// This signal stopped it.
    Stopped(i32),
}

/// On which side of a fork the caller is.
pub(crate) enum Forked {
    /// In the new process.
    Child,
    /// In the old one; the number is the new one's.
    Parent(ProcessId),
}

static SHELL_PID: OnceLock<u32> = OnceLock::new();

/// The number of the process that the shell was started as: `$$`, in its subshells too.
pub fn shell_pid() -> u32 {
    *SHELL_PID.get_or_init(std::process::id)
}

/// Lets a program ignore a broken pipe when the shell does. The standard library would give it the
/// signal's default disposition.
pub(crate) fn inherit_broken_pipe(command: &mut std::process::Command) {
    if sys::signal::is_ignored(Signal::SIGPIPE) {
        let ignore = || {
            sys::signal::set_disposition(Signal::SIGPIPE, sys::signal::Disposition::Ignore);
            Ok(())
        };
        // SAFETY:
        // Between fork and exec it only calls sigaction(2) and sets an atomic variable.
        unsafe { std::os::unix::process::CommandExt::pre_exec(command, ignore) };
    }
}

/// Starts a program. It has to be waited for with [`wait_for`].
pub(crate) fn spawn(mut command: std::process::Command) -> std::io::Result<ProcessId> {
    sys::signal::watch_children();
    let child = command.spawn()?;
    ProcessId::try_from(child.id()).map_err(std::io::Error::other)
}

/// Forks this process. The child has the default disposition for every signal that the parent
/// handles, and no child of its own.
pub(crate) fn fork() -> Result<Forked, error::Error> {
    shell_pid();
    sys::signal::watch_children();
    // SAFETY:
    // The shell has one thread: there is no other that could hold a lock in the child.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(Forked::Parent(child.as_raw())),
        nix::unistd::ForkResult::Child => {
            sys::signal::reset_in_child();
            changes().clear();
            Ok(Forked::Child)
        }
    }
}

/// Ends this process at once: what the parent left in buffers is not written again.
pub(crate) fn exit_now(status: u8) -> ! {
    // SAFETY:
    // _exit(2) has no preconditions.
    unsafe { nix::libc::_exit(i32::from(status)) }
}

/// What became of children that were not waited for yet, by number.
static CHANGES: Mutex<BTreeMap<ProcessId, Change>> = Mutex::new(BTreeMap::new());

fn changes() -> MutexGuard<'static, BTreeMap<ProcessId, Change>> {
    CHANGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks for, or waits for, a change of a child. `None` when there is none yet: without `block`, or
/// with it when a signal came that ends the shell. A child that is not ours, or no longer, has
/// exited with status 127.
///
/// Whichever child has changed is told of, so that none stays a zombie while another is waited for.
pub(crate) fn wait_for(pid: ProcessId, block: bool) -> Result<Option<Change>, error::Error> {
    let mut flags = WaitPidFlag::WUNTRACED;
    if !block {
        flags |= WaitPidFlag::WNOHANG;
    }
    loop {
        if let Some(change) = changes().remove(&pid) {
            return Ok(Some(change));
        }
        match note_change(flags)? {
            Noted::Change => {}
            Noted::Nothing => return Ok(None),
            Noted::NoChild => return Ok(Some(Change::Exited(127))),
        }
    }
}

/// Whether a child's change was noted.
enum Noted {
    Change,
    /// None has changed, or a signal came that ends the shell.
    Nothing,
    NoChild,
}

/// Notes the next change of any child.
fn note_change(flags: WaitPidFlag) -> Result<Noted, error::Error> {
    loop {
        let (changed, change) = match waitpid(None, Some(flags)) {
            Ok(WaitStatus::Exited(pid, status)) => (pid, Change::Exited(status as u8)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Change::Killed(signal as i32)),
            Ok(WaitStatus::Stopped(pid, signal)) => (pid, Change::Stopped(signal as i32)),
            Ok(WaitStatus::StillAlive) => return Ok(Noted::Nothing),
            Ok(_) => continue,
            Err(Errno::EINTR) if sys::signal::fatal_pending() => return Ok(Noted::Nothing),
            Err(Errno::EINTR) => continue,
            Err(Errno::ECHILD) => return Ok(Noted::NoChild),
            Err(errno) => return Err(errno.into()),
        };
        if !matches!(change, Change::Stopped(_)) {
            sys::signal::note_child();
        }
        changes().insert(changed.as_raw(), change);
        return Ok(Noted::Change);
    }
}

/// Reads to the end of a pipe. Children that end meanwhile stay no zombies.
pub(crate) fn read_to_end(pipe: &std::io::PipeReader) -> Result<Vec<u8>, error::Error> {
    let mut bytes = Vec::new();
    let mut block = vec![0; 64 << 10];
    loop {
        let ready = sys::signal::wait_for_any_or(pipe);
        while let Noted::Change = note_change(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)? {}
        if !ready {
            continue;
        }
        match nix::unistd::read(pipe, &mut block) {
            Ok(0) => return Ok(bytes),
            Ok(length) => bytes.extend_from_slice(&block[..length]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Puts a process into a process group. One that has already gone its way is left alone.
pub(crate) fn set_group(pid: ProcessId, group: ProcessId) {
    let _ = nix::unistd::setpgid(Pid::from_raw(pid), Pid::from_raw(group));
}
