//! What the formats have in common: the fields of their headers.

use crate::applet::{Args, usage_error};

/// How headers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Numbers of 16 bits, in the order of the machine that wrote them.
    Binary,
    /// POSIX's: octal digits.
    Odc,
    /// Hexadecimal digits.
    Newc,
    /// The same with a sum of each file's bytes.
    Crc,
    Tar,
    Ustar,
}

impl Layout {
    /// The one that is asked for, and whether devices are written as HP-UX does.
    pub(super) fn of(args: &Args) -> anyhow::Result<(Self, bool)> {
        Ok(match args.text("format")? {
            None if args.has("portable") => (Self::Odc, false),
            None | Some("bin") => (Self::Binary, false),
            Some("odc") => (Self::Odc, false),
            Some("newc") => (Self::Newc, false),
            Some("crc") => (Self::Crc, false),
            Some("tar") => (Self::Tar, false),
            Some("ustar") => (Self::Ustar, false),
            Some("hpbin") => (Self::Binary, true),
            Some("hpodc") => (Self::Odc, true),
            Some(other) => return usage_error(format!("invalid archive format '{other}'")),
        })
    }

    /// Headers with names, and data, end at a multiple of so many bytes.
    pub(super) fn unit(self) -> u64 {
        match self {
            Self::Odc => 1,
            Self::Binary => 2,
            Self::Newc | Self::Crc => 4,
            Self::Tar | Self::Ustar => 512,
        }
    }

    pub(super) fn is_tape(self) -> bool {
        matches!(self, Self::Tar | Self::Ustar)
    }

    /// Of a file with several names the data comes with the last of them.
    pub(super) fn data_comes_last(self) -> bool {
        matches!(self, Self::Newc | Self::Crc)
    }
}

/// What a header says of a file, besides its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) inode: u64,
    /// With what kind of file it is.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) links: u64,
    /// Seconds since 1970.
    pub(super) mtime: u64,
    pub(super) size: u64,
    /// Major and minor number: where it is, and what it is.
    pub(super) device: (u32, u32),
    pub(super) rdev: (u32, u32),
    /// The sum of its bytes, with `crc`.
    pub(super) check: u32,
}

/// Name of the member that ends an archive.
pub(super) const TRAILER: &[u8] = b"TRAILER!!!";
