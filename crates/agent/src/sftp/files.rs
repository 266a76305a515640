//! Open files and folders.

use super::attributes::Attributes;
use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File, Metadata, ReadDir},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Component, Path, PathBuf},
};

/// Most that are open at once.
const MOST: usize = 256;
/// Most bytes of one answer.
const MAX_READ: u32 = 256 << 10;
/// Most names of one answer.
const NAMES: usize = 100;

const READ: u32 = 1;
const WRITE: u32 = 2;
const APPEND: u32 = 4;
const CREATE: u32 = 8;
const TRUNCATE: u32 = 16;
const EXCLUSIVE: u32 = 32;

/// Open files and folders, by the numbers that the client has of them.
#[derive(Debug, Default)]
pub(super) struct Files {
    open: HashMap<u32, Open>,
    last: u32,
}

#[derive(Debug)]
enum Open {
    File { file: File, path: PathBuf },
    Folder { entries: ReadDir, path: PathBuf },
}

fn no_such_handle() -> io::Error {
    io::Error::other("no such handle")
}

impl Files {
    fn add(&mut self, open: Open) -> io::Result<u32> {
        if self.open.len() >= MOST {
            return Err(io::Error::other("too many open files"));
        }
        self.last = self.last.wrapping_add(1);
        self.open.insert(self.last, open);
        Ok(self.last)
    }

    fn file(&self, handle: u32) -> io::Result<(&File, &Path)> {
        match self.open.get(&handle) {
            Some(Open::File { file, path }) => Ok((file, path)),
            _ => Err(no_such_handle()),
        }
    }

    pub(super) fn open(&mut self, path: &Path, flags: u32, new: &Attributes) -> io::Result<u32> {
        let has = |flag| flags & flag != 0;
        let mut options = fs::OpenOptions::new();
        options.read(has(READ)).write(has(WRITE) || has(APPEND)).append(has(APPEND));
        if has(WRITE) || has(APPEND) {
            options
                .create(has(CREATE))
                .truncate(has(TRUNCATE))
                .create_new(has(CREATE) && has(EXCLUSIVE));
        }
        let file = options.mode(new.permissions().unwrap_or(0o666)).open(path)?;
        self.add(Open::File { file, path: path.to_owned() })
    }

    pub(super) fn close(&mut self, handle: u32) -> io::Result<()> {
        self.open.remove(&handle).map(drop).ok_or_else(no_such_handle)
    }

    pub(super) fn read(&self, handle: u32, offset: u64, length: u32) -> io::Result<Vec<u8>> {
        let (file, _) = self.file(handle)?;
        let mut data = vec![0; length.min(MAX_READ) as usize];
        let mut filled = 0;
        // A pipe or device may give less than is asked for; a file does at its end.
        while let Some(rest) = data.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if filled == 0 => return Err(e),
                Err(_) => break,
            }
        }
        data.truncate(filled);
        Ok(data)
    }

    pub(super) fn write(&self, handle: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file(handle)?.0.write_all_at(data, offset)
    }

    pub(super) fn sync(&self, handle: u32) -> io::Result<()> {
        self.file(handle)?.0.sync_all()
    }

    pub(super) fn attributes(&self, handle: u32) -> io::Result<Attributes> {
        Ok((&self.file(handle)?.0.metadata()?).into())
    }

    /// By the path: what a client changes so it has just written.
    pub(super) fn set(&self, handle: u32, attributes: &Attributes) -> io::Result<()> {
        let (file, path) = self.file(handle)?;
        if let Some(size) = attributes.size {
            file.set_len(size)?;
        }
        Attributes { size: None, ..*attributes }.apply(path, true)
    }

    pub(super) fn open_folder(&mut self, path: &Path) -> io::Result<u32> {
        let entries = fs::read_dir(path)?;
        self.add(Open::Folder { entries, path: path.to_owned() })
    }

    /// The next names of a folder, none at its end.
    pub(super) fn names(&mut self, handle: u32) -> io::Result<Vec<(Vec<u8>, String, Attributes)>> {
        let Some(Open::Folder { entries, path }) = self.open.get_mut(&handle) else {
            return Err(no_such_handle());
        };
        let mut names = Vec::new();
        for entry in entries.by_ref().take(NAMES) {
            let name = entry?.file_name();
            // It may have gone since.
            let Ok(meta) = fs::symlink_metadata(path.join(&name)) else { continue };
            names.push((name.as_bytes().to_vec(), long(&name, &meta), (&meta).into()));
        }
        Ok(names)
    }
}

/// A line as of `ls -l`, which clients show as it is.
fn long(name: &OsStr, file: &Metadata) -> String {
    let mode = file.mode();
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o020_000 => 'c',
        0o060_000 => 'b',
        0o010_000 => 'p',
        0o140_000 => 's',
        _ => '-',
    };
    let bits: String = (0..9)
        .map(|i| match (mode >> (8 - i) & 1, i % 3) {
            (0, _) => '-',
            (_, 0) => 'r',
            (_, 1) => 'w',
            _ => 'x',
        })
        .collect();
    let (nlink, uid, gid, size) = (file.nlink(), file.uid(), file.gid(), file.size());
    let when = date(file.mtime());
    let name = String::from_utf8_lossy(name.as_bytes());
    format!("{kind}{bits} {nlink:>3} {uid:<8} {gid:<8} {size:>10} {when} {name}")
}

/// `2026-01-31 12:30`, in UTC (the days as in Hinnant's `civil_from_days`).
fn date(seconds: i64) -> String {
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", of_day / 3600, of_day / 60 % 60)
}

pub(super) fn make_folder(path: &Path, new: &Attributes) -> io::Result<()> {
    fs::DirBuilder::new().mode(new.permissions().unwrap_or(0o777)).create(path)
}

/// Renames; nothing is replaced (which version 3 wants, and `posix-rename` does not).
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

pub(super) fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

/// A path from the root on, without `.`, `..` and links, as far as it exists.
pub(super) fn real(path: &Path) -> PathBuf {
    let whole = Path::new("/").join(path);
    let whole = if path.is_absolute() {
        whole
    } else {
        std::env::current_dir().map_or(whole, |here| here.join(path))
    };
    fs::canonicalize(&whole).unwrap_or_else(|_| {
        let mut plain = PathBuf::from("/");
        for part in whole.components() {
            match part {
                Component::ParentDir => drop(plain.pop()),
                Component::Normal(name) => plain.push(name),
                _ => {}
            }
        }
        plain
    })
}
