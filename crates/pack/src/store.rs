//! Where the files of packed images are: a folder, in which images share what they have in common.

use crate::Sum;
use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// What a root index is called when nothing else was said.
pub const INDEX: &str = "image.xbi";

/// What a digest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A page.
    Page,
    /// A chunk.
    Chunk,
}

/// Where a file is, beside the root index.
#[must_use]
pub fn path(kind: Kind, sum: &Sum) -> String {
    let text = sum.to_string();
    let folder = text.get(..2).unwrap_or_default();
    match kind {
        Kind::Page => format!("pages/{folder}/{text}.page"),
        Kind::Chunk => format!("chunks/{folder}/{text}.zst"),
    }
}

/// The folder, to write to.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Of several that keep the same file at the same time one writes it, and the others find it; by the digest's first bits.
    turns: [Mutex<()>; 16],
}

impl Store {
    /// Makes the folder unless it is there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), turns: Default::default() })
    }

    /// Keeps a file, unless the same is there. Returns how many bytes were written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, kind: Kind, sum: &Sum, bytes: &[u8]) -> io::Result<u64> {
        let path = self.folder.join(path(kind, sum));
        let turn = self.turns.get(usize::from(sum.first() >> 4));
        let _turn = turn.map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
        if is_same(&path, bytes)? {
            return Ok(0);
        }
        replace(&path, bytes, false)?;
        Ok(bytes.len() as u64)
    }

    /// Makes everything last, and then writes the root index: it is there only when all that it names is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        rustix::fs::syncfs(File::open(&self.folder)?)?;
        let path = self.folder.join(name);
        replace(&path, bytes, true)?;
        Ok(path)
    }
}

/// A file that an earlier run was writing when the power failed may be there but not be whole.
fn is_same(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let length = bytes.len() as u64;
    if file.metadata()?.len() != length {
        return Ok(false);
    }
    let mut found = Vec::with_capacity(bytes.len());
    file.take(length + 1).read_to_end(&mut found)?;
    Ok(found == bytes)
}

/// Under another name first, so that nobody sees a part of it.
fn replace(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    if sync {
        file.as_file().sync_all()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    if sync {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
