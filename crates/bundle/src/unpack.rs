//! A verified manifest's files, each checked while it is written.

use crate::{
    manifest::{File, Manifest},
    path::FilePath,
    verify::Verified,
};
use ring::digest::{Context, SHA256};
use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use xenoboot_wire::{Code, Digest};

/// A bundle's files on disk, all of them checked.
#[derive(Debug)]
pub struct Bundle {
    /// The folder that holds them.
    pub dir: PathBuf,
    /// What they are.
    pub manifest: Manifest,
}

impl Bundle {
    /// The path of the file to execute.
    #[must_use]
    pub fn entry(&self) -> PathBuf {
        self.dir.join(self.manifest.entry.as_str())
    }
}

/// A bundle could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The folder has something in it, or is no folder.
    #[error("{} is not an empty folder", .0.display())]
    NotEmpty(PathBuf),
    /// A blob could not be opened.
    #[error("the content of {path} is not available")]
    Missing {
        /// The file.
        path: FilePath,
        /// Why.
        source: io::Error,
    },
    /// A blob could not be read.
    #[error("the content of {path} could not be read")]
    Read {
        /// The file.
        path: FilePath,
        /// Why.
        source: io::Error,
    },
    /// A blob ended too early.
    #[error("{path} has {have} of {size} bytes")]
    Short {
        /// The file.
        path: FilePath,
        /// How many bytes there were.
        have: u64,
        /// How many there should be.
        size: u64,
    },
    /// A blob has more bytes than the manifest says.
    #[error("{path} has more than {size} bytes")]
    Long {
        /// The file.
        path: FilePath,
        /// How many there should be.
        size: u64,
    },
    /// A blob has another digest than the manifest says.
    #[error("{path} has digest {found}")]
    Digest {
        /// The file.
        path: FilePath,
        /// The digest of what was read.
        found: Digest,
    },
    /// A file or folder could not be made or written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl UnpackError {
    /// The code that a person is shown.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Missing { .. } => Code::BlobMissing,
            Self::Short { .. } | Self::Read { .. } => Code::BlobShort,
            Self::Long { .. } | Self::Digest { .. } => Code::BlobDigest,
            Self::Write { .. } | Self::NotEmpty(_) => Code::NoSpace,
        }
    }
}

impl Verified<Manifest> {
    /// Writes the files into `dir`, which is made (mode 0700) or is there and empty. `blob` opens the
    /// content of a digest; it is called once for each file that is not inline, in the order of the paths, and its
    /// reader is read to one byte past the size that is stated, no further. A file has mode 0600 until its digest was right, then its own.
    ///
    /// # Errors
    /// At the first file that is not what the manifest says, which is removed, or cannot be written; the caller removes `dir`.
    pub fn unpack<R: Read>(
        self,
        dir: &Path,
        mut blob: impl FnMut(&Digest, u64) -> io::Result<R>,
    ) -> Result<Verified<Bundle>, UnpackError> {
        prepare(dir)?;
        let manifest = self.into_inner();
        for file in &manifest.files {
            make_folders(dir, &file.path)?;
            match &file.content {
                Some(content) => write_file(dir, file, content.as_slice())?,
                None => {
                    let source = blob(&file.digest, file.size).map_err(|source| {
                        UnpackError::Missing { path: file.path.clone(), source }
                    })?;
                    write_file(dir, file, source)?;
                }
            }
        }
        Ok(Verified::new(Bundle { dir: dir.to_owned(), manifest }))
    }
}

/// Makes `dir`, or sees that it is an empty folder and no symbolic link to one.
fn prepare(dir: &Path) -> Result<(), UnpackError> {
    let failed = |source| UnpackError::Write { path: dir.to_owned(), source };
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other.map_err(failed),
    }
    let is_folder = fs::symlink_metadata(dir).map_err(failed)?.is_dir();
    if is_folder && fs::read_dir(dir).map_err(failed)?.next().is_none() {
        Ok(())
    } else {
        Err(UnpackError::NotEmpty(dir.to_owned()))
    }
}

/// Makes the folders above a file. Everything below `dir` is ours, so what is there is a folder.
fn make_folders(dir: &Path, path: &FilePath) -> Result<(), UnpackError> {
    for folder in path.folders() {
        let folder = dir.join(folder);
        match fs::DirBuilder::new().mode(0o755).create(&folder) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(UnpackError::Write { path: folder, source }),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Writes one file and checks it; removes it when it is not what the manifest says.
fn write_file(dir: &Path, file: &File, source: impl Read) -> Result<(), UnpackError> {
    let target = dir.join(&file.path);
    let written = copy(&target, file, source);
    if written.is_err() {
        // What failed is reported; that the remains could not be removed adds nothing.
        let _ = fs::remove_file(&target);
    }
    written
}

fn copy(target: &Path, file: &File, source: impl Read) -> Result<(), UnpackError> {
    let failed = |source| UnpackError::Write { path: target.to_owned(), source };
    // create_new is O_CREAT with O_EXCL, which does not follow a symbolic link (POSIX, open()).
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)
        .map_err(failed)?;
    let path = || file.path.clone();
    // One byte more than is due shows a source that is too long, without reading it all.
    let mut source = source.take(file.size.saturating_add(1));
    let (mut hash, mut have) = (Context::new(&SHA256), 0u64);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(UnpackError::Read { path: path(), source }),
        };
        have = have.saturating_add(n as u64);
        if have > file.size {
            return Err(UnpackError::Long { path: path(), size: file.size });
        }
        let chunk = buffer.get(..n).unwrap_or_default();
        hash.update(chunk);
        out.write_all(chunk).map_err(failed)?;
    }
    if have < file.size {
        return Err(UnpackError::Short { path: path(), have, size: file.size });
    }
    let mut found = Digest([0; 32]);
    found.0.copy_from_slice(hash.finish().as_ref());
    if found != file.digest {
        return Err(UnpackError::Digest { path: path(), found });
    }
    out.set_permissions(fs::Permissions::from_mode(file.mode)).map_err(failed)
}
