//! Flags of `iflag=` and `oflag=` on files that are open already.

use super::{failed::Failed, operands::Flags};
use rustix::{
    fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat},
    io::Errno,
};
use std::os::fd::BorrowedFd;

/// Gives them to standard input or output.
pub(crate) fn set(file: BorrowedFd<'_>, flags: OFlags, name: &str) -> Result<(), Failed> {
    let failed = |error: Errno| Failed::new(format!("setting flags for {name}"), error.into());
    // What is only for the opening.
    let wanted = flags - (OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::DIRECTORY);
    if flags.contains(OFlags::DIRECTORY) {
        let mode = fstat(file).map_err(failed)?.st_mode;
        if FileType::from_raw_mode(mode) != FileType::Directory {
            return Err(failed(Errno::NOTDIR));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let there = fcntl_getfl(file).map_err(failed)?;
    fcntl_setfl(file, there | wanted).map_err(failed)
}

/// `nolinks`: the file has no other name.
pub(crate) fn check_links(file: BorrowedFd<'_>, flags: Flags, name: &str) -> Result<(), Failed> {
    if !flags.nolinks {
        return Ok(());
    }
    let failed = |error: Errno| Failed::new(format!("failed to open {name}"), error.into());
    let links = fstat(file).map_err(failed)?.st_nlink;
    if links > 1 { Err(failed(Errno::MLINK)) } else { Ok(()) }
}
