//! What must outlive an agent that is killed, and what tasks share about the run in progress.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use xenoboot_bundle::Then;
use xenoboot_wire::{BootId, Digest, RunId, boot::RunResult, decode, encode};

/// Most bundle names whose serial is remembered; far more than a machine runs on one power-on.
const MAX_NAMES: usize = 4096;

/// The run that is in progress, if any; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct CurrentRun(Arc<Mutex<Current>>);

#[derive(Debug, Default)]
struct Current {
    run: Option<(RunId, Digest)>,
    dir: PathBuf,
    kexec: Option<u32>,
}

impl CurrentRun {
    /// Which run it is.
    #[must_use]
    pub fn get(&self) -> Option<RunId> {
        self.lock().run.map(|(run, _)| run)
    }

    /// Which run it is, and of which bundle.
    #[must_use]
    pub fn of_bundle(&self) -> Option<(RunId, Digest)> {
        self.lock().run
    }

    /// The folder that its bundle was unpacked into.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.lock().dir.clone()
    }

    /// A run begins, of the bundle that was unpacked into `dir`.
    pub fn begin(&self, run: RunId, bundle: Digest, dir: &Path) {
        *self.lock() = Current { run: Some((run, bundle)), dir: dir.to_owned(), kexec: None };
    }

    /// The run has ended.
    pub fn end(&self) {
        *self.lock() = Current::default();
    }

    /// The run wants the loaded kernel to be started when it has succeeded; the watchdog gives that
    /// kernel so many seconds.
    pub fn want_kexec(&self, watchdog_s: u32) {
        self.lock().kexec = Some(watchdog_s);
    }

    /// What [`Self::want_kexec`] said last.
    #[must_use]
    pub fn wants_kexec(&self) -> Option<u32> {
        self.lock().kexec
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is remembered until power-off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The power-on that it belongs to.
    pub boot: BootId,
    /// The generation of the assignment that was run.
    pub done: Option<u64>,
    /// The highest serial that ran, by the bundle's name.
    pub serials: BTreeMap<String, u64>,
    /// How the last run ended.
    pub last_run: Option<RunResult>,
    /// The run in progress.
    pub running: Option<Running>,
    /// What is still to be done after the last run.
    pub after: Option<After>,
}

/// A run in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The run.
    pub run: RunId,
    /// The bundle, by the digest of its envelope.
    pub bundle: Digest,
    /// When it began, milliseconds since the kernel started.
    pub began_ms: u64,
    /// What its manifest says for a failure.
    pub on_failure: Act,
}

/// What is to be done when a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// The number of the event that says how it ended, which the server is to have stored before.
    pub event: u64,
    /// When it ended, milliseconds since the kernel started.
    pub ended_ms: u64,
    /// What.
    pub act: Act,
}

/// [`Then`], as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Reboot.
    Reboot,
    /// Power off.
    PowerOff,
    /// Run the bundle again.
    RunAgain {
        /// The delay in seconds.
        after_s: u64,
    },
    /// Stay and wait.
    Wait,
    /// Start the kernel that the script has loaded.
    Kexec {
        /// How long it has until the watchdog resets the machine, seconds.
        watchdog_s: u32,
    },
}

impl From<Then> for Act {
    fn from(then: Then) -> Self {
        match then {
            Then::Reboot => Self::Reboot,
            Then::PowerOff => Self::PowerOff,
            Then::RunAgain { after_s } => Self::RunAgain { after_s },
            Then::Wait => Self::Wait,
        }
    }
}

/// The state, with the file that it is kept in.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    state: State,
}

impl Kept {
    /// Reads what an agent before this one kept on this power-on. What cannot be read is not there: a
    /// file that is cut short is worth no more than none.
    #[must_use]
    pub fn load(path: &Path, boot: BootId) -> Self {
        let fresh = State {
            boot,
            done: None,
            serials: BTreeMap::new(),
            last_run: None,
            running: None,
            after: None,
        };
        let kept = fs::read(path).ok().and_then(|bytes| decode::<State>(&bytes).ok());
        Self { path: path.to_owned(), state: kept.filter(|s| s.boot == boot).unwrap_or(fresh) }
    }

    /// The state.
    #[must_use]
    pub fn get(&self) -> &State {
        &self.state
    }

    /// Changes the state and keeps it, all or nothing.
    ///
    /// # Errors
    /// When it cannot be written; it is changed in memory then all the same.
    pub fn change(&mut self, change: impl FnOnce(&mut State)) -> io::Result<()> {
        change(&mut self.state);
        while self.state.serials.len() > MAX_NAMES {
            self.state.serials.pop_first();
        }
        let half = self.path.with_extension("new");
        fs::write(&half, encode(&self.state))?;
        fs::rename(half, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_outlives_the_agent_and_not_the_power() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let boot = BootId([1; 16]);
        let mut kept = Kept::load(&path, boot);
        let after = After { event: 4, ended_ms: 5, act: Act::RunAgain { after_s: 9 } };
        kept.change(|s| {
            s.done = Some(3);
            s.after = Some(after);
            s.serials.insert("repair".into(), 7);
        })
        .unwrap();
        let again = Kept::load(&path, boot);
        assert_eq!(again.get(), kept.get());
        assert_eq!(again.get().after, Some(after));
        assert_eq!(Kept::load(&path, BootId([2; 16])).get().done, None);
        fs::write(&path, b"half").unwrap();
        assert_eq!(Kept::load(&path, boot).get().done, None);
    }
}
