//! How members of archives become files.

use super::{Kind, Member};
use crate::beneath;
use anyhow::{Context as _, bail};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags,
};
use std::{
    fs::File,
    io::{self, BufRead, Write as _},
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::fs::FileExt as _,
    },
    path::{Component, Path, PathBuf},
    rc::Rc,
};

/// What becomes of members that are extracted.
///
/// What is done to a file is done by its descriptor, or in its open folder: no link, whenever it was put there, leads
/// anything out.
pub(crate) struct Extractor {
    pub(crate) root: PathBuf,
    pub(crate) owners: bool,
    /// All mode bits, whatever the umask says; else none beyond read, write and execute.
    pub(crate) modes: bool,
    pub(crate) times: bool,
    /// Whether folders that members are in are made, where they are missing.
    pub(crate) parents: bool,
    /// What becomes of a file that is there.
    pub(crate) existing: Existing,
    /// Folders that are there stay as they are.
    pub(crate) keep_folders: bool,
    /// Extended attributes.
    pub(crate) attributes: bool,
    top: OwnedFd,
    /// Where the last member was made, which is where the next is as a rule.
    last: Option<(PathBuf, Rc<OwnedFd>)>,
    umask: u32,
    folders: Vec<(PathBuf, Member)>,
}

/// What becomes of a file in whose place another belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Replaced,
    /// It keeps its other names, and gets the new data.
    Overwritten,
    /// It stays, which is a failure.
    Kept,
    /// It stays.
    Skipped,
    /// It stays if it is not older, which is said.
    KeptIfNewer,
}

/// A member's folder, and its name there.
struct Spot<'a> {
    folder: Rc<OwnedFd>,
    name: &'a Path,
}

impl Extractor {
    /// One that extracts to a folder that is there.
    pub(crate) fn new(root: PathBuf) -> anyhow::Result<Self> {
        let top = rustix::fs::openat(CWD, &root, FOLDER | OFlags::CLOEXEC, Mode::empty());
        let top = top.map_err(io::Error::from);
        let top = top.with_context(|| format!("{}: Cannot open", root.display()))?;
        let root_user = rustix::process::geteuid().is_root();
        Ok(Self {
            root,
            owners: root_user,
            modes: root_user,
            times: true,
            parents: true,
            existing: Existing::Replaced,
            keep_folders: false,
            attributes: false,
            top,
            last: None,
            umask: umask(),
            folders: Vec::new(),
        })
    }

    /// Makes the file of a member. It never leaves the root, whatever names and links say.
    pub(crate) fn extract(
        &mut self,
        member: &Member,
        data: &mut dyn BufRead,
    ) -> anyhow::Result<()> {
        let relative = inside(&member.path)?;
        let Some(spot) = self.spot(&relative)? else {
            self.folders.push((relative, member.clone()));
            return Ok(());
        };
        if member.kind == Kind::Folder {
            let made = self.folder(&spot, &relative)?;
            if made || !self.keep_folders {
                self.folders.push((relative, member.clone()));
            }
            return Ok(());
        }
        let made = match self.make(member, &spot) {
            Err(error) if exists(&error) => {
                match self.existing {
                    Existing::Kept => bail!("Cannot open: File exists"),
                    Existing::Skipped => return Ok(()),
                    Existing::KeptIfNewer if is_newer(&spot, member)? => {
                        let shown = self.root.join(&relative);
                        eprintln!("tar: Current '{}' is newer or same age", shown.display());
                        return Ok(());
                    }
                    _ => {}
                }
                if let Kind::Hardlink(target) = &member.kind
                    && self.is_one(&spot, target)?
                {
                    return Ok(());
                }
                self.clear(&spot)?;
                self.make(member, &spot)?
            }
            made => made?,
        };
        if let Some(file) = made {
            let written = if member.sparse { with_holes(data, &file)? } else { copy(data, &file)? };
            anyhow::ensure!(written == member.size, "unexpected end of archive");
            self.describe(&file, member)
        } else if matches!(member.kind, Kind::Hardlink(_)) {
            Ok(())
        } else {
            self.describe_at(&spot, member)
        }
    }

    /// Makes a member another name of a file that is somewhere else; false where that cannot be.
    pub(crate) fn link(&mut self, file: &Path, member: &Member) -> anyhow::Result<bool> {
        let relative = inside(&member.path)?;
        let Some(spot) = self.spot(&relative)?.filter(|_| member.kind == Kind::File) else {
            return Ok(false);
        };
        if file_type(&spot)?.is_some_and(|there| there != FileType::Directory) {
            self.clear(&spot)?;
        }
        Ok(rustix::fs::linkat(CWD, file, &spot.folder, spot.name, AtFlags::empty()).is_ok())
    }

    /// Where a member belongs: nowhere, if it is the root itself. Makes the folders above it.
    fn spot<'a>(&mut self, relative: &'a Path) -> anyhow::Result<Option<Spot<'a>>> {
        let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
            return Ok(None);
        };
        let name = Path::new(name);
        if let Some((path, folder)) = &self.last
            && path == parent
        {
            return Ok(Some(Spot { folder: Rc::clone(folder), name }));
        }
        let folder = Rc::new(self.folders_to(parent)?);
        self.last = Some((parent.to_owned(), Rc::clone(&folder)));
        Ok(Some(Spot { folder, name }))
    }

    /// Opens a folder below the root; makes those that are missing.
    fn folders_to(&self, relative: &Path) -> anyhow::Result<OwnedFd> {
        let shown = || self.root.join(relative).display().to_string();
        match self.open(relative, FOLDER) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.parents => {}
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                bail!("{} leads out of the folder", shown())
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                bail!("{} is not a folder", shown())
            }
            opened => return Ok(opened?),
        }
        // A kernel that found nothing took the whole path, which is at most 4096 bytes: this ends.
        if let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) {
            rustix::fs::mkdirat(self.folders_to(parent)?, name, EVERYONE)
                .map_err(io::Error::from)?;
        }
        self.open(relative, FOLDER).with_context(shown)
    }

    /// Opens what is below the root, by way of links that stay there.
    fn open(&self, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        Ok(beneath::open(&self.top, &self.root, relative, flags)?)
    }

    /// Makes a folder; false if it is there.
    fn folder(&mut self, spot: &Spot<'_>, relative: &Path) -> io::Result<bool> {
        let make = || rustix::fs::mkdirat(&spot.folder, spot.name, EVERYONE);
        match make() {
            // A link to a folder stays: another member may have been put behind it on purpose.
            Err(rustix::io::Errno::EXIST) if self.open(relative, FOLDER).is_ok() => Ok(false),
            Err(rustix::io::Errno::EXIST) => {
                self.clear(spot)?;
                Ok(make().map(|()| true)?)
            }
            made => Ok(made.map(|()| true)?),
        }
    }

    /// Makes a file that is not there; one with data is returned, still empty.
    fn make(&self, member: &Member, spot: &Spot<'_>) -> anyhow::Result<Option<File>> {
        let Spot { folder, name } = spot;
        let device = match &member.kind {
            Kind::File => {
                let new = if self.existing == Existing::Overwritten
                    && file_type(spot)? == Some(FileType::RegularFile)
                {
                    OFlags::TRUNC
                } else {
                    OFlags::CREATE | OFlags::EXCL
                };
                // A link put in a file's place meanwhile is not written through.
                let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | new;
                let file = rustix::fs::openat(folder, *name, flags, OWNER).map_err(io::Error::from);
                return Ok(Some(file?.into()));
            }
            Kind::Folder => return Ok(None),
            Kind::Symlink(target) => {
                rustix::fs::symlinkat(target, folder, *name).map_err(io::Error::from)?;
                return Ok(None);
            }
            Kind::Hardlink(target) => {
                let shown = || {
                    let from = self.root.join(target);
                    format!("Cannot hard link to '{}'", from.display())
                };
                let (above, from) = self.target(target)?;
                let made = rustix::fs::linkat(above, from, folder, *name, AtFlags::empty());
                made.map_err(io::Error::from).with_context(shown)?;
                return Ok(None);
            }
            Kind::Char(major, minor) => (FileType::CharacterDevice, *major, *minor),
            Kind::Block(major, minor) => (FileType::BlockDevice, *major, *minor),
            Kind::Fifo => (FileType::Fifo, 0, 0),
        };
        let (kind, major, minor) = device;
        let number = rustix::fs::makedev(major, minor);
        rustix::fs::mknodat(folder, *name, kind, OWNER, number).map_err(io::Error::from)?;
        Ok(None)
    }

    /// The folder and the name of what a hard link leads to.
    fn target(&self, target: &Path) -> anyhow::Result<(OwnedFd, PathBuf)> {
        let relative = inside(target)?;
        let name = relative.file_name().context("a hard link to the folder itself")?.into();
        Ok((self.open(relative.parent().unwrap_or(Path::new("")), FOLDER)?, name))
    }

    /// Whether a name is already one of what a hard link leads to.
    fn is_one(&self, spot: &Spot<'_>, target: &Path) -> anyhow::Result<bool> {
        let (above, name) = self.target(target)?;
        let numbers = |folder: &OwnedFd, name: &Path| {
            let found = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
            found.ok().map(|found| (found.st_dev, found.st_ino))
        };
        let there = numbers(&above, &name);
        Ok(there.is_some() && there == numbers(&spot.folder, spot.name))
    }

    /// Takes away what is in a member's place.
    fn clear(&mut self, spot: &Spot<'_>) -> io::Result<()> {
        let folder = file_type(spot)? == Some(FileType::Directory);
        let flags = if folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        rustix::fs::unlinkat(&spot.folder, spot.name, flags)?;
        // It may be where the last member was made.
        self.last = None;
        Ok(())
    }

    /// Gives an open file or folder its owner, mode, attributes and times.
    fn describe(&self, file: impl AsFd, member: &Member) -> anyhow::Result<()> {
        let file = file.as_fd();
        if self.owners {
            let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
            rustix::fs::fchown(file, Some(uid), Some(gid)).map_err(io::Error::from)?;
        }
        rustix::fs::fchmod(file, self.mode(member)).map_err(io::Error::from)?;
        // After the owner, whose change takes capabilities away.
        for (name, value) in member.attributes.iter().filter(|_| self.attributes) {
            let set = rustix::fs::fsetxattr(file, name.as_os_str(), value, XattrFlags::empty());
            set.with_context(|| format!("Cannot set attribute {}", name.display()))?;
        }
        if self.times {
            rustix::fs::futimens(file, &times(member)).map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// The same for what cannot be opened, or does something when it is: links, devices, pipes.
    fn describe_at(&self, spot: &Spot<'_>, member: &Member) -> anyhow::Result<()> {
        let Spot { folder, name } = spot;
        let itself = AtFlags::SYMLINK_NOFOLLOW;
        if self.owners {
            let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
            let given = rustix::fs::chownat(folder, *name, Some(uid), Some(gid), itself);
            given.map_err(io::Error::from)?;
        }
        if !matches!(member.kind, Kind::Symlink(_)) {
            let given = rustix::fs::chmodat(folder, *name, self.mode(member), AtFlags::empty());
            given.map_err(io::Error::from)?;
        }
        // There is no lsetxattr(2) below a folder that is open.
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        for (name, value) in member.attributes.iter().filter(|_| self.attributes) {
            let set = rustix::fs::lsetxattr(&path, name.as_os_str(), value, XattrFlags::empty());
            set.with_context(|| format!("Cannot set attribute {}", name.display()))?;
        }
        if self.times {
            let given = rustix::fs::utimensat(folder, *name, &times(member), itself);
            given.map_err(io::Error::from)?;
        }
        Ok(())
    }

    fn mode(&self, member: &Member) -> Mode {
        let allowed = if self.modes { 0o7777 } else { 0o777 & !self.umask };
        Mode::from_raw_mode(member.mode & allowed)
    }

    /// Gives the folders their modes and times, which what was put in them would have changed.
    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        for (path, member) in std::mem::take(&mut self.folders).iter().rev() {
            let shown = || self.root.join(path).display().to_string();
            let readable = OFlags::RDONLY | OFlags::DIRECTORY;
            match self.open(path, readable).map_err(|error| (error.kind(), error)) {
                Ok(folder) => self.describe(folder, member).with_context(shown)?,
                // Another member took its place.
                Err((
                    io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::CrossesDevices,
                    _,
                )) => {}
                Err((_, error)) => return Err(error).with_context(shown),
            }
        }
        Ok(())
    }
}

/// A folder that is only gone through.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// For the time in which a file is written.
const OWNER: Mode = Mode::RUSR.union(Mode::WUSR);

/// Less the umask, until all is in it.
const EVERYONE: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO);

fn exists(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
}

/// What is in a member's place, if anything is.
fn file_type(spot: &Spot<'_>) -> io::Result<Option<FileType>> {
    match rustix::fs::statat(&spot.folder, spot.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether what is in a member's place is a file that is not older.
fn is_newer(spot: &Spot<'_>, member: &Member) -> io::Result<bool> {
    let found = rustix::fs::statat(&spot.folder, spot.name, AtFlags::SYMLINK_NOFOLLOW)?;
    let folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
    Ok(!folder && found.st_mtime >= member.mtime)
}

fn times(member: &Member) -> Timestamps {
    let time = Timespec { tv_sec: member.mtime, tv_nsec: member.nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// Writes what there is, as much at a time as was read.
fn copy(data: &mut dyn BufRead, mut file: &File) -> io::Result<u64> {
    let mut written = 0;
    loop {
        let length = match data.fill_buf() {
            Ok(bytes) => {
                file.write_all(bytes)?;
                bytes.len()
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if length == 0 {
            return Ok(written);
        }
        data.consume(length);
        written += length as u64;
    }
}

/// Writes a file in which blocks of zeros have no place on the disk.
fn with_holes(data: &mut dyn BufRead, file: &File) -> io::Result<u64> {
    const BLOCK: usize = 4096;
    let (mut buffer, mut at) = (vec![0; 32 * BLOCK], 0_u64);
    loop {
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            match data.read(room)? {
                0 => break,
                got => filled += got,
            }
        }
        let read = buffer.get(..filled).unwrap_or_default();
        for block in read.chunks(BLOCK) {
            if block.iter().any(|byte| *byte != 0) {
                file.write_all_at(block, at)?;
            }
            at += block.len() as u64;
        }
        if filled < buffer.len() {
            file.set_len(at)?;
            return Ok(at);
        }
    }
}

fn umask() -> u32 {
    let old = rustix::process::umask(Mode::empty());
    rustix::process::umask(old);
    old.bits()
}

/// A member's path below the root: without `/` at its beginning; `..` is refused.
fn inside(path: &Path) -> anyhow::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            Component::ParentDir => bail!("Member name contains '..'"),
        }
    }
    Ok(clean)
}

#[cfg(test)]
mod tests;
