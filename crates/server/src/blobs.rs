//! Content-addressed files: blobs, and bundles' envelopes, each named by its SHA-256.
//!
//! A file gets its name when all of it is on the disk and its digest is right, so what has a name is whole,
//! whenever the process or the machine dies.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use ring::digest::{Context, SHA256};
use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{self, Poll, ready},
    time::Duration,
};
use tokio::io::BufWriter;
use tokio::{
    fs::{self, File},
    io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, ReadBuf, SeekFrom, Take},
    time::timeout,
};
use xenoboot_wire::Digest;

/// Longest silence in the middle of an upload.
pub(crate) const STALL: Duration = Duration::from_secs(30);

/// How much is read at a time, bytes.
const CHUNK: usize = 64 << 10;

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
}

/// How many small blobs are kept in memory.
const KEPT: usize = 8;

/// The folder.
pub(crate) struct Blobs {
    dir: PathBuf,
    counter: AtomicU64,
    /// Those read last: a thousand machines are told of the same one.
    small: Mutex<VecDeque<(Digest, Bytes)>>,
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> BlobError {
    let path = path.to_owned();
    move |source| BlobError::Io { path, source }
}

impl Blobs {
    /// Opens the folder, makes it if it is not there, removes what uploads that broke off have left.
    pub(crate) async fn open(dir: PathBuf) -> Result<Self, BlobError> {
        let half = dir.join("half");
        let make = async {
            fs::create_dir_all(&half).await?;
            let mut entries = fs::read_dir(&half).await?;
            while let Some(entry) = entries.next_entry().await? {
                fs::remove_file(entry.path()).await?;
            }
            sync(&dir).await
        };
        make.await.map_err(io_at(&half))?;
        Ok(Self { dir, counter: AtomicU64::new(0), small: Mutex::default() })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(digest.to_string())
    }

    /// Whether a blob is stored.
    pub(crate) async fn has(&self, digest: &Digest) -> Result<bool, BlobError> {
        let path = self.path(digest);
        fs::try_exists(&path).await.map_err(io_at(&path))
    }

    /// Reads a whole blob; `None` when it is not stored. For small ones.
    pub(crate) async fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, BlobError> {
        let path = self.path(digest);
        match fs::read(&path).await {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some).map_err(io_at(&path)),
        }
    }

    /// A blob of at most `most` bytes; `None` when it is larger, or not stored.
    pub(crate) async fn small(
        &self,
        digest: &Digest,
        most: usize,
    ) -> Result<Option<Bytes>, BlobError> {
        let kept = || self.small.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept().iter().find(|(kept, _)| kept == digest).map(|(_, bytes)| bytes.clone());
        if found.is_some() {
            return Ok(found);
        }
        let bytes = match self.open_blob(digest).await? {
            Some((_, size)) if size <= most as u64 => self.read(digest).await?,
            _ => None,
        };
        let Some(bytes) = bytes.map(Bytes::from) else { return Ok(None) };
        let mut kept = kept();
        kept.retain(|(other, _)| other != digest);
        kept.push_front((*digest, bytes.clone()));
        kept.truncate(KEPT);
        Ok(Some(bytes))
    }

    /// Opens a blob for reading; `None` when it is not stored. With its size in bytes.
    pub(crate) async fn open_blob(
        &self,
        digest: &Digest,
    ) -> Result<Option<(File, u64)>, BlobError> {
        let path = self.path(digest);
        let open = async {
            let file = File::open(&path).await?;
            let size = file.metadata().await?.len();
            io::Result::Ok((file, size))
        };
        match open.await {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some).map_err(io_at(&path)),
        }
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
    ) -> Result<u64, BlobError>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let half = Half(self.dir.join("half").join(number.to_string()));
        let file = File::create_new(&half.0).await.map_err(io_at(&half.0))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let (found, size) = copy(body, &mut file, most, &half.0).await?;
        if found != *digest {
            return Err(BlobError::Digest { announced: *digest, found });
        }
        let publish = async {
            file.flush().await?;
            file.get_ref().sync_all().await?;
            fs::rename(&half.0, self.path(digest)).await?;
            sync(&self.dir).await
        };
        publish.await.map_err(io_at(&half.0))?;
        Ok(size)
    }
}

/// A file that has no name yet; removed when the upload ends, however that is.
struct Half(PathBuf);

impl Drop for Half {
    fn drop(&mut self) {
        // It is gone when it has got its name; else the next start removes it.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn copy<B>(
    mut body: B,
    file: &mut BufWriter<File>,
    most: u64,
    path: &Path,
) -> Result<(Digest, u64), BlobError>
where
    B: Body<Data = Bytes> + Unpin,
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
        file.write_all(&data).await.map_err(io_at(path))?;
    }
    let mut digest = Digest([0; 32]);
    digest.0.copy_from_slice(hash.finish().as_ref());
    Ok((digest, size))
}

/// Makes new names in a folder durable.
async fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir).await?.sync_all().await
}

/// A part of a file as the body of an answer, read as it is sent.
pub(crate) struct FileBody {
    file: Take<File>,
    buffer: BytesMut,
}

impl FileBody {
    /// `length` bytes from `start` on.
    pub(crate) async fn new(mut file: File, start: u64, length: u64) -> io::Result<Self> {
        if start > 0 {
            file.seek(SeekFrom::Start(start)).await?;
        }
        file.set_max_buf_size(CHUNK);
        Ok(Self { file: file.take(length), buffer: BytesMut::new() })
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.file.limit() == 0 {
            return Poll::Ready(None);
        }
        this.buffer.resize(CHUNK, 0);
        let mut buffer = ReadBuf::new(&mut this.buffer);
        ready!(Pin::new(&mut this.file).poll_read(cx, &mut buffer))?;
        let n = buffer.filled().len();
        if n == 0 {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        Poll::Ready(Some(Ok(Frame::data(this.buffer.split_to(n).freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        self.file.limit() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.file.limit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[tokio::test]
    async fn what_has_a_name_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("blobs")).await.unwrap();
        let bytes: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        let digest = blobs.put(bytes.clone()).await.unwrap();
        assert_eq!(blobs.read(&digest).await.unwrap().unwrap(), bytes);
        // Again is no error.
        blobs.put(bytes.clone()).await.unwrap();

        let wrong = Digest::of(b"something else");
        let body = || Full::new(Bytes::from(bytes.clone()));
        assert!(matches!(
            blobs.receive(&wrong, u64::MAX, body()).await,
            Err(BlobError::Digest { .. })
        ));
        assert!(matches!(blobs.receive(&digest, 10, body()).await, Err(BlobError::TooLarge(10))));
        assert!(!blobs.has(&wrong).await.unwrap());
        assert_eq!(std::fs::read_dir(dir.path().join("blobs/half")).unwrap().count(), 0);

        std::fs::write(dir.path().join("blobs/half/7"), "left by a crash").unwrap();
        Blobs::open(dir.path().join("blobs")).await.unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("blobs/half")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn small_ones_are_kept_and_large_ones_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("blobs")).await.unwrap();
        let mut digests = Vec::new();
        for n in 0..=KEPT {
            digests.push(blobs.put(vec![0; n + 1]).await.unwrap());
        }
        assert!(blobs.small(&digests[2], 2).await.unwrap().is_none());
        assert!(blobs.small(&Digest::of(b"none"), 9).await.unwrap().is_none());
        for (n, digest) in digests.iter().enumerate() {
            assert_eq!(blobs.small(digest, 99).await.unwrap().unwrap(), vec![0; n + 1]);
            std::fs::remove_file(blobs.path(digest)).unwrap();
        }
        assert!(blobs.small(&digests[0], 99).await.unwrap().is_none(), "the oldest is forgotten");
        assert_eq!(blobs.small(&digests[1], 99).await.unwrap().unwrap(), vec![0; 2]);
    }

    #[tokio::test]
    async fn a_part_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("blobs")).await.unwrap();
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let digest = blobs.put(bytes.clone()).await.unwrap();
        for (start, length) in [(0, 400_000), (399_999, 1), (100_000, 200_000), (5, 0)] {
            let (file, size) = blobs.open_blob(&digest).await.unwrap().unwrap();
            assert_eq!(size, 400_000);
            let body = FileBody::new(file, start, length).await.unwrap();
            let got = body.collect().await.unwrap().to_bytes();
            assert!(got[..] == bytes[start as usize..(start + length) as usize]);
        }
        // A file that is shorter than it was when the answer began is not a whole answer.
        let (file, _) = blobs.open_blob(&digest).await.unwrap().unwrap();
        assert!(FileBody::new(file, 399_999, 2).await.unwrap().collect().await.is_err());
    }
}
