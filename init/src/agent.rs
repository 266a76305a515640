//! The agent: started, listened to, and started again when it dies. What it printed last is kept.

mod child;
mod lines;

use crate::{backoff::Backoff, journal, paths};
use child::Child;
use rustix::process::Signal;
use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};
use xenoboot_sys::{
    power::End,
    process::{Reaped, describe},
};

/// The hardware watchdog is fed only while the agent's last sign of life is younger than this.
const ALIVE_WITHIN: Duration = Duration::from_secs(15);

/// Without a hardware watchdog, an agent silent for this long is killed.
const SILENT_LIMIT: Duration = Duration::from_secs(60);

/// An agent that died this often in a row without one sign of life is no longer believed to come to
/// life: the watchdog may reset the machine.
const MOST_UNPROVEN: u32 = 10;

/// Lines shown on the consoles when the agent died; the file has them all.
const LINES_SHOWN: usize = 20;

/// What the agent asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// How the session shall end.
    pub(crate) end: End,
    /// The time that the watchdog gives the kernel that is started, if one is.
    pub(crate) watchdog: Option<Duration>,
}

impl Asked {
    /// From the words of a message: `reboot`, `poweroff`, `kexec SECONDS`.
    fn parse(message: &str) -> Option<Self> {
        let plain = |end| Some(Self { end, watchdog: None });
        match message {
            "reboot" => plain(End::Reboot),
            "poweroff" => plain(End::PowerOff),
            _ => {
                let seconds = message.strip_prefix("kexec ")?.parse().ok()?;
                Some(Self { end: End::Kexec, watchdog: Some(Duration::from_secs(seconds)) })
            }
        }
    }
}

/// Supervises the agent.
#[derive(Debug)]
pub(crate) struct Agent {
    path: String,
    /// Where what it printed last is written when it dies.
    last: String,
    child: Option<Child>,
    /// When it is started (again); `None` while it runs or is not to run any more.
    next_start: Option<Instant>,
    backoff: Backoff,
    /// Starts since its last sign of life.
    unproven: u32,
    /// It has been said that it is silent.
    silence_told: bool,
    stopping: bool,
}

impl Agent {
    /// Starts nothing yet: the first [`Agent::tick`] does.
    pub(crate) fn new(path: &str, last: &str, now: Instant) -> Self {
        Self {
            path: path.to_owned(),
            last: last.to_owned(),
            child: None,
            next_start: Some(now),
            backoff: Backoff::new(),
            unproven: 0,
            silence_told: false,
            stopping: false,
        }
    }

    /// Descriptors to wait on.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.child.iter().flat_map(Child::descriptors)
    }

    /// When [`Agent::tick`] has something to do, at the latest.
    pub(crate) fn next_start(&self) -> Option<Instant> {
        self.next_start
    }

    /// Whether it has a claim to a fed watchdog.
    pub(crate) fn alive(&self, now: Instant) -> bool {
        match &self.child {
            Some(child) if child.proven() => child.silent_for(now) < ALIVE_WITHIN,
            Some(child) => child.silent_for(now) < ALIVE_WITHIN && self.unproven <= MOST_UNPROVEN,
            None => self.unproven <= MOST_UNPROVEN,
        }
    }

    /// Asks it to stop; from now on it is not started again.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        self.next_start = None;
        if let Some(child) = &self.child {
            child.tell_stop();
        }
    }

    /// Whether no agent runs.
    pub(crate) fn gone(&self) -> bool {
        self.child.is_none()
    }

    /// Reads what it sent and printed; returns what it asked for.
    pub(crate) fn read(&mut self, now: Instant) -> Option<Asked> {
        let child = self.child.as_mut()?;
        child.read_errors();
        let mut asked = None;
        while let Some(word) = child.next_word() {
            match word.as_str() {
                "alive" => {
                    if !child.proven() {
                        log::info!("the agent is alive after {} ms", child.age(now).as_millis());
                    }
                    if !child.proven() || self.silence_told {
                        self.silence_told = false;
                        journal::give_screen(!self.stopping);
                    }
                    self.unproven = 0;
                    child.lives(now);
                }
                other => match Asked::parse(other) {
                    Some(new) => asked = asked.or(Some(new)),
                    None => log::warn!("the agent said something unknown: {other:?}"),
                },
            }
        }
        asked
    }

    /// Starts it when it is time, and deals with its silence.
    pub(crate) fn tick(&mut self, now: Instant, hardware_watchdog: bool) {
        if self.next_start.is_some_and(|at| at <= now) {
            self.start(now);
        }
        let Some(child) = &self.child else { return };
        let silent = child.silent_for(now);
        if self.stopping || silent < ALIVE_WITHIN {
            return;
        }
        if !self.silence_told {
            self.silence_told = true;
            journal::give_screen(false);
            let next = if hardware_watchdog {
                "Unless it answers, the watchdog resets the machine within 30 s."
            } else {
                "Unless it answers, it is killed and started again after 60 s of silence."
            };
            log::error!("XB-INI-02 the agent stopped answering. {next}");
        }
        if !hardware_watchdog && silent >= SILENT_LIMIT {
            child.signal(Signal::KILL);
        }
    }

    /// A process died, maybe the agent.
    pub(crate) fn child_died(&mut self, now: Instant) {
        let Some(child) = &mut self.child else { return };
        let how = match child.reap() {
            Ok(Reaped::Running) => return,
            Ok(Reaped::Ended(status)) => describe(status),
            Ok(Reaped::Elsewhere) => "ended".to_owned(),
            Err(e) => format!("cannot be waited for: {e}"),
        };
        child.read_errors();
        let last = child.last_lines();
        let ran = child.age(now);
        self.child = None;
        self.silence_told = false;
        journal::give_screen(false);
        if self.stopping {
            return log::info!("the agent {how}");
        }
        let wait = self.backoff.after(ran);
        self.next_start = now.checked_add(wait);
        self.report(&how, ran, wait, &last);
    }

    fn report(&self, how: &str, ran: Duration, wait: Duration, last: &[String]) {
        let (ran, wait) = (ran.as_secs_f32(), wait.as_secs_f32());
        let head = format!("the agent {how} after {ran:.1} s");
        log::error!("XB-INI-01 {head}. It is started again in {wait:.1} s.");
        for line in last.iter().skip(last.len().saturating_sub(LINES_SHOWN)) {
            log::error!("  agent: {line}");
        }
        let text = format!("{head}\n{}\n", last.join("\n"));
        if let Err(e) = paths::replace(&self.last, &text) {
            log::warn!("cannot write {}: {e}", self.last);
        }
    }

    fn start(&mut self, now: Instant) {
        self.next_start = None;
        self.unproven = self.unproven.saturating_add(1);
        match Child::start(&self.path, now) {
            Ok(child) => self.child = Some(child),
            Err(e) => {
                let wait = self.backoff.after(Duration::ZERO);
                self.next_start = now.checked_add(wait);
                let wait = wait.as_secs_f32();
                log::error!(
                    "the agent {} cannot be started: {e}. Next try in {wait:.1} s.",
                    self.path
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
