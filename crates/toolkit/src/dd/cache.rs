//! `nocache`: what was copied does not stay in the kernel's memory, in the place of what others need.

use rustix::{
    fs::{Advice, fadvise},
    io::Errno,
};
use std::{io, num::NonZeroU64, os::fd::BorrowedFd};

/// So much is let go at a time, in bytes.
const STEP: u64 = 128 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forget {
    /// What was copied since the last time, when it is worth a call.
    Some,
    /// All from there to the file's end.
    Rest,
}

/// What the kernel was told of one file.
#[derive(Debug)]
pub(crate) struct Cache {
    /// Up to where it was told.
    told: u64,
}

impl Cache {
    pub(crate) fn new(offset: Option<u64>) -> Self {
        Self { told: offset.unwrap_or(0) }
    }

    /// # Errors
    /// When the file is no file with an offset, or the kernel refuses.
    pub(crate) fn forget(
        &mut self,
        file: BorrowedFd<'_>,
        offset: Option<u64>,
        how: Forget,
    ) -> io::Result<()> {
        let offset = offset.ok_or(Errno::SPIPE)?;
        let copied = offset.saturating_sub(self.told);
        let length = match how {
            Forget::Some if copied < STEP => return Ok(()),
            Forget::Some => NonZeroU64::new(copied),
            Forget::Rest => None,
        };
        fadvise(file, self.told, length, Advice::DontNeed)?;
        self.told = offset;
        Ok(())
    }
}
