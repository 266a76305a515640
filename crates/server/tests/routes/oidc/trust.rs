//! By what a provider is known: a key that is pinned, an authority of one's own.

use super::{configure, stranger};
use crate::client::TestServer;
use hyper::StatusCode;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{fs, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use xenoboot_wire::Pin;

/// Says over TLS what it is, to whoever trusts it.
async fn serve(key: &KeyPair) -> (String, String) {
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.self_signed(key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("https://{}", listener.local_addr().unwrap());
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let body = format!(
        "{{\"issuer\": \"{issuer}\", \"authorization_endpoint\": \"{issuer}/a\", \
         \"token_endpoint\": \"{issuer}/t\", \"jwks_uri\": \"{issuer}/j\"}}"
    );
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") && stream.read_buf(&mut asked).await.is_ok() {}
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (issuer, certificate.pem())
}

#[tokio::test]
async fn a_provider_is_known_by_its_key_or_its_authority() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let (issuer, pem) = serve(&key).await;
    let mut server = TestServer::start().await;
    fs::write(server.folder().join("ca.pem"), &pem).unwrap();
    let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let pin =
        |key: &KeyPair| format!("pin = \"{}\"\n", Pin::of_spki(&key.subject_public_key_info()));
    for (known_by, status) in [
        (String::new(), StatusCode::BAD_GATEWAY),
        (pin(&other), StatusCode::BAD_GATEWAY),
        (pin(&key), StatusCode::SEE_OTHER),
        ("ca = \"ca.pem\"\n".to_owned(), StatusCode::SEE_OTHER),
        (format!("ca = \"\"\"\n{pem}\"\"\"\n"), StatusCode::SEE_OTHER),
    ] {
        configure(&server.folder(), &issuer, &known_by);
        server.start_again().await;
        let page = stranger(&server).get("/ui/login/provider").await;
        assert_eq!(page.status, status, "{known_by} {}", page.text);
    }
}
