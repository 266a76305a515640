//! Blobs as objects of a bucket, each named by its SHA-256.
//!
//! An object appears under its name when the storage has all of it, which it is told after the digest was found right.

#[cfg(test)]
mod tests;

use super::{BlobError, Found, http::Connector, settings::Bucket, trouble::Trouble};
use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future, stream::BoxStream};
use hyper::body::{Frame, SizeHint};
use object_store::{
    BackoffConfig, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, RetryConfig,
    aws::AmazonS3, buffered::BufWriter, path::Path,
};
use std::{
    io,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::AsyncWriteExt;
use xenoboot_wire::Digest;

/// How much is uploaded at a time, bytes; what is smaller is uploaded at once. Storage takes 10,000 parts of a blob.
const PART: usize = 8 << 20;
/// Parts of one upload on their way at a time.
const PARTS: usize = 2;
/// Longest silence of the storage.
const PATIENCE: Duration = Duration::from_secs(30);
/// What fails is tried again this often, and not after that time.
const RETRIES: usize = 4;
const RETRY_UNTIL: Duration = Duration::from_secs(20);

/// A bucket, or what in it begins with a prefix.
#[derive(Clone)]
pub(super) struct S3 {
    store: Arc<AmazonS3>,
    prefix: Path,
    shown: Arc<str>,
}

impl S3 {
    /// Nothing is asked of the storage yet.
    pub(super) fn new(bucket: Bucket) -> Result<Self, BlobError> {
        Self::with_patience(bucket, PATIENCE)
    }

    pub(super) fn with_patience(bucket: Bucket, patience: Duration) -> Result<Self, BlobError> {
        let Bucket { shown, prefix, pin, builder } = bucket;
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        };
        let retry = RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_UNTIL };
        let connector = Connector { pin, patience };
        let store = builder.with_http_connector(connector).with_retry(retry).build();
        let store = store.map_err(|e| Trouble::new(&shown, "use it", &e))?;
        Ok(Self { store: Arc::new(store), prefix, shown: shown.into() })
    }

    /// Writes, reads, finds and removes a small object, so that what does not work is known before anybody asks for it.
    pub(super) async fn probe(&self) -> Result<(), BlobError> {
        let token = crate::home::new_token()?;
        let path = self
            .prefix
            .clone()
            .join(format!("xenoboot-probe-{}", token.get(..16).unwrap_or_default()));
        let written = Bytes::from(token);
        let store = &self.store;
        let put = store.put(&path, written.clone().into()).await;
        put.map_err(|e| self.trouble("write to it", &e))?;
        let read = async { store.get(&path).await?.bytes().await };
        let read = read.await.map_err(|e| self.trouble("read from it", &e))?;
        let listed = self.objects().try_any(|object| future::ready(object.location == path));
        let listed = listed.await.map_err(|e| self.trouble("list what it has", &e))?;
        store.delete(&path).await.map_err(|e| self.trouble("remove from it", &e))?;
        if read != written || !listed {
            let odd = io::Error::other("what was written a moment ago is not there");
            return Err(self.trouble("read from it", &odd));
        }
        Ok(())
    }

    fn trouble(&self, wish: &'static str, error: &(dyn std::error::Error + 'static)) -> BlobError {
        Trouble::new(&self.shown, wish, error).into()
    }

    fn path(&self, digest: &Digest) -> Path {
        self.prefix.clone().join(digest.to_string())
    }

    fn objects(&self) -> BoxStream<'static, object_store::Result<object_store::ObjectMeta>> {
        self.store.list(Some(&self.prefix).filter(|prefix| !prefix.is_root()))
    }

    /// Its size in bytes; `None` when it is not stored.
    pub(super) async fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        match self.store.head(&self.path(digest)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.trouble("look for a blob", &e)),
        }
    }

    /// All that is stored, sorted. Other things that are in the bucket are left alone.
    pub(super) async fn list(&self) -> Result<Vec<Found>, BlobError> {
        let ours = self.objects().try_filter_map(|object| async move {
            let digest = object.location.filename().and_then(|name| name.parse().ok());
            Ok(digest.map(|digest| (object.location, Found { digest, size: object.size })))
        });
        let ours: Vec<_> =
            ours.try_collect().await.map_err(|e| self.trouble("list what it has", &e))?;
        let here = ours.into_iter().filter(|(path, found)| *path == self.path(&found.digest));
        let mut all: Vec<Found> = here.map(|(_, found)| found).collect();
        all.sort_by_key(|found| found.digest.0);
        Ok(all)
    }

    /// A part of a blob, as it comes: all of it, or it ends with an error.
    pub(super) async fn body(&self, digest: &Digest, range: Range<u64>) -> Result<Body, BlobError> {
        if range.is_empty() {
            return Ok(Body::empty());
        }
        let left = range.end - range.start;
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range)));
        let got = self.store.get_opts(&self.path(digest), options).await;
        let got = got.map_err(|e| self.trouble("read a blob", &e))?;
        let stream = got.into_stream();
        Ok(Body::new(ObjectBody { stream, left, s3: self.clone() }))
    }

    /// A place for what comes, without a name yet.
    pub(super) fn begin(&self, digest: &Digest) -> Half {
        let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
        let writer = BufWriter::with_capacity(store, self.path(digest), PART);
        let writer = Some(writer.with_max_concurrency(PARTS));
        Half { writer, s3: self.clone(), digest: *digest, size: 0 }
    }
}

/// An upload; the storage forgets it when this is dropped. What a server that was killed has left is for a rule of the
/// bucket's to remove.
pub(super) struct Half {
    writer: Option<BufWriter>,
    s3: S3,
    digest: Digest,
    size: u64,
}

impl Half {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let written = writer.write_all(bytes).await;
        self.size += bytes.len() as u64;
        written.map_err(|e| self.s3.trouble("write a blob", &e))
    }

    /// Gives it its name, to the end, even when whoever waits for that has gone.
    pub(super) async fn publish(mut self) -> Result<(), BlobError> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        let finish = tokio::spawn(async move { writer.shutdown().await });
        let finished = finish.await.map_err(io::Error::other).flatten();
        let Err(error) = finished else { return Ok(()) };
        // It may have been done, and the answer lost: asked once more, the storage knows no such upload.
        match self.s3.size(&self.digest).await {
            Ok(Some(size)) if size == self.size => Ok(()),
            _ => Err(self.s3.trouble("write a blob", &error)),
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        let (Some(mut writer), Ok(runtime)) =
            (self.writer.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let s3 = self.s3.clone();
        runtime.spawn(async move {
            if let Err(error) = writer.abort().await {
                let error = s3.trouble("forget an upload that broke off", &error);
                tracing::warn!(%error, "parts of it may stay in the bucket");
            }
        });
    }
}

/// A part of an object as the body of an answer.
struct ObjectBody {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    left: u64,
    s3: S3,
}

impl hyper::body::Body for ObjectBody {
    type Data = Bytes;
    type Error = BlobError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BlobError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let next = match ready!(self.stream.poll_next_unpin(cx)) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(error)) => Err(self.s3.trouble("read a blob to its end", &error)),
            None => Err(self
                .s3
                .trouble("read a blob to its end", &io::Error::from(io::ErrorKind::UnexpectedEof))),
        };
        let next = next.and_then(|bytes| match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                Ok(Frame::data(bytes))
            }
            None => {
                let more = io::Error::other("it has more than it said");
                Err(self.s3.trouble("read a blob to its end", &more))
            }
        });
        if let Err(error) = &next {
            // Whoever asked sees no more than that the answer breaks off.
            tracing::warn!(%error, "an answer broke off");
        }
        Poll::Ready(Some(next))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
