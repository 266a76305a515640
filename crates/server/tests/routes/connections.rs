//! Who may connect, and with what.

use crate::client::{TestServer, answer, connect, connect_with, http2, new_key, self_signed};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

/// Whether the server takes a certificate, and knows a machine by it (one that may have nothing: 403; without a
/// certificate it would be 401). In TLS 1.3 the client learns of a refusal by what it reads.
async fn accepts(server: &TestServer, certificate: rcgen::KeyPair, key: &rcgen::KeyPair) -> bool {
    let identity = Some((self_signed(&certificate), key.serialize_der()));
    let Ok(mut stream) = connect_with(server, identity, &[b"http/1.1"]).await else { return false };
    let request = b"POST /machine/v1/events HTTP/1.1\r\nhost: server\r\nconnection: close\r\n\r\n";
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(request).await?;
        stream.read_to_end(&mut answer).await
    };
    exchange.await.is_ok() && answer.starts_with(b"HTTP/1.1 403")
}

#[tokio::test]
async fn a_certificate_needs_its_key_and_the_right_algorithm() {
    let server = TestServer::start().await;
    let pair = || {
        let key = new_key(&PKCS_ED25519);
        let same = rcgen::KeyPair::try_from(key.serialize_der()).unwrap();
        (key, same)
    };
    let (certificate, key) = pair();
    assert!(accepts(&server, certificate, &key).await);
    // Somebody else's certificate.
    let (certificate, _) = pair();
    let (_, other) = pair();
    assert!(!accepts(&server, certificate, &other).await);
    // An algorithm that machines do not use.
    let key = new_key(&PKCS_ECDSA_P256_SHA256);
    let same = rcgen::KeyPair::try_from(key.serialize_der()).unwrap();
    assert!(!accepts(&server, key, &same).await);
}

#[tokio::test]
async fn without_certificate_or_token_there_is_nothing() {
    let server = TestServer::start().await;
    let mut sender = http2(connect(&server, None).await.unwrap()).await;
    let request = |path: &str, token: &str| {
        let request =
            Request::post(format!("https://server{path}")).header(header::AUTHORIZATION, token);
        request.body(Full::new(Bytes::new())).unwrap()
    };
    for path in ["boot", "wait", "events"] {
        let (status, ..) = answer(&mut sender, request(&format!("/machine/v1/{path}"), "")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for token in ["", "Bearer ", "Bearer 0000", "Basic eA=="] {
        for path in ["machines", "assignments", "bundles", "no-such-thing"] {
            let (status, ..) =
                answer(&mut sender, request(&format!("/api/v1/{path}"), token)).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} {token}");
        }
    }
    // A machine is no operator.
    let mut machine = http2(connect(&server, Some(&new_key(&PKCS_ED25519))).await.unwrap()).await;
    let (status, ..) = answer(&mut machine, request("/api/v1/machines", "")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn plain_text_and_nonsense_end_only_their_own_connection() {
    let server = TestServer::start().await;
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\xff\xff", b""] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP"));
    }
    server.machine().await.boot().await;
}

/// More than may shake hands at a time, several times over, and each might take 15 s.
#[tokio::test]
async fn who_connects_and_says_nothing_keeps_nobody_out() {
    let server = TestServer::start().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let begun = Instant::now();
    assert!(connect(&server, None).await.is_ok());
    assert!(begun.elapsed() < Duration::from_secs(8), "after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_folder_has_one_server_and_the_secrets_are_the_same_after_a_restart() {
    let mut server = TestServer::start().await;
    let second = xenoboot_server::Server::open(
        &server.folder(),
        Some("127.0.0.1:0".parse().unwrap()),
        &server.database(),
        None,
    )
    .await;
    assert!(second.unwrap_err().to_string().contains("folder"));
    let (pin, machines) = (server.pin, server.get("machines").await);
    server.start_again().await;
    assert_eq!(server.pin, pin);
    assert_eq!(server.get("machines").await, machines);
    // Without operator.toml there is a new token, and the old one is worth nothing.
    std::fs::remove_file(server.folder().join("operator.toml")).unwrap();
    let old = server.token().to_owned();
    server.start_again().await;
    assert_ne!(server.token(), old);
    server.get("machines").await.unwrap();
    let mut sender = http2(connect(&server, None).await.unwrap()).await;
    let request = Request::get("https://server/api/v1/machines")
        .header(header::AUTHORIZATION, format!("Bearer {old}"));
    let (status, ..) = answer(&mut sender, request.body(Full::default()).unwrap()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn who_is_refused_while_still_sending_sees_why() {
    let server = TestServer::start().await;
    let length = 3 << 20;
    for (token, status) in [(server.token(), "413"), ("wrong", "401")] {
        // It was a matter of luck.
        for _ in 0..5 {
            let mut stream = connect_with(&server, None, &[b"http/1.1"]).await.unwrap();
            let head = format!(
                "POST /api/v1/assignments HTTP/1.1\r\nhost: server\r\nauthorization: Bearer {token}\r\n\
                 content-length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&vec![b' '; length]).await.expect("it is cut off");
            let mut said = [0; 12];
            stream.read_exact(&mut said).await.expect("there is no answer");
            assert_eq!(said, format!("HTTP/1.1 {status}").as_bytes());
        }
    }
}
