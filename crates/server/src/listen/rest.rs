//! What is left of a request when it has been answered. A client that is still sending when its connection is closed never
//! sees the answer, which says why: so the rest is read for a moment, and thrown away.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{runtime::Handle, time::timeout};

/// For so long, and at most so many bytes.
const LINGER: Duration = Duration::from_secs(5);
const MOST: usize = 64 << 20;

/// A request's body, of HTTP/1.1; in HTTP/2 a request that is answered is no more, and its connection goes on.
pub(super) struct ToTheEnd(Option<Incoming>);

impl From<Incoming> for ToTheEnd {
    fn from(body: Incoming) -> Self {
        Self(Some(body))
    }
}

impl Body for ToTheEnd {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for ToTheEnd {
    fn drop(&mut self) {
        let Some(mut body) = self.0.take().filter(|body| !body.is_end_stream()) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(timeout(LINGER, async move {
            let mut left = MOST;
            while let Some(Ok(frame)) = body.frame().await {
                let read = frame.data_ref().map_or(0, Bytes::len);
                let Some(rest) = left.checked_sub(read) else { return };
                left = rest;
            }
        }));
    }
}
