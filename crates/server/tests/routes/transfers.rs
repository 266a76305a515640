//! Blobs and envelopes: up, and down in parts.

use crate::client::{TestServer, signer};
use hyper::{Method, StatusCode, header};
use serde_json::json;
use xenoboot_bundle::{File, Manifest, sign};
use xenoboot_wire::{Digest, FleetId, boot::Order};

fn content() -> Vec<u8> {
    (0..300_000u32).flat_map(u32::to_le_bytes).collect()
}

fn with_blob(name: &str, content: &[u8]) -> Manifest {
    let mut manifest = Manifest::of_script(name, FleetId([1; 16]), 1, b"#!/bin/sh\n");
    let blob = File {
        path: "data".parse().unwrap(),
        mode: 0o644,
        size: content.len() as u64,
        digest: Digest::of(content),
        content: None,
    };
    manifest.files.insert(0, blob);
    manifest
}

#[tokio::test]
async fn blobs_before_the_bundle_and_only_right_ones() {
    let server = TestServer::start().await;
    let content = content();
    let digest = Digest::of(&content);
    let envelope = sign(&with_blob("big", &content), &[signer()]).unwrap();

    let (status, error) = server.send(Method::POST, "bundles", envelope.clone()).await.unwrap_err();
    assert_eq!(status, StatusCode::CONFLICT, "{error}");
    let missing = server.post("blobs/missing", json!({ "blobs": [digest] })).await.unwrap();
    assert_eq!(missing, json!({ "blobs": [digest] }));

    let mut wrong = content.clone();
    wrong[77] ^= 1;
    let before = server.stored();
    let (status, _) =
        server.send(Method::PUT, &format!("blobs/{digest}"), wrong).await.unwrap_err();
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.stored(), before, "it left something behind");

    server.send(Method::PUT, &format!("blobs/{digest}"), content.clone()).await.unwrap();
    let missing = server.post("blobs/missing", json!({ "blobs": [digest] })).await.unwrap();
    assert_eq!(missing, json!({ "blobs": [] }));
    server.send(Method::POST, "bundles", envelope).await.unwrap();
    // A manifest that says another size than the blob has would never verify.
    let mut lying = with_blob("lie", &content);
    lying.files[0].size += 1;
    let lying = sign(&lying, &[signer()]).unwrap();
    assert_eq!(
        server.send(Method::POST, "bundles", lying).await.unwrap_err().0,
        StatusCode::CONFLICT
    );
}

#[tokio::test]
async fn ranges_and_tags() {
    let server = TestServer::start().await;
    let machine = server.approved("m").await;
    let content = content();
    let digest = Digest::of(&content);
    server.send(Method::PUT, &format!("blobs/{digest}"), content.clone()).await.unwrap();
    let (path, size) = (format!("blob/{digest}"), content.len());

    let (status, headers, body) = machine.get(&path, &[]).await;
    assert_eq!((status, body.len()), (StatusCode::OK, size));
    assert!(body[..] == content[..]);
    let etag = headers[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(etag, format!("\"{digest}\""));

    let (status, headers, body) = machine.get(&path, &[("range", "bytes=1000000-")]).await;
    assert_eq!(status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(headers[header::CONTENT_RANGE], format!("bytes 1000000-{}/{size}", size - 1));
    assert!(body[..] == content[1_000_000..]);
    let (status, _, body) =
        machine.get(&path, &[("range", "bytes=5-9"), ("if-range", &etag)]).await;
    assert_eq!((status, &body[..]), (StatusCode::PARTIAL_CONTENT, &content[5..10]));
    let (status, _, body) =
        machine.get(&path, &[("range", "bytes=5-9"), ("if-range", "\"other\"")]).await;
    assert_eq!((status, body.len()), (StatusCode::OK, size));
    let (status, headers, _) = machine.get(&path, &[("range", &format!("bytes={size}-"))]).await;
    assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(headers[header::CONTENT_RANGE], format!("bytes */{size}"));
    let (status, _, body) = machine.get(&path, &[("if-none-match", &etag)]).await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
    let (status, ..) = machine.get(&format!("blob/{}", Digest::of(b"none")), &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, ..) = machine.get("blob/..%2fserver.key", &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_large_envelope_is_fetched_apart_and_only_by_approved_machines() {
    let server = TestServer::start().await;
    let machine = server.approved("m").await;
    let mut manifest = Manifest::of_script("large", FleetId([1; 16]), 1, b"#!/bin/sh\n");
    for n in 0..6 {
        let path = format!("a{n}").parse().unwrap();
        manifest.files.insert(n, File::inline(path, 0o644, vec![n as u8; 60_000]));
    }
    let envelope = sign(&manifest, &[signer()]).unwrap();
    server.send(Method::POST, "bundles", envelope.clone()).await.unwrap();
    server.assign("large", json!("default")).await;
    let Order::Run(assignment) = machine.boot().await.order else { panic!() };
    assert_eq!(assignment.envelope, None);
    let path = format!("bundle/{}", assignment.bundle);
    let (status, _, body) = machine.get(&path, &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body[..] == envelope[..]);

    let stranger = server.machine().await;
    assert_eq!(stranger.get(&path, &[]).await.0, StatusCode::FORBIDDEN);
    stranger.boot().await;
    assert_eq!(stranger.get(&path, &[]).await.0, StatusCode::FORBIDDEN);
}
