//! What a file is asked.

use super::{
    entry::Entry,
    numbers::Compare,
    perm::Permissions,
    walk::{self, Links},
};
use crate::{glob, matcher::Matcher, mounts, names::Names};
use rustix::{
    fs::{Access, AtFlags, FileType, Mode, OFlags, Stat, accessat, makedev, openat},
    io::Errno,
};

/// One of the times of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    Access,
    Birth,
    Change,
    Modification,
}

impl Time {
    /// Of a file: seconds since 1970 and nanoseconds.
    pub(crate) fn of(
        self,
        stat: &Stat,
        born: impl FnOnce() -> Option<(i64, u32)>,
    ) -> Option<(i64, u32)> {
        let moment = super::entry::moment;
        match self {
            Self::Access => Some(moment(stat.st_atime, stat.st_atime_nsec)),
            Self::Change => Some(moment(stat.st_ctime, stat.st_ctime_nsec)),
            Self::Modification => Some(moment(stat.st_mtime, stat.st_mtime_nsec)),
            Self::Birth => born(),
        }
    }
}

/// What one of a file's names is compared with.
#[derive(Debug)]
pub(crate) struct Pattern {
    glob: Vec<u8>,
    fold: bool,
}

impl Pattern {
    pub(crate) fn new(glob: &[u8], fold: bool) -> Self {
        Self { glob: if fold { lower(glob) } else { glob.to_vec() }, fold }
    }

    fn matches(&self, name: &[u8]) -> bool {
        if self.fold {
            glob::matches(&self.glob, &lower(name))
        } else {
            glob::matches(&self.glob, name)
        }
    }
}

fn lower(name: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(name) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => name.to_ascii_lowercase(),
    }
}

/// A question.
pub(crate) enum Criterion {
    Always(bool),
    Name(Pattern),
    Path(Pattern),
    Link(Pattern),
    Regex(Matcher),
    Kind(Vec<FileType>),
    OtherKind(Vec<FileType>),
    Empty,
    /// Bytes in a unit.
    Size(Compare<u64>, u64),
    Permissions(Permissions),
    Access(Access),
    Links(Compare<u64>),
    Inode(Compare<u64>),
    User(Compare<u64>),
    Group(Compare<u64>),
    NoUser,
    NoGroup,
    /// Its age at a moment, in days, or in minutes.
    Days(Time, Compare<f64>, f64),
    Minutes(Time, Compare<f64>, f64),
    /// Days between its last change and its last use.
    Used(Compare<f64>),
    Newer(Time, (i64, u32)),
    Same(u64, u64),
    FileSystem(String),
}

/// Tables that are read when they are first needed.
#[derive(Default)]
pub(crate) struct Tables {
    names: std::cell::OnceCell<Names>,
    mounts: std::cell::OnceCell<Vec<(u64, String)>>,
}

impl Tables {
    pub(crate) fn names(&self) -> &Names {
        self.names.get_or_init(Names::read)
    }

    /// The kind of the file system on a device.
    pub(crate) fn file_system(&self, device: u64) -> &str {
        let mounts = self.mounts.get_or_init(|| {
            let number = |text: &str| {
                let (major, minor) = text.split_once(':')?;
                Some(makedev(major.parse().ok()?, minor.parse().ok()?))
            };
            let all = mounts::all().unwrap_or_default().into_iter().rev();
            all.filter_map(|mount| Some((number(&mount.device)?, mount.kind))).collect()
        });
        let found = mounts.iter().find(|(number, _)| *number == device);
        found.map_or("unknown", |(_, kind)| kind.as_str())
    }
}

impl Criterion {
    /// # Errors
    /// Why the file could not be looked at.
    pub(crate) fn holds(&self, entry: &Entry<'_>, tables: &Tables) -> Result<bool, Errno> {
        Ok(match self {
            Self::Always(truth) => *truth,
            Self::Name(pattern) => pattern.matches(entry.base()),
            Self::Path(pattern) => pattern.matches(&entry.path()),
            Self::Link(pattern) => {
                entry.kind()? == FileType::Symlink
                    && entry.link().is_some_and(|link| pattern.matches(&link))
            }
            Self::Regex(regex) => regex.is_match(&entry.path()),
            Self::Kind(kinds) => kinds.contains(&entry.kind()?),
            Self::OtherKind(kinds) => kinds.contains(&entry.other_kind()?),
            Self::Empty => match entry.kind()? {
                FileType::RegularFile => entry.stat()?.st_size == 0,
                FileType::Directory => is_empty(entry)?,
                _ => false,
            },
            Self::Size(size, unit) => {
                let bytes = u64::try_from(entry.stat()?.st_size).unwrap_or(0);
                size.matches(bytes.div_ceil(*unit))
            }
            Self::Permissions(permissions) => {
                permissions.matches(entry.stat()?.st_mode, entry.kind()? == FileType::Directory)
            }
            Self::Access(access) => {
                accessat(entry.folder, &entry.node.name, *access, AtFlags::empty()).is_ok()
            }
            Self::Links(links) => links.matches(u64::from(entry.stat()?.st_nlink as u32)),
            Self::Inode(inode) => inode.matches(entry.stat()?.st_ino),
            Self::User(user) => user.matches(entry.stat()?.st_uid.into()),
            Self::Group(group) => group.matches(entry.stat()?.st_gid.into()),
            Self::NoUser => tables.names().user(entry.stat()?.st_uid).is_none(),
            Self::NoGroup => tables.names().group(entry.stat()?.st_gid).is_none(),
            Self::Days(time, age, now) => {
                age_of(entry, *time, *now)?.is_some_and(|old| age.matches_whole(old / 86400.0))
            }
            Self::Minutes(time, age, now) => {
                age_of(entry, *time, *now)?.is_some_and(|old| age.matches_begun(old / 60.0))
            }
            Self::Used(days) => {
                let changed = Time::Change.of(&entry.stat()?, || None).map_or(0.0, seconds);
                let used = Time::Access.of(&entry.stat()?, || None).map_or(0.0, seconds);
                used >= changed && days.matches_whole((used - changed) / 86400.0)
            }
            Self::Newer(time, than) => {
                time.of(&entry.stat()?, || entry.born()).is_some_and(|moment| moment > *than)
            }
            Self::Same(device, inode) => {
                let stat = entry.stat()?;
                (stat.st_dev, stat.st_ino) == (*device, *inode)
            }
            Self::FileSystem(kind) => tables.file_system(entry.stat()?.st_dev) == kind,
        })
    }
}

/// Seconds that have gone by since, at a moment.
fn age_of(entry: &Entry<'_>, time: Time, now: f64) -> Result<Option<f64>, Errno> {
    Ok(time.of(&entry.stat()?, || entry.born()).map(|moment| now - seconds(moment)))
}

/// As one number.
pub(crate) fn seconds((seconds, nanoseconds): (i64, u32)) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no clock goes so far that it matters")]
    let whole = seconds as f64;
    whole + f64::from(nanoseconds) / 1e9
}

fn is_empty(entry: &Entry<'_>) -> Result<bool, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(entry.folder, &entry.node.name, flags, Mode::empty())?;
    let mut empty = true;
    walk::read(std::os::fd::AsFd::as_fd(&folder), |_, _| empty = false)?;
    Ok(empty)
}

/// A time of a file that is named on the command line.
pub(crate) fn reference_time(
    path: &std::ffi::OsStr,
    time: Time,
    links: Links,
) -> Result<(i64, u32), Errno> {
    let stat = walk::reference(path, links)?;
    let follow = links != Links::None;
    let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    let born = || super::entry::born(rustix::fs::CWD, path, flags);
    time.of(&stat, born).ok_or(Errno::NOTSUP)
}
