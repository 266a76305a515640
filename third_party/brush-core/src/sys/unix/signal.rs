//! Signal processing utilities

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicI32, Ordering},
};

use crate::{error, sys, traps};

pub(crate) use nix::sys::signal::Signal;

pub(crate) fn continue_process(pid: sys::process::ProcessId) -> Result<(), error::Error> {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGCONT)
        .map_err(|_errno| error::ErrorKind::FailedToSendSignal)?;
    Ok(())
}

/// Sends a signal to a specific process.
///
/// # Arguments
/// * `pid` - The process ID to send the signal to
/// * `signal` - The signal to send (must be a real signal, not a trap signal)
pub fn kill_process(
    pid: sys::process::ProcessId,
    signal: traps::TrapSignal,
) -> Result<(), error::Error> {
    let translated_signal = match signal {
        traps::TrapSignal::Signal(signal) => signal,
        traps::TrapSignal::Debug
        | traps::TrapSignal::Err
        | traps::TrapSignal::Exit
        | traps::TrapSignal::Return => {
            return Err(error::ErrorKind::InvalidSignal(signal.to_string()).into());
        }
    };

    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), translated_signal)
        .map_err(|_errno| error::ErrorKind::FailedToSendSignal)?;

    Ok(())
}

pub(crate) fn lead_new_process_group() -> Result<(), error::Error> {
    nix::unistd::setpgid(nix::unistd::Pid::from_raw(0), nix::unistd::Pid::from_raw(0))?;
    Ok(())
}

pub(crate) fn tstp_signal_listener() -> Result<tokio::signal::unix::Signal, error::Error> {
    let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(
        nix::libc::SIGTSTP,
    ))?;
    Ok(signal)
}

pub(crate) fn chld_signal_listener() -> Result<tokio::signal::unix::Signal, error::Error> {
    let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child())?;
    Ok(signal)
}

pub(crate) use tokio::signal::ctrl_c as await_ctrl_c;

pub(crate) fn mask_sigttou() -> Result<(), error::Error> {
    let ignore = nix::sys::signal::SigAction::new(
        nix::sys::signal::SigHandler::SigIgn,
        nix::sys::signal::SaFlags::empty(),
        nix::sys::signal::SigSet::empty(),
    );

    // SAFETY:
    // Setting the signal action should be safe here. The unsafe concerns
    // for calling `sigaction` are primarily around ensuring that any provided
    // signal handler functions are only performing operations that are
    // safe to do in a signal handler context. Here we are not providing
    // a custom handler, just asking the OS to ignore the signal.
    unsafe { nix::sys::signal::sigaction(nix::sys::signal::Signal::SIGTTOU, &ignore) }?;

    Ok(())
}

/// Whether this child has been stopped since it was asked last. Another child's stop is left for whoever waits for that.
pub(crate) fn poll_for_stopped_child(
    pid: Option<sys::process::ProcessId>,
) -> Result<bool, error::Error> {
    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus};

    let Some(pid) = pid else { return Ok(false) };
    let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
    match nix::sys::wait::waitid(Id::Pid(nix::unistd::Pid::from_raw(pid)), flags) {
        Ok(WaitStatus::Stopped(..)) => Ok(true),
        Ok(_) | Err(nix::errno::Errno::ECHILD) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

const SIGNALS: usize = 65;
/// Trapped signals that came, by number.
static PENDING: [AtomicBool; SIGNALS] = [const { AtomicBool::new(false) }; SIGNALS];
/// Whether there may be any in `PENDING`.
static ANY_PENDING: AtomicBool = AtomicBool::new(false);
/// The end to write to of the pipe that wakes who waits; -1 before there is one.
static WAKE_WRITER: AtomicI32 = AtomicI32::new(-1);
/// The other end.
static WAKE_READER: OnceLock<Option<std::os::fd::OwnedFd>> = OnceLock::new();

fn slot(number: i32) -> Option<&'static AtomicBool> {
    usize::try_from(number).ok().and_then(|n| PENDING.get(n))
}

/// The handler of a trapped signal. It does only what is safe in one.
extern "C" fn note_signal(number: nix::libc::c_int) {
    note(number);
}

fn note(number: i32) {
    if let Some(slot) = slot(number) {
        slot.store(true, Ordering::SeqCst);
        ANY_PENDING.store(true, Ordering::SeqCst);
        let writer = WAKE_WRITER.load(Ordering::SeqCst);
        if writer >= 0 {
            let errno = nix::errno::Errno::last_raw();
            // SAFETY:
            // write(2) is async-signal-safe, the buffer is one byte long, and the file
            // descriptor is open as long as the process lives and does not block.
            let _ = unsafe { nix::libc::write(writer, b"!".as_ptr().cast(), 1) };
            nix::errno::Errno::set_raw(errno);
        }
    }
}

fn wake_reader() -> Option<&'static std::os::fd::OwnedFd> {
    WAKE_READER
        .get_or_init(|| {
            use nix::fcntl::OFlag;
            let (reader, writer) = std::io::pipe().ok()?;
            let (reader, writer) = (std::os::fd::OwnedFd::from(reader), std::os::fd::OwnedFd::from(writer));
            for end in [&reader, &writer] {
                nix::fcntl::fcntl(end, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).ok()?;
            }
            WAKE_WRITER.store(std::os::fd::IntoRawFd::into_raw_fd(writer), Ordering::SeqCst);
            Some(reader)
        })
        .as_ref()
}

/// Sets what the process does on a signal: `Some(true)` ignores it, `Some(false)` notes it for
/// [`take_pending`], `None` is the default. What cannot be caught stays, and so does `SIGCHLD`,
/// which the runtime needs.
pub(crate) fn set_disposition(signal: Signal, ignore: Option<bool>) {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet};
    if matches!(signal, Signal::SIGCHLD | Signal::SIGKILL | Signal::SIGSTOP) {
        return;
    }
    let _ = wake_reader();
    let handler = match ignore {
        Some(true) => SigHandler::SigIgn,
        Some(false) => SigHandler::Handler(note_signal),
        None => SigHandler::SigDfl,
    };
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY:
    // The handler only stores to atomics and writes to a pipe: both are async-signal-safe.
    let _ = unsafe { nix::sys::signal::sigaction(signal, &action) };
}

/// Whether any trapped signal may be pending.
pub(crate) fn any_pending() -> bool {
    ANY_PENDING.load(Ordering::SeqCst)
}

/// Whether this trapped signal came and was not taken yet.
pub(crate) fn is_pending(signal: Signal) -> bool {
    slot(signal as i32).is_some_and(|slot| slot.load(Ordering::SeqCst))
}

/// Whether this trapped signal came; it counts as handled from now on.
pub(crate) fn take_pending(signal: Signal) -> bool {
    slot(signal as i32).is_some_and(|slot| slot.swap(false, Ordering::SeqCst))
}

/// Notes a trapped signal that the shell sends to itself: it is there when this returns, which a
/// signal sent to a process of several threads need not be.
pub fn note_own(number: i32) {
    note(number);
}

/// Returns when a trapped signal has come; it may have been handled already.
pub async fn signal_noted() {
    let reader = wake_reader().and_then(|reader| reader.try_clone().ok());
    let receiver = reader.and_then(|r| tokio::net::unix::pipe::Receiver::from_owned_fd(r).ok());
    let Some(receiver) = receiver else {
        return std::future::pending().await;
    };
    loop {
        if receiver.readable().await.is_err() {
            return std::future::pending().await;
        }
        if matches!(receiver.try_read(&mut [0; 64]), Ok(n) if n > 0) {
            return;
        }
    }
}
