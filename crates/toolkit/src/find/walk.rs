//! From each starting point down, folder by folder, by descriptors: no path is too long, and no folder that is replaced by
//! a link on the way leads elsewhere.

use super::{
    entry::{Entry, Node, name},
    messages,
};
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, Stat, fstat, openat, statat},
    io::Errno,
};
use std::{
    ffi::OsStr,
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
};

/// Which links are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Links {
    #[default]
    None,
    /// Those that are starting points.
    Roots,
    All,
}

/// How it is gone down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) links: Links,
    /// What is in a folder comes before the folder.
    pub(crate) inner_first: bool,
    pub(crate) least: u64,
    pub(crate) most: u64,
    pub(crate) one_file_system: bool,
    /// A file that is gone when it is looked at is no error.
    pub(crate) races: bool,
}

/// What is to be done after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    On,
    /// Not into this folder.
    Prune,
    /// No further at all.
    Quit,
}

/// Folders whose descriptors are open at a time.
const OPEN: usize = 200;

/// A folder that is being read.
struct Level {
    path: Vec<u8>,
    folder: Option<OwnedFd>,
    id: (u64, u64),
    /// Names and types that are still to come, the next one last.
    rest: Vec<Node>,
    /// Itself, and whether it is still to be shown.
    node: Node,
    shown: bool,
}

pub(crate) struct Walk<'v> {
    plan: Plan,
    visit: &'v mut dyn FnMut(&Entry<'_>) -> Next,
    failed: bool,
    levels: Vec<Level>,
}

impl<'v> Walk<'v> {
    pub(crate) fn new(plan: Plan, visit: &'v mut dyn FnMut(&Entry<'_>) -> Next) -> Self {
        Self { plan, visit, failed: false, levels: Vec::new() }
    }

    /// Whether something could not be looked at.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Goes down from one starting point; false when all is over.
    pub(crate) fn from(&mut self, root: &OsStr) -> bool {
        let root_bytes = root.as_bytes().to_vec();
        let node = Node::new(root.to_owned(), FileType::Unknown);
        let entry = place(&self.plan, &self.levels, &node, &root_bytes);
        let device = match entry.stat() {
            Ok(stat) => stat.st_dev,
            Err(error) => {
                self.complain(root.as_bytes(), error);
                return true;
            }
        };
        if self.step(node, &root_bytes, device) == Next::Quit {
            return false;
        }
        while let Some(level) = self.levels.last_mut() {
            match level.rest.pop() {
                Some(node) => {
                    if self.step(node, &root_bytes, device) == Next::Quit {
                        return false;
                    }
                }
                None => {
                    if self.leave(&root_bytes) == Next::Quit {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// One file, and into it if it is a folder.
    fn step(&mut self, node: Node, root: &[u8], device: u64) -> Next {
        let depth = self.levels.len() as u64;
        let entry = place(&self.plan, &self.levels, &node, root);
        let kind = match entry.kind() {
            Ok(kind) => kind,
            Err(Errno::NOENT) if self.plan.races => return Next::On,
            Err(error) => {
                let path = entry.path();
                self.complain(&path, error);
                return Next::On;
            }
        };
        let folder = kind == FileType::Directory;
        if folder && entry.follow && self.is_loop(&entry) {
            let path = entry.path();
            self.report_loop(&path, &node, root);
            return Next::On;
        }
        let shown = depth >= self.plan.least;
        let next = if shown && !(folder && self.plan.inner_first) {
            (self.visit)(&entry)
        } else {
            Next::On
        };
        if next == Next::Quit || !folder {
            return if next == Next::Quit { next } else { Next::On };
        }
        let enters = next == Next::On
            && depth < self.plan.most
            && !(self.plan.one_file_system && entry.stat().is_ok_and(|s| s.st_dev != device));
        let opened = if enters { open(&entry) } else { Ok(None) };
        let path = entry.path();
        match opened {
            Ok(Some((folder, id, rest))) => {
                self.levels.push(Level {
                    path,
                    folder: Some(folder),
                    id,
                    rest,
                    node,
                    shown: shown && self.plan.inner_first,
                });
                if let Some(far) = self.levels.len().checked_sub(OPEN)
                    && let Some(level) = self.levels.get_mut(far)
                {
                    level.folder = None;
                }
                return Next::On;
            }
            Ok(None) => {}
            Err(Errno::NOENT) if self.plan.races => {}
            Err(error) => self.complain(&path, error),
        }
        if shown && self.plan.inner_first {
            let entry = crate::find::walk::place(&self.plan, &self.levels, &node, root);
            return (self.visit)(&entry);
        }
        Next::On
    }

    /// Back out of a folder.
    fn leave(&mut self, root: &[u8]) -> Next {
        let Some(level) = self.levels.pop() else { return Next::On };
        if let Some(parent) = self.levels.last_mut()
            && parent.folder.is_none()
        {
            parent.folder = again(parent, &level);
            if parent.folder.is_none() {
                let path = parent.path.clone();
                parent.rest.clear();
                self.complain(&path, Errno::NOENT);
                return Next::On;
            }
        }
        if !level.shown {
            return Next::On;
        }
        let entry = place(&self.plan, &self.levels, &level.node, root);
        (self.visit)(&entry)
    }

    fn is_loop(&self, entry: &Entry<'_>) -> bool {
        let id = entry.stat().map(|stat| id(&stat));
        self.levels.iter().any(|level| Ok(level.id) == id)
    }

    fn report_loop(&mut self, path: &[u8], node: &Node, root: &[u8]) {
        self.failed = true;
        let entry = place(&self.plan, &self.levels, node, root);
        let id = entry.stat().map(|stat| id(&stat));
        let other = self.levels.iter().find(|level| Ok(level.id) == id);
        let other = other.map_or(&b""[..], |level| level.path.as_slice());
        messages::say(&format!(
            "File system loop detected; {} is part of the same file system loop as {}.",
            messages::quoted(path),
            messages::quoted(other)
        ));
    }

    fn complain(&mut self, path: &[u8], error: Errno) {
        self.failed = true;
        messages::failed(path, error.into());
    }
}

/// A file in the folder that is being read.
fn place<'a>(plan: &Plan, levels: &'a [Level], node: &'a Node, root: &'a [u8]) -> Entry<'a> {
    let level = levels.last();
    let folder = level.and_then(|level| level.folder.as_ref()).map_or(CWD, |fd| fd.as_fd());
    let depth = levels.len() as u64;
    let follow = match plan.links {
        Links::None => false,
        Links::Roots => depth == 0,
        Links::All => true,
    };
    let above = level.map_or(&b""[..], |level| level.path.as_slice());
    Entry { node, folder, above, root, depth, follow }
}

type Opened = (OwnedFd, (u64, u64), Vec<Node>);

/// Opens and reads a folder.
fn open(entry: &Entry<'_>) -> Result<Option<Opened>, Errno> {
    let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    // The slash at the end of a starting point follows a link all the same.
    flags.set(OFlags::NOFOLLOW, !entry.follow);
    let folder = openat(entry.folder, &entry.node.name, flags, Mode::empty())?;
    let id = id(&fstat(&folder)?);
    let mut nodes = Vec::new();
    read(folder.as_fd(), |name, kind| nodes.push(Node::new(name, kind)))?;
    nodes.reverse();
    Ok(Some((folder, id, nodes)))
}

/// What is in a folder, as it says; `.` and `..` left out.
pub(crate) fn read(
    folder: BorrowedFd<'_>,
    mut each: impl FnMut(std::ffi::OsString, FileType),
) -> Result<(), Errno> {
    let mut buffer = [MaybeUninit::uninit(); 32 << 10];
    let mut listing = RawDir::new(folder, &mut buffer);
    while let Some(item) = listing.next() {
        let item = item?;
        let bytes = item.file_name().to_bytes();
        if bytes != b"." && bytes != b".." {
            each(name(bytes.to_vec()), item.file_type());
        }
    }
    Ok(())
}

/// A folder whose descriptor was given away: from the one below it, which is just left, or by its path.
fn again(level: &Level, below: &Level) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let same = |folder: &OwnedFd| fstat(folder).is_ok_and(|stat| id(&stat) == level.id);
    let up = below.folder.as_ref().and_then(|f| openat(f, "..", flags, Mode::empty()).ok());
    up.filter(same).or_else(|| {
        let path = OsStr::from_bytes(&level.path);
        openat(CWD, path, flags, Mode::empty()).ok().filter(same)
    })
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// A file that is named on the command line, following its links as the walk does with a starting point.
pub(crate) fn reference(path: &OsStr, links: Links) -> Result<Stat, Errno> {
    if links != Links::None
        && let Ok(stat) = statat(CWD, path, AtFlags::empty())
    {
        return Ok(stat);
    }
    statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
}
