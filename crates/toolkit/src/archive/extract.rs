//! How members of archives become files.

use super::{Kind, Member};
use anyhow::{Context as _, bail};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink},
    path::{Component, Path, PathBuf},
};

/// What becomes of members that are extracted.
pub(crate) struct Extractor {
    pub(crate) root: PathBuf,
    pub(crate) owners: bool,
    /// All mode bits, whatever the umask says; else none beyond read, write and execute.
    pub(crate) modes: bool,
    pub(crate) times: bool,
    pub(crate) keep_old: bool,
    /// A file that is there keeps its other names, and gets the new data.
    pub(crate) overwrite: bool,
    /// Extended attributes.
    pub(crate) attributes: bool,
    folders: Vec<(PathBuf, Member)>,
}

impl Extractor {
    pub(crate) fn new(root: PathBuf) -> Self {
        let root_user = rustix::process::geteuid().is_root();
        let folders = Vec::new();
        let (keep_old, overwrite) = (false, false);
        Self {
            root,
            owners: root_user,
            modes: root_user,
            times: true,
            keep_old,
            overwrite,
            attributes: false,
            folders,
        }
    }

    /// Makes the file of a member. It never leaves the root, whatever names and links say.
    pub(crate) fn extract(&mut self, member: &Member, data: &mut dyn Read) -> anyhow::Result<()> {
        let relative = inside(&member.path)?;
        let path = self.root.join(&relative);
        if relative.as_os_str().is_empty() {
            self.folders.push((path, member.clone()));
            return Ok(());
        }
        self.parents(&relative)?;
        if member.kind == Kind::Folder {
            // A link to a folder stays: another member may have been put behind it on purpose.
            if !path.is_dir() {
                let _ = fs::remove_file(&path);
                fs::create_dir(&path)?;
            }
            self.folders.push((path, member.clone()));
            return Ok(());
        }
        if self.keep_old && path.symlink_metadata().is_ok() {
            bail!("Cannot open: File exists");
        }
        match fs::symlink_metadata(&path) {
            Ok(old) if old.is_dir() => fs::remove_dir(&path)?,
            Ok(old) if self.overwrite && old.is_file() && member.kind == Kind::File => {}
            Ok(_) => fs::remove_file(&path)?,
            Err(_) => {}
        }
        self.make(member, &path, data)?;
        if !matches!(member.kind, Kind::Hardlink(_)) {
            self.attributes(&path, member)?;
        }
        Ok(())
    }

    fn make(&self, member: &Member, path: &Path, data: &mut dyn Read) -> anyhow::Result<()> {
        let device = match &member.kind {
            Kind::File => {
                let mut options = OpenOptions::new();
                options.write(true).mode(0o600).custom_flags(NO_FOLLOW);
                let mut file = if self.overwrite {
                    options.create(true).truncate(true).open(path)?
                } else {
                    options.create_new(true).open(path)?
                };
                let written = if member.sparse {
                    with_holes(data, &file)?
                } else {
                    io::copy(data, &mut file)?
                };
                anyhow::ensure!(written == member.size, "unexpected end of archive");
                return Ok(());
            }
            Kind::Folder => return Ok(()),
            Kind::Symlink(target) => return Ok(symlink(target, path)?),
            Kind::Hardlink(target) => {
                let target = inside(target)?;
                self.parents(&target)?;
                let from = self.root.join(target);
                let shown = || format!("Cannot hard link to '{}'", from.display());
                return fs::hard_link(&from, path).with_context(shown);
            }
            Kind::Char(major, minor) => (FileType::CharacterDevice, *major, *minor),
            Kind::Block(major, minor) => (FileType::BlockDevice, *major, *minor),
            Kind::Fifo => (FileType::Fifo, 0, 0),
        };
        let (kind, major, minor) = device;
        let number = rustix::fs::makedev(major, minor);
        rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o600), number)?;
        Ok(())
    }

    /// Makes the folders above a member. A link on the way must stay in the root.
    fn parents(&self, relative: &Path) -> anyhow::Result<()> {
        let Some(parent) = relative.parent() else { return Ok(()) };
        let mut path = self.root.clone();
        for part in parent.components() {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {}
                Ok(found) if found.is_symlink() => {
                    let real = fs::canonicalize(&path)?;
                    if !real.starts_with(fs::canonicalize(&self.root)?) {
                        bail!("{} leads out of the folder", path.display());
                    }
                }
                Ok(_) => bail!("{} is not a folder", path.display()),
                Err(_) => fs::create_dir(&path)?,
            }
        }
        Ok(())
    }

    fn attributes(&self, path: &Path, member: &Member) -> anyhow::Result<()> {
        if self.owners {
            let ids = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(CWD, path, Some(ids.0), Some(ids.1), flags)?;
        }
        if !matches!(member.kind, Kind::Symlink(_)) {
            let allowed = if self.modes { 0o7777 } else { 0o777 & !umask() };
            let mode = member.mode & allowed;
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        // After the owner, whose change takes capabilities away.
        for (name, value) in member.attributes.iter().filter(|_| self.attributes) {
            let set = rustix::fs::lsetxattr(path, name.as_os_str(), value, XattrFlags::empty());
            set.with_context(|| format!("Cannot set attribute {}", name.display()))?;
        }
        if self.times {
            let time = Timespec { tv_sec: member.mtime, tv_nsec: member.nanos.into() };
            let times = Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    /// Gives the folders their modes and times, which what was put in them would have changed.
    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        for (path, member) in std::mem::take(&mut self.folders).iter().rev() {
            self.attributes(path, member).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// Writes a file in which blocks of zeros have no place on the disk.
fn with_holes(data: &mut dyn Read, file: &File) -> io::Result<u64> {
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

/// A link put in a file's place meanwhile is not written through.
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

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
mod tests {
    use super::*;

    fn member(path: &str, kind: Kind) -> Member {
        Member {
            path: path.into(),
            kind,
            mode: 0o644,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            size: 1,
            ..Member::default()
        }
    }

    #[test]
    fn nothing_leaves_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        let mut to = Extractor::new(root.clone());
        let mut put = |path: &str, kind| to.extract(&member(path, kind), &mut &b"x"[..]);
        assert!(put("../a", Kind::File).is_err());
        assert!(put("out", Kind::Symlink("..".into())).is_ok());
        assert!(put("out/a", Kind::File).is_err());
        assert!(put("hard", Kind::Hardlink("out/b".into())).is_err());
        assert!(put("/etc/a", Kind::File).is_ok());
        assert!(root.join("etc/a").exists() && !folder.path().join("a").exists());
        // A link in a file's place is replaced, not followed.
        assert!(put("link", Kind::Symlink("/dev/null".into())).is_ok());
        assert!(put("link", Kind::File).is_ok());
        assert!(root.join("link").symlink_metadata().unwrap().is_file());
    }
}
