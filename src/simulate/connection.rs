//! A machine's one connection: HTTP/2 over TLS 1.3 to a server whose key is pinned.

use super::{
    backoff,
    keys::Identity,
    tally::{Step, Tally},
};
use crate::operator;
use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Frame, Incoming},
    client::conn::http2::{Builder, SendRequest},
    header,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, client::Resumption, pki_types::ServerName};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
    pin::Pin as Pinned,
    sync::Arc,
    task,
    time::Duration,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsConnector;
use xenoboot_site::{Host, ServerUrl};
use xenoboot_wire::{
    MAX_MESSAGE, Pin, decode, encode,
    timing::{PING, PONG, STALL, WINDOW, WINDOWS},
};

/// How many machines come from one address of the loopback.
const FROM_ONE: u32 = 1000;
/// How much of an error's text is kept, characters.
const REASON: usize = 80;

/// What went wrong, in words that are the same for all machines to which it happens.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) what: String,
    /// When the server wants to be asked again.
    pub(super) retry_after: Option<Duration>,
    /// The server is well and has too much to do.
    busy: bool,
}

impl Trouble {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), retry_after: None, busy: false }
    }

    fn of(step: &str, error: &dyn std::error::Error) -> Self {
        let mut what = format!("{step}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            what = format!("{what}: {cause}");
            source = cause.source();
        }
        Self::new(what)
    }
}

/// Where the servers are, and how they are known.
pub(super) struct Route {
    servers: Vec<(SocketAddr, String, ServerName<'static>)>,
    pins: Vec<Pin>,
}

impl Route {
    pub(super) fn new(servers: &[ServerUrl], pins: Vec<Pin>) -> anyhow::Result<Self> {
        let resolve = |server: &ServerUrl| {
            let host = match &server.host {
                Host::Name(name) => name.clone(),
                Host::Address(ip) => ip.to_string(),
            };
            let at = (host.as_str(), server.port);
            let mut found = at.to_socket_addrs().with_context(|| format!("{host} is not found"))?;
            let address = found.next().with_context(|| format!("{host} has no address"))?;
            let name = ServerName::try_from(host.clone()).with_context(|| host.clone())?;
            Ok((address, format!("{}:{}", server.host, server.port), name))
        };
        let servers = servers.iter().map(resolve).collect::<anyhow::Result<_>>()?;
        Ok(Self { servers, pins })
    }

    /// What a machine shakes hands with.
    pub(super) fn tls(&self, identity: &Identity) -> Result<Arc<ClientConfig>, rustls::Error> {
        let client = (identity.certificate.clone(), identity.private.clone_key());
        let mut config = operator::tls::config(self.pins.clone(), b"h2", Some(client))?;
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// Connects machine `number`, the `attempt`th time: to its own server first, then to the next.
    pub(super) async fn dial(
        &self,
        number: u32,
        attempt: u32,
        tls: &Arc<ClientConfig>,
        tally: &Arc<Tally>,
    ) -> Result<Connection, Trouble> {
        let index = number.wrapping_add(attempt) as usize % self.servers.len().max(1);
        let (address, authority, name) =
            self.servers.get(index).ok_or_else(|| Trouble::new("no server"))?;
        let begun = Instant::now();
        let stream = timeout(STALL, connect(*address, number)).await;
        let stream = stream.map_err(|_| Trouble::new("connect: no answer"))?;
        let stream = stream.map_err(|e| Trouble::of("connect", &e))?;
        stream.set_nodelay(true).map_err(|e| Trouble::of("connect", &e))?;
        let shaken = TlsConnector::from(Arc::clone(tls)).connect(name.clone(), stream);
        let shaken = timeout(STALL, shaken).await.map_err(|_| Trouble::new("TLS: no answer"))?;
        let stream = shaken.map_err(|e| Trouble::of("TLS", &e))?;
        tally.took(Step::Connect, begun.elapsed());
        let (sender, driver) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOWS)
            .max_header_list_size(16 << 10)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|e| Trouble::of("HTTP/2", &e))?;
        // How it ends shows in the requests that are under way.
        let driver = tokio::spawn(driver).abort_handle();
        Ok(Connection { sender, authority: authority.clone(), driver, tally: Arc::clone(tally) })
    }
}

/// On this computer's loopback machines come from many addresses, as they do elsewhere.
async fn connect(server: SocketAddr, number: u32) -> std::io::Result<TcpStream> {
    let SocketAddr::V4(v4) = server else { return TcpStream::connect(server).await };
    let socket = TcpSocket::new_v4()?;
    if v4.ip().is_loopback() {
        let [_, _, third, fourth] = (1 + number / FROM_ONE).to_be_bytes();
        let from = Ipv4Addr::new(127, 1, third, fourth);
        socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
    }
    socket.connect(server).await
}

/// A body that goes on for as long as the request.
#[derive(Clone)]
pub(super) struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        self: Pinned<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        task::Poll::Pending
    }
}

type Sent = Either<Full<Bytes>, Endless>;

/// A connection on which many requests can be made at once.
pub(super) struct Connection {
    sender: SendRequest<Sent>,
    authority: String,
    driver: tokio::task::AbortHandle,
    tally: Arc<Tally>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Sends a message and reads the answer, which must begin within `patience`.
    pub(super) async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        message: &impl Serialize,
        patience: Duration,
    ) -> Result<A, Trouble> {
        let body = Either::Left(Full::new(encode(message).into()));
        let response = self.send(Method::POST, path, body, patience).await?;
        let body = collect(path, response, MAX_MESSAGE).await?;
        decode(&body).map_err(|e| Trouble::new(format!("{path}: {e}")))
    }

    /// Fetches what has at most `most` bytes.
    pub(super) async fn get(&self, path: &str, most: usize) -> Result<Vec<u8>, Trouble> {
        let body = Either::Left(Full::default());
        collect(path, self.send(Method::GET, path, body, STALL).await?, most).await
    }

    /// Leaves a request with a body that does not end; ready when it is answered.
    pub(super) async fn leave(&self, path: &str) -> Result<Response<Incoming>, Trouble> {
        self.send(Method::POST, path, Either::Right(Endless), Duration::MAX).await
    }

    /// Asks until the server has time for it, on the same connection, as the agent does.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Sent,
        patience: Duration,
    ) -> Result<Response<Incoming>, Trouble> {
        let mut attempt = 0;
        loop {
            match self.send_once(method.clone(), path, body.clone(), patience).await {
                Err(trouble) if trouble.busy => {
                    self.tally.postpone();
                    attempt += 1;
                    sleep(backoff(attempt, trouble.retry_after)).await;
                }
                answered => return answered,
            }
        }
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        body: Sent,
        patience: Duration,
    ) -> Result<Response<Incoming>, Trouble> {
        let request =
            Request::builder().method(method).uri(format!("https://{}{path}", self.authority));
        let request = request.header(header::CONTENT_TYPE, "application/cbor").body(body);
        let request = request.map_err(|e| Trouble::of(path, &e))?;
        let mut sender = self.sender.clone();
        let answer = timeout(patience, async {
            sender.ready().await?;
            sender.send_request(request).await
        });
        let answer = answer.await.map_err(|_| Trouble::new(format!("{path}: no answer")))?;
        let answer = answer.map_err(|e| Trouble::of(path, &e))?;
        if answer.status() == StatusCode::OK {
            Ok(answer)
        } else {
            Err(refusal(path, answer).await)
        }
    }
}

async fn collect(
    path: &str,
    response: Response<Incoming>,
    most: usize,
) -> Result<Vec<u8>, Trouble> {
    let (mut body, mut bytes) = (response.into_body(), Vec::new());
    loop {
        let frame = timeout(STALL, body.frame()).await;
        let frame =
            frame.map_err(|_| Trouble::new(format!("{path}: the answer does not go on")))?;
        let Some(frame) = frame else { return Ok(bytes) };
        let frame = frame.map_err(|e| Trouble::of(path, &e))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(Trouble::new(format!("{path}: an answer of more than {most} bytes")));
        }
        bytes.extend_from_slice(&data);
    }
}

async fn refusal(path: &str, response: Response<Incoming>) -> Trouble {
    let (status, headers) = (response.status(), response.headers());
    let seconds = headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    let text = collect(path, response, 4096).await.unwrap_or_default();
    let text: String = String::from_utf8_lossy(&text).chars().take(REASON).collect();
    let retry_after = seconds.map(Duration::from_secs);
    let busy = status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some();
    Trouble { what: format!("{path}: {status} {text}").trim_end().to_owned(), retry_after, busy }
}
