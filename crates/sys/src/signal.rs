//! Signals as readable events: blocked first, then read from a descriptor (`signalfd(2)`).

use nix::sys::{
    signal::{SigSet, Signal as NixSignal},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::process::Signal;
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
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
