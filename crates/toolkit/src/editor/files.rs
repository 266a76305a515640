//! Files: reading them, and writing them so that no work is lost.

use super::{
    store::{fill, store},
    text::Text,
};
use crate::applet::reason;
use rustix::{
    fs::{Access, access},
    io::Errno,
};
use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// By what one sees that a file is another one than before: device, inode, size, and when it changed.
type Stamp = (u64, u64, u64, i64, i64);

fn stamp(file: &Metadata) -> Stamp {
    (file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec())
}

/// Which files are edited, and the one that is.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) list: Vec<PathBuf>,
    pub(crate) at: usize,
    pub(crate) path: Option<PathBuf>,
    /// As it was when it was read or written; `None` where it was not there.
    seen: Option<Stamp>,
    /// The last line has its end.
    pub(crate) whole: bool,
}

impl Default for Files {
    fn default() -> Self {
        Self { list: Vec::new(), at: 0, path: None, seen: None, whole: true }
    }
}

/// Which lines are written; all is `0..usize::MAX`.
pub(super) type Lines = std::ops::Range<usize>;

impl Files {
    /// The name of the file.
    pub(crate) fn shown(&self) -> String {
        match &self.path {
            Some(path) => format!("\"{}\"", path.display()),
            None => "[No Name]".into(),
        }
    }

    /// Gives the text another name; what is there is not known.
    pub(crate) fn rename(&mut self, path: PathBuf) {
        self.path = Some(path);
        self.seen = None;
    }

    /// Reads a file. One that is not there is an empty text; the second value says so.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn read(&mut self, path: &Path) -> Result<(Text, bool), String> {
        let said = |error: &io::Error| format!("\"{}\" {}", path.display(), reason(error));
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.path = Some(path.to_owned());
                (self.seen, self.whole) = (None, true);
                return Ok((Text::default(), true));
            }
            Err(error) => return Err(said(&error)),
        };
        let facts = file.metadata().map_err(|error| said(&error))?;
        if facts.is_dir() {
            return Err(format!("\"{}\" is a directory", path.display()));
        }
        let (text, whole) = Text::read(file).map_err(|error| said(&error))?;
        self.path = Some(path.to_owned());
        (self.seen, self.whole) = (Some(stamp(&facts)), whole);
        Ok((text, false))
    }

    /// Writes lines to a file; how many bytes.
    ///
    /// # Errors
    /// Why it was not written. Then the file is as it was, unless the error says otherwise.
    pub(crate) fn write(
        &mut self,
        text: &Text,
        lines: Lines,
        path: &Path,
        force: bool,
    ) -> Result<u64, String> {
        let own = self.path.as_deref() == Some(path);
        let facts = fs::metadata(path).ok();
        match &facts {
            Some(facts) if facts.is_dir() => {
                return Err(format!("\"{}\" is a directory", path.display()));
            }
            _ if force => {}
            Some(_) if !own => return Err("E13: File exists (add ! to override)".into()),
            Some(facts) if self.seen.is_some_and(|seen| seen != stamp(facts)) => {
                return Err(
                    "WARNING: The file has been changed since reading it!!! (add ! to override)"
                        .into(),
                );
            }
            Some(_) if self.seen.is_none() => {
                return Err("E13: File exists (add ! to override)".into());
            }
            Some(_) if access(path, Access::WRITE_OK).is_err() => {
                return Err("E45: the file may not be written (add ! to override)".into());
            }
            _ => {}
        }
        let all = lines.start == 0 && lines.end >= text.real_len();
        let whole = self.whole || !all;
        let written = store(text, lines, path, facts.as_ref(), whole);
        let length =
            written.map_err(|error| format!("\"{}\" {}", path.display(), reason(&error)))?;
        if own {
            self.seen = fs::metadata(path).ok().map(|facts| stamp(&facts));
        }
        Ok(length)
    }

    /// Adds lines to a file.
    ///
    /// # Errors
    /// Why that failed.
    pub(crate) fn append(text: &Text, lines: Lines, path: &Path) -> Result<u64, String> {
        let done = OpenOptions::new().append(true).open(path).and_then(|file| {
            let mut out = BufWriter::new(file);
            let length = text.write(&mut out, lines.start, lines.end, true)?;
            out.flush()?;
            Ok(length)
        });
        done.map_err(|error| format!("\"{}\" {}", path.display(), reason(&error)))
    }

    /// Saves the text beside its file, for nobody else's eyes; where.
    ///
    /// # Errors
    /// Why it could not.
    pub(crate) fn rescue(&self, text: &Text) -> io::Result<PathBuf> {
        let base = self.path.clone().unwrap_or_else(|| PathBuf::from("unnamed"));
        let mut name = base.into_os_string();
        name.push(".vi-rescue");
        for number in 0..100 {
            let mut path = name.clone();
            if number > 0 {
                path.push(format!(".{number}"));
            }
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    fill(text, 0..usize::MAX, &file, self.whole)?;
                    return Ok(path.into());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::EXIST.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn opened(path: &Path) -> (Files, Text) {
        let mut files = Files::default();
        let (text, _) = files.read(path).unwrap();
        (files, text)
    }

    #[test]
    fn links_modes_and_bytes_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        let bytes = b"a\0\xff\r\nlast without end";
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        let (mut files, text) = opened(&link);
        assert_eq!(files.write(&text, 0..usize::MAX, &link, false).unwrap(), bytes.len() as u64);
        assert_eq!(fs::read(&file).unwrap(), bytes);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        // A second name of the file sees the text, too.
        let other = folder.path().join("other");
        fs::hard_link(&file, &other).unwrap();
        let (mut files, _) = opened(&file);
        let (new, _) = Text::read(&b"x\n"[..]).unwrap();
        files.write(&new, 0..usize::MAX, &file, false).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"x");
    }

    #[test]
    fn what_somebody_else_wrote_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "one\n").unwrap();
        let (mut files, text) = opened(&file);
        fs::write(&file, "another\n").unwrap();
        let said = files.write(&text, 0..usize::MAX, &file, false).unwrap_err();
        assert!(said.contains("changed since reading"), "{said}");
        assert_eq!(fs::read(&file).unwrap(), b"another\n");
        files.write(&text, 0..usize::MAX, &file, true).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"one\n");
    }

    #[test]
    fn a_full_device_is_told() {
        let (text, _) = Text::read(&b"x\n"[..]).unwrap();
        let said = Files::default().write(&text, 0..usize::MAX, Path::new("/dev/full"), true);
        assert!(said.unwrap_err().contains("No space left"));
    }
}
