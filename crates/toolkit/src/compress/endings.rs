//! The names of compressed files, and of those that are made of them.

use super::{
    Format,
    command::{Family, Task},
    refusals::{Skipped, Why},
};
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

/// The endings of a family, and the one that a user wants instead of the usual one.
pub(super) struct Endings<'a> {
    pub(super) family: &'a Family,
    pub(super) own: Option<OsString>,
}

impl Endings<'_> {
    /// Each ending and what replaces it, the wanted one first.
    fn all(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let own = self.own.as_deref().map(|own| (own.as_bytes(), &b""[..]));
        let known = self.family.endings.iter();
        own.into_iter()
            .chain(known.map(|(ending, instead)| (ending.as_bytes(), instead.as_bytes())))
    }

    /// The ending of a name. To `gzip`, upper and lower case are the same.
    fn of<'n>(&self, name: &'n [u8]) -> Option<(&'n [u8], &[u8])> {
        let gzip = self.family.format == Format::Gzip;
        let (_, instead, at) = self.all().find_map(|(ending, instead)| {
            let at = name.len().checked_sub(ending.len()).filter(|at| *at > 0)?;
            let end = name.get(at..)?;
            let same = end == ending || gzip && end.eq_ignore_ascii_case(ending);
            // A folder's name is not part of it.
            let alone = name.get(at - 1) == Some(&b'/');
            (same && !alone).then_some((ending, instead, at))
        })?;
        Some((name.get(at..)?, instead))
    }

    /// `gzip` takes a packed file by the name that it had before as well.
    pub(super) fn found(&self, path: &Path, task: Task) -> PathBuf {
        let name = path.as_os_str().as_bytes();
        if self.family.format != Format::Gzip
            || task == Task::Pack
            || path == Path::new("-")
            || path.symlink_metadata().is_ok()
            || self.of(name).is_some()
        {
            return path.to_owned();
        }
        let with = |ending: &[u8]| PathBuf::from(OsString::from_vec([name, ending].concat()));
        let single = || self.all().filter(|(_, instead)| instead.is_empty()).map(|(end, _)| end);
        let there = single().map(with).find(|path| path.symlink_metadata().is_ok());
        there.or_else(|| single().next().map(with)).unwrap_or_else(|| path.to_owned())
    }

    /// The name of the file to make.
    pub(super) fn target(&self, path: &Path, task: Task, force: bool) -> anyhow::Result<PathBuf> {
        let name = path.as_os_str().as_bytes();
        let made: Vec<u8> = match (task, self.of(name)) {
            (Task::Pack, Some((ending, _))) if !force => {
                let ending = OsStr::from_bytes(ending).display();
                let text = format!("already has {ending} suffix -- unchanged");
                return Err(Skipped(text, Why::Packed).into());
            }
            (Task::Pack, _) => {
                let ending = self.all().next().map_or(&b""[..], |(ending, _)| ending);
                [name, ending].concat()
            }
            (_, Some((ending, instead))) => {
                [name.get(..name.len() - ending.len()).unwrap_or(name), instead].concat()
            }
            (_, None) if self.family.format == Format::Bzip2 => [name, b".out"].concat(),
            (_, None) => {
                return Err(Skipped("unknown suffix -- ignored".into(), Why::Ending).into());
            }
        };
        Ok(OsString::from_vec(made).into())
    }
}
