//! Members of archives, whatever the archive's format: how they become files, and what `-tv` shows.

use crate::applet::reason;
use anyhow::{Context as _, bail};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid};
use std::{
    ffi::{OsStr, OsString},
    fs::{self, OpenOptions, Permissions},
    io::{self, Read},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{OpenOptionsExt as _, PermissionsExt as _, symlink},
    },
    path::{Component, Path, PathBuf},
};

/// One member, without its data.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    /// Permission bits, set-uid and the like included.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) user: String,
    pub(crate) group: String,
    /// Seconds since 1970.
    pub(crate) mtime: i64,
    pub(crate) size: u64,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Symlink(OsString),
    /// To another member.
    Hardlink(PathBuf),
    /// Major and minor number.
    Char(u32, u32),
    Block(u32, u32),
    Fifo,
}

impl Kind {
    pub(crate) fn letter(&self) -> char {
        match self {
            Self::File => '-',
            Self::Folder => 'd',
            Self::Symlink(_) => 'l',
            Self::Hardlink(_) => 'h',
            Self::Char(..) => 'c',
            Self::Block(..) => 'b',
            Self::Fifo => 'p',
        }
    }
}

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
                let written = io::copy(data, &mut file)?;
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
        if self.times {
            let time = Timespec { tv_sec: member.mtime, tv_nsec: 0 };
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

/// The lines of `tar -tv`.
pub(crate) struct Listing {
    width: usize,
    pub(crate) numeric: bool,
}

impl Listing {
    pub(crate) fn new(numeric: bool) -> Self {
        Self { width: 19, numeric }
    }

    /// One line, as GNU tar's: the columns grow when something does not fit.
    pub(crate) fn line(&mut self, member: &Member) -> Vec<u8> {
        let (user, group) = if self.numeric || member.user.is_empty() {
            (member.uid.to_string(), member.gid.to_string())
        } else {
            (member.user.clone(), member.group.clone())
        };
        let size = match &member.kind {
            Kind::Char(major, minor) | Kind::Block(major, minor) => format!("{major},{minor}"),
            Kind::File => member.size.to_string(),
            _ => "0".into(),
        };
        let owner = format!("{user}/{group}");
        self.width = self.width.max(owner.len() + size.len() + 1);
        // No format is wider.
        let pad = (self.width - owner.len()).min(usize::from(u16::MAX));
        let mode = mode_text(member.kind.letter(), member.mode);
        let mut line = format!("{mode} {owner}{size:>pad$} {} ", minute(member.mtime)).into_bytes();
        line.extend(shown(member.path.as_os_str()));
        match &member.kind {
            Kind::Symlink(target) => line.extend([b" -> ", target.as_bytes()].concat()),
            Kind::Hardlink(target) => {
                line.extend([b" link to ", target.as_os_str().as_bytes()].concat());
            }
            _ => {}
        }
        line.push(b'\n');
        line
    }
}

/// A name on a line: what would break the line is escaped.
pub(crate) fn shown(name: &OsStr) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'\n' => b"\\n".to_vec(),
        b'\t' => b"\\t".to_vec(),
        b'\\' => b"\\\\".to_vec(),
        0..=31 | 127.. => format!("\\{byte:03o}").into_bytes(),
        byte => vec![*byte],
    };
    name.as_bytes().iter().flat_map(escape).collect()
}

/// `drwxr-xr-t`
pub(crate) fn mode_text(kind: char, mode: u32) -> String {
    let mut text: Vec<char> = vec![kind];
    for shift in [6, 3, 0] {
        for (bit, letter) in [(4, 'r'), (2, 'w'), (1, 'x')] {
            text.push(if mode >> shift & bit != 0 { letter } else { '-' });
        }
    }
    for (bit, at, letter) in [(0o4000, 3, 's'), (0o2000, 6, 's'), (0o1000, 9, 't')] {
        if let (true, Some(place)) = (mode & bit != 0, text.get_mut(at)) {
            *place = if *place == 'x' { letter } else { letter.to_ascii_uppercase() };
        }
    }
    text.into_iter().collect()
}

/// `2026-11-23 06:30`, in UTC, which is what the CD's clock shows.
pub(crate) fn minute(time: i64) -> String {
    let (year, month, day) = civil(time.div_euclid(86400));
    let minutes = time.rem_euclid(86400) / 60;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

/// Year, month and day of a day since 1970 (Gregorian; from the 400-year cycle of 146,097 days).
pub(crate) fn civil(day: i64) -> (i64, i64, i64) {
    // Years that begin in March have the leap day at their end.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

/// The words of an error without the number.
pub(crate) fn words(error: &anyhow::Error) -> String {
    let chain = error.chain().map(|part| match part.downcast_ref::<io::Error>() {
        Some(error) => reason(error),
        None => part.to_string(),
    });
    chain.collect::<Vec<_>>().join(": ")
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
            user: "root".into(),
            group: "root".into(),
            mtime: 0,
            size: 1,
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

    #[test]
    fn days_have_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(minute(1_000_000_000), "2001-09-09 01:46");
        assert_eq!(mode_text('d', 0o1777), "drwxrwxrwt");
        assert_eq!(mode_text('-', 0o4644), "-rwSr--r--");
    }
}
