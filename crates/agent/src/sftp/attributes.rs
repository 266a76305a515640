//! What is known of a file, and what is to become of it.

use super::packet::{Malformed, Reader, Writer};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

const SIZE: u32 = 1;
const OWNER: u32 = 2;
const MODE: u32 = 4;
const TIMES: u32 = 8;
const EXTENDED: u32 = 0x8000_0000;

/// Attributes of a file; those that are not there are not known, or are to stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) size: Option<u64>,
    pub(super) owner: Option<(u32, u32)>,
    pub(super) mode: Option<u32>,
    /// Last access and last change, Unix seconds.
    pub(super) times: Option<(u32, u32)>,
}

fn seconds(time: i64) -> u32 {
    u32::try_from(time.max(0)).unwrap_or(u32::MAX)
}

impl From<&Metadata> for Attributes {
    fn from(file: &Metadata) -> Self {
        Self {
            size: Some(file.size()),
            owner: Some((file.uid(), file.gid())),
            mode: Some(file.mode()),
            times: Some((seconds(file.atime()), seconds(file.mtime()))),
        }
    }
}

impl Attributes {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let flags = r.number()?;
        let has = |flag| flags & flag != 0;
        let mut this = Self::default();
        if has(SIZE) {
            this.size = Some(r.long()?);
        }
        if has(OWNER) {
            this.owner = Some((r.number()?, r.number()?));
        }
        if has(MODE) {
            this.mode = Some(r.number()?);
        }
        if has(TIMES) {
            this.times = Some((r.number()?, r.number()?));
        }
        if has(EXTENDED) {
            for _ in 0..r.number()? {
                r.string()?;
                r.string()?;
            }
        }
        Ok(this)
    }

    pub(super) fn write(&self, out: &mut Writer) {
        let flag = |there, flag| if there { flag } else { 0 };
        out.number(
            flag(self.size.is_some(), SIZE)
                | flag(self.owner.is_some(), OWNER)
                | flag(self.mode.is_some(), MODE)
                | flag(self.times.is_some(), TIMES),
        );
        if let Some(size) = self.size {
            out.long(size);
        }
        if let Some((user, group)) = self.owner {
            out.number(user);
            out.number(group);
        }
        if let Some(mode) = self.mode {
            out.number(mode);
        }
        if let Some((accessed, changed)) = self.times {
            out.number(accessed);
            out.number(changed);
        }
    }

    /// The permission bits.
    pub(super) fn permissions(&self) -> Option<u32> {
        self.mode.map(|mode| mode & 0o7777)
    }

    /// Gives a file these attributes; at the end of a path a symbolic link is followed, or meant itself.
    pub(super) fn apply(&self, path: &Path, follow: bool) -> io::Result<()> {
        if let Some(size) = self.size.filter(|_| follow) {
            fs::OpenOptions::new().write(true).open(path)?.set_len(size)?;
        }
        if let Some((user, group)) = self.owner {
            let (user, group) = (Some(user), Some(group));
            let chown = if follow { std::os::unix::fs::chown } else { std::os::unix::fs::lchown };
            chown(path, user, group)?;
        }
        // Links have no mode of their own.
        if let Some(mode) = self.permissions().filter(|_| follow) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        }
        if let Some((accessed, changed)) = self.times {
            let time = |s: u32| Timespec { tv_sec: s.into(), tv_nsec: 0 };
            let times =
                Timestamps { last_access: time(accessed), last_modification: time(changed) };
            let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
            rustix::fs::utimensat(CWD, path, &times, flags)?;
        }
        Ok(())
    }
}
