//! Signal processing utilities

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow};

use crate::{error, sys, traps};

pub use nix::sys::signal::Signal;

/// Lets a process group that was stopped run on.
pub(crate) fn continue_group(pgid: sys::process::ProcessId) -> Result<(), error::Error> {
    nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pgid), nix::sys::signal::SIGCONT)
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

/// Does `act` while `SIGTTOU` is blocked: what is in the background may then set the terminal's
/// foreground process group.
pub(crate) fn without_sigttou<T>(act: impl FnOnce() -> T) -> T {
    let mut ttou = SigSet::empty();
    ttou.add(Signal::SIGTTOU);
    let mut before = SigSet::empty();
    let blocked = nix::sys::signal::sigprocmask(SigmaskHow::SIG_BLOCK, Some(&ttou), Some(&mut before));
    let result = act();
    if blocked.is_ok() {
        let _ = nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    }
    result
}

/// What the process does on a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// What the kernel does by default.
    Default,
    /// Nothing; nor do the programs that are started.
    Ignore,
    /// It is noted, for [`take_pending`]. The programs that are started have the default.
    Note,
    /// The shell ends by it, after its `EXIT` trap.
    End,
}

const SIGNALS: usize = 65;
/// How often each signal came that is noted.
static PENDING: [AtomicU32; SIGNALS] = [const { AtomicU32::new(0) }; SIGNALS];
/// Whether there may be any in `PENDING`.
static ANY_PENDING: AtomicBool = AtomicBool::new(false);
/// A signal that came and ends the shell; 0 for none.
static FATAL: AtomicI32 = AtomicI32::new(0);
/// The signals that have a handler, bit by number.
static HANDLED: AtomicU64 = AtomicU64::new(0);
/// Whether a child may have changed since the last time that somebody looked.
static CHILD_CHANGED: AtomicBool = AtomicBool::new(false);
/// Whether `SIGCHLD` has a trap.
static CHILD_TRAPPED: AtomicBool = AtomicBool::new(false);
/// The pipe that wakes who waits: the end to read from, and the end to write to. -1: there is none.
static WAKE: [AtomicI32; 2] = [AtomicI32::new(-1), AtomicI32::new(-1)];

fn slot(number: i32) -> Option<&'static AtomicU32> {
    usize::try_from(number).ok().and_then(|n| PENDING.get(n))
}

/// The handlers. They do only what is safe in one.
extern "C" fn on_signal(number: nix::libc::c_int) {
    note(number);
}

extern "C" fn on_fatal(number: nix::libc::c_int) {
    let _ = FATAL.compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst);
    ANY_PENDING.store(true, Ordering::SeqCst);
    wake();
}

extern "C" fn on_child(_: nix::libc::c_int) {
    CHILD_CHANGED.store(true, Ordering::SeqCst);
    wake();
}

fn note(number: i32) {
    if let Some(slot) = slot(number) {
        slot.fetch_add(1, Ordering::SeqCst);
        ANY_PENDING.store(true, Ordering::SeqCst);
        wake();
    }
}

fn wake() {
    let writer = WAKE[1].load(Ordering::SeqCst);
    if writer >= 0 {
        let errno = nix::errno::Errno::last_raw();
        // SAFETY:
        // write(2) is async-signal-safe, the buffer is one byte long, and the file descriptor is
        // open as long as it stands there, and does not block.
        let _ = unsafe { nix::libc::write(writer, b"!".as_ptr().cast(), 1) };
        nix::errno::Errno::set_raw(errno);
    }
}

/// The pipe's end to read from, made when it is asked for first.
fn wake_reader() -> Option<i32> {
    use std::os::fd::IntoRawFd as _;
    let present = WAKE[0].load(Ordering::SeqCst);
    if present >= 0 {
        return Some(present);
    }
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_CLOEXEC;
    let (reader, writer) = nix::unistd::pipe2(flags).ok()?;
    let (reader, writer) = (reader.into_raw_fd(), writer.into_raw_fd());
    WAKE[0].store(reader, Ordering::SeqCst);
    WAKE[1].store(writer, Ordering::SeqCst);
    Some(reader)
}

fn install(signal: Signal, handler: SigHandler, flags: SaFlags) {
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY:
    // The handlers only store to atomics and write to a pipe: both are async-signal-safe.
    let _ = unsafe { nix::sys::signal::sigaction(signal, &action) };
    let bit = 1 << (signal as i32);
    if matches!(handler, SigHandler::Handler(_)) {
        HANDLED.fetch_or(bit, Ordering::SeqCst);
    } else {
        HANDLED.fetch_and(!bit, Ordering::SeqCst);
    }
}

/// Notes that the user has interrupted what runs.
pub(crate) fn note_interrupt() {
    note(Signal::SIGINT as i32);
}

/// Sets what the process does on a signal. `SIGCHLD` always has a handler; it is noted only as
/// often as a child is known to have ended.
pub fn set_disposition(signal: Signal, disposition: Disposition) {
    match signal {
        Signal::SIGKILL | Signal::SIGSTOP => return,
        Signal::SIGCHLD => {
            CHILD_TRAPPED.store(disposition == Disposition::Note, Ordering::SeqCst);
            return;
        }
        _ => {}
    }
    match disposition {
        Disposition::Default => install(signal, SigHandler::SigDfl, SaFlags::empty()),
        Disposition::Ignore => install(signal, SigHandler::SigIgn, SaFlags::empty()),
        Disposition::Note => install(signal, SigHandler::Handler(on_signal), SaFlags::SA_RESTART),
        Disposition::End => install(signal, SigHandler::Handler(on_fatal), SaFlags::empty()),
    }
}

/// Whether the process ignores a signal.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<nix::libc::sigaction>::uninit();
    // SAFETY:
    // sigaction(2) with no new action only writes the present one to the place given.
    let done = unsafe { nix::libc::sigaction(signal as i32, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY:
    // It was written when the call succeeded.
    done == 0 && unsafe { action.assume_init() }.sa_sigaction == nix::libc::SIG_IGN
}

/// Notes from now on when a child changes.
pub(crate) fn watch_children() {
    if HANDLED.load(Ordering::SeqCst) & (1 << (Signal::SIGCHLD as i32)) == 0 {
        install(Signal::SIGCHLD, SigHandler::Handler(on_child), SaFlags::SA_RESTART);
    }
}

/// A child has ended.
pub(crate) fn note_child() {
    if CHILD_TRAPPED.load(Ordering::SeqCst) {
        note(Signal::SIGCHLD as i32);
    }
}

/// Whether a child may have changed since this was asked last.
pub(crate) fn take_child_changed() -> bool {
    CHILD_CHANGED.load(Ordering::SeqCst) && CHILD_CHANGED.swap(false, Ordering::SeqCst)
}

/// What a forked process does first: no signal is handled or pending, and nobody is woken.
pub(crate) fn reset_in_child() {
    let handled = HANDLED.load(Ordering::SeqCst);
    for signal in Signal::iterator().filter(|signal| handled & (1 << (*signal as i32)) != 0) {
        install(signal, SigHandler::SigDfl, SaFlags::empty());
    }
    for end in &WAKE {
        let file = end.swap(-1, Ordering::SeqCst);
        if file >= 0 {
            let _ = nix::unistd::close(file);
        }
    }
    PENDING.iter().for_each(|slot| slot.store(0, Ordering::SeqCst));
    FATAL.store(0, Ordering::SeqCst);
    ANY_PENDING.store(false, Ordering::SeqCst);
    CHILD_CHANGED.store(false, Ordering::SeqCst);
    CHILD_TRAPPED.store(false, Ordering::SeqCst);
}

/// Whether any noted signal may be pending.
pub(crate) fn any_pending() -> bool {
    ANY_PENDING.load(Ordering::SeqCst)
}

/// Whether this noted signal came and was not taken yet.
pub(crate) fn is_pending(signal: Signal) -> bool {
    slot(signal as i32).is_some_and(|slot| slot.load(Ordering::SeqCst) > 0)
}

/// Whether this noted signal came; it counts as handled from now on. Children are counted one by
/// one.
pub fn take_pending(signal: Signal) -> bool {
    let Some(slot) = slot(signal as i32) else {
        return false;
    };
    if signal == Signal::SIGCHLD {
        let fewer = |count: u32| count.checked_sub(1);
        return slot.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok();
    }
    slot.swap(0, Ordering::SeqCst) > 0
}

/// Whether a signal came that ends the shell.
pub fn fatal_pending() -> bool {
    FATAL.load(Ordering::SeqCst) != 0
}

/// The signal that ends the shell, if one came.
pub fn fatal() -> Option<i32> {
    Some(FATAL.load(Ordering::SeqCst)).filter(|number| *number != 0)
}

/// Ends the process by the signal that ends the shell, if one came.
pub fn die_of_fatal() {
    if let Some(signal) = fatal().and_then(|number| Signal::try_from(number).ok()) {
        install(signal, SigHandler::SigDfl, SaFlags::empty());
        let _ = nix::sys::signal::raise(signal);
    }
}

/// Waits until a signal comes, or a child changes. Returns at once when that happened since the
/// last call.
pub fn wait_for_any() {
    wait_for_files(&[]);
}

/// As [`wait_for_any`], and also until there is something to read, or the end; returns whether
/// there is.
pub(crate) fn wait_for_any_or(file: impl std::os::fd::AsFd) -> bool {
    wait_for_files(&[file.as_fd()])
}

fn wait_for_files(others: &[std::os::fd::BorrowedFd<'_>]) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    watch_children();
    let Some(reader) = wake_reader() else {
        return true;
    };
    // SAFETY:
    // It stays open: only a forked child closes it, and that one opens another.
    let reader = unsafe { std::os::fd::BorrowedFd::borrow_raw(reader) };
    let all = std::iter::once(reader).chain(others.iter().copied());
    let mut files: Vec<PollFd<'_>> = all.map(|file| PollFd::new(file, PollFlags::POLLIN)).collect();
    let _ = poll(&mut files, PollTimeout::NONE);
    let is_ready = |file: &PollFd<'_>| file.any().unwrap_or(true);
    let ready = files.iter().skip(1).any(is_ready);
    while matches!(nix::unistd::read(reader, &mut [0; 64]), Ok(count) if count > 0) {}
    ready
}

/// Makes what comes from now on end [`wait_for_any`].
pub fn prepare_to_wait() {
    let _ = wake_reader();
    watch_children();
}

/// What a signal does, in words: `Terminated`.
pub(crate) fn describe(number: i32) -> String {
    // SAFETY:
    // strsignal(3) returns a string that stays valid until it is called again, and the shell has
    // one thread.
    let text = unsafe { std::ffi::CStr::from_ptr(nix::libc::strsignal(number)) };
    text.to_string_lossy().into_owned()
}
