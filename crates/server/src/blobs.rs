//! Content-addressed storage of blobs, and of bundles' envelopes, each named by its SHA-256: in a folder, or in a bucket.
//!
//! A blob gets its name when all of it is stored and its digest is right, so what has a name is whole,
//! whenever the process or the machine dies.

mod folder;
mod hot;
mod http;
mod s3;
mod settings;
#[cfg(test)]
mod tests;
mod trouble;

use crate::home::HomeError;
use axum::body::Body;
use bytes::Bytes;
use folder::Folder;
use futures_util::{StreamExt, TryStreamExt, stream};
use hot::{Hot, Known, LARGEST};
use http_body_util::BodyExt;
use ring::digest::{Context, SHA256};
use s3::S3;
use settings::Place;
use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{fs::File, time::timeout};
use trouble::Trouble;
use xenoboot_wire::Digest;

/// Longest silence in the middle of an upload.
pub(crate) const STALL: Duration = Duration::from_secs(30);

/// How many are looked for at a time.
const AT_ONCE: usize = 32;

/// A blob cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    #[error("{}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the blob has digest {found}, not {announced}")]
    Digest { announced: Digest, found: Digest },
    #[error("the blob has more than {0} bytes")]
    TooLarge(u64),
    #[error("nothing came for {} s", STALL.as_secs())]
    Stalled,
    #[error("the upload broke off: {0}")]
    Interrupted(String),
    #[error(transparent)]
    File(#[from] HomeError),
    #[error("{}: {reason}", path.display())]
    Settings { path: PathBuf, reason: String },
    #[error(transparent)]
    Storage(#[from] Trouble),
    #[error("the blob {0} cannot be read to its end: {1}")]
    Unreadable(Digest, String),
    #[error("the blob {announced} is damaged where it is stored: what was read has digest {found}")]
    Damaged { announced: Digest, found: Digest },
    #[error("{} is no blob: its name is not a SHA-256", .0.display())]
    Foreign(PathBuf),
}

/// A blob that is stored.
pub(crate) struct Found {
    pub(crate) digest: Digest,
    /// Bytes.
    pub(crate) size: u64,
}

enum Storage {
    Folder(Folder),
    S3(S3),
}

/// Where blobs are, and those read last.
pub(crate) struct Blobs {
    storage: Storage,
    hot: Hot,
}

/// A blob that can be read.
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    /// Bytes.
    pub(crate) size: u64,
    source: Source,
}

enum Source {
    File(File),
    Memory(Bytes),
    Object(S3),
}

impl Blob {
    /// A part of it, which is within it: all of that part, or the body ends with an error.
    pub(crate) async fn body(self, range: Range<u64>) -> Result<Body, BlobError> {
        match self.source {
            Source::File(file) => {
                let body = folder::body(file, range).await;
                body.map_err(|e| BlobError::Unreadable(self.digest, e.to_string()))
            }
            Source::Memory(bytes) => Ok(Body::from(part(&bytes, range))),
            Source::Object(s3) => s3.body(&self.digest, range).await,
        }
    }

    /// All of it, in memory, if its digest is right.
    async fn bytes(self) -> Result<Bytes, BlobError> {
        let (announced, size) = (self.digest, self.size);
        let read = self.body(0..size).await?.collect().await;
        let bytes = read.map_err(|e| BlobError::Unreadable(announced, e.to_string()))?.to_bytes();
        let found = Digest::of(&bytes);
        if found == announced { Ok(bytes) } else { Err(BlobError::Damaged { announced, found }) }
    }
}

fn part(bytes: &Bytes, range: Range<u64>) -> Bytes {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(at(range.start).min(at(range.end))..at(range.end))
}

impl Blobs {
    /// Opens what the server with this folder has its blobs in, for the server alone.
    pub(crate) async fn open(dir: &Path) -> Result<Self, BlobError> {
        let storage = match Place::of(dir)? {
            Place::Folder(dir) => Storage::Folder(Folder::open(dir).await?),
            Place::Bucket(bucket) => {
                let s3 = S3::new(*bucket)?;
                s3.probe().await?;
                warn_of_unused(dir).await;
                Storage::S3(s3)
            }
        };
        Ok(Self { storage, hot: Hot::default() })
    }

    /// To read from, while the server may be at work.
    pub(crate) fn existing(dir: &Path) -> Result<Self, BlobError> {
        let storage = match Place::of(dir)? {
            Place::Folder(dir) => Storage::Folder(Folder::existing(dir)),
            Place::Bucket(bucket) => Storage::S3(S3::new(*bucket)?),
        };
        Ok(Self { storage, hot: Hot::default() })
    }

    /// Its size in bytes; `None` when it is not stored.
    async fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        match &self.storage {
            Storage::Folder(folder) => folder.size(digest).await,
            Storage::S3(s3) => s3.size(digest).await,
        }
    }

    /// The sizes of many, in their order; `None` for one that is not stored.
    pub(crate) async fn sizes(&self, of: Vec<Digest>) -> Result<Vec<Option<u64>>, BlobError> {
        let sizes = stream::iter(of).map(|digest| async move { self.size(&digest).await });
        sizes.buffered(AT_ONCE).try_collect().await
    }

    /// All that is stored, sorted.
    pub(crate) async fn list(&self) -> Result<Vec<Found>, BlobError> {
        match &self.storage {
            Storage::Folder(folder) => folder.list().await,
            Storage::S3(s3) => s3.list().await,
        }
    }

    /// A blob of at most `most` bytes, whose digest is right; `None` when it is larger, or not stored. `most` is at most
    /// the size of the largest envelope.
    pub(crate) async fn small(
        &self,
        digest: &Digest,
        most: usize,
    ) -> Result<Option<Bytes>, BlobError> {
        let known = self.known(digest).await?;
        Ok(known.filter(|known| known.size <= most as u64).and_then(|known| known.bytes))
    }

    async fn known(&self, digest: &Digest) -> Result<Option<Known>, BlobError> {
        let load = async || {
            let Some(blob) = self.stored(digest).await? else { return Ok(None) };
            let size = blob.size;
            let bytes = if size <= LARGEST { Some(blob.bytes().await?) } else { None };
            Ok(Some(Known { size, bytes }))
        };
        self.hot.get(digest, load).await
    }

    /// Opens a blob for reading; `None` when it is not stored. Of a bucket's, those that are small or were asked for lately cost
    /// no question; the system does that for files.
    pub(crate) async fn open_blob(&self, digest: &Digest) -> Result<Option<Blob>, BlobError> {
        let Storage::S3(s3) = &self.storage else { return self.stored(digest).await };
        let known = self.known(digest).await?;
        Ok(known.map(|Known { size, bytes }| {
            let source = bytes.map_or_else(|| Source::Object(s3.clone()), Source::Memory);
            Blob { digest: *digest, size, source }
        }))
    }

    /// A blob where it is stored.
    pub(crate) async fn stored(&self, digest: &Digest) -> Result<Option<Blob>, BlobError> {
        let found = match &self.storage {
            Storage::Folder(folder) => {
                let opened = folder.open_blob(digest).await?;
                opened.map(|(file, size)| (Source::File(file), size))
            }
            Storage::S3(s3) => {
                let size = s3.size(digest).await?;
                size.map(|size| (Source::Object(s3.clone()), size))
            }
        };
        Ok(found.map(|(source, size)| Blob { digest: *digest, size, source }))
    }

    /// Stores bytes, durably.
    pub(crate) async fn put(&self, bytes: Vec<u8>) -> Result<Digest, BlobError> {
        let digest = Digest::of(&bytes);
        let body = http_body_util::Full::new(Bytes::from(bytes));
        self.receive(&digest, u64::MAX, body).await?;
        Ok(digest)
    }

    /// Stores what `body` brings, at most `most` bytes, durably, if it has that digest.
    pub(crate) async fn receive<B>(
        &self,
        digest: &Digest,
        most: u64,
        body: B,
    ) -> Result<(), BlobError>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let mut half = match &self.storage {
            Storage::Folder(folder) => Half::File(folder.begin(digest).await?),
            Storage::S3(s3) => Half::Object(s3.begin(digest)),
        };
        let found = copy(body, &mut half, most).await?;
        if found != *digest {
            return Err(BlobError::Digest { announced: *digest, found });
        }
        match half {
            Half::File(half) => half.publish().await,
            Half::Object(half) => half.publish().await,
        }
    }
}

/// Those who set up a bucket may have forgotten to copy what they had.
async fn warn_of_unused(dir: &Path) {
    let dir = dir.join(crate::home::BLOBS);
    let unused = Folder::existing(dir.clone()).list().await.map_or(0, |all| all.len());
    if unused > 0 {
        let folder = dir.display();
        tracing::warn!(%folder, unused, "blobs in the folder are not looked for: the bucket must have copies of them");
    }
}

/// A blob on its way, without a name yet: none of it is left when this is dropped.
enum Half {
    File(folder::Half),
    Object(s3::Half),
}

/// Writes what comes, and returns its digest.
async fn copy<B>(mut body: B, half: &mut Half, most: u64) -> Result<Digest, BlobError>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (mut hash, mut size) = (Context::new(&SHA256), 0u64);
    while let Some(frame) = timeout(STALL, body.frame()).await.map_err(|_| BlobError::Stalled)? {
        let frame = frame.map_err(|e| BlobError::Interrupted(e.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        size = size.saturating_add(data.len() as u64);
        if size > most {
            return Err(BlobError::TooLarge(most));
        }
        hash.update(&data);
        match half {
            Half::File(half) => half.write(&data).await?,
            Half::Object(half) => half.write(&data).await?,
        }
    }
    let mut digest = Digest([0; 32]);
    digest.0.copy_from_slice(hash.finish().as_ref());
    Ok(digest)
}
