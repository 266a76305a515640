//! Bytes from standard input to the server and from there to standard output, within one request: HTTP/2, which has
//! both directions at once.

use super::{ANSWER, Client, Server};
use crate::operator::tls;
use anyhow::{Context, anyhow};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Method, Request,
    body::{Body, Frame, Incoming},
    client::conn::http2::Builder,
    header,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// A ping after this silence, and its answer within that time: a path that is dead is noticed.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(15);
/// What is read at once, bytes.
const PIECE: usize = 32 << 10;

/// What comes from standard input.
struct Input(mpsc::Receiver<Bytes>);

impl Body for Input {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Client {
    /// `POST /api/v1/PATH` with standard input, the answer to standard output, until either ends.
    pub(crate) fn relay(self, path: &str) -> anyhow::Result<()> {
        let Self { runtime, server, .. } = self;
        let result = runtime.block_on(relay(&server, path));
        // A thread may still wait for standard input.
        runtime.shutdown_background();
        result
    }
}

async fn relay(server: &Server, path: &str) -> anyhow::Result<()> {
    let tls = TlsConnector::from(Arc::new(tls::config(vec![server.pin], b"h2", None)?));
    let stream = server.shake_hands(&tls).await?;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PONG);
    let connecting = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connecting.map_err(|e| server.broken(&e))?;
    tokio::spawn(connection);

    let (to, queue) = mpsc::channel(4);
    let mut token = header::HeaderValue::from_str(&format!("Bearer {}", server.token.as_str()))?;
    token.set_sensitive(true);
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("https://{}:{}/api/v1/{path}", server.host, server.port))
        .header(header::AUTHORIZATION, token)
        .body(Input(queue))?;
    let answer = timeout(ANSWER, sender.send_request(request)).await;
    let answer = answer.map_err(|_| server.unreachable(io::ErrorKind::TimedOut.into()))?;
    let answer = answer.map_err(|e| server.broken(&e))?;
    if !answer.status().is_success() {
        let (status, bytes) = server.read(answer).await?;
        return Err(server.refused(status, &bytes));
    }
    tokio::spawn(send(to));
    receive(answer.into_body()).await
}

/// Ends the request's body when standard input ends.
async fn send(to: mpsc::Sender<Bytes>) {
    let mut input = tokio::io::stdin();
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = input.read(&mut buffer).await {
        let bytes = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
        if to.send(bytes).await.is_err() {
            return;
        }
    }
}

async fn receive(mut body: Incoming) -> anyhow::Result<()> {
    let mut output = tokio::io::stdout();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| {
            let cause =
                std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            anyhow!("{cause}")
                .context("the session has ended: the connection through the server broke")
        })?;
        if let Ok(data) = frame.into_data() {
            output.write_all(&data).await?;
            output.flush().await.context("writing to standard output")?;
        }
    }
    Ok(())
}
