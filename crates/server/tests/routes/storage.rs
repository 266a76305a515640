//! A server whose blobs are in a bucket, and what becomes of those who ask when the bucket is out of reach.

use crate::{
    bucket::TestBucket,
    client::{TestServer, signer},
};
use hyper::{Method, StatusCode};
use serde_json::json;
use std::{fs, path::Path};
use tempfile::TempDir;
use xenoboot_bundle::{File, Manifest, sign};
use xenoboot_server::backup;
use xenoboot_wire::{Digest, FleetId, boot::Order};

fn content(numbers: u32) -> Vec<u8> {
    (0..numbers).flat_map(u32::to_le_bytes).collect()
}

fn bucket() -> TestBucket {
    TestBucket::new().expect("XENOBOOT_S3; `cargo xtask test unit` sets it")
}

/// Pushes a bundle with a blob, and assigns it to everyone.
async fn push(server: &TestServer, content: &[u8]) -> (Digest, Vec<u8>) {
    let digest = Digest::of(content);
    server.send(Method::PUT, &format!("blobs/{digest}"), content.to_vec()).await.unwrap();
    let mut manifest = Manifest::of_script("big", FleetId([1; 16]), 1, b"#!/bin/sh\n");
    let (path, size) = ("data".parse().unwrap(), content.len() as u64);
    manifest.files.insert(0, File { path, mode: 0o644, size, digest, content: None });
    let envelope = sign(&manifest, &[signer()]).unwrap();
    server.send(Method::POST, "bundles", envelope.clone()).await.unwrap();
    server.assign("big", json!("default")).await;
    (digest, envelope)
}

#[tokio::test]
#[ignore = "it needs storage that speaks S3"]
async fn s3_an_answer_that_breaks_off_is_no_whole_one() {
    let mut bucket = bucket();
    let network = bucket.by_network().await;
    let server = TestServer::start_with(Some(bucket)).await;
    let machine = server.approved("m").await;
    let content = content(4_000_000);
    let (digest, envelope) = push(&server, &content).await;
    let path = format!("blob/{digest}");
    let ask = async |from: usize| {
        let range = format!("bytes={from}-");
        machine.fetch(&path, &[("range", &range)]).await
    };
    let (status, whole) = ask(0).await;
    assert!(status == StatusCode::PARTIAL_CONTENT && whole.unwrap() == content);
    machine.boot().await;
    network.fails_after(5_000_000);
    let (status, broken) = ask(0).await;
    assert!(status == StatusCode::PARTIAL_CONTENT && broken.is_err());
    let (status, words) = ask(1).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8(words.unwrap()).unwrap().contains("storage of blobs"));
    // What is small and was asked for before the machine gets as ever; what is missing is not known to be.
    let Order::Run(assignment) = machine.boot().await.order else { panic!() };
    assert_eq!(assignment.envelope.unwrap().0, envelope);
    let missing = json!({ "blobs": [Digest::of(b"x")] });
    let failed = server.post("blobs/missing", missing.clone()).await.unwrap_err();
    assert_eq!(failed.0, StatusCode::SERVICE_UNAVAILABLE);
    network.heals();
    let (status, rest) = ask(1).await;
    assert!(status == StatusCode::PARTIAL_CONTENT && rest.unwrap() == content[1..]);
    assert_eq!(server.post("blobs/missing", missing.clone()).await.unwrap(), missing);
}

#[tokio::test]
#[ignore = "it needs storage that speaks S3"]
async fn s3_a_backup_has_what_is_in_the_bucket_and_runs_without_it() {
    let mut server = TestServer::start_with(Some(bucket())).await;
    let content = content(3_000_001);
    let (digest, envelope) = push(&server, &content).await;
    let machine = server.approved("m").await;
    assert!(!server.folder().join("blobs").exists(), "something went into the folder");
    let backup = back_up(&server.folder()).await;
    server.stop().await;
    let parent = server.dir.path();
    let scratch = tempfile::tempdir_in(parent).unwrap();
    let restored = parent.join("restored");
    backup::restore(&*backup, scratch.path(), &restored).await.unwrap();
    let read = |name: &str| fs::read(restored.join(name)).unwrap();
    assert_eq!(read("blobs.toml"), fs::read(server.folder().join("blobs.toml")).unwrap());
    assert!(read(&format!("blobs/{digest}")) == content);
    assert_eq!(read(&format!("blobs/{}", Digest::of(&envelope))), envelope);

    // As one does when the bucket is lost.
    fs::remove_file(restored.join("blobs.toml")).unwrap();
    fs::rename(server.folder(), parent.join("old")).unwrap();
    fs::rename(&restored, server.folder()).unwrap();
    drop(machine);
    server.start_again().await;
    let machine = server.approved("n").await;
    let (status, whole) = machine.fetch(&format!("blob/{digest}"), &[]).await;
    assert!(status == StatusCode::OK && whole.unwrap() == content);
}

/// Servers that have a database and a bucket in common have everything in common.
#[tokio::test]
#[ignore = "it needs PostgreSQL and storage that speaks S3"]
async fn both_servers_have_what_was_pushed_to_either() {
    let mut one = TestServer::start_with(Some(bucket())).await;
    assert!(one.scratch.is_some(), "XENOBOOT_POSTGRESQL; `cargo xtask test unit` sets it");
    let two = one.beside().await;
    let content = [content(2_000_000), content(2_000_001)];
    let (first, envelope) = push(&one, &content[0]).await;
    let (second, _) = push(&two, &content[1]).await;
    let mut machines = Vec::new();
    for (server, name) in [(&one, "m"), (&two, "n")] {
        assert!(!server.folder().join("blobs").exists(), "something went into the folder");
        let machine = server.approved(name).await;
        for (digest, content) in [&first, &second].into_iter().zip(&content) {
            let (status, whole) = machine.fetch(&format!("blob/{digest}"), &[]).await;
            assert!(status == StatusCode::OK && whole.unwrap() == *content);
        }
        let Order::Run(assignment) = machine.boot().await.order else { panic!() };
        assert_ne!(assignment.envelope.unwrap().0, envelope, "the later bundle is assigned");
        machines.push(machine);
    }
    one.stop().await;
    let missing = json!({ "blobs": [first, second] });
    assert_eq!(two.post("blobs/missing", missing).await.unwrap(), json!({ "blobs": [] }));
}

async fn back_up(folder: &Path) -> Vec<u8> {
    let scratch: TempDir = tempfile::tempdir().unwrap();
    let mut backup = Vec::new();
    backup::back_up(folder, scratch.path(), &mut backup).await.unwrap();
    backup
}
