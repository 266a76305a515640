//! What is packed: a disk or an image of one.

use rustix::{fs::seek, io::Errno};
use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
};

/// Something with bytes at places.
pub trait Source: Sync {
    /// Its size, bytes.
    fn size(&self) -> u64;

    /// Fills `bytes` with what is at `at`.
    ///
    /// # Errors
    /// When not all of it can be read.
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;

    /// Whether a range is known to be zeros without being read.
    fn is_hole(&self, at: u64, length: u64) -> bool {
        let _ = (at, length);
        false
    }
}

/// A file or a block device.
#[derive(Debug)]
pub struct Raw {
    file: File,
    size: u64,
}

impl Raw {
    /// An open file, as long as it is now.
    ///
    /// # Errors
    /// When it has no end.
    pub fn new(mut file: File) -> io::Result<Self> {
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, size })
    }
}

impl Source for Raw {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, at)
    }

    fn is_hole(&self, at: u64, length: u64) -> bool {
        match seek(&self.file, rustix::fs::SeekFrom::Data(at)) {
            Ok(data) => at.checked_add(length).is_some_and(|end| end <= data),
            // There is none any more.
            Err(error) => error == Errno::NXIO,
        }
    }
}

impl Source for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..));
        let from = from.and_then(|from| from.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
