//! The content of a bundle's file before the bundle is built.

use anyhow::Context as _;
use ring::digest::{self, SHA256};
use std::{fs, io::Read, path::PathBuf};
use xenoboot_wire::Digest;

/// Where a file's bytes are now.
pub(super) enum Content {
    /// In a file.
    File(PathBuf),
    /// Here: a secret, sealed.
    Sealed(Vec<u8>),
}

impl Content {
    /// Its length in bytes.
    pub(super) fn size(&self) -> anyhow::Result<u64> {
        match self {
            Self::File(path) => Ok(fs::metadata(path).with_context(|| self.cannot_read())?.len()),
            Self::Sealed(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// All of it.
    pub(super) fn read(self) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::File(ref path) => fs::read(path).with_context(|| self.cannot_read()),
            Self::Sealed(bytes) => Ok(bytes),
        }
    }

    /// Its digest and length, while `sink` sees its bytes.
    pub(super) fn hash(
        &self,
        sink: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<(Digest, u64)> {
        match self {
            Self::File(path) => {
                hash(fs::File::open(path).with_context(|| self.cannot_read())?, sink)
            }
            Self::Sealed(bytes) => hash(bytes.as_slice(), sink),
        }
        .with_context(|| self.cannot_read())
    }

    fn cannot_read(&self) -> String {
        match self {
            Self::File(path) => format!("cannot read {}", path.display()),
            Self::Sealed(_) => "cannot read a sealed secret".to_owned(),
        }
    }
}

/// The digest and length of what can be read, in pieces that `sink` sees too.
pub(super) fn hash(
    mut from: impl Read,
    mut sink: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<(Digest, u64)> {
    let (mut context, mut length) = (digest::Context::new(&SHA256), 0u64);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = from.read(&mut buffer)?;
        let chunk = buffer.get(..n).unwrap_or_default();
        if chunk.is_empty() {
            break;
        }
        context.update(chunk);
        length += n as u64;
        sink(chunk)?;
    }
    Ok((Digest(context.finish().as_ref().try_into()?), length))
}
