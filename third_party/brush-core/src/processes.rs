//! Process management

use crate::{
    ExecutionExitCode, ExecutionResult, error,
    sys::{
        self,
        process::{Change, ProcessId},
    },
};

/// What signals add to their number in an exit status.
const BY_SIGNAL: i32 = 128;

/// A child of this shell's process.
pub struct ChildProcess {
    pid: ProcessId,
    pgid: Option<ProcessId>,
    ended: Option<Change>,
}

/// Represents the result of waiting for an executing process.
#[derive(Clone, Copy)]
pub enum ProcessWaitResult {
    /// The process completed.
    Completed(ExecutionResult),
    /// The process stopped and has not yet completed.
    Stopped,
}

impl ChildProcess {
    /// A child with this number, in the process group `pgid` if it has one of its own.
    pub const fn new(pid: ProcessId, pgid: Option<ProcessId>) -> Self {
        Self {
            pid,
            pgid,
            ended: None,
        }
    }

    /// Returns the process's ID.
    pub const fn pid(&self) -> ProcessId {
        self.pid
    }

    /// Returns the process's group ID.
    pub const fn pgid(&self) -> Option<ProcessId> {
        self.pgid
    }

    /// How it ended, if that is known.
    pub const fn ended(&self) -> Option<Change> {
        self.ended
    }

    /// Waits until it has ended or is stopped. A signal that ends the shell ends the wait.
    pub fn wait(&mut self) -> Result<ProcessWaitResult, error::Error> {
        Ok(match self.look(true)? {
            Some(result) => result,
            None => ProcessWaitResult::Completed(ExecutionResult::success()),
        })
    }

    /// Whether it has ended or was stopped since the last time.
    pub fn poll(&mut self) -> Result<Option<ProcessWaitResult>, error::Error> {
        self.look(false)
    }

    fn look(&mut self, block: bool) -> Result<Option<ProcessWaitResult>, error::Error> {
        let change = match self.ended {
            Some(change) => Some(change),
            None => sys::process::wait_for(self.pid, block)?,
        };
        if !matches!(change, None | Some(Change::Stopped(_))) {
            self.ended = change;
        }
        Ok(change.map(ProcessWaitResult::from))
    }
}

impl From<Change> for ProcessWaitResult {
    fn from(change: Change) -> Self {
        match change {
            Change::Stopped(_) => Self::Stopped,
            Change::Exited(status) => Self::Completed(ExecutionResult::new(status)),
            Change::Killed(signal) => Self::Completed(ExecutionResult::from(by_signal(signal))),
        }
    }
}

/// The exit status of what a signal ended.
pub fn by_signal(signal: i32) -> ExecutionExitCode {
    ExecutionExitCode::from(u8::try_from(BY_SIGNAL + signal).unwrap_or(u8::MAX))
}
