//! The files that a patch may touch: those below the folder that it is applied in, by way of links that stay there.
//!
//! What is done to a file is done in its open folder: no link, whenever it was put there, leads anything out.

use crate::beneath;
use rustix::{
    fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid},
    io::Errno,
};
use std::{
    ffi::OsString,
    fs::File,
    io::{Read as _, Write as _},
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::{Component, Path, PathBuf},
};

/// A file's name, and whether the user gave it: then it may be anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) path: PathBuf,
    pub(crate) given: bool,
}

impl Name {
    pub(crate) fn of_user(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), given: true }
    }

    pub(crate) fn of_patch(name: &[u8]) -> Self {
        Self { path: OsString::from_vec(name.to_vec()).into(), given: false }
    }
}

/// What a new file is made of.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    File(Vec<u8>),
    /// A symbolic link, and where it leads.
    Link(Vec<u8>),
}

/// What a new file is to have besides.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attributes {
    /// Permissions; those of a new file else.
    pub(crate) mode: Option<u32>,
    pub(crate) owner: Option<(u32, u32)>,
    /// When it was changed, seconds and nanoseconds since 1970.
    pub(crate) time: Option<(i64, u32)>,
}

/// The folder in which a patch is applied: the current one.
pub(crate) struct Folder {
    top: OwnedFd,
    /// It is the root of all, so that nothing leads out.
    root: bool,
    /// Follow a link that is itself the file's name.
    pub(crate) follow: bool,
}

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    pub(crate) fn here(follow: bool) -> std::io::Result<Self> {
        let top = rustix::fs::openat(CWD, ".", FOLDER, Mode::empty())?;
        let root = std::env::current_dir().is_ok_and(|path| path == Path::new("/"));
        Ok(Self { top, root, follow })
    }

    /// Whether a name from a patch stays in the folder by its letters alone.
    pub(crate) fn is_safe(&self, name: &[u8]) -> bool {
        let name = Name::of_patch(name);
        let within = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        self.root || name.path.components().all(within)
    }

    fn open(&self, path: &Path, given: bool, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = flags | OFlags::CLOEXEC;
        if given || self.root {
            return rustix::fs::openat(CWD, path, flags, Mode::empty());
        }
        beneath::open(&self.top, Path::new("."), path, flags)
    }

    /// A file's folder, opened, and its name in there.
    fn locate<'n>(&self, name: &'n Name) -> Result<(OwnedFd, &'n Path), Errno> {
        let last = name.path.file_name().ok_or(Errno::INVAL)?;
        let parent = name.path.parent().unwrap_or(Path::new(""));
        Ok((self.open(parent, name.given, FOLDER)?, Path::new(last)))
    }

    /// What a file is.
    pub(crate) fn stat(&self, name: &Name) -> Result<Stat, Errno> {
        if self.follow {
            return rustix::fs::fstat(self.open(&name.path, name.given, OFlags::PATH)?);
        }
        let (folder, last) = self.locate(name)?;
        rustix::fs::statat(folder, last, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// What a file holds, or where a link leads.
    pub(crate) fn read(&self, name: &Name) -> std::io::Result<Vec<u8>> {
        if FileType::from_raw_mode(self.stat(name)?.st_mode) == FileType::Symlink {
            let (folder, last) = self.locate(name)?;
            return Ok(rustix::fs::readlinkat(folder, last, Vec::new())?.into_bytes());
        }
        let file = if self.follow {
            self.open(&name.path, name.given, OFlags::RDONLY | OFlags::NONBLOCK)?
        } else {
            let (folder, last) = self.locate(name)?;
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            rustix::fs::openat(folder, last, flags, Mode::empty())?
        };
        let mut data = Vec::new();
        File::from(file).read_to_end(&mut data)?;
        Ok(data)
    }

    /// Whether a file may be written to.
    pub(crate) fn writable(&self, name: &Name) -> bool {
        self.locate(name).is_ok_and(|(folder, last)| {
            rustix::fs::accessat(folder, last, rustix::fs::Access::WRITE_OK, AtFlags::EACCESS)
                .is_ok()
        })
    }

    /// Puts a file there in the place of what is there, in one step; makes the folders that lack.
    pub(crate) fn put(
        &self,
        name: &Name,
        made: &Made,
        attributes: Attributes,
    ) -> std::io::Result<()> {
        self.make_parents(name)?;
        let (folder, last) = self.locate(name)?;
        let new = self.temporary(&folder, made, attributes)?;
        let renamed = rustix::fs::renameat(&folder, &new, &folder, last);
        if renamed.is_err() {
            let _ = rustix::fs::unlinkat(&folder, &new, AtFlags::empty());
        }
        Ok(renamed?)
    }

    /// A new file under a name that nothing has.
    fn temporary(
        &self,
        folder: &OwnedFd,
        made: &Made,
        attributes: Attributes,
    ) -> std::io::Result<PathBuf> {
        for number in 0..10_000 {
            let name = PathBuf::from(format!(".patch-{}-{number}", std::process::id()));
            let done = match made {
                Made::Link(to) => {
                    let to = OsString::from_vec(to.clone());
                    rustix::fs::symlinkat(to, folder, &name).map_err(Into::into)
                }
                Made::File(data) => write_new(folder, &name, data, attributes),
            };
            match done {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let _ = rustix::fs::unlinkat(folder, &name, AtFlags::empty());
                    return Err(error);
                }
                Ok(()) => return Ok(name),
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Puts a file that is there under another name.
    pub(crate) fn rename(&self, from: &Name, to: &Name) -> std::io::Result<()> {
        self.make_parents(to)?;
        let (old_folder, old) = self.locate(from)?;
        let (new_folder, new) = self.locate(to)?;
        Ok(rustix::fs::renameat(old_folder, old, new_folder, new)?)
    }

    /// Adds to the end of a file.
    pub(crate) fn append(&self, name: &Name, data: &[u8]) -> std::io::Result<()> {
        let (folder, last) = self.locate(name)?;
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder, last, flags, Mode::empty())?;
        File::from(file).write_all(data)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &Name) -> std::io::Result<()> {
        let (folder, last) = self.locate(name)?;
        match rustix::fs::unlinkat(folder, last, AtFlags::empty()) {
            Err(Errno::NOENT) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the folders above a file that have become empty.
    pub(crate) fn remove_empty_parents(&self, name: &Name) {
        for parent in name.path.ancestors().skip(1).take_while(|path| path.file_name().is_some()) {
            let parent = Name { path: parent.to_owned(), given: name.given };
            let Ok((folder, last)) = self.locate(&parent) else { return };
            if rustix::fs::unlinkat(folder, last, AtFlags::REMOVEDIR).is_err() {
                return;
            }
        }
    }

    fn make_parents(&self, name: &Name) -> std::io::Result<()> {
        let parents: Vec<&Path> = name.path.ancestors().skip(1).collect();
        let lacks = |path: &&Path| matches!(self.open(path, name.given, FOLDER), Err(Errno::NOENT));
        // From the deepest folder that is there downwards.
        let lacking: Vec<&Path> = parents.into_iter().take_while(lacks).collect();
        for path in lacking.into_iter().rev() {
            let made = Name { path: path.to_owned(), given: name.given };
            let (folder, last) = self.locate(&made)?;
            rustix::fs::mkdirat(folder, last, Mode::from_raw_mode(0o777))?;
        }
        Ok(())
    }

    /// How many of the folders of a name there are.
    pub(crate) fn parents_there(&self, name: &Name) -> usize {
        let parts = name.path.ancestors().skip(1).filter(|path| path.file_name().is_some());
        parts.filter(|path| self.open(path, name.given, FOLDER).is_ok()).count()
    }
}

/// A new file, as open(2) makes it, and what it is to have besides.
fn write_new(
    folder: &OwnedFd,
    name: &Path,
    data: &[u8],
    attributes: Attributes,
) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o666))?);
    file.write_all(data)?;
    if let Some((user, group)) = attributes.owner {
        // Only root gives files away; for others it is theirs, as GNU's does it.
        let _ = rustix::fs::fchown(&file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
    }
    if let Some(mode) = attributes.mode {
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o7777))?;
    }
    if let Some((tv_sec, nanoseconds)) = attributes.time {
        let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let last_modification = Timespec { tv_sec, tv_nsec: nanoseconds.into() };
        rustix::fs::futimens(&file, &Timestamps { last_access, last_modification })?;
    }
    Ok(())
}
