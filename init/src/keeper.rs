//! PID 1 itself: starts the worker, reaps, passes requests on. It allocates nothing, reads nothing and
//! mounts nothing, so that nothing here can fail; what it does ask the kernel for it asks again.

use crate::{backoff::Backoff, worker};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    process::{Pid, Signal, kill_process},
};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};
use xenoboot_sys::{
    Kernel,
    power::{End, Power},
    process::{fork, reap_any},
    signal::Signals,
};

/// What the worker and the keeper block and read. The last five mean nothing and stop nobody.
pub(crate) const SIGNALS: &[Signal] = &[
    Signal::CHILD,
    Signal::INT,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
    Signal::POWER,
    Signal::VTALARM,
    Signal::HUP,
    Signal::TSTP,
    Signal::TTIN,
    Signal::TTOU,
    Signal::PIPE,
];

/// An orderly shutdown takes less: 10 s for the agent, 7 s for the rest, 30 s for the disks.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(75);

/// For the disks' sake, when the end is not orderly.
const SYNC_LIMIT: Duration = Duration::from_secs(5);

/// How long after a reset that did not happen it is tried again.
const AGAIN: Duration = Duration::from_secs(15);

/// What a signal to PID 1 asks for. The kernel sends INT for Ctrl-Alt-Del; an uninterruptible power
/// supply sends PWR when its battery ends. VTALRM, which nobody else sends, starts the loaded kernel. Halting without power-off would need a visit: it is not offered.
pub(crate) fn meaning(signal: Signal) -> Option<End> {
    match signal {
        Signal::INT | Signal::TERM => Some(End::Reboot),
        Signal::USR1 | Signal::USR2 | Signal::POWER => Some(End::PowerOff),
        Signal::VTALARM => Some(End::Kexec),
        _ => None,
    }
}

/// The signal that asks PID 1 for `end`.
pub(crate) fn request(end: End) -> Signal {
    match end {
        End::Reboot => Signal::TERM,
        End::PowerOff => Signal::USR2,
        End::Kexec => Signal::VTALARM,
    }
}

struct Keeper {
    signals: Signals,
    worker: Option<Pid>,
    started: Instant,
    /// When the worker is started (again), or the machine is ended in spite of it.
    next: Option<Instant>,
    backoff: Backoff,
    /// What was asked for first.
    requested: Option<Signal>,
}

/// Runs for ever.
pub(crate) fn run() -> ! {
    worker::mark_start();
    let signals = loop {
        match Signals::block(SIGNALS) {
            Ok(signals) => break signals,
            Err(_) => sleep(Duration::from_secs(1)),
        }
    };
    let _ = Kernel.catch_ctrl_alt_del();
    let now = Instant::now();
    let mut keeper = Keeper {
        signals,
        worker: None,
        started: now,
        next: Some(now),
        backoff: Backoff::new(),
        requested: None,
    };
    loop {
        keeper.turn();
    }
}

impl Keeper {
    fn turn(&mut self) {
        if self.next.is_some_and(|at| at <= Instant::now()) {
            match self.requested {
                None => self.start(),
                Some(signal) => self.end(signal),
            }
        }
        self.wait();
        // First the dead, so that a request is not passed to one of them.
        while let Ok(Some((pid, _))) = reap_any() {
            if self.worker == Some(pid) {
                self.worker_died();
            }
        }
        while let Ok(Some(signal)) = self.signals.next() {
            if meaning(signal).is_some() {
                self.ask(signal);
            }
        }
    }

    fn wait(&self) {
        let left = self.next.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|l| Timespec::try_from(l).ok());
        let mut fds = [PollFd::new(&self.signals, PollFlags::IN)];
        if poll(&mut fds, timeout.as_ref()).is_err() {
            sleep(Duration::from_millis(100));
        }
    }

    fn start(&mut self) {
        let now = Instant::now();
        self.started = now;
        worker::count();
        match fork(worker::run) {
            Ok(pid) => (self.worker, self.next) = (Some(pid), None),
            Err(_) => self.next = now.checked_add(self.backoff.after(Duration::ZERO)),
        }
    }

    fn worker_died(&mut self) {
        let now = Instant::now();
        self.worker = None;
        let wait = self.backoff.after(now.saturating_duration_since(self.started));
        self.next = if self.requested.is_some() { Some(now) } else { now.checked_add(wait) };
        say("<3>xenoboot: init's worker died; it is started again");
    }

    /// Passes a request to the worker, which ends the machine in order; without one, or when it is
    /// not done in time, we end it ourselves.
    fn ask(&mut self, signal: Signal) {
        if self.requested.is_some() {
            return;
        }
        self.requested = Some(signal);
        let passed = self.worker.is_some_and(|pid| kill_process(pid, signal).is_ok());
        let limit = if passed { SHUTDOWN_LIMIT } else { Duration::ZERO };
        self.next = Instant::now().checked_add(limit);
    }

    fn end(&mut self, signal: Signal) {
        say("<3>xenoboot: ending the machine without the worker");
        // Never from here: a kernel that cannot do it ends the caller.
        let _ = fork(sync);
        sleep(SYNC_LIMIT);
        let _ = fork(match meaning(signal) {
            Some(End::PowerOff) => power_off,
            Some(End::Kexec) => kexec,
            _ => reboot,
        });
        self.next = Instant::now().checked_add(AGAIN);
    }
}

fn sync() -> ! {
    Kernel.sync();
    std::process::exit(0)
}

fn reboot() -> ! {
    let _ = Kernel.end(End::Reboot);
    std::process::exit(1)
}

fn power_off() -> ! {
    let _ = Kernel.end(End::PowerOff);
    std::process::exit(1)
}

/// When the loaded kernel does not start, the machine comes back by way of the firmware.
fn kexec() -> ! {
    let _ = Kernel.end(End::Kexec);
    reboot()
}

fn say(line: &str) {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    if let Ok(log) = rustix::fs::open(c"/dev/kmsg", flags, Mode::empty()) {
        let _ = rustix::io::write(log, line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_means_what_was_asked() {
        for end in [End::Reboot, End::PowerOff, End::Kexec] {
            assert_eq!(meaning(request(end)), Some(end));
        }
        assert_eq!(meaning(Signal::INT), Some(End::Reboot), "Ctrl-Alt-Del");
        assert_eq!(meaning(Signal::HUP), None);
    }
}
