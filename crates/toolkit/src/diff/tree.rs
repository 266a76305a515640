//! Which files are compared: the operands, and what is below folders.

use super::{
    names,
    settings::{Form, Settings},
};
use crate::{applet::reason, glob};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

/// How folders are walked.
pub(crate) struct Walk {
    pub(crate) recursive: bool,
    /// Links are compared, not what they lead to.
    pub(crate) links: bool,
    /// A file that is missing is empty.
    pub(crate) new_file: bool,
    /// A first file that is missing is.
    pub(crate) new_first_file: bool,
    pub(crate) ignore_case: bool,
    pub(crate) exclude: Vec<OsString>,
    /// In the folders that are operands, the name to begin with.
    pub(crate) start: Option<OsString>,
}

/// One of the two files of a pair.
pub(crate) struct Side {
    pub(crate) path: PathBuf,
    pub(crate) state: State,
}

pub(crate) enum State {
    /// Missing, and so empty.
    Absent,
    There(Metadata),
}

impl Side {
    pub(crate) fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    fn meta(&self) -> Option<&Metadata> {
        match &self.state {
            State::There(meta) => Some(meta),
            State::Absent => None,
        }
    }

    fn is_dir(&self) -> bool {
        self.meta().is_some_and(Metadata::is_dir)
    }

    fn is_absent(&self) -> bool {
        self.meta().is_none()
    }
}

/// Whether both are the same file, at the same place.
pub(crate) fn one_file(a: &Side, b: &Side) -> bool {
    match (a.meta(), b.meta()) {
        (Some(a), Some(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Prints what is wrong with a file: status 2.
pub(crate) fn complain(path: &Path, error: &io::Error) -> u8 {
    let mut text = b"diff: ".to_vec();
    text.extend(path.as_os_str().as_bytes());
    text.extend(format!(": {}\n", reason(error)).bytes());
    let _ = io::stderr().write_all(&text);
    2
}

/// The comparison of two operands and what is below them.
pub(crate) struct Tree<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) out: &'a mut dyn Write,
}

impl Tree<'_> {
    /// Compares two operands; the status.
    pub(crate) fn operands(&mut self, old: &Path, new: &Path) -> anyhow::Result<u8> {
        let (a, b) = (self.look(old), self.look(new));
        let Some((a, b)) = self.both(old, a, new, b) else { return Ok(2) };
        if a.is_dir() == b.is_dir() || a.is_absent() || b.is_absent() {
            return self.pair(&a, &b, 0);
        }
        if a.is_stdin() || b.is_stdin() {
            anyhow::bail!("cannot compare '-' to a directory");
        }
        // A folder beside a file means the file of that name in it.
        let inside = |folder: &Path, file: &Path| {
            folder.join(file.file_name().unwrap_or_else(|| OsStr::new("..")))
        };
        let (old, new) = if a.is_dir() {
            (inside(&a.path, &b.path), b.path)
        } else {
            let new = inside(&b.path, &a.path);
            (a.path, new)
        };
        let (a, b) = (self.look(&old), self.look(&new));
        match self.both(&old, a, &new, b) {
            Some((a, b)) => self.pair(&a, &b, 0),
            None => Ok(2),
        }
    }

    /// What a name leads to.
    fn look(&self, path: &Path) -> io::Result<Metadata> {
        if path == Path::new("-") {
            return File::from(rustix::io::dup(rustix::stdio::stdin())?).metadata();
        }
        if self.settings.walk.links { fs::symlink_metadata(path) } else { fs::metadata(path) }
    }

    /// Both sides, where a missing one may be allowed; `None` after the message that it is not.
    fn both(
        &self,
        old: &Path,
        a: io::Result<Metadata>,
        new: &Path,
        b: io::Result<Metadata>,
    ) -> Option<(Side, Side)> {
        let walk = &self.settings.walk;
        let missing = |look: &io::Result<Metadata>| {
            look.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        let one = missing(&a) != missing(&b);
        let side = |path: &Path, look: io::Result<Metadata>, absent: bool| match look {
            Ok(meta) => Some(Side { path: path.to_owned(), state: State::There(meta) }),
            Err(error) if absent && error.kind() == io::ErrorKind::NotFound => {
                Some(Side { path: path.to_owned(), state: State::Absent })
            }
            Err(error) => {
                complain(path, &error);
                None
            }
        };
        let a = side(old, a, one && walk.new_first_file);
        let b = side(new, b, one && walk.new_file);
        Some((a?, b?))
    }

    fn pair(&mut self, a: &Side, b: &Side, depth: usize) -> anyhow::Result<u8> {
        if a.is_dir() && b.is_dir() && one_file(a, b) && self.settings.quiet_if_same() {
            return Ok(0);
        }
        let folder = |side: &Side| side.is_dir() || side.is_absent();
        if (a.is_dir() || b.is_dir()) && folder(a) && folder(b) {
            if depth == 0 || self.settings.walk.recursive {
                return self.folders(a, b, depth);
            }
            self.say(&[b"Common subdirectories: ", name(a), b" and ", name(b)])?;
            return Ok(0);
        }
        let link = |side: &Side| side.meta().is_some_and(Metadata::is_symlink);
        if link(a) && (link(b) || b.is_absent()) || link(b) && a.is_absent() {
            return self.links(a, b);
        }
        let plain = |side: &Side| side.meta().is_none_or(Metadata::is_file);
        // Below folders others are not read: they may never end.
        let odd = a.is_dir() || b.is_dir() || link(a) || link(b);
        if odd || depth > 0 && !(plain(a) && plain(b)) {
            let kind = |side: &Side, other: &Side| side.meta().or(other.meta()).map_or("", kind);
            let (mine, theirs) = (kind(a, b).as_bytes(), kind(b, a).as_bytes());
            let middle: &[u8] = b" while file ";
            self.say(&[b"File ", name(a), b" is a ", mine, middle, name(b), b" is a ", theirs])?;
            return Ok(1);
        }
        super::files::compare(self.settings, a, b, depth > 0, self.out)
    }

    fn say(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        parts.iter().try_for_each(|part| self.out.write_all(part))?;
        self.out.write_all(b"\n")
    }

    fn links(&mut self, a: &Side, b: &Side) -> anyhow::Result<u8> {
        let mut leads = Vec::new();
        for side in [a, b] {
            match fs::read_link(&side.path) {
                Ok(to) => leads.push(to),
                Err(error) => return Ok(complain(&side.path, &error)),
            }
        }
        let same = leads.first() == leads.last();
        if !same {
            self.say(&[b"Symbolic links ", name(a), b" and ", name(b), b" differ"])?;
        } else if self.settings.report_same {
            self.say(&[b"Files ", name(a), b" and ", name(b), b" are identical"])?;
        }
        Ok(u8::from(!same))
    }

    fn folders(&mut self, a: &Side, b: &Side, depth: usize) -> anyhow::Result<u8> {
        if self.settings.form == Form::Merged {
            anyhow::bail!("-D option not supported with directories");
        }
        let (mine, theirs) = match (self.names(a, depth), self.names(b, depth)) {
            (Ok(mine), Ok(theirs)) => (mine, theirs),
            (mine, theirs) => {
                let failed = [(a, mine.err()), (b, theirs.err())];
                for (side, error) in failed {
                    error.map(|error| complain(&side.path, &error));
                }
                return Ok(2);
            }
        };
        let mut status = 0;
        for (old, new) in self.matched(mine, theirs) {
            let found = self.entry(a, b, old.as_deref(), new.as_deref(), depth)?;
            status = status.max(found);
        }
        Ok(status)
    }

    /// Compares what has matching names in two folders, or is in one only.
    fn entry(
        &mut self,
        a: &Side,
        b: &Side,
        old: Option<&OsStr>,
        new: Option<&OsStr>,
        depth: usize,
    ) -> anyhow::Result<u8> {
        let walk = &self.settings.walk;
        let Some(name_a) = old.or(new) else { return Ok(0) };
        let name_b = new.unwrap_or(name_a);
        let alone = match (old, new) {
            (None, _) if !walk.new_first_file => Some(b),
            (_, None) if !walk.new_file => Some(a),
            _ => None,
        };
        if let Some(folder) = alone {
            self.say(&[b"Only in ", name(folder), b": ", name_a.as_bytes()])?;
            return Ok(1);
        }
        let (path_a, path_b) = (a.path.join(name_a), b.path.join(name_b));
        let look = |path: &Path, there: bool| match there {
            true => self.look(path),
            false => Err(io::ErrorKind::NotFound.into()),
        };
        let (look_a, look_b) = (look(&path_a, old.is_some()), look(&path_b, new.is_some()));
        // What a folder has and yet is missing is a link that leads nowhere.
        for (path, look, there) in [(&path_a, &look_a, old), (&path_b, &look_b, new)] {
            if let (Some(_), Err(error)) = (there, look) {
                return Ok(complain(path, error));
            }
        }
        match self.both(&path_a, look_a, &path_b, look_b) {
            Some((a, b)) => self.pair(&a, &b, depth + 1),
            None => Ok(2),
        }
    }

    /// A folder's names, without those that are left out.
    fn names(&self, side: &Side, depth: usize) -> io::Result<Vec<OsString>> {
        if side.is_absent() {
            return Ok(Vec::new());
        }
        let walk = &self.settings.walk;
        let start = walk.start.as_deref().filter(|_| depth == 0).map(|start| self.folded(start));
        let mut names = Vec::new();
        for entry in fs::read_dir(&side.path)? {
            let name = entry?.file_name();
            let folded = self.folded(&name);
            let skip = |glob_: &OsString| glob::matches(&self.folded(glob_), &folded);
            if !walk.exclude.iter().any(skip) && start.as_ref().is_none_or(|start| &folded >= start)
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// A name as names are compared.
    fn folded(&self, name: &OsStr) -> Vec<u8> {
        let name = name.as_bytes();
        if self.settings.walk.ignore_case { name.to_ascii_lowercase() } else { name.to_vec() }
    }

    /// Two folders' names, side by side, in order. Of several that are the same but for upper and
    /// lower case, those that are wholly the same belong together, then one after the other.
    fn matched(
        &self,
        mine: Vec<OsString>,
        theirs: Vec<OsString>,
    ) -> Vec<(Option<OsString>, Option<OsString>)> {
        let mut groups: BTreeMap<Vec<u8>, (Vec<OsString>, Vec<OsString>)> = BTreeMap::new();
        for name in mine {
            groups.entry(self.folded(&name)).or_default().0.push(name);
        }
        for name in theirs {
            groups.entry(self.folded(&name)).or_default().1.push(name);
        }
        let mut matched = Vec::new();
        for (mut old, mut new) in groups.into_values() {
            old.sort();
            new.sort();
            for at in 0..old.len() {
                let same = old.get(at).and_then(|name| new.iter().position(|other| other == name));
                if let Some(place) = same.filter(|place| *place != at && at < new.len()) {
                    new.swap(at, place);
                }
            }
            let count = old.len().max(new.len());
            let (mut old, mut new) = (old.into_iter(), new.into_iter());
            matched.extend((0..count).map(|_| (old.next(), new.next())));
        }
        matched
    }
}

/// A side's name, as it is.
pub(crate) fn name(side: &Side) -> &[u8] {
    side.path.as_os_str().as_bytes()
}

/// A side's name in a header.
pub(crate) fn header_name(side: &Side) -> Vec<u8> {
    names::for_header(name(side))
}

/// What a file is, in GNU's words.
fn kind(file: &Metadata) -> &'static str {
    let is = file.file_type();
    if is.is_dir() {
        "directory"
    } else if is.is_symlink() {
        "symbolic link"
    } else if is.is_fifo() {
        "fifo"
    } else if is.is_char_device() {
        "character special file"
    } else if is.is_block_device() {
        "block special file"
    } else if is.is_socket() {
        "socket"
    } else if file.len() == 0 {
        "regular empty file"
    } else {
        "regular file"
    }
}
