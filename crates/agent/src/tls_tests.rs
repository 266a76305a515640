use super::*;
use crate::layout::Layout;
use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};
use rustls::{
    DistinguishedName, ServerConfig,
    pki_types::PrivateKeyDer,
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use std::{path::Path, process::Command};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use xenoboot_wire::MachineKey;

fn identity(dir: &Path) -> Identity {
    let layout = Layout::new(Some(dir.into()));
    layout.prepare().unwrap();
    Identity::load(&layout).unwrap()
}

fn key(algorithm: &'static rcgen::SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

/// rcgen with ring cannot make RSA keys; OpenSSL can.
fn rsa(dir: &Path) -> KeyPair {
    let path = dir.join("rsa.pem");
    let made = Command::new("openssl")
        .args([
            "genpkey",
            "-quiet",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
        ])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    KeyPair::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A certificate that expired in 1999, for another name: neither is looked at.
fn certificate(key: &KeyPair) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(vec!["elsewhere.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(1998, 1, 1);
    params.not_after = rcgen::date_time_ymd(1999, 1, 1);
    params.self_signed(key).unwrap().der().clone()
}

fn pin_of(key: &KeyPair) -> Pin {
    Pin::of_spki(spki(&certificate(key)).unwrap().as_ref())
}

/// Takes any client certificate and tells nothing about it: what the server's handshake does.
#[derive(Debug)]
struct AnyClient(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("no".into()))
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature_with_raw_key(
            message,
            &spki(cert)?,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn server(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(AnyClient(provider)))
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Shakes hands over a pipe. The machine key that the server saw, or why the client gave up.
async fn handshake(
    client: ClientConfig,
    server: ServerConfig,
) -> Result<MachineKey, std::io::Error> {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(async move {
        let mut stream = TlsAcceptor::from(Arc::new(server)).accept(theirs).await?;
        stream.write_all(b"!").await?;
        let seen = stream.get_ref().1.peer_certificates().and_then(|c| c.first()).cloned();
        let spki = spki(&seen.expect("a client certificate")).expect("a certificate that parses");
        Ok::<_, std::io::Error>(spki.as_ref().to_vec())
    });
    let name = ServerName::try_from("boot.example.org").unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, ours).await?;
    stream.read_u8().await?;
    let spki = serving.await.unwrap()?;
    // An Ed25519 SubjectPublicKeyInfo ends with the raw key (RFC 8410, section 4).
    Ok(MachineKey::try_from(&spki[spki.len() - 32..]).unwrap())
}

#[tokio::test]
async fn a_pinned_key_of_any_kind_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let identity = identity(dir.path());
    let other = pin_of(&key(&PKCS_ED25519));
    for key in [
        key(&PKCS_ED25519),
        key(&PKCS_ECDSA_P256_SHA256),
        key(&PKCS_ECDSA_P384_SHA384),
        rsa(dir.path()),
    ] {
        let client = client_config(&identity, &[other, pin_of(&key)]).unwrap();
        let seen = handshake(client, server(certificate(&key), &key)).await.unwrap();
        assert_eq!(seen, identity.machine);
    }
}

#[tokio::test]
async fn another_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (right, wrong) = (key(&PKCS_ED25519), key(&PKCS_ED25519));
    let client = client_config(&identity(dir.path()), &[pin_of(&right)]).unwrap();
    let error = handshake(client, server(certificate(&wrong), &wrong)).await.unwrap_err();
    let failure = explain("boot.example.org", &error);
    assert_eq!(failure.code, Code::WrongPin, "{failure}");
    assert!(failure.cause.contains(&pin_of(&wrong).to_string()), "{failure}");
}

/// Signs with a key that the certificate does not have.
#[derive(Debug)]
struct Impostor(Arc<rustls::sign::CertifiedKey>);

impl rustls::server::ResolvesServerCert for Impostor {
    fn resolve(
        &self,
        _: rustls::server::ClientHello<'_>,
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[tokio::test]
async fn the_pinned_certificate_without_its_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (right, wrong) = (key(&PKCS_ED25519), key(&PKCS_ED25519));
    let provider = Arc::new(ring::default_provider());
    let der = PrivateKeyDer::try_from(wrong.serialize_der()).unwrap();
    let signer = ring::sign::any_supported_type(&der).unwrap();
    let stolen = rustls::sign::CertifiedKey::new(vec![certificate(&right)], signer);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Impostor(Arc::new(stolen))));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let client = client_config(&identity(dir.path()), &[pin_of(&right)]).unwrap();
    let error = handshake(client, config).await.unwrap_err();
    assert!(error.to_string().contains("BadSignature"), "{error}");
    assert_eq!(explain("s", &error).code, Code::TlsFailed);
}

/// A process that ends with the test.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn tls_1_2_and_plain_text_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let key = key(&PKCS_ECDSA_P256_SHA256);
    let paths = ["cert.pem", "key.pem"].map(|n| dir.path().join(n));
    let params = CertificateParams::default();
    std::fs::write(&paths[0], params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&paths[1], key.serialize_pem()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-tls1_2", "-quiet", "-accept", &port.to_string(), "-cert"]);
    command.arg(&paths[0]).arg("-key").arg(&paths[1]).stdin(std::process::Stdio::piped());
    let _server = Server(command.spawn().unwrap());
    let client = Arc::new(client_config(&identity(dir.path()), &[pin_of(&key)]).unwrap());
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = loop {
        if let Ok(stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
            break stream;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let error =
        TlsConnector::from(Arc::clone(&client)).connect(name.clone(), stream).await.unwrap_err();
    assert_eq!(explain("s", &error).code, Code::TlsFailed, "{error}");

    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    theirs.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let error = TlsConnector::from(client).connect(name, ours).await.unwrap_err();
    let failure = explain("s", &error);
    assert_eq!(failure.code, Code::TlsFailed);
    assert!(failure.cause.contains("does not answer in TLS"), "{failure}");
}
