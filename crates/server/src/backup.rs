//! The server's folder as one file, and back.
//!
//! A tar archive whose first member lists all others with size, mode and SHA-256, and has its own SHA-256 for its name:
//! a backup that is cut or damaged anywhere is noticed. It is made while the server runs: the database as of one
//! moment, then the keys, and the blobs, which never change and are there before the database speaks of them: in the backup they
//! are in the folder, wherever the server has them.

mod list;
mod restore;
mod write;

pub use restore::restore;
pub use write::back_up;

use crate::blobs::BlobError;
use std::{io, path::PathBuf};

/// What was backed up or restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// When the backup was made, milliseconds since 1970.
    pub made_ms: i64,
}

/// A backup cannot be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder is not a server's.
    #[error("{} is not the folder of a server: it has no {missing}", dir.display())]
    NoServer {
        /// The folder.
        dir: PathBuf,
        /// What it lacks.
        missing: &'static str,
    },
    /// The database is not in the folder.
    #[error("the database of {} is PostgreSQL's, which is backed up by pg_dump", .0.display())]
    Elsewhere(PathBuf),
    /// The database cannot be copied, or is not what a server can use.
    #[error("the database")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The blobs cannot be read.
    #[error("the blobs")]
    Blobs(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A blob has other bytes than its name says.
    #[error("the blob {0} is damaged where it is stored")]
    DamagedBlob(String),
    /// It is not a backup at all.
    #[error("this is not a backup of a server: {0}")]
    NoBackup(String),
    /// It was made by a release that this one does not know.
    #[error("the backup has format {0}, which is not known here: a newer xenoboot made it")]
    Format(u32),
    /// It ends before it is complete.
    #[error("the backup is cut short: {0} is not whole")]
    Cut(String),
    /// A member is not as the list says.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// There is something where it shall be restored to.
    #[error("{} is not empty: a backup is restored into a new folder", .0.display())]
    NotEmpty(PathBuf),
}

impl From<BlobError> for BackupError {
    fn from(error: BlobError) -> Self {
        Self::Blobs(Box::new(error))
    }
}

/// Names the file of an error.
fn at(path: &std::path::Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}
