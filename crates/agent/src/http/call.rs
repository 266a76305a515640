//! Bytes in both directions within one request: whoever is behind the server calls, the machine has left the door open.

use super::{Connection, STALL, refusal};
use crate::failure::Failure;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Either};
use hyper::{
    Method, StatusCode,
    body::{Body, Frame, Incoming},
};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc;
use xenoboot_wire::Code;

/// Pieces that wait to be sent: few, so that whoever makes them is slowed down to what the path takes.
const QUEUE: usize = 4;

/// What is sent in a request as it comes.
#[derive(Debug)]
pub struct Upload(mpsc::Receiver<Bytes>);

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Somebody called: bytes come from there and go there.
#[derive(Debug)]
pub struct Call {
    /// What is to be sent. Dropped, it says that nothing follows.
    pub to: mpsc::Sender<Bytes>,
    /// What comes.
    pub from: Caller,
}

/// What comes from whoever called.
#[derive(Debug)]
pub struct Caller(Incoming);

impl Caller {
    /// The next bytes, however long they take; `None` when nothing follows, for whatever reason.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.0.frame().await?.ok()?.into_data() {
                Ok(data) if !data.is_empty() => return Some(data),
                _ => {}
            }
        }
    }
}

impl Connection {
    /// Leaves a request with the server until somebody calls; the connection's pings say whether it is still there.
    ///
    /// # Errors
    /// When the server refuses it, or the connection ends.
    pub async fn await_call(&self, path: &str) -> Result<Call, Failure> {
        let (to, queue) = mpsc::channel(QUEUE);
        let request = self.request(Method::POST, path).body(Either::Right(Upload(queue)));
        let request = request.map_err(|e| Failure::chain(Code::BadAnswer, &e))?;
        let mut sender = self.sender.clone();
        let ready = tokio::time::timeout(STALL, sender.ready());
        ready
            .await
            .map_err(|_| Failure::new(Code::Stalled, path))?
            .map_err(|e| super::broken(&e))?;
        let response = sender.send_request(request).await.map_err(|e| super::broken(&e))?;
        if response.status() != StatusCode::OK {
            return Err(refusal(path, response, &self.driver).await);
        }
        Ok(Call { to, from: Caller(response.into_body()) })
    }
}
