//! What one server asks of another: TLS 1.3 and HTTP/2, by the key that both have.

use super::Fellows;
use crate::{
    hub::Hub,
    outgoing::pinned,
    tls::{self, SetupError},
};
use axum::body::Body;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Limited};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rcgen::{KeyPair, PublicKeyData};
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use xenoboot_wire::{BootId, MachineKey, Pin};

/// For a connection to another server.
const CONNECT: Duration = Duration::from_secs(3);
/// For its answer, which may wait for a machine.
const ANSWER: Duration = Duration::from_secs(6);
/// A ping after this silence, and its answer within that time.
const PING: Duration = Duration::from_secs(20);
/// What may come of one request that nobody has read yet, bytes.
const WINDOW: u32 = 256 << 10;

/// Longest answer, bytes.
const MOST: usize = 1 << 10;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A power-on that speaks for a machine, or wants to, at the server that asks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rival {
    /// The machine's number in the database.
    pub(crate) machine: i64,
    /// The power-on.
    pub(crate) boot: BootId,
    /// From where it speaks.
    pub(crate) from: IpAddr,
}

/// What is known of another one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heard {
    /// From where, if it is alive.
    pub(crate) alive: Option<IpAddr>,
}

/// Connections to other servers.
pub(super) struct Line {
    tls: TlsConnector,
    /// For short questions, by address.
    kept: Mutex<HashMap<String, SendRequest<Body>>>,
}

impl Line {
    pub(super) fn new(key: &KeyPair) -> Result<Self, SetupError> {
        let pin = Pin::of_spki(&key.subject_public_key_info());
        let (chain, private) = tls::identity(key)?;
        let mut config = pinned(pin)?.with_client_auth_cert(chain, private)?;
        config.alpn_protocols = vec![tls::H2.to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), kept: Mutex::default() })
    }

    async fn connect(&self, address: &str) -> Result<SendRequest<Body>, Error> {
        let connected = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let stream = self.tls.connect(ServerName::try_from("xenoboot")?, stream).await?;
            let mut builder = Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(PING)
                .keep_alive_timeout(PING)
                .initial_stream_window_size(WINDOW);
            let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to another server ended");
                }
            });
            Ok::<_, Error>(sender)
        };
        timeout(CONNECT, connected).await?
    }

    /// A short question, over a connection that is kept.
    async fn ask(&self, address: &str, path: &str, question: &Rival) -> Result<Vec<u8>, Error> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned();
        let mut sender = match kept.filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => {
                let new = self.connect(address).await?;
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.insert(address.to_owned(), new.clone());
                new
            }
        };
        let body = Body::from(serde_json::to_vec(question)?);
        let request = Request::post(format!("https://xenoboot{path}")).body(body)?;
        let answered = async {
            sender.ready().await?;
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MOST).collect().await?.to_bytes();
            if status.is_success() {
                Ok(body.to_vec())
            } else {
                Err(Error::from(status.to_string()))
            }
        };
        timeout(ANSWER, answered).await?
    }
}

impl Fellows {
    /// Has an operator's bytes joined with a machine's where that is connected; `Err` with them when it is not known to
    /// be connected to another server.
    pub(crate) async fn console(
        &self,
        hub: &Hub,
        key: &MachineKey,
        machine: i64,
        body: Body,
    ) -> Result<Result<Response<Incoming>, Error>, Body> {
        let Some(address) = self.with(hub, key) else { return Err(body) };
        let mut sender = match self.line.connect(&address).await {
            Ok(sender) => sender,
            Err(error) => return Ok(Err(error)),
        };
        let request = Request::post(format!("https://xenoboot/fellow/v1/console/{machine}"));
        let answered = async {
            let answer = sender.send_request(request.body(body)?);
            Ok(timeout(ANSWER, answer).await??)
        };
        Ok(answered.await)
    }

    /// Whether another power-on is alive at another server; from where. One that cannot be asked is not.
    pub(crate) async fn rival(&self, rival: Rival) -> Option<IpAddr> {
        let asked = self.addresses().into_iter().map(|address| async move {
            match self.line.ask(&address, "/fellow/v1/rival", &rival).await {
                Ok(heard) => serde_json::from_slice::<Heard>(&heard).ok()?.alive,
                Err(error) => {
                    tracing::warn!(address, %error, "another server does not say whether it hears a machine");
                    None
                }
            }
        });
        join_all(asked).await.into_iter().flatten().next()
    }

    /// Tells all others that a power-on is heard again that was silent when they asked.
    pub(crate) async fn heard_again(&self, rival: Rival) {
        let told = self.addresses().into_iter().map(|address| async move {
            if let Err(error) = self.line.ask(&address, "/fellow/v1/heard", &rival).await {
                tracing::warn!(address, %error, "another server cannot be told of a copied key");
            }
        });
        join_all(told).await;
    }

    /// Of all others.
    fn addresses(&self) -> Vec<String> {
        self.others().values().map(|other| other.address.clone()).collect()
    }
}
