//! `-exec`, `-execdir`, `-ok` and `-okdir`.

use super::{entry::Entry, messages};
use std::{
    cell::RefCell,
    ffi::{OsStr, OsString},
    io::{self, BufRead as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::PathBuf,
    process::{Command, Stdio},
};

/// Bytes of a command line with many names, as GNU's; the kernel takes more.
const LONGEST: usize = 128 << 10;

pub(crate) struct Exec {
    /// The command's words; of one that takes many names those before them.
    pub(crate) words: Vec<OsString>,
    /// In the file's folder.
    pub(crate) in_folder: bool,
    /// A person says yes first.
    pub(crate) asks: bool,
    /// With as many names at a time as it takes.
    pub(crate) batch: Option<RefCell<Batch>>,
}

/// Names that wait for their command.
#[derive(Default)]
pub(crate) struct Batch {
    names: Vec<OsString>,
    bytes: usize,
    /// Bytes that they may have together.
    room: usize,
    folder: Option<Folder>,
}

/// Where a command runs.
struct Folder {
    /// To know it again.
    path: Vec<u8>,
    place: Place,
}

enum Place {
    Open(OwnedFd),
    Named(PathBuf),
}

impl Exec {
    /// Runs the command with a file, or keeps the file's name for later. `failed` is set when a command for many has
    /// failed; what one for one file comes to is the result.
    pub(crate) fn with(&self, entry: &Entry<'_>, failed: &mut bool) -> bool {
        let (name, folder) = match self.in_folder {
            true => (in_folder(entry), place(entry)),
            false => (entry.path(), None),
        };
        let Some(batch) = &self.batch else {
            let words = self.words.iter().map(|word| replace(word, &name)).collect::<Vec<_>>();
            if self.asks && !agreed(&self.words, &entry.path()) {
                return false;
            }
            return self.run(&words, folder.as_ref());
        };
        let mut batch = batch.borrow_mut();
        let size = name.len() + 1 + size_of::<usize>();
        let moved = match (&batch.folder, &folder) {
            (Some(before), Some(now)) => before.path != now.path,
            _ => false,
        };
        if moved || batch.bytes + size > batch.room {
            *failed |= !self.finish(&mut batch);
            batch.room = self.room();
        }
        batch.names.push(OsString::from_vec(name));
        batch.bytes += size;
        if batch.folder.is_none() {
            batch.folder = folder;
        }
        true
    }

    /// Runs what is left of many; true when that went well.
    pub(crate) fn rest(&self) -> bool {
        self.batch.as_ref().is_none_or(|batch| self.finish(&mut batch.borrow_mut()))
    }

    /// Bytes that names may have together.
    fn room(&self) -> usize {
        let environment: usize =
            std::env::vars_os().map(|(key, value)| key.len() + value.len() + 2).sum();
        let words: usize = self.words.iter().map(|word| word.len() + 1 + size_of::<usize>()).sum();
        LONGEST.saturating_sub(environment + words).max(1)
    }

    fn finish(&self, batch: &mut Batch) -> bool {
        let Batch { names, folder, .. } = std::mem::take(batch);
        if names.is_empty() {
            return true;
        }
        let words: Vec<_> = self.words.iter().cloned().chain(names).collect();
        self.run(&words, folder.as_ref())
    }

    fn run(&self, words: &[OsString], folder: Option<&Folder>) -> bool {
        let [program, rest @ ..] = words else { return false };
        let mut command = Command::new(program);
        command.args(rest);
        match folder.map(|folder| &folder.place) {
            // Of the child, which has the descriptor until it becomes the command.
            Some(Place::Open(fd)) => {
                command.current_dir(format!("/proc/self/fd/{}", fd.as_raw_fd()));
            }
            Some(Place::Named(path)) => {
                command.current_dir(path);
            }
            None => {}
        }
        if self.asks {
            command.stdin(Stdio::null());
        }
        match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                messages::failed(program.as_bytes(), error);
                false
            }
        }
    }
}

/// The file as its folder sees it; not to be taken for an option.
fn in_folder(entry: &Entry<'_>) -> Vec<u8> {
    match entry.base() {
        b"/" => b"/".to_vec(),
        base => [b"./", base].concat(),
    }
}

fn place(entry: &Entry<'_>) -> Option<Folder> {
    if entry.depth > 0 {
        let path = entry.above.to_vec();
        let open = entry.folder.try_clone_to_owned().ok()?;
        return Some(Folder { path, place: Place::Open(open) });
    }
    let name = entry.node.name.as_bytes();
    let end = name.iter().rposition(|b| *b != b'/').map_or(name.len(), |at| at + 1);
    let trimmed = name.get(..end).unwrap_or_default();
    let folder = match trimmed.iter().rposition(|b| *b == b'/') {
        Some(0) => b"/",
        Some(at) => trimmed.get(..at).unwrap_or_default(),
        None => &b"."[..],
    };
    let named = PathBuf::from(OsStr::from_bytes(folder));
    Some(Folder { path: folder.to_vec(), place: Place::Named(named) })
}

/// The file's name in place of each `{}`.
fn replace(word: &OsStr, name: &[u8]) -> OsString {
    let mut rest = word.as_bytes();
    let mut out = Vec::new();
    while let Some(at) = rest.windows(2).position(|pair| pair == b"{}") {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(name);
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    OsString::from_vec(out)
}

/// Asks a person.
fn agreed(words: &[OsString], path: &[u8]) -> bool {
    let first = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    eprint!("< {first} ... {} > ? ", String::from_utf8_lossy(path));
    let _ = io::stderr().flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && answer.trim_start().starts_with(['y', 'Y'])
}
