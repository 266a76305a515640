//! The console's relay, as small as can be: what connects to a port of the loopback is joined with a machine's request.

use super::{Server, status};
use http_body_util::{BodyExt as _, StreamBody, combinators::BoxBody};
use hyper::{
    Response, StatusCode,
    body::{Bytes, Frame, Incoming},
};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::{Mutex, mpsc},
};

/// Connections that wait for a machine.
pub(crate) struct Doors {
    come: mpsc::Sender<TcpStream>,
    waiting: Mutex<mpsc::Receiver<TcpStream>>,
}

impl Default for Doors {
    fn default() -> Self {
        let (come, waiting) = mpsc::channel(16);
        Self { come, waiting: Mutex::new(waiting) }
    }
}

impl Server {
    /// A port by which a machine's console is reached.
    pub(crate) async fn console_port(self: &Arc<Self>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let come = self.doors.come.clone();
        tokio::spawn(async move {
            loop {
                come.send(listener.accept().await.unwrap().0).await.unwrap();
            }
        });
        port
    }

    /// A machine's request: answered when somebody connects.
    pub(super) async fn door(&self, mut body: Incoming) -> Response<BoxBody<Bytes, io::Error>> {
        if self.desk.lock().unwrap().order.is_none() {
            return status(StatusCode::FORBIDDEN, "this machine waits for approval");
        }
        let Some(stream) = self.doors.waiting.lock().await.recv().await else {
            return status(StatusCode::SERVICE_UNAVAILABLE, "nobody comes");
        };
        let (from, mut to) = stream.into_split();
        tokio::spawn(async move {
            while let Some(Ok(frame)) = body.frame().await {
                if to.write_all(&frame.into_data().unwrap()).await.is_err() {
                    return;
                }
            }
        });
        let frames = futures_util::stream::unfold(from, next);
        Response::new(BoxBody::new(StreamBody::new(frames)))
    }
}

async fn next(mut from: OwnedReadHalf) -> Option<(io::Result<Frame<Bytes>>, OwnedReadHalf)> {
    let mut buffer = vec![0; 16 << 10];
    match from.read(&mut buffer).await {
        Ok(count @ 1..) => Some((Ok(Frame::data(Bytes::copy_from_slice(&buffer[..count]))), from)),
        _ => None,
    }
}
