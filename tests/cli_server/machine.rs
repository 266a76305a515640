//! A machine as the server sees it.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, body::Body, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    version::TLS13,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{error::Error as StdError, net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use xenoboot_wire::{
    BootId, MachineKey, Nonce, PROTOCOL, RunId, Version,
    boot::{BootReply, BootRequest, ImageInfo, Inventory, WaitReply, WaitRequest},
    decode, encode,
    event::{Event, EventAck, EventBatch, Source, What},
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn StdError + Send + Sync>>;

/// A machine with its key; it has a connection, or makes one when it needs one.
pub(crate) struct Machine {
    pub(crate) key: MachineKey,
    pub(crate) boot: BootId,
    pub(crate) token: Option<String>,
    /// Where it may turn to as well.
    pub(crate) others: Vec<SocketAddr>,
    config: Arc<ClientConfig>,
    server: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Machine {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap().der().clone();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_client_auth_cert(vec![certificate], private)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let key = MachineKey::try_from(key.public_key_raw()).unwrap();
        Self {
            key,
            boot: BootId([1; 16]),
            token: None,
            others: Vec::new(),
            config: Arc::new(config),
            server,
            sender: None,
        }
    }

    /// Another one with the same key.
    pub(crate) fn copy(&self, server: SocketAddr, boot: BootId) -> Self {
        let config = Arc::clone(&self.config);
        Self { key: self.key, boot, token: None, others: Vec::new(), config, server, sender: None }
    }

    /// Connects to the next of its servers from now on.
    pub(crate) fn turn_to_the_next(&mut self) {
        self.others.rotate_left(1);
        self.server = self.others.first().copied().unwrap_or(self.server);
        self.sender = None;
    }

    pub(crate) async fn boot(&mut self) -> Result<BootReply> {
        let request = BootRequest {
            protocol: PROTOCOL,
            nonce: Nonce([0; 32]),
            boot: self.boot,
            image: ImageInfo {
                version: Version { major: 0, minor: 1, patch: 0 },
                recipe: "r".into(),
                kernel: "6.12".into(),
            },
            name: Some("suggested".into()),
            inventory: Inventory {
                product: "Box\u{1b}[2J".into(),
                memory: 1 << 30,
                ..Inventory::default()
            },
            last_run: None,
            token: self.token.clone(),
            uptime_ms: 1000,
        };
        self.post("boot", &request).await
    }

    pub(crate) async fn wait(&mut self, generation: u64) -> Result<WaitReply> {
        self.post("wait", &WaitRequest { nonce: Nonce([0; 32]), boot: self.boot, generation }).await
    }

    pub(crate) async fn events(&mut self, events: Vec<Event>) -> Result<u64> {
        let ack: EventAck = self.post("events", &EventBatch { boot: self.boot, events }).await?;
        Ok(ack.through)
    }

    async fn post<A: DeserializeOwned>(
        &mut self,
        path: &str,
        message: &impl Serialize,
    ) -> Result<A> {
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let request = Request::post(format!("https://server/machine/v1/{path}"));
        let response =
            sender.send_request(request.body(Full::new(encode(message).into()))?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        self.sender = Some(sender);
        if status == StatusCode::OK {
            Ok(decode(&body)?)
        } else {
            Err(format!("{status}: {body:?}").into())
        }
    }

    /// A connection of its own, for requests with bodies of any kind.
    pub(crate) async fn connect<B>(&self) -> Result<SendRequest<B>>
    where
        B: Body + Unpin + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let stream = TcpStream::connect(self.server).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(ServerName::try_from("server")?, stream).await?;
        let handshake =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

pub(crate) fn event(number: u64, run: RunId, what: What) -> Event {
    Event { number, at_ms: 1000 + number, run: Some(run), what }
}

pub(crate) fn line(number: u64, run: RunId, text: &str) -> Event {
    event(number, run, What::Line { source: Source::Stdout, text: text.to_owned() })
}

/// Who the server is does not matter here.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
