//! Requests to the server, one after the other on one connection, which is made anew when it has ended.

mod relay;

use super::{text::shown, tls};
use crate::ui::WithHint;
use anyhow::{Context, anyhow, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Method, Request, Response, Uri,
    body::{Body, Incoming},
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::{Serialize, de::DeserializeOwned};
use std::{io, path::Path, sync::Arc, time::Duration};
use tokio::{net::TcpStream, runtime::Runtime, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use xenoboot_server::api::Failed;
use xenoboot_wire::Pin;
use zeroize::Zeroizing;

/// For connecting, and for the TLS handshake.
const CONNECT: Duration = Duration::from_secs(10);
/// For an answer: questions are held for up to 50 s.
const ANSWER: Duration = Duration::from_secs(70);
/// What is spoken, by its name in ALPN.
const HTTP1: &[u8] = b"http/1.1";
/// Largest answer that is read, bytes.
const MAX_ANSWER: usize = 64 << 20;

/// The server cannot be reached now; it may be another time.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach the server at {url}")]
pub(crate) struct Unreachable {
    url: String,
    source: io::Error,
}

type Sent = BoxBody<Bytes, io::Error>;

/// A way to the server.
pub(crate) struct Client {
    runtime: Runtime,
    server: Server,
    connection: Option<SendRequest<Sent>>,
}

/// What the operator file says.
struct Server {
    file: String,
    url: String,
    host: String,
    port: u16,
    pin: Pin,
    token: Zeroizing<String>,
    tls: TlsConnector,
}

impl Client {
    pub(super) fn new(
        file: &Path,
        url: &str,
        pin: Pin,
        token: Zeroizing<String>,
    ) -> anyhow::Result<Self> {
        let file = file.display().to_string();
        let uri: Uri = url.parse().with_context(|| format!("{file}: `{url}` is not a URL"))?;
        let (scheme, host) = (uri.scheme_str(), uri.host().unwrap_or_default());
        ensure!(
            scheme == Some("https") && !host.is_empty(),
            "{file}: `{url}` is not https://HOST:PORT"
        );
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(7443);
        let tls = TlsConnector::from(Arc::new(tls::config(vec![pin], HTTP1, None)?));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let server = Server { file, url: url.to_owned(), host, port, pin, token, tls };
        Ok(Self { runtime, server, connection: None })
    }

    /// Where the server is, and how it is known.
    pub(crate) fn server(&self) -> (&str, Pin) {
        (&self.server.url, self.server.pin)
    }

    /// An operator file for the same server, with this token.
    pub(crate) fn operator_file(&self, token: &str) -> String {
        let Server { url, pin, .. } = &self.server;
        format!("url = \"{url}\"\npin = \"{pin}\"\ntoken = \"{token}\"\n")
    }

    /// `GET /api/v1/PATH`.
    pub(crate) fn get<A: DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<A> {
        self.json(Method::GET, path, full(Bytes::new()))
    }

    /// `POST /api/v1/PATH`, JSON both ways.
    pub(crate) fn post<A: DeserializeOwned>(
        &mut self,
        path: &str,
        message: &impl Serialize,
    ) -> anyhow::Result<A> {
        let body = serde_json::to_vec(message)?;
        self.json(Method::POST, path, full(body.into()))
    }

    /// `DELETE /api/v1/PATH`; the answer has nothing in it.
    pub(crate) fn delete(&mut self, path: &str) -> anyhow::Result<()> {
        self.request(Method::DELETE, path, full(Bytes::new())).map(drop)
    }

    /// `PUT /api/v1/PATH`, JSON both ways.
    pub(crate) fn put_json<A: DeserializeOwned>(
        &mut self,
        path: &str,
        message: &impl Serialize,
    ) -> anyhow::Result<A> {
        let body = serde_json::to_vec(message)?;
        self.json(Method::PUT, path, full(body.into()))
    }

    /// `POST /api/v1/PATH` of bytes.
    pub(crate) fn post_bytes<A: DeserializeOwned>(
        &mut self,
        path: &str,
        bytes: Vec<u8>,
    ) -> anyhow::Result<A> {
        self.json(Method::POST, path, full(bytes.into()))
    }

    /// `PUT /api/v1/PATH` of a long body; the answer has nothing in it.
    pub(crate) fn put<B>(&mut self, path: &str, body: B) -> anyhow::Result<()>
    where
        B: Body<Data = Bytes, Error = io::Error> + Send + Sync + 'static,
    {
        self.request(Method::PUT, path, body.boxed()).map(drop)
    }

    fn json<A: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Sent,
    ) -> anyhow::Result<A> {
        let bytes = self.request(method, path, body)?;
        serde_json::from_slice(&bytes)
            .with_context(|| format!("the server's answer to {path} is not understood"))
    }

    fn request(&mut self, method: Method, path: &str, body: Sent) -> anyhow::Result<Vec<u8>> {
        let Self { runtime, server, connection } = self;
        runtime.block_on(async {
            let mut sender = match connection.take() {
                Some(sender) if !sender.is_closed() => sender,
                _ => server.connect().await?,
            };
            // A body of unknown duration is limited by the server, which gives up when nothing comes.
            let limit = if method == Method::PUT { Duration::MAX } else { ANSWER };
            let request = server.request(method, path, body)?;
            let answer = timeout(limit, async {
                let response = sender.send_request(request).await.map_err(|e| server.broken(&e))?;
                server.read(response).await
            });
            let (status, bytes) =
                answer.await.map_err(|_| server.unreachable(io::ErrorKind::TimedOut.into()))??;
            *connection = Some(sender);
            if status.is_success() { Ok(bytes) } else { Err(server.refused(status, &bytes)) }
        })
    }
}

fn full(bytes: Bytes) -> Sent {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

impl Server {
    async fn connect(&self) -> anyhow::Result<SendRequest<Sent>> {
        let stream = self.shake_hands(&self.tls).await?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|e| self.broken(&e))?;
        // How it ends shows in the request that is under way then.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn shake_hands(&self, tls: &TlsConnector) -> anyhow::Result<TlsStream<TcpStream>> {
        let stream = timeout(CONNECT, TcpStream::connect((self.host.as_str(), self.port))).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = stream.map_err(|e| self.unreachable(e));
        let stream = stream
            .hint(format!("{} says where it is; is `xenoboot serve` running there?", self.file))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(self.host.clone())
            .with_context(|| format!("{} is no name", self.host))?;
        let stream = timeout(CONNECT, tls.connect(name, stream)).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        stream.map_err(|error| self.no_tls(error))
    }

    fn no_tls(&self, error: io::Error) -> anyhow::Error {
        let Some(found) = tls::wrong_pin(&error) else { return self.unreachable(error).into() };
        let (url, file) = (&self.url, &self.file);
        let problem = anyhow!("the server at {url} has the key {found}, not {}", self.pin);
        let hinted = Err::<(), _>(problem).hint(format!(
            "{file} may be of another server, or the server's key is a new one; if neither is so, somebody is in between"
        ));
        hinted.err().unwrap_or_else(|| anyhow!("unreachable"))
    }

    fn request(&self, method: Method, path: &str, body: Sent) -> anyhow::Result<Request<Sent>> {
        let mut token = header::HeaderValue::from_str(&format!("Bearer {}", self.token.as_str()))?;
        token.set_sensitive(true);
        Ok(Request::builder()
            .method(method)
            .uri(format!("/api/v1/{path}"))
            .header(header::HOST, format!("{}:{}", self.host, self.port))
            .header(header::AUTHORIZATION, token)
            .body(body)?)
    }

    async fn read(
        &self,
        mut response: Response<Incoming>,
    ) -> anyhow::Result<(hyper::StatusCode, Vec<u8>)> {
        let mut bytes = Vec::new();
        while let Some(frame) = response.body_mut().frame().await {
            if let Ok(data) = frame.map_err(|e| self.broken(&e))?.into_data() {
                ensure!(bytes.len() + data.len() <= MAX_ANSWER, "the server's answer is too large");
                bytes.extend_from_slice(&data);
            }
        }
        Ok((response.status(), bytes))
    }

    fn broken(&self, error: &hyper::Error) -> Unreachable {
        let cause =
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        self.unreachable(io::Error::other(cause))
    }

    fn unreachable(&self, source: io::Error) -> Unreachable {
        Unreachable { url: self.url.clone(), source }
    }

    fn refused(&self, status: hyper::StatusCode, body: &[u8]) -> anyhow::Error {
        let Ok(Failed { error, hint }) = serde_json::from_slice(body) else {
            return anyhow!("the server at {} answered {status}", self.url);
        };
        let problem = anyhow!("{}", shown(&error));
        match hint {
            None => problem,
            Some(hint) => Err::<(), _>(problem)
                .hint(shown(&hint))
                .err()
                .unwrap_or_else(|| anyhow!("{status}")),
        }
    }
}
