//! A server as small as can be that speaks the machine's protocol: TLS 1.3 with client certificates,
//! HTTP/2, CBOR. What it says, and which faults it has, a test decides.

#![allow(dead_code, reason = "each test program uses its part")]

mod doors;

use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{ring::default_provider, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    server::{
        ParsedCertificate,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};
use serde::Serialize;
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use xenoboot_wire::{
    Digest, MAX_MESSAGE, Nonce, Pin,
    boot::{Assignment, BootReply, BootRequest, Bytes as Blob, Order, WaitReply, WaitRequest},
    confirm::{ConfirmReply, ConfirmRequest},
    decode, encode,
    event::{Event, EventAck, EventBatch, What},
};

/// What the server knows and how it behaves.
#[derive(Default)]
pub(crate) struct Desk {
    pub order: Option<Order>,
    pub boots: Vec<BootRequest>,
    pub events: Vec<Event>,
    pub blobs: HashMap<Digest, Vec<u8>>,
    pub ranges: Vec<String>,
    pub confirming: Option<ConfirmRequest>,
    /// Cut the next blob answers after so many bytes.
    pub cut: Vec<usize>,
    /// Answer events with 503 while set.
    pub deaf: bool,
    /// Repeat a wrong nonce in the next answer.
    pub wrong_nonce: bool,
    /// Milliseconds to add to the time.
    pub time_off: i64,
    pub connections: usize,
}

pub(crate) struct Server {
    pub port: u16,
    pub pin: Pin,
    pub desk: Mutex<Desk>,
    pub changed: Notify,
    tls: TlsAcceptor,
    connections: Mutex<JoinSet<()>>,
    doors: doors::Doors,
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

impl Server {
    pub(crate) async fn start() -> Arc<Self> {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap().der().clone();
        let spki = ParsedCertificate::try_from(&certificate).unwrap().subject_public_key_info();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            pin: Pin::of_spki(spki.as_ref()),
            desk: Mutex::default(),
            changed: Notify::new(),
            tls: TlsAcceptor::from(Arc::new(tls(certificate, &key))),
            connections: Mutex::default(),
            doors: doors::Doors::default(),
        });
        let accepting = Arc::clone(&server);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let serving = Arc::clone(&accepting);
                accepting.connections.lock().unwrap().spawn(serving.serve(stream));
            }
        });
        server
    }

    /// Changes something and tells the machines that wait.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Desk)) {
        change(&mut self.desk.lock().unwrap());
        self.changed.notify_waiters();
    }

    /// Cuts all connections.
    pub(crate) fn cut_connections(&self) {
        self.connections.lock().unwrap().abort_all();
    }

    pub(crate) fn assign(&self, generation: u64, envelope: &[u8], inline: bool) {
        let bundle = Digest::of(envelope);
        self.set(|desk| {
            desk.blobs.insert(bundle, envelope.to_vec());
            let envelope = inline.then(|| Blob(envelope.to_vec()));
            desk.order = Some(Order::Run(Assignment { generation, bundle, envelope }));
        });
    }

    /// Waits until `found` finds what it looks for among the events.
    pub(crate) async fn event<T>(&self, what: &str, found: impl Fn(&[Event]) -> Option<T>) -> T {
        for _ in 0..1500 {
            if let Some(found) = found(&self.desk.lock().unwrap().events) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what} did not happen; events: {:#?}", self.desk.lock().unwrap().events);
    }

    /// Waits until a machine has asked what to do.
    pub(crate) async fn asked(&self) {
        for _ in 0..1500 {
            if !self.desk.lock().unwrap().boots.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no machine asks");
    }

    /// Waits for an event.
    pub(crate) async fn seen(&self, what: &str, wanted: impl Fn(&What) -> bool) -> Event {
        self.event(what, |events| events.iter().find(|e| wanted(&e.what)).cloned()).await
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let Ok(stream) = self.tls.accept(stream).await else { return };
        self.desk.lock().unwrap().connections += 1;
        let service = service_fn(move |request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, io::Error>(server.answer(request).await) }
        });
        let _ = http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<BoxBody<Bytes, io::Error>> {
        let path = request.uri().path().to_owned();
        let range = request.headers().get("range").map(|v| v.to_str().unwrap().to_owned());
        if path == "/machine/v1/console" {
            return self.door(request.into_body()).await;
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        match path.as_str() {
            "/machine/v1/boot" => {
                let request: BootRequest = decode(&body).unwrap();
                let nonce = request.nonce;
                self.desk.lock().unwrap().boots.push(request);
                message(&self.reply(nonce))
            }
            "/machine/v1/wait" => {
                let request: WaitRequest = decode(&body).unwrap();
                message(&WaitReply { changed: self.hold(&request).await })
            }
            "/machine/v1/confirmation" => {
                self.desk.lock().unwrap().confirming = Some(decode(&body).unwrap());
                message(&ConfirmReply { token: "t0ken".into() })
            }
            "/machine/v1/events" => self.store(decode(&body).unwrap()),
            _ => {
                let digest = path.rsplit('/').next().unwrap().parse().unwrap();
                self.blob(&digest, range.as_deref())
            }
        }
    }

    fn reply(&self, nonce: Nonce) -> BootReply {
        let mut desk = self.desk.lock().unwrap();
        let nonce = if std::mem::take(&mut desk.wrong_nonce) { Nonce([0; 32]) } else { nonce };
        let order = desk.order.clone().unwrap_or(Order::Pending);
        BootReply { nonce, time_ms: now_ms().saturating_add_signed(desk.time_off), order }
    }

    async fn hold(&self, request: &WaitRequest) -> Option<BootReply> {
        let other = || {
            let order = self.desk.lock().unwrap().order.clone();
            order.is_some_and(|order| {
                order.generation() != request.generation || request.generation == 0
            })
        };
        let changed = self.changed.notified();
        if !other() {
            let _ = tokio::time::timeout(Duration::from_secs(5), changed).await;
        }
        other().then(|| self.reply(request.nonce))
    }

    fn store(&self, batch: EventBatch) -> Response<BoxBody<Bytes, io::Error>> {
        let mut desk = self.desk.lock().unwrap();
        if desk.deaf {
            return status(StatusCode::SERVICE_UNAVAILABLE, "not now");
        }
        for event in batch.events {
            let stored = desk.events.len() as u64;
            assert!(event.number <= stored + 1, "event {} after {stored}: a gap", event.number);
            match desk.events.get((event.number - 1) as usize) {
                Some(before) => assert_eq!(before, &event, "one number, two events"),
                None => desk.events.push(event),
            }
        }
        message(&EventAck { through: desk.events.len() as u64 })
    }

    fn blob(&self, digest: &Digest, range: Option<&str>) -> Response<BoxBody<Bytes, io::Error>> {
        let mut desk = self.desk.lock().unwrap();
        let Some(bytes) = desk.blobs.get(digest).cloned() else {
            return status(StatusCode::NOT_FOUND, "no such blob");
        };
        let from = range
            .map_or(0, |r| r.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap());
        desk.ranges.extend(range.map(str::to_owned));
        let cut = desk.cut.pop();
        let to = cut.map_or(bytes.len(), |cut| from + cut);
        let first = Ok(Frame::data(Bytes::copy_from_slice(&bytes[from..to])));
        // A reset overtakes data that has not been read yet, so it comes a little later.
        let reset = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Err(io::Error::other("cut"))
        };
        let frames =
            stream::iter([first]).chain(stream::iter(cut.map(|_| reset)).then(|reset| reset));
        let code = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        Response::builder().status(code).body(BoxBody::new(StreamBody::new(frames))).unwrap()
    }
}

fn message(message: &impl Serialize) -> Response<BoxBody<Bytes, io::Error>> {
    let body = encode(message);
    assert!(body.len() <= MAX_MESSAGE);
    Response::new(Full::new(Bytes::from(body)).map_err(|e| match e {}).boxed())
}

fn status(code: StatusCode, text: &'static str) -> Response<BoxBody<Bytes, io::Error>> {
    let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(|e| match e {}).boxed();
    Response::builder().status(code).body(body).unwrap()
}

fn tls(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(AnyMachine))
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Takes any certificate whose key signed the handshake.
#[derive(Debug)]
struct AnyMachine;

impl ClientCertVerifier for AnyMachine {
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
        Err(Error::General("TLS 1.2".into()))
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = ParsedCertificate::try_from(cert)?.subject_public_key_info();
        let algorithms = default_provider().signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &spki, dss, &algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
