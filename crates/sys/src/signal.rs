//! Signals as readable events: blocked first, then read from a descriptor (`signalfd(2)`). And signals as interruptions
//! of a program that reads and writes what cannot be waited for: a file, a disk.

use nix::sys::{
    signal::{SaFlags, SigAction, SigHandler, SigSet, Signal as NixSignal},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::process::Signal;
use std::{
    ffi::c_int,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicU64, Ordering},
};

/// Signals that arrive here and nowhere else, as long as this lives.
#[derive(Debug)]
pub struct Signals {
    events: SignalFd,
    before: SigSet,
}

impl Signals {
    /// Blocks `signals` in the calling thread and opens a non-blocking descriptor for them. Threads and
    /// processes started later inherit the mask, so call it before any is ([`crate::process::prepare`]
    /// restores it in children).
    ///
    /// # Errors
    /// When the kernel refuses, or a signal has no name.
    pub fn block(signals: &[Signal]) -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in signals {
            set.add(NixSignal::try_from(signal.as_raw())?);
        }
        let events = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let before = SigSet::thread_get_mask()?;
        set.thread_set_mask()?;
        Ok(Self { events, before })
    }

    /// The next signal that came, if any.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        let info = self.events.read_signal()?;
        Ok(info.and_then(|i| Signal::from_named_raw(i.ssi_signo as i32)))
    }
}

/// Lets a signal that is blocked do to this process what it does by default or by handler: stop it,
/// end it. Returns when the process goes on.
///
/// # Errors
/// When the kernel refuses, or the signal has no name.
pub fn act(signal: Signal) -> io::Result<()> {
    let signal = NixSignal::try_from(signal.as_raw())?;
    let mut set = SigSet::empty();
    set.add(signal);
    set.thread_unblock()?;
    let raised = nix::sys::signal::raise(signal);
    set.thread_block()?;
    Ok(raised?)
}

/// The signals that interrupted and were not asked for yet, a bit each.
static INTERRUPTED: AtomicU64 = AtomicU64::new(0);

extern "C" fn note(signal: c_int) {
    INTERRUPTED.fetch_or(1 << (signal & 63), Ordering::SeqCst);
}

/// From now on a system call that waits ends with `EINTR` when one of these comes, and [`interruption`] tells which came.
/// A signal that is ignored stays so, as a shell's commands in the background expect of SIGINT, unless it is in `always`.
///
/// # Errors
/// When a signal has no name or cannot be caught.
pub fn interrupt_by(signals: &[Signal], always: &[Signal]) -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
    for (signal, kept) in signals.iter().map(|s| (s, true)).chain(always.iter().map(|s| (s, false)))
    {
        let signal = NixSignal::try_from(signal.as_raw())?;
        // SAFETY: the handler does nothing but an atomic operation.
        let before = unsafe { nix::sys::signal::sigaction(signal, &action) }?;
        if kept && matches!(before.handler(), SigHandler::SigIgn) {
            // SAFETY: what was there before, which was no function.
            unsafe { nix::sys::signal::sigaction(signal, &before) }?;
        }
    }
    Ok(())
}

/// The next signal that interrupted.
#[must_use]
pub fn interruption() -> Option<Signal> {
    // Asked for before every read and write: no more than a look, so long as nothing came.
    if INTERRUPTED.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let raw = INTERRUPTED.load(Ordering::SeqCst).trailing_zeros();
    INTERRUPTED.fetch_and(!(1 << raw), Ordering::SeqCst);
    Signal::from_named_raw(c_int::try_from(raw).ok()?)
}

/// Ends this process by a signal, as if it had never been caught: who waits for it sees why it ended.
///
/// # Errors
/// When the signal has no name, or does not end a process.
pub fn end_by(signal: Signal) -> io::Result<()> {
    let signal = NixSignal::try_from(signal.as_raw())?;
    let action = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action is no function.
    unsafe { nix::sys::signal::sigaction(signal, &action) }?;
    Ok(nix::sys::signal::raise(signal)?)
}

impl Drop for Signals {
    fn drop(&mut self) {
        // It can only fail for what is no mask.
        let _ = self.before.thread_set_mask();
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_signal_is_read() {
        let signals = Signals::block(&[Signal::USR1, Signal::USR2]).unwrap();
        assert_eq!(signals.next().unwrap(), None);
        nix::sys::signal::raise(NixSignal::SIGUSR2).unwrap();
        assert_eq!(signals.next().unwrap(), Some(Signal::USR2));
        assert_eq!(signals.next().unwrap(), None);
    }
}
