//! What is written: patched files, backups and rejects.
//!
//! Patches of git mean the files as they were before the first of them, so what they write is kept back until the
//! last, or until one means a file that was patched already.

use super::{
    folder::{Attributes, Folder, Made, Name},
    settings::{Settings, Versions},
};
use anyhow::Context as _;
use rustix::io::Errno;
use std::{
    collections::{HashSet, VecDeque},
    ffi::{OsStr, OsString},
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
};

/// What becomes of a file.
pub(crate) enum Change {
    Put(Made, Attributes),
    Remove,
    /// Nothing; yet a backup may be wanted.
    Keep,
}

struct Output {
    name: Name,
    change: Change,
    backup: bool,
}

/// Everything that is written.
pub(crate) struct Outputs<'a> {
    settings: &'a Settings,
    folder: &'a Folder,
    waiting: VecDeque<Output>,
    /// Files that are new: made, or taken away, so that what was there is kept as a backup already.
    new: HashSet<PathBuf>,
    /// Something was written to the file of rejects that was asked for.
    rejected: bool,
}

impl<'a> Outputs<'a> {
    pub(crate) fn new(settings: &'a Settings, folder: &'a Folder) -> Self {
        Self { settings, folder, waiting: VecDeque::new(), new: HashSet::new(), rejected: false }
    }

    /// Changes a file, now or together with what is kept back.
    pub(crate) fn change(
        &mut self,
        name: Name,
        change: Change,
        backup: bool,
        later: bool,
    ) -> anyhow::Result<()> {
        let output = Output { name, change, backup };
        if later {
            self.waiting.push_back(output);
            return Ok(());
        }
        self.write(output)
    }

    /// Takes away what was renamed, unless another file was given its name meanwhile.
    pub(crate) fn remove_renamed(
        &mut self,
        name: Name,
        backup: bool,
        later: bool,
    ) -> anyhow::Result<()> {
        let put = |output: &Output| output.name == name && matches!(output.change, Change::Put(..));
        if self.waiting.iter().any(put) {
            return Ok(());
        }
        self.change(name, Change::Remove, backup, later)
    }

    /// Whether a file is only waiting to be taken away.
    pub(crate) fn is_gone(&self, name: &Name) -> bool {
        let last = self.waiting.iter().rev().find(|output| output.name == *name);
        last.is_some_and(|output| matches!(output.change, Change::Remove))
    }

    /// Writes what waits, up to a new version of a file; whether there was one.
    pub(crate) fn settle(&mut self, name: &Name) -> anyhow::Result<bool> {
        let put =
            |output: &Output| output.name == *name && matches!(output.change, Change::Put(..));
        let Some(last) = self.waiting.iter().rposition(put) else {
            return Ok(false);
        };
        for _ in 0..=last {
            if let Some(output) = self.waiting.pop_front() {
                self.write(output)?;
            }
        }
        Ok(true)
    }

    /// Writes all that waits.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        while let Some(output) = self.waiting.pop_front() {
            self.write(output)?;
        }
        Ok(())
    }

    fn write(&mut self, output: Output) -> anyhow::Result<()> {
        let Output { name, change, backup } = output;
        if backup {
            self.back_up(&name, matches!(change, Change::Keep))?;
        }
        let shown = self.settings.show(&name.path);
        match change {
            Change::Keep => return Ok(()),
            Change::Remove => {
                self.folder.remove(&name).with_context(|| format!("Can't remove file {shown}"))?;
                if !self.settings.posix {
                    self.folder.remove_empty_parents(&name);
                }
            }
            Change::Put(made, attributes) => self
                .folder
                .put(&name, &made, attributes)
                .with_context(|| format!("Can't create file {shown}"))?,
        }
        self.new.insert(name.path.components().collect());
        Ok(())
    }

    /// Keeps what a file was before any patch under another name; of a file that was not there, an empty one.
    fn back_up(&self, name: &Name, stays: bool) -> anyhow::Result<()> {
        if self.new.contains(&name.path.components().collect::<PathBuf>()) {
            return Ok(());
        }
        let backup = self.backup_name(name);
        let shown = || format!("Can't create backup file {}", self.settings.show(&backup.path));
        let made = match self.folder.stat(name) {
            Err(Errno::NOENT) => Made::File(Vec::new()),
            Ok(_) if !stays => {
                return self.folder.rename(name, &backup).with_context(shown);
            }
            Ok(found) => {
                let data = self.folder.read(name).with_context(shown)?;
                let attributes = Attributes { mode: Some(found.st_mode), ..Attributes::default() };
                return self.folder.put(&backup, &Made::File(data), attributes).with_context(shown);
            }
            Err(error) => return Err(error).with_context(shown),
        };
        self.folder.put(&backup, &made, Attributes::default()).with_context(shown)
    }

    fn backup_name(&self, name: &Name) -> Name {
        let settings = self.settings;
        let last = name.path.file_name().unwrap_or_default();
        let empty = OsStr::new("");
        if settings.prefix.is_none() && settings.base_prefix.is_none() && settings.suffix.is_none()
        {
            return match settings.versions {
                Versions::Simple => with(name, &settings.simple_suffix),
                versions => self.numbered(name, versions),
            };
        }
        let base = settings.base_prefix.as_deref().unwrap_or(empty);
        let suffix = settings.suffix.as_deref().unwrap_or(empty);
        let file: OsString = [base, last, suffix].into_iter().collect();
        let inner = name.path.with_file_name(file);
        let prefix = settings.prefix.as_deref().unwrap_or(empty);
        let path: OsString = [prefix, inner.as_os_str()].into_iter().collect();
        // What the user gave may lead anywhere, what the patch says may not.
        let within =
            |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
        let out = !Path::new(prefix).components().all(within);
        Name { path: path.into(), given: name.given || out }
    }

    /// The next of the names `f.~1~`, `f.~2~`, ...; the simple one if there are none and none must be.
    fn numbered(&self, name: &Name, versions: Versions) -> Name {
        let number = |number: u32| with(name, OsStr::new(&format!(".~{number}~")));
        let free = |name: &Name| self.folder.stat(name).is_err();
        let next = (1..u32::MAX).map(number).find(free);
        let none = next.as_ref() == Some(&number(1));
        match next {
            Some(next) if versions == Versions::Numbered || !none => next,
            _ => with(name, &self.settings.simple_suffix),
        }
    }

    /// Where the rejects of a file go.
    pub(crate) fn reject_name(&self, name: &Name) -> Name {
        self.settings.rejects.as_ref().map_or_else(|| with(name, OsStr::new(".rej")), Name::of_user)
    }

    /// Writes rejects; behind those that were written in this run.
    pub(crate) fn reject(&mut self, name: &Name, text: Vec<u8>) -> anyhow::Result<()> {
        let shown = || format!("Can't create file {}", self.settings.show(&name.path));
        if self.settings.rejects.is_some() {
            let again = std::mem::replace(&mut self.rejected, true);
            return write_given(&name.path, &text, again).with_context(shown);
        }
        if !self.new.insert(name.path.components().collect()) {
            return self.folder.append(name, &text).with_context(shown);
        }
        self.folder.put(name, &Made::File(text), Attributes::default()).with_context(shown)
    }
}

/// Writes to a file that the user named for it. It may be a device, and so is not replaced.
pub(crate) fn write_given(path: &Path, data: &[u8], append: bool) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(!append).append(append);
    options.open(path)?.write_all(data)
}

fn with(name: &Name, ending: &OsStr) -> Name {
    let path: OsString = [name.path.as_os_str(), ending].into_iter().collect();
    Name { path: path.into(), given: name.given }
}
