//! Swap spaces (swapon(2)).

use std::{ffi::CString, io, os::unix::ffi::OsStrExt as _, path::Path};

const PREFER: i32 = 0x8000;
const PRIORITY: i32 = 0x7fff;
const DISCARD: i32 = 0x1_0000;

fn done(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Starts to use a swap space; `priority` is 0 to 32767.
///
/// # Errors
/// Those of swapon(2).
pub fn on(path: &Path, priority: Option<u16>, discard: bool) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let priority = priority.map_or(0, |p| PREFER | (i32::from(p) & PRIORITY));
    let flags = priority | if discard { DISCARD } else { 0 };
    // SAFETY: the path is a C string that outlives the call.
    done(unsafe { libc::swapon(path.as_ptr(), flags) })
}

/// Stops using a swap space, once what is in it is back in memory.
///
/// # Errors
/// Those of swapoff(2).
pub fn off(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is a C string that outlives the call.
    done(unsafe { libc::swapoff(path.as_ptr()) })
}
