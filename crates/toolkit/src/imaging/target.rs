//! The disk that is written, or a file in place of one.

use crate::partitions::Disk;
use anyhow::Context as _;
use rustix::fs::{Advice, FallocateFlags, Mode, OFlags, fadvise, fallocate};
use std::{
    fs::File,
    io,
    num::NonZeroU64,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};
use xenoboot_sys::blockdev::{self, Ask, Discard};

/// What buffers for direct transfers are aligned to: no device asks for more.
const ALIGN: usize = 4096;

/// How much is zeroed by writing at once, bytes.
const ZEROS: usize = 1 << 20;

/// A buffer that the kernel can transfer to a disk without copying it.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    from: usize,
    length: usize,
}

impl Buffer {
    /// One of `length` bytes.
    pub(crate) fn new(length: usize) -> Self {
        let bytes = vec![0; length + ALIGN];
        let from = bytes.as_ptr().align_offset(ALIGN).min(ALIGN);
        Self { bytes, from, length }
    }

    /// Its first `length` bytes.
    pub(crate) fn first(&mut self, length: usize) -> &mut [u8] {
        let to = self.from + length.min(self.length);
        self.bytes.get_mut(self.from..to).unwrap_or_default()
    }
}

/// An open disk.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its path.
    pub(crate) path: PathBuf,
    /// Its size, bytes.
    pub(crate) size: u64,
    /// Bytes a sector.
    pub(crate) sector: u64,
    /// Whether it is a block device.
    pub(crate) device: bool,
    file: File,
    /// The same past the page cache: aligned transfers only.
    direct: Option<File>,
}

impl Target {
    /// Opens a disk that nothing else has, for reading and, with `write`, writing.
    pub(crate) fn open(path: &Path, write: bool) -> anyhow::Result<Self> {
        let shown = path.display();
        let disk = Disk::open(path, false)?;
        let access = if write { OFlags::RDWR } else { OFlags::RDONLY } | OFlags::CLOEXEC;
        let open = |flags| rustix::fs::open(path, access | flags, Mode::empty()).map(File::from);
        let (file, direct) = if disk.device {
            let file = open(if write { OFlags::EXCL } else { OFlags::empty() });
            (file.with_context(|| format!("cannot open {shown}"))?, open(OFlags::DIRECT).ok())
        } else {
            (open(OFlags::empty()).with_context(|| format!("cannot open {shown}"))?, None)
        };
        let (size, sector, device) = (disk.bytes(), disk.sector, disk.device);
        Ok(Self { path: path.to_owned(), size, sector, device, file, direct })
    }

    /// The way for a transfer.
    fn way(&self, bytes: &[u8], at: u64) -> &File {
        let aligned = bytes.as_ptr().align_offset(ALIGN) == 0
            && at.is_multiple_of(self.sector)
            && (bytes.len() as u64).is_multiple_of(self.sector);
        self.direct.as_ref().filter(|_| aligned).unwrap_or(&self.file)
    }

    /// Reads what is there.
    pub(crate) fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.way(bytes, at).read_exact_at(bytes, at)
    }

    /// Writes, within the disk.
    pub(crate) fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        if at.checked_add(bytes.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::Error::other("behind the disk's end"));
        }
        self.way(bytes, at).write_all_at(bytes, at)
    }

    /// Makes zeros of a range of whole sectors.
    pub(crate) fn zero(&self, at: u64, length: u64) -> io::Result<()> {
        let quick = if self.device {
            blockdev::discard(&self.file, Discard::Zero, at, length).is_ok()
        } else {
            self.punch(at, length)
        };
        if quick || length == 0 {
            return Ok(());
        }
        let mut zeros = Buffer::new(ZEROS);
        let mut done = 0;
        while done < length {
            let part = usize::try_from(length - done).unwrap_or(ZEROS).min(ZEROS);
            self.write(zeros.first(part), at + done)?;
            done += part as u64;
        }
        Ok(())
    }

    fn punch(&self, at: u64, length: u64) -> bool {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&self.file, flags, at, length).is_ok()
    }

    /// Lets the disk forget a range, if it can: what is there afterwards is not known.
    pub(crate) fn discard(&self, at: u64, length: u64) {
        if length == 0 {
        } else if self.device {
            // Many disks cannot; nothing depends on it.
            let _ = blockdev::discard(&self.file, Discard::Plain, at, length);
        } else {
            self.punch(at, length);
        }
    }

    /// Makes what was written last through a loss of power, and lets the next read come from the disk.
    pub(crate) fn sync(&self) -> anyhow::Result<()> {
        self.file.sync_all().with_context(|| format!("cannot write {}", self.path.display()))?;
        // Advice only; a disk is read past the cache in any case.
        let _ = fadvise(&self.file, 0, NonZeroU64::new(self.size), Advice::DontNeed);
        Ok(())
    }

    /// Whether the kernel refuses writes.
    pub(crate) fn is_read_only(&self) -> bool {
        self.device && blockdev::ask(&self.file, Ask::ReadOnly).is_ok_and(|answer| answer != 0)
    }

    /// Lets go of the disk and has the kernel look for its partitions.
    pub(crate) fn close(self) -> anyhow::Result<()> {
        let Self { path, device, file, direct, .. } = self;
        drop((file, direct));
        if !device {
            return Ok(());
        }
        let disk = File::open(&path)?;
        let read = blockdev::read_partitions(&disk);
        // A loop device without partitions, and a partition itself, do not know the request.
        if let Err(error) = read
            && error.raw_os_error() != Some(rustix::io::Errno::INVAL.raw_os_error())
        {
            let reason = crate::applet::reason(&error);
            eprintln!(
                "xb image: the kernel did not read the partitions of {}: {reason}",
                path.display()
            );
        }
        Ok(())
    }
}
