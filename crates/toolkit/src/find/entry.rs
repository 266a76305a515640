//! A file that was come upon, known by the folder that it is in: its path may be longer than the kernel takes.

use rustix::{
    fs::{AtFlags, FileType, Stat, StatxFlags, readlinkat, statat, statx},
    io::Errno,
};
use std::{
    cell::OnceCell,
    ffi::{OsStr, OsString},
    os::{
        fd::BorrowedFd,
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
};

/// What is known of a file by itself.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its name in its folder; of a starting point all that was given.
    pub(crate) name: OsString,
    /// As the folder says, which is not to be looked at where links are followed.
    pub(crate) listed: FileType,
    stat: OnceCell<Result<Stat, Errno>>,
}

impl Node {
    pub(crate) fn new(name: OsString, listed: FileType) -> Self {
        Self { name, listed, stat: OnceCell::new() }
    }
}

/// A file at its place.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) node: &'a Node,
    /// The folder it is in.
    pub(crate) folder: BorrowedFd<'a>,
    /// That folder's path, empty for a starting point.
    pub(crate) above: &'a [u8],
    /// The starting point.
    pub(crate) root: &'a [u8],
    /// 0 for a starting point.
    pub(crate) depth: u64,
    /// What a link leads to counts, if it leads anywhere.
    pub(crate) follow: bool,
}

impl Entry<'_> {
    pub(crate) fn path(&self) -> Vec<u8> {
        let name = self.node.name.as_bytes();
        let slash: &[u8] =
            if self.above.is_empty() || self.above.ends_with(b"/") { b"" } else { b"/" };
        [self.above, slash, name].concat()
    }

    /// The last part of its path, without slashes at the end.
    pub(crate) fn base(&self) -> &[u8] {
        let name = self.node.name.as_bytes();
        if self.depth > 0 {
            return name;
        }
        let Some(end) = name.iter().rposition(|b| *b != b'/') else {
            return name.get(..1).unwrap_or_default();
        };
        let trimmed = name.get(..=end).unwrap_or_default();
        let start = trimmed.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
        trimmed.get(start..).unwrap_or_default()
    }

    /// # Errors
    /// Why it could not be looked at.
    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        *self.node.stat.get_or_init(|| {
            let name = &self.node.name;
            if self.follow {
                match statat(self.folder, name, AtFlags::empty()) {
                    Err(Errno::NOENT | Errno::NOTDIR) => {}
                    result => return result,
                }
            }
            statat(self.folder, name, AtFlags::SYMLINK_NOFOLLOW)
        })
    }

    /// # Errors
    /// Why it could not be looked at.
    pub(crate) fn kind(&self) -> Result<FileType, Errno> {
        match self.node.listed {
            FileType::Unknown => {}
            FileType::Symlink if self.follow => {}
            listed => return Ok(listed),
        }
        self.stat().map(|stat| FileType::from_raw_mode(stat.st_mode))
    }

    /// Of what it leads to when links are not followed, and the other way round (`-xtype`).
    ///
    /// # Errors
    /// Why it could not be looked at; a link that leads nowhere is a link.
    pub(crate) fn other_kind(&self) -> Result<FileType, Errno> {
        let flags = if self.follow { AtFlags::SYMLINK_NOFOLLOW } else { AtFlags::empty() };
        match statat(self.folder, &self.node.name, flags) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode)),
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) if !self.follow => {
                Ok(FileType::Symlink)
            }
            Err(error) => Err(error),
        }
    }

    /// Of what it leads to, however links are treated.
    ///
    /// # Errors
    /// Why it leads nowhere.
    pub(crate) fn target_kind(&self) -> Result<FileType, Errno> {
        let stat = statat(self.folder, &self.node.name, AtFlags::empty())?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }

    /// What a link says, if it is one.
    pub(crate) fn link(&self) -> Option<Vec<u8>> {
        let link = readlinkat(self.folder, &self.node.name, Vec::new()).ok()?;
        Some(link.into_bytes())
    }

    /// When it was made: seconds since 1970 and nanoseconds, where the file system knows it.
    pub(crate) fn born(&self) -> Option<(i64, u32)> {
        let flags = if self.follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        born(self.folder, &self.node.name, flags)
    }
}

/// The same of any file.
pub(crate) fn born(folder: BorrowedFd<'_>, name: &OsStr, flags: AtFlags) -> Option<(i64, u32)> {
    let stat = statx(folder, name, flags, StatxFlags::BTIME).ok()?;
    let known = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
    known.then_some((stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec))
}

/// A time of a file: seconds since 1970 and nanoseconds.
pub(crate) fn moment(seconds: i64, nanoseconds: u64) -> (i64, u32) {
    (seconds, u32::try_from(nanoseconds).unwrap_or(0))
}

/// A path from bytes.
pub(crate) fn name(bytes: Vec<u8>) -> OsString {
    OsString::from_vec(bytes)
}
