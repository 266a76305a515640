//! A bundle on the operator's disk: the envelope in `NAME.bundle`, its blobs in `NAME.blobs/DIGEST`.

use super::content::{Content, hash};
use crate::ui::WithHint;
use anyhow::{Context, bail};
use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};
use xenoboot_bundle::limits;
use xenoboot_wire::Digest;

/// A bundle's file.
pub(super) struct Stored {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The envelope's bytes.
    pub(super) envelope: Vec<u8>,
}

impl Stored {
    /// Reads an envelope; whether it is one is for the caller to find out.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            fs::File::open(path)?.take(limits::ENVELOPE as u64 + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let envelope = read().with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { path: path.to_owned(), envelope })
    }

    /// Writes the envelope, at once: no reader sees half of it.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let write = || -> anyhow::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder(&self.path))?;
            file.write_all(&self.envelope)?;
            publish(file, &self.path)
        };
        write().with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// The folder of the blobs.
    pub(super) fn blobs(&self) -> PathBuf {
        self.path.with_extension("blobs")
    }

    /// Where a blob is.
    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.to_string())
    }

    /// Reads a blob through and compares it with its digest.
    pub(super) fn check_blob(&self, digest: &Digest, size: u64) -> anyhow::Result<()> {
        let path = self.blob(digest);
        let shown = path.display();
        let (found, length) = fs::File::open(&path)
            .map_err(Into::into)
            .and_then(|file| hash(file, |_| Ok(())))
            .with_context(|| format!("the blob {shown} is not readable"))
            .hint("a bundle's blobs lie beside it, in NAME.blobs: copy both, or build it again")?;
        if (found, length) != (*digest, size) {
            bail!("{shown} was changed since the bundle was built");
        }
        Ok(())
    }

    /// Writes content as the blob that it was when it was hashed.
    pub(super) fn add_blob(&self, content: &Content, digest: &Digest) -> anyhow::Result<()> {
        let target = self.blob(digest);
        let copy = || -> anyhow::Result<()> {
            fs::create_dir_all(self.blobs())?;
            let mut file = tempfile::NamedTempFile::new_in(self.blobs())?;
            let (found, _) = content.hash(|chunk| Ok(file.write_all(chunk)?))?;
            if found != *digest {
                bail!("the file changed while it was read");
            }
            publish(file, &target)
        };
        copy().with_context(|| format!("cannot write {}", target.display()))
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a temporary file its name and the permissions of ordinary files: bundles are not secret.
fn publish(file: tempfile::NamedTempFile, path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
