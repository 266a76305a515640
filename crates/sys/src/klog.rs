//! The kernel's log: what reading `/dev/kmsg` cannot do.

use std::{io, ptr};

/// Clears the log for readers: the records stay, but those who begin at `SEEK_DATA` see only newer ones.
///
/// # Errors
/// `EPERM` without `CAP_SYSLOG`.
pub fn clear() -> io::Result<()> {
    const SYSLOG_ACTION_CLEAR: libc::c_int = 5;
    // SAFETY: syslog(2): this action uses neither the buffer nor its length.
    match unsafe { libc::klogctl(SYSLOG_ACTION_CLEAR, ptr::null_mut(), 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
