//! One HTTP/2 connection to the server: CBOR messages and blobs. Limits are on progress: an answer may
//! take as long as it likes while bytes come.

pub mod call;

use crate::failure::Failure;
use bytes::Bytes;
use call::Upload;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
    header,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::AbortHandle,
    time::timeout,
};
use xenoboot_wire::{
    Code, MAX_MESSAGE, decode, encode,
    timing::{PING, PONG, WINDOW, WINDOWS},
};

pub use xenoboot_wire::timing::STALL;

/// How much of an error's text is shown, bytes.
const MAX_REASON: usize = 200;

/// What a request has: a message, or bytes that are still to come.
type Sent = Either<Full<Bytes>, Upload>;

/// A connection on which requests can be made, many at once.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Sent>,
    authority: String,
    peer: String,
    driver: AbortHandle,
    gone: watch::Receiver<Option<String>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An answer whose bytes are still coming.
#[derive(Debug)]
pub struct Download {
    response: Response<Incoming>,
    driver: AbortHandle,
}

/// Why an answer did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    /// Nothing came for [`STALL`].
    #[error("no byte came for {} s", STALL.as_secs())]
    Silent,
    /// The connection or the stream ended.
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl From<Interrupted> for Failure {
    fn from(error: Interrupted) -> Self {
        let connection_lost = matches!(error, Interrupted::Broken(_));
        Self { connection_lost, ..Self::new(Code::Stalled, error) }
    }
}

impl Connection {
    /// Begins HTTP/2 on a stream that has been authenticated. `authority` is the server's `HOST:PORT`;
    /// `peer` names it and its address, for people.
    ///
    /// # Errors
    /// When the stream ends before the preface was written.
    pub async fn open<S>(stream: S, authority: &str, peer: &str) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
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
            .map_err(|e| broken(&e))?;
        let (set_gone, gone) = watch::channel(None);
        let driver = tokio::spawn(async move {
            let why = match driver.await {
                Ok(()) => "the server closed it".to_owned(),
                Err(e) => broken(&e).to_string(),
            };
            set_gone.send_replace(Some(why));
        });
        let (authority, peer) = (authority.to_owned(), peer.to_owned());
        Ok(Self { sender, authority, peer, driver: driver.abort_handle(), gone })
    }

    /// The server's name and address, for people.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The server's `HOST:PORT`, as the site file has it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Waits until the connection is of no more use; says why.
    pub async fn gone(&self) -> String {
        let mut gone = self.gone.clone();
        let why = gone.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        // Nothing was set: the driver was aborted.
        why.unwrap_or_else(|| "it was given up".to_owned())
    }

    /// Sends a message, waits for the answer: at most `patience` until it begins.
    ///
    /// # Errors
    /// `Stalled` when nothing comes, `ServerError` for a status other than 200, `BadAnswer` for what is
    /// not the message expected.
    pub async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        message: &impl Serialize,
        patience: Duration,
    ) -> Result<A, Failure> {
        let request = self
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/cbor")
            .body(Either::Left(Full::new(encode(message).into())));
        let response = self.send(request, path, patience).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(path, response, &self.driver).await);
        }
        let body = collect(response, &self.driver, MAX_MESSAGE).await?;
        decode(&body).map_err(|e| Failure::new(Code::BadAnswer, format!("{path}: {e}")))
    }

    /// Fetches bytes, from `offset` on.
    ///
    /// # Errors
    /// As [`Connection::post`]; a status 404 is `BlobMissing`.
    pub async fn get(&self, path: &str, offset: u64) -> Result<Download, Failure> {
        let mut request = self.request(Method::GET, path);
        if offset > 0 {
            request = request.header(header::RANGE, format!("bytes={offset}-"));
        }
        let response = self.send(request.body(Either::Left(Full::default())), path, STALL).await?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                Ok(Download { response, driver: self.driver.clone() })
            }
            StatusCode::NOT_FOUND => {
                Err(Failure::new(Code::BlobMissing, format!("the server has no {path}")))
            }
            _ => Err(refusal(path, response, &self.driver).await),
        }
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder().method(method).uri(format!("https://{}{path}", self.authority))
    }

    async fn send(
        &self,
        request: hyper::http::Result<Request<Sent>>,
        path: &str,
        patience: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        let request = request.map_err(|e| Failure::chain(Code::BadAnswer, &e))?;
        let mut sender = self.sender.clone();
        let sent = timeout(patience, async {
            sender.ready().await?;
            sender.send_request(request).await
        });
        match sent.await {
            Ok(response) => Ok(response.map_err(|e| broken(&e))?),
            Err(_) => {
                self.driver.abort();
                let cause = format!("{path}: no answer for {} s", patience.as_secs());
                Err(Failure::new(Code::Stalled, cause))
            }
        }
    }
}

impl Download {
    /// Whether it begins at the offset that was asked for; otherwise it begins at zero.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.response.status() == StatusCode::PARTIAL_CONTENT
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When nothing comes, or the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Interrupted> {
        next(&mut self.response, &self.driver).await
    }
}

/// One connection carries everything: when it is silent in the middle of an answer nobody else shall wait for
/// it, so it is given up, and a new one is made.
async fn next(
    response: &mut Response<Incoming>,
    driver: &AbortHandle,
) -> Result<Option<Bytes>, Interrupted> {
    loop {
        let Ok(frame) = timeout(STALL, response.body_mut().frame()).await else {
            driver.abort();
            return Err(Interrupted::Silent);
        };
        match frame.transpose().map_err(|e| broken(&e))? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(data) = frame.into_data()
                    && !data.is_empty()
                {
                    return Ok(Some(data));
                }
            }
        }
    }
}

async fn collect(
    mut response: Response<Incoming>,
    driver: &AbortHandle,
    most: usize,
) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(data) = next(&mut response, driver).await? {
        if body.len() + data.len() > most {
            return Err(Failure::new(
                Code::BadAnswer,
                format!("an answer of more than {most} bytes"),
            ));
        }
        body.extend_from_slice(&data);
    }
    Ok(body)
}

/// What a status other than success means; the server may say why, and when to come back.
async fn refusal(path: &str, response: Response<Incoming>, driver: &AbortHandle) -> Failure {
    let status = response.status();
    let seconds =
        response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    let body = collect(response, driver, MAX_REASON * 8).await.unwrap_or_default();
    let reason = crate::text::cut(&String::from_utf8_lossy(&body), MAX_REASON);
    let mut failure =
        Failure::new(Code::ServerError, format!("{path}: {status} {reason}").trim_end());
    failure.retry_after = seconds.map(Duration::from_secs);
    failure
}

fn broken(error: &hyper::Error) -> Interrupted {
    Interrupted::Broken(Failure::chain(Code::Stalled, error).cause)
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
