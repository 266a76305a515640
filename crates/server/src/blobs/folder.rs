//! Blobs as files of a folder.

use super::{BlobError, Found};
use crate::home::new_token;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hyper::body::{Frame, SizeHint};
use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    pin::Pin,
    task::{self, Poll, ready},
    time::Duration,
};
use tokio::{
    fs::{self, File},
    io::{
        AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter, ReadBuf, SeekFrom, Take,
    },
};
use xenoboot_wire::Digest;

/// How much is read at a time, bytes.
const CHUNK: usize = 64 << 10;

/// An upload to which nothing was written for so long is over.
const LEFT: Duration = Duration::from_secs(86_400);

/// A folder of the server's own, or one that several servers share.
pub(super) struct Folder {
    dir: PathBuf,
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> BlobError {
    let path = path.to_owned();
    move |source| BlobError::Io { path, source }
}

impl Folder {
    /// A folder that another process may be using: it is read, and nothing is made in it.
    pub(super) fn existing(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Makes the folder if it is not there, and removes what uploads that broke off have left: what is old, since another
    /// server may be storing something.
    pub(super) async fn open(dir: PathBuf) -> Result<Self, BlobError> {
        let half = dir.join("half");
        let make = async {
            fs::create_dir_all(&half).await?;
            let mut entries = fs::read_dir(&half).await?;
            while let Some(entry) = entries.next_entry().await? {
                if is_old(&entry).await {
                    fs::remove_file(entry.path()).await?;
                }
            }
            sync(&dir).await
        };
        make.await.map_err(io_at(&half))?;
        Ok(Self::existing(dir))
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(digest.to_string())
    }

    /// Its size in bytes; `None` when it is not stored.
    pub(super) async fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        let path = self.path(digest);
        match fs::metadata(&path).await {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(|metadata| Some(metadata.len())).map_err(io_at(&path)),
        }
    }

    /// A file and its size; `None` when it is not stored.
    pub(super) async fn open_blob(
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

    /// All that is stored, sorted; nothing when there is no folder.
    pub(super) async fn list(&self) -> Result<Vec<Found>, BlobError> {
        let mut entries = match fs::read_dir(&self.dir).await {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(io_at(&self.dir))?,
        };
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(io_at(&self.dir))? {
            let path = entry.path();
            let metadata = fs::symlink_metadata(&path).await.map_err(io_at(&path))?;
            if metadata.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let digest = name.parse().map_err(|_| BlobError::Foreign(path))?;
                all.push(Found { digest, size: metadata.len() });
            }
        }
        all.sort_by_key(|found| found.digest.0);
        Ok(all)
    }

    /// A place for what comes, without a name yet.
    pub(super) async fn begin(&self, digest: &Digest) -> Result<Half, BlobError> {
        let half = self.dir.join("half");
        // Nobody else's, of no server.
        let name = new_token().map_err(|error| io_at(&half)(io::Error::other(error)))?;
        let name = Name(half.join(name));
        let file = File::create_new(&name.0).await.map_err(io_at(&name.0))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(Half { file, name, path: self.path(digest) })
    }
}

/// A file that has no name yet; removed when the upload ends, however that is.
pub(super) struct Half {
    file: BufWriter<File>,
    name: Name,
    path: PathBuf,
}

impl Half {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.file.write_all(bytes).await.map_err(io_at(&self.name.0))
    }

    /// Gives it its name, durably.
    pub(super) async fn publish(mut self) -> Result<(), BlobError> {
        let publish = async {
            self.file.flush().await?;
            self.file.get_ref().sync_all().await?;
            fs::rename(&self.name.0, &self.path).await?;
            sync(self.path.parent().unwrap_or(Path::new("/"))).await
        };
        publish.await.map_err(io_at(&self.name.0))
    }
}

struct Name(PathBuf);

impl Drop for Name {
    fn drop(&mut self) {
        // It is gone when it has got its name; else a later start removes it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether nothing was written to an upload for so long that it must have broken off.
async fn is_old(entry: &fs::DirEntry) -> bool {
    let modified = entry.metadata().await.and_then(|metadata| metadata.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT))
}

/// Makes new names in a folder durable.
async fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir).await?.sync_all().await
}

/// A part of a file as the body of an answer, read as it is sent.
struct FileBody {
    file: Take<File>,
    buffer: BytesMut,
}

/// That part of a file.
pub(super) async fn body(mut file: File, range: Range<u64>) -> io::Result<Body> {
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start)).await?;
    }
    file.set_max_buf_size(CHUNK);
    let file = file.take(range.end.saturating_sub(range.start));
    Ok(Body::new(FileBody { file, buffer: BytesMut::new() }))
}

impl hyper::body::Body for FileBody {
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
