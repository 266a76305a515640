//! What holds of every kind of storage.

use super::*;
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use std::time::SystemTime;

/// Bytes of which no part is like another.
pub(super) fn content(numbers: u32) -> Vec<u8> {
    (0..numbers).flat_map(u32::to_le_bytes).collect()
}

pub(super) fn full(bytes: &[u8]) -> Full<Bytes> {
    Full::new(Bytes::copy_from_slice(bytes))
}

/// An upload that ends with an error after these bytes.
fn broken(bytes: &[u8]) -> impl hyper::body::Body<Data = Bytes, Error = io::Error> + Unpin {
    let frames = [
        Ok(Frame::data(Bytes::copy_from_slice(bytes))),
        Err(io::Error::from(io::ErrorKind::ConnectionReset)),
    ];
    StreamBody::new(stream::iter(frames))
}

pub(super) async fn read(blob: Blob, range: Range<u64>) -> Result<Bytes, String> {
    let body = blob.body(range).await.map_err(|e| e.to_string())?;
    body.collect().await.map(|whole| whole.to_bytes()).map_err(|e| e.to_string())
}

/// `left` says what uploads have left behind: nothing, soon after they have ended.
pub(super) async fn conforms(blobs: &Blobs, left: impl AsyncFn() -> usize) {
    for bytes in [Vec::new(), content(50_000), content(5_000_000)] {
        let digest = Digest::of(&bytes);
        assert_eq!(blobs.sizes(vec![digest]).await.unwrap(), [None]);
        assert!(blobs.open_blob(&digest).await.unwrap().is_none());
        assert!(blobs.stored(&digest).await.unwrap().is_none());
        assert!(blobs.small(&digest, 9).await.unwrap().is_none());
        refuses(blobs, &bytes, &digest).await;
        blobs.receive(&digest, bytes.len() as u64, full(&bytes)).await.unwrap();
        whole_and_in_parts(blobs, &bytes, &digest).await;
        // Again is no error, and makes nothing of it worse.
        refuses(blobs, &bytes, &digest).await;
        blobs.receive(&digest, u64::MAX, full(&bytes)).await.unwrap();
        whole_and_in_parts(blobs, &bytes, &digest).await;
    }
    assert_eq!(blobs.put(content(7)).await.unwrap(), Digest::of(&content(7)));
    let mut expected =
        [0, 7, 50_000, 5_000_000].map(|n| (Digest::of(&content(n)), 4 * u64::from(n)));
    expected.sort_by_key(|(digest, _)| digest.0);
    let all = blobs.list().await.unwrap();
    assert_eq!(all.iter().map(|found| (found.digest, found.size)).collect::<Vec<_>>(), expected);
    let begun = std::time::Instant::now();
    while left().await != 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "uploads have left something behind");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What is not what it was said to be leaves nothing under any name.
async fn refuses(blobs: &Blobs, bytes: &[u8], digest: &Digest) {
    let before = blobs.list().await.unwrap().len();
    let wrong = Digest::of(b"something else");
    let found = blobs.receive(&wrong, u64::MAX, full(bytes)).await;
    assert!(matches!(found, Err(BlobError::Digest { found, .. }) if found == *digest));
    let interrupted = blobs.receive(digest, u64::MAX, broken(bytes)).await;
    assert!(matches!(interrupted, Err(BlobError::Interrupted(_))));
    if let Some(most) = (bytes.len() as u64).checked_sub(1) {
        let too_large = blobs.receive(digest, most, full(bytes)).await;
        assert!(matches!(too_large, Err(BlobError::TooLarge(n)) if n == most));
    }
    assert_eq!(blobs.sizes(vec![wrong]).await.unwrap(), [None]);
    assert_eq!(blobs.list().await.unwrap().len(), before);
}

async fn whole_and_in_parts(blobs: &Blobs, bytes: &[u8], digest: &Digest) {
    let size = bytes.len() as u64;
    assert_eq!(blobs.sizes(vec![*digest]).await.unwrap(), [Some(size)]);
    let small = blobs.small(digest, LARGEST as usize).await.unwrap();
    assert!(if size <= LARGEST { small.unwrap() == bytes } else { small.is_none() });
    if size > 0 {
        assert!(blobs.small(digest, bytes.len() - 1).await.unwrap().is_none());
    }
    let parts = [(0, size), (size.saturating_sub(1), 1), (size / 3, size / 2), (size / 2, 0)];
    for (start, length) in parts {
        let range = start..(start + length).min(size);
        let expected = &bytes[range.start as usize..range.end as usize];
        for blob in [blobs.open_blob(digest).await, blobs.stored(digest).await] {
            let blob = blob.unwrap().unwrap();
            assert_eq!(blob.size, size);
            assert!(read(blob, range.clone()).await.unwrap() == expected, "{range:?}");
        }
    }
}

#[tokio::test]
async fn a_folder_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).await.unwrap();
    let half = dir.path().join("blobs/half");
    conforms(&blobs, async || std::fs::read_dir(&half).unwrap().count()).await;
    // What a crash has left, and what another server is about to store.
    let left = std::fs::File::create(half.join("7")).unwrap();
    left.set_modified(SystemTime::now() - Duration::from_secs(2 * 86_400)).unwrap();
    std::fs::write(half.join("8"), "a part").unwrap();
    Blobs::existing(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(&half).unwrap().count(), 2, "they are another's");
    Blobs::open(dir.path()).await.unwrap();
    assert!(!half.join("7").exists() && half.join("8").exists());
    std::fs::write(dir.path().join("blobs/stray"), "").unwrap();
    assert!(matches!(blobs.list().await, Err(BlobError::Foreign(_))));
}

#[tokio::test]
async fn a_damaged_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).await.unwrap();
    let digest = blobs.put(content(1000)).await.unwrap();
    let opened = blobs.open_blob(&digest).await.unwrap().unwrap();
    // Shorter than it was when the answer began: no whole answer.
    let path = dir.path().join("blobs").join(digest.to_string());
    std::fs::write(&path, &content(1000)[..3999]).unwrap();
    assert!(read(opened, 0..4000).await.is_err());
    assert!(matches!(blobs.small(&digest, 9999).await, Err(BlobError::Damaged { .. })));
    std::fs::write(&path, content(1000)).unwrap();
    assert!(blobs.small(&digest, 9999).await.unwrap().is_some(), "nothing bad is remembered");
}
