//! With a server that speaks S3, checks signatures, and is not always to be reached.

#[path = "../../../tests/routes/bucket.rs"]
mod bucket;

use super::*;
use crate::{
    blobs::{
        Blobs, Hot, Place, Storage,
        tests::{conforms, content, full, read},
    },
    outgoing,
};
use bucket::{Network, TestBucket};
use hyper::Request;
use object_store::{aws::AwsAuthorizer, client::HttpRequestBody};
use std::{fs, time::Instant};
use tempfile::TempDir;
use xenoboot_wire::Pin;

/// Longer than anything takes, even on a busy computer.
const SOON: Duration = Duration::from_secs(30);

fn bucket() -> TestBucket {
    TestBucket::new().expect("XENOBOOT_S3; `cargo xtask test unit` sets it")
}

async fn open(bucket: &TestBucket) -> Result<Blobs, BlobError> {
    let dir = tempfile::tempdir().unwrap();
    bucket.write(dir.path());
    Blobs::open(dir.path()).await
}

async fn opened() -> (Blobs, S3) {
    let blobs = open(&bucket()).await.unwrap();
    let s3 = s3(&blobs);
    (blobs, s3)
}

fn s3(blobs: &Blobs) -> S3 {
    let Storage::S3(s3) = &blobs.storage else { panic!("it is a folder") };
    s3.clone()
}

/// By a network that can fail.
async fn far() -> (Blobs, Network) {
    let mut bucket = bucket();
    let network = bucket.by_network().await;
    (open(&bucket).await.unwrap(), network)
}

/// Uploads that were begun and neither completed nor aborted, in our part of the bucket.
async fn unfinished(s3: &S3) -> usize {
    let here = bucket();
    let url = format!("http://{}/{}?uploads", here.host, here.bucket);
    let mut signed = Request::get(&url).body(HttpRequestBody::empty()).unwrap();
    let credential = s3.store.credentials().get_credential().await.unwrap();
    let authorizer = AwsAuthorizer::new(&credential, "s3", "us-east-1");
    authorizer.try_authorize(&mut signed, None).unwrap();
    let mut request = Request::get(url).body(http_body_util::Full::default()).unwrap();
    *request.headers_mut() = signed.headers().clone();
    let answer = outgoing::ask(request, None).await.unwrap();
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert_eq!(answer.status, 200, "{text}");
    text.matches(&format!("{}/", s3.prefix)).count()
}

#[tokio::test]
#[ignore = "it needs storage that speaks S3"]
async fn s3_conforms() {
    let (blobs, s3) = opened().await;
    conforms(&blobs, async || unfinished(&s3).await).await;
    // What others have in the bucket is theirs.
    let other = s3.prefix.clone().join("readme");
    s3.store.put(&other, "x".into()).await.unwrap();
    let deeper = s3.prefix.clone().join("old").join(Digest::of(b"x").to_string());
    s3.store.put(&deeper, "x".into()).await.unwrap();
    assert_eq!(blobs.list().await.unwrap().len(), 4);
}

#[tokio::test]
#[ignore = "it needs storage that speaks S3"]
async fn s3_an_upload_whose_sender_goes_away_is_forgotten() {
    let (blobs, s3) = opened().await;
    let bytes = content(3 * PART as u32 / 4);
    let digest = Digest::of(&bytes);
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let frames = futures_util::stream::unfold(receiver, async |mut receiver| {
        let frame = receiver.recv().await.map(|bytes| io::Result::Ok(Frame::data(bytes)));
        frame.map(|frame| (frame, receiver))
    });
    let body = http_body_util::StreamBody::new(Box::pin(frames));
    let upload = tokio::spawn(async move { blobs.receive(&digest, u64::MAX, body).await });
    sender.send(bytes.into()).await.unwrap();
    let until = async |wanted: usize| {
        let begun = Instant::now();
        while unfinished(&s3).await != wanted {
            assert!(begun.elapsed() < SOON, "not {wanted} uploads");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    until(1).await;
    upload.abort();
    until(0).await;
    assert_eq!(s3.size(&digest).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "it needs storage that speaks S3"]
async fn s3_a_download_goes_on_after_a_stumble_and_is_never_taken_for_whole() {
    let (blobs, network) = far().await;
    let bytes = content(4_000_000);
    let digest = blobs.put(bytes.clone()).await.unwrap();
    let size = bytes.len() as u64;
    network.stumbles_after(5_000_000);
    let blob = blobs.open_blob(&digest).await.unwrap().unwrap();
    assert!(read(blob, 0..size).await.unwrap() == bytes);
    network.fails_after(5_000_000);
    let blob = blobs.open_blob(&digest).await.unwrap().unwrap();
    let error = read(blob, 0..size).await.unwrap_err();
    assert!(error.contains("cannot read a blob to its end"), "{error}");
    let blob = blobs.open_blob(&digest).await.unwrap().unwrap();
    let error = read(blob, 0..size).await.unwrap_err();
    assert!(error.contains("cannot read a blob"), "{error}");
    network.heals();
    let blob = blobs.open_blob(&digest).await.unwrap().unwrap();
    assert!(read(blob, 1..size).await.unwrap() == bytes[1..]);
}

#[tokio::test]
#[ignore = "it needs storage that speaks S3"]
async fn s3_an_upload_survives_a_stumble_and_fails_with_the_storage() {
    let (blobs, network) = far().await;
    let bytes = content(8_000_000);
    let digest = Digest::of(&bytes);
    network.fails_after(12_000_000);
    let failed = blobs.receive(&digest, u64::MAX, full(&bytes)).await;
    assert!(matches!(failed, Err(BlobError::Storage(_))));
    let failed = blobs.sizes(vec![digest]).await;
    assert!(matches!(failed, Err(BlobError::Storage(_))), "gone is not missing");
    network.heals();
    assert_eq!(blobs.sizes(vec![digest]).await.unwrap(), [None]);
    network.stumbles_after(12_000_000);
    blobs.receive(&digest, u64::MAX, full(&bytes)).await.unwrap();
    let blob = blobs.stored(&digest).await.unwrap().unwrap();
    assert!(read(blob, 0..bytes.len() as u64).await.unwrap() == bytes);
}

#[tokio::test]
#[ignore = "it needs storage that speaks S3"]
async fn s3_storage_that_lies_is_noticed() {
    let (blobs, s3) = opened().await;
    let digest = Digest::of(&content(100));
    let mut wrong = content(100);
    wrong[77] ^= 1;
    s3.store.put(&s3.path(&digest), wrong.into()).await.unwrap();
    for _ in 0..2 {
        let lie = blobs.small(&digest, 9999).await;
        assert!(matches!(lie, Err(BlobError::Damaged { .. })));
        assert!(matches!(blobs.open_blob(&digest).await, Err(BlobError::Damaged { .. })));
    }
    s3.store.put(&s3.path(&digest), content(100).into()).await.unwrap();
    assert!(blobs.small(&digest, 9999).await.unwrap().is_some());
    // What is known needs no question.
    s3.store.delete(&s3.path(&digest)).await.unwrap();
    let blob = blobs.open_blob(&digest).await.unwrap().unwrap();
    assert!(read(blob, 4..8).await.unwrap() == content(100)[4..8]);
}

#[tokio::test]
#[ignore = "it needs storage that speaks S3"]
async fn s3_what_is_wrong_is_said_at_the_start() {
    let refused = async |bucket: &TestBucket| {
        let error = open(bucket).await.err().expect("it was opened").to_string();
        assert!(!error.contains(&bucket.secret), "{error}");
        assert!(error.contains("blobs.toml") && error.contains(&bucket.bucket), "{error}");
        error
    };
    let good = bucket();
    let error = refused(&TestBucket::reader().unwrap()).await;
    assert!(
        error.contains("cannot write to it: AccessDenied") && error.contains("s3:PutObject"),
        "{error}"
    );
    let error = refused(&TestBucket { bucket: "no-such".into(), ..good.clone() }).await;
    assert!(error.contains("NoSuchBucket") && error.contains("make the bucket first"), "{error}");
    let error = refused(&TestBucket { secret: "not-the-one".into(), ..good.clone() }).await;
    assert!(
        error.contains("SignatureDoesNotMatch") && error.contains("secret_key is not"),
        "{error}"
    );
    let error = refused(&TestBucket { access: "AKIAWRONG".into(), ..good.clone() }).await;
    assert!(error.contains("InvalidAccessKeyId"), "{error}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refused(&TestBucket { host: free.to_string(), ..good }).await;
    assert!(error.contains("refused"), "{error}");
}

#[tokio::test]
#[ignore = "it needs storage that speaks S3"]
async fn s3_by_tls_is_who_has_the_key() {
    let mut bucket = bucket();
    let _network = bucket.by_tls().await;
    let blobs = open(&bucket).await.unwrap();
    let s3 = s3(&blobs);
    conforms(&blobs, async || unfinished(&s3).await).await;
    let pin = bucket.pin.replace(Pin::of_spki(b"another"));
    let error = open(&bucket).await.err().expect("another's key was taken").to_string();
    let said = format!("its key is {}, which is not the pin", pin.unwrap());
    assert!(error.contains(&said), "{error}");
    // Without a pin, public authorities are asked, which do not know it.
    let dir = tempfile::tempdir().unwrap();
    bucket.write(dir.path());
    let path = dir.path().join("blobs.toml");
    let text = fs::read_to_string(&path).unwrap();
    let without = text.lines().filter(|line| !line.starts_with("pin = "));
    fs::write(&path, without.collect::<Vec<_>>().join("\n")).unwrap();
    let error = Blobs::open(dir.path()).await.err().expect("anybody was taken").to_string();
    assert!(error.contains("UnknownIssuer") && error.contains("as pin"), "{error}");
}

/// Storage that is connected to and says nothing.
#[tokio::test]
async fn silence_ends() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = TestBucket::at(&listener.local_addr().unwrap().to_string());
    let dir: TempDir = tempfile::tempdir().unwrap();
    silent.write(dir.path());
    let Place::Bucket(bucket) = Place::of(dir.path()).unwrap() else { panic!() };
    let s3 = S3::with_patience(*bucket, Duration::from_millis(100)).unwrap();
    let blobs = Blobs { storage: Storage::S3(s3), hot: Hot::default() };
    let error = blobs.small(&Digest::of(b"x"), 9).await.unwrap_err().to_string();
    assert!(error.contains("nothing was heard"), "{error}");
}
