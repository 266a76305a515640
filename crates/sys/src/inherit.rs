//! Descriptors that the process was started with.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
    sync::atomic::{AtomicU32, Ordering},
};

/// Takes over the descriptor `number` (3 to 31) with which the process was started, and closes it for
/// programs started later. Call it first in `main`, before anything else is opened.
///
/// # Errors
/// `EBADF` when it is not open, as when the process was started by hand; `InvalidInput` for another
/// number, and when it was taken before.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let bit = u32::try_from(number).ok().filter(|n| (3..32).contains(n)).map(|n| 1 << n);
    let bit = bit.ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: F_SETFD changes a flag of a number that is open, and fails with EBADF otherwise.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    if TAKEN.fetch_or(bit, Ordering::SeqCst) & bit != 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: it is open, was opened by whoever started this process, and is taken only once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn each_number_is_taken_once() {
        // A free number far from what other tests open.
        let (read, _write) = io::pipe().unwrap();
        assert!(take(31).is_err(), "not open");
        // SAFETY: 31 is not in use in this process.
        assert_eq!(unsafe { libc::dup2(read.as_raw_fd(), 31) }, 31);
        let taken = take(31).unwrap();
        assert!(take(31).is_err(), "taken before");
        drop(taken);
        assert!(take(2).is_err() && take(-1).is_err());
    }
}
