//! What block devices are asked and told by ioctl(2) (linux/fs.h, linux/blkpg.h).

use rustix::{
    fs::{Mode, OFlags},
    ioctl::{self, Getter, NoArg, Opcode, Setter, Updater, opcode},
};
use std::{fs::File, io, os::fd::AsFd, path::Path};

/// A question whose answer is one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Whether writes are refused.
    ReadOnly,
    /// Read-ahead, sectors of 512 bytes.
    ReadAhead,
    /// Read-ahead of the file system, sectors of 512 bytes.
    FileReadAhead,
    /// Bytes a block that the kernel reads.
    BlockSize,
    /// The device's first sector's offset from its natural boundary, bytes; -1 when misaligned.
    AlignmentOffset,
    /// Bytes of the smallest efficient request.
    MinimumIo,
    /// Bytes of the best request, 0 when it does not say.
    OptimalIo,
    /// Bytes a physical sector.
    PhysicalSector,
    /// The most sectors a request may have.
    MaxSectors,
    /// The device's size, bytes.
    Size,
}

fn get<const OPCODE: Opcode, T: Into<i64>>(device: impl AsFd) -> io::Result<i64> {
    // SAFETY: each caller names a request that writes one T through the pointer.
    unsafe { Ok(ioctl::ioctl(device, Getter::<OPCODE, T>::new())?.into()) }
}

/// Asks a block device.
///
/// # Errors
/// `ENOTTY` when it is none.
pub fn ask(device: impl AsFd, what: Ask) -> io::Result<i64> {
    match what {
        Ask::ReadOnly => get::<{ opcode::none(0x12, 94) }, i32>(device),
        Ask::ReadAhead => long::<{ opcode::none(0x12, 99) }>(device),
        Ask::FileReadAhead => long::<{ opcode::none(0x12, 101) }>(device),
        Ask::MaxSectors => get::<{ opcode::none(0x12, 103) }, u16>(device),
        Ask::BlockSize => get::<{ opcode::read::<usize>(0x12, 112) }, i32>(device),
        Ask::MinimumIo => get::<{ opcode::none(0x12, 120) }, u32>(device),
        Ask::OptimalIo => get::<{ opcode::none(0x12, 121) }, u32>(device),
        Ask::AlignmentOffset => get::<{ opcode::none(0x12, 122) }, i32>(device),
        Ask::PhysicalSector => get::<{ opcode::none(0x12, 123) }, u32>(device),
        Ask::Size => {
            const BLKGETSIZE64: Opcode = opcode::read::<usize>(0x12, 114);
            // SAFETY: BLKGETSIZE64 writes one u64.
            let size = unsafe { ioctl::ioctl(device, Getter::<BLKGETSIZE64, u64>::new())? };
            i64::try_from(size).map_err(io::Error::other)
        }
    }
}

/// BLKRAGET and BLKFRAGET write a C `long`.
fn long<const OPCODE: Opcode>(device: impl AsFd) -> io::Result<i64> {
    // SAFETY: the requests write one long through the pointer.
    let value = unsafe { ioctl::ioctl(device, Getter::<OPCODE, std::ffi::c_long>::new())? };
    Ok(value)
}

/// Refuses writes from now on, or no longer (`BLKROSET`).
///
/// # Errors
/// When not privileged.
pub fn set_read_only(device: impl AsFd, on: bool) -> io::Result<()> {
    const BLKROSET: Opcode = opcode::none(0x12, 93);
    // SAFETY: BLKROSET reads one int.
    unsafe { Ok(ioctl::ioctl(device, Setter::<BLKROSET, i32>::new(on.into()))?) }
}

/// Writes the device's cached pages back and forgets them (`BLKFLSBUF`).
///
/// # Errors
/// When not privileged.
pub fn flush(device: impl AsFd) -> io::Result<()> {
    // SAFETY: BLKFLSBUF takes no argument.
    unsafe { Ok(ioctl::ioctl(device, NoArg::<{ opcode::none(0x12, 97) }>::new())?) }
}

/// Makes the kernel read the partition table (`BLKRRPART`).
///
/// # Errors
/// `EBUSY` when a partition is in use.
pub fn read_partitions(device: impl AsFd) -> io::Result<()> {
    // SAFETY: BLKRRPART takes no argument.
    unsafe { Ok(ioctl::ioctl(device, NoArg::<{ opcode::none(0x12, 95) }>::new())?) }
}

/// Whether the device or a partition of it is mounted or otherwise taken.
#[must_use]
pub fn in_use(device: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC;
    rustix::fs::open(device, flags, Mode::empty()).is_err_and(|e| e == rustix::io::Errno::BUSY)
}

/// How a range is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// The device may forget it.
    Plain,
    /// The device must forget it.
    Secure,
    /// It reads as zeros afterwards.
    Zero,
}

/// Gives up a range, bytes (`BLKDISCARD` and its kin).
///
/// # Errors
/// `EOPNOTSUPP` when the device cannot; `EINVAL` when the range does not stand on sectors.
pub fn discard(device: impl AsFd, how: Discard, start: u64, length: u64) -> io::Result<()> {
    type Range = [u64; 2];
    const DISCARD: Opcode = opcode::none(0x12, 119);
    const SECURE: Opcode = opcode::none(0x12, 125);
    const ZERO: Opcode = opcode::none(0x12, 127);
    let range = [start, length];
    // SAFETY: the three requests read two u64.
    let done = unsafe {
        match how {
            Discard::Plain => ioctl::ioctl(device, Setter::<DISCARD, Range>::new(range)),
            Discard::Secure => ioctl::ioctl(device, Setter::<SECURE, Range>::new(range)),
            Discard::Zero => ioctl::ioctl(device, Setter::<ZERO, Range>::new(range)),
        }
    };
    Ok(done?)
}

/// Sets the read-ahead, sectors of 512 bytes.
///
/// # Errors
/// When not privileged.
pub fn set_read_ahead(device: &File, sectors: u64) -> io::Result<()> {
    let value = usize::try_from(sectors).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: BLKRASET takes the number itself as its argument and no pointer.
    let done = unsafe {
        ioctl::ioctl(device, ioctl::IntegerSetter::<{ opcode::none(0x12, 98) }>::new_usize(value))
    };
    Ok(done?)
}

/// `struct fstrim_range` of linux/fs.h: bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct TrimRange {
    start: u64,
    length: u64,
    least: u64,
}

/// Makes a mounted file system give up what it does not use (`FITRIM`); returns how many bytes.
///
/// # Errors
/// `EOPNOTSUPP` when the file system or its device cannot.
pub fn trim(folder: impl AsFd, start: u64, length: u64, least: u64) -> io::Result<u64> {
    const FITRIM: Opcode = opcode::read_write::<TrimRange>(b'X', 121);
    let mut range = TrimRange { start, length, least };
    // SAFETY: FITRIM reads and writes one struct fstrim_range, which TrimRange mirrors.
    unsafe { ioctl::ioctl(folder, Updater::<FITRIM, TrimRange>::new(&mut range))? };
    Ok(range.length)
}

/// Stops or lets go writes to a mounted file system (`FIFREEZE`, `FITHAW`).
///
/// # Errors
/// `EBUSY` when it is frozen already, `EINVAL` when it is not.
pub fn freeze(folder: impl AsFd, on: bool) -> io::Result<()> {
    const FIFREEZE: Opcode = opcode::read_write::<i32>(b'X', 119);
    const FITHAW: Opcode = opcode::read_write::<i32>(b'X', 120);
    // SAFETY: both read nothing in spite of their numbers.
    let done = unsafe {
        if on {
            ioctl::ioctl(folder, NoArg::<FIFREEZE>::new())
        } else {
            ioctl::ioctl(folder, NoArg::<FITHAW>::new())
        }
    };
    Ok(done?)
}
