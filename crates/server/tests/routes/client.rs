//! A server in a folder of its own; machines and an operator that speak to it over TLS.

use crate::{bucket::TestBucket, scratch::Scratch};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, client::conn::http2::SendRequest, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SignatureAlgorithm};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{ring, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::ParsedCertificate,
    version::TLS13,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use xenoboot_bundle::{Manifest, SigningKey, sign};
use xenoboot_server::{Database, Server};
use xenoboot_wire::{
    BootId, Digest, FleetId, MachineKey, Nonce, PROTOCOL, Pin, RunId, Version,
    boot::{BootReply, BootRequest, ImageInfo, Inventory, Order, WaitReply, WaitRequest},
    decode, encode,
    event::{Event, EventAck, EventBatch, What},
};

/// Longer than anything takes, even on a busy computer.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A running server.
pub(crate) struct TestServer {
    pub(crate) dir: TempDir,
    pub(crate) scratch: Option<Arc<Scratch>>,
    /// Where its blobs are, if not in its folder.
    pub(crate) bucket: Option<TestBucket>,
    pub(crate) address: SocketAddr,
    pub(crate) pin: Pin,
    token: String,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(TestBucket::new()).await
    }

    pub(crate) async fn start_with(bucket: Option<TestBucket>) -> Self {
        Self::of(Scratch::new().map(Arc::new), bucket, None).await
    }

    /// One more of the same database and bucket, with the same keys.
    pub(crate) async fn beside(&self) -> Self {
        Self::of(self.scratch.clone(), self.bucket.clone(), Some(&self.folder())).await
    }

    async fn of(
        scratch: Option<Arc<Scratch>>,
        bucket: Option<TestBucket>,
        keys: Option<&Path>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("server");
        if let Some(bucket) = &bucket {
            bucket.write(&folder);
        }
        if let Some(keys) = keys {
            for name in ["server.key", "power.key", "web.pem", "operator.toml"] {
                fs::copy(keys.join(name), folder.join(name)).unwrap();
            }
        }
        let mut server = Self {
            dir,
            scratch,
            bucket,
            address: "127.0.0.1:0".parse().unwrap(),
            pin: Pin(Digest([0; 32])),
            token: String::new(),
            stop: None,
            running: None,
        };
        server.start_again().await;
        server
    }

    /// Stops it in an orderly manner, and starts it in the same folder.
    pub(crate) async fn start_again(&mut self) {
        self.stop().await;
        let address = SocketAddr::new(self.address.ip(), 0);
        let server =
            Server::open(&self.folder(), Some(address), &self.database(), None).await.unwrap();
        (self.address, self.pin) = (server.address(), server.pin());
        let operator = fs::read_to_string(self.folder().join("operator.toml")).unwrap();
        let token = operator.lines().find_map(|line| line.strip_prefix("token = ")).unwrap();
        self.token = token.trim_matches('"').to_owned();
        let (stop, stopped) = oneshot::channel();
        self.stop = Some(stop);
        self.running = Some(tokio::spawn(server.run(async {
            let _ = stopped.await;
        })));
    }

    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(running) = self.running.take() {
            timeout(SOON, running).await.expect("the server does not stop").unwrap();
        }
    }

    /// Which database it uses.
    pub(crate) fn database(&self) -> Database {
        let url = self.scratch.as_ref().map(|scratch| Database::Url(scratch.url()));
        url.unwrap_or_default()
    }

    /// Whether a text is anywhere in the database.
    pub(crate) fn keeps(&self, text: &str) -> bool {
        let files = match &self.scratch {
            Some(scratch) => vec![scratch.dump()],
            None => ["xenoboot.sqlite", "xenoboot.sqlite-wal"]
                .map(|name| fs::read(self.folder().join(name)).unwrap())
                .to_vec(),
        };
        files.iter().any(|file| file.windows(text.len()).any(|bytes| bytes == text.as_bytes()))
    }

    /// How many files its blobs are; `None` when they are in a bucket.
    pub(crate) fn stored(&self) -> Option<usize> {
        self.bucket.is_none().then(|| files(&self.folder().join("blobs")))
    }

    pub(crate) fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("server")
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Asks with another token from now on.
    pub(crate) fn use_token(&mut self, token: &str) {
        token.clone_into(&mut self.token);
    }

    /// A machine with a new key, not connected before its first request.
    pub(crate) async fn machine(&self) -> Machine {
        Machine::new(self, KeyPair::generate_for(&PKCS_ED25519).unwrap()).await
    }

    /// A machine that has been approved under this name.
    pub(crate) async fn approved(&self, name: &str) -> Machine {
        let machine = self.machine().await;
        assert_eq!(machine.boot().await.order, Order::Pending);
        self.approve(&machine, name).await;
        machine
    }

    pub(crate) async fn approve(&self, machine: &Machine, name: &str) {
        let path = format!("machines/{}/approve", machine.key.fingerprint());
        self.post(&path, json!({ "name": name })).await.unwrap();
    }

    /// Pushes a bundle that prints something; each has another digest.
    pub(crate) async fn push(&self, name: &str, serial: u64) -> Digest {
        let mut manifest =
            Manifest::of_script(name, FleetId([1; 16]), serial, b"#!/bin/sh\necho hello\n");
        manifest.serial = serial;
        let envelope = sign(&manifest, &[signer()]).unwrap();
        let digest = Digest::of(&envelope);
        self.send(Method::POST, "bundles", envelope).await.unwrap();
        digest
    }

    pub(crate) async fn assign(&self, bundle: &str, target: Value) -> Value {
        self.post("assignments", json!({ "bundle": bundle, "target": target })).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, (StatusCode, Value)> {
        self.send(Method::GET, path, Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value, (StatusCode, Value)> {
        self.send(Method::POST, path, body.to_string().into_bytes()).await
    }

    /// An operator's request, on a connection of its own.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Value, (StatusCode, Value)> {
        let token = format!("Bearer {}", self.token);
        let mut sender = http2(connect(self, None).await.unwrap()).await;
        let request =
            Request::builder().method(method).uri(format!("https://server/api/v1/{path}"));
        let request =
            request.header(header::AUTHORIZATION, token).body(Full::new(body.into())).unwrap();
        let (status, _, body) = answer(&mut sender, request).await;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() { Ok(body) } else { Err((status, body)) }
    }
}

/// The one signer of all bundles; the server does not know it.
pub(crate) fn signer() -> SigningKey {
    SigningKey::from_seed(&[9; 32]).unwrap()
}

/// A machine.
pub(crate) struct Machine {
    pub(crate) key: MachineKey,
    pub(crate) boot: BootId,
    sender: SendRequest<Full<Bytes>>,
}

pub(crate) const NONCE: Nonce = Nonce([3; 32]);

impl Machine {
    pub(crate) async fn new(server: &TestServer, key: KeyPair) -> Self {
        let machine = MachineKey::try_from(key.public_key_raw()).unwrap();
        let sender = http2(connect(server, Some(&key)).await.unwrap()).await;
        Self { key: machine, boot: BootId([1; 16]), sender }
    }

    pub(crate) fn boot_request(&self, name: Option<&str>) -> BootRequest {
        BootRequest {
            protocol: PROTOCOL,
            nonce: NONCE,
            boot: self.boot,
            image: ImageInfo {
                version: Version { major: 0, minor: 1, patch: 0 },
                recipe: "r".into(),
                kernel: "6.12".into(),
            },
            name: name.map(str::to_owned),
            inventory: Inventory {
                product: "QEMU".into(),
                memory: 1 << 30,
                ..Inventory::default()
            },
            last_run: None,
            token: None,
            uptime_ms: 1234,
        }
    }

    pub(crate) async fn boot(&self) -> BootReply {
        self.boot_as(None).await
    }

    /// Shows a token that approves it.
    pub(crate) async fn boot_with(&self, token: &str) -> Order {
        let mut request = self.boot_request(None);
        request.token = Some(token.to_owned());
        let reply: BootReply = self.post("boot", &request).await.unwrap();
        reply.order
    }

    pub(crate) async fn boot_as(&self, name: Option<&str>) -> BootReply {
        let reply: BootReply = self.post("boot", &self.boot_request(name)).await.unwrap();
        assert_eq!(reply.nonce, NONCE);
        reply
    }

    pub(crate) async fn wait(&self, generation: u64) -> Option<Order> {
        let request = WaitRequest { nonce: NONCE, boot: self.boot, generation };
        let reply: WaitReply = self.post("wait", &request).await.unwrap();
        reply.changed.map(|reply| reply.order)
    }

    pub(crate) async fn events(&self, events: Vec<Event>) -> Result<u64, (StatusCode, String)> {
        let ack: EventAck = self.post("events", &EventBatch { boot: self.boot, events }).await?;
        Ok(ack.through)
    }

    pub(crate) async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        message: &impl Serialize,
    ) -> Result<A, (StatusCode, String)> {
        self.post_bytes(path, encode(message)).await
    }

    pub(crate) async fn post_bytes<A: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<A, (StatusCode, String)> {
        let request =
            Request::post(format!("https://server/machine/v1/{path}")).body(Full::new(body.into()));
        let (status, _, body) = answer(&mut self.sender.clone(), request.unwrap()).await;
        match status {
            StatusCode::OK => Ok(decode(&body).unwrap()),
            _ => Err((status, String::from_utf8(body.to_vec()).unwrap())),
        }
    }

    pub(crate) async fn get(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, Bytes) {
        answer(&mut self.sender.clone(), get(path, headers)).await
    }

    /// The same, of an answer that may break off.
    pub(crate) async fn fetch(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, Result<Vec<u8>, hyper::Error>) {
        let exchange = async {
            let response = self.sender.clone().send_request(get(path, headers)).await.unwrap();
            let (parts, body) = response.into_parts();
            (parts.status, body.collect().await.map(|whole| whole.to_bytes().to_vec()))
        };
        timeout(2 * SOON, exchange).await.expect("no answer")
    }
}

fn get(path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::get(format!("https://server/machine/v1/{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

pub(crate) async fn answer(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> (StatusCode, HeaderMap, Bytes) {
    let exchange = async {
        let response = sender.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    };
    timeout(2 * SOON, exchange).await.expect("no answer")
}

pub(crate) async fn http2(stream: TlsStream<TcpStream>) -> SendRequest<Full<Bytes>> {
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A connection, with the key as client certificate.
pub(crate) async fn connect(
    server: &TestServer,
    key: Option<&KeyPair>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let identity = key.map(|key| (self_signed(key), key.serialize_der()));
    connect_with(server, identity, &[b"h2"]).await
}

/// A connection with any certificate and key, and ALPN.
pub(crate) async fn connect_with(
    server: &TestServer,
    identity: Option<(CertificateDer<'static>, Vec<u8>)>,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(server.pin)));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
            builder.with_client_cert_resolver(Arc::new(Always::new(certificate, &key)))
        }
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(server.address).await?;
    // Otherwise the body of a request waits for the acknowledgement of its headers.
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("server").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

pub(crate) fn self_signed(key: &KeyPair) -> CertificateDer<'static> {
    CertificateParams::default().self_signed(key).unwrap().der().clone()
}

pub(crate) fn new_key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

/// Shows its certificate whether or not the key belongs to it, and whatever is asked for.
#[derive(Debug)]
struct Always(Arc<rustls::sign::CertifiedKey>);

impl Always {
    fn new(certificate: CertificateDer<'static>, key: &PrivateKeyDer<'_>) -> Self {
        let key = ring::sign::any_supported_type(key).unwrap();
        Self(Arc::new(rustls::sign::CertifiedKey::new(vec![certificate], key)))
    }
}

impl rustls::client::ResolvesClientCert for Always {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Pinned(Pin);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let spki = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        assert_eq!(Pin::of_spki(&spki), self.0);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &spki, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        static SCHEMES: OnceLock<Vec<SignatureScheme>> = OnceLock::new();
        let all = || ring::default_provider().signature_verification_algorithms.supported_schemes();
        SCHEMES.get_or_init(all).clone()
    }
}

/// An event.
pub(crate) fn event(number: u64, run: Option<RunId>, what: What) -> Event {
    Event { number, at_ms: 1000 + number, run, what }
}

/// Lines with these numbers.
pub(crate) fn lines(numbers: std::ops::RangeInclusive<u64>, run: Option<RunId>) -> Vec<Event> {
    let line =
        |n| What::Line { source: xenoboot_wire::event::Source::Stdout, text: format!("line {n}") };
    numbers.map(|n| event(n, run, line(n))).collect()
}

/// What a folder holds, recursively.
pub(crate) fn files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}
