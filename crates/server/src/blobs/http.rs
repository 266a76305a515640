//! How the storage is spoken to: HTTP/1.1 on connections that are kept, with our TLS, and nothing waited for in silence.

use crate::outgoing;
use async_trait::async_trait;
use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    header::{HeaderValue, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as Tcp},
    rt::{TokioExecutor, TokioTimer},
};
use object_store::{
    ClientConfigKey, ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
        HttpResponse, HttpResponseBody, HttpService,
    },
};
use std::{
    error::Error,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep, timeout};

/// Longest that a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection is kept that nobody uses: less than others keep it.
const IDLE: Duration = Duration::from_secs(15);
/// Longest answer that is not a blob, bytes: a list of a thousand names, or what an error says.
const MAX_WORDS: u64 = 4 << 20;

/// Connects to the storage.
#[derive(Debug)]
pub(super) struct Connector {
    /// The key by which it is known; else it has a certificate of a public authority.
    pub(super) pin: Option<xenoboot_wire::Pin>,
    /// Longest silence.
    pub(super) patience: Duration,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let failed =
            |e: rustls::Error| object_store::Error::Generic { store: "S3", source: Box::new(e) };
        let builder =
            HttpsConnectorBuilder::new().with_tls_config(outgoing::tls(self.pin).map_err(failed)?);
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp);
        let builder = match plain.as_deref() {
            Some("true") => builder.https_or_http(),
            _ => builder.https_only(),
        };
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(builder.enable_http1().wrap_connector(tcp));
        Ok(HttpClient::new(Http { client, patience: self.patience }))
    }
}

#[derive(Debug)]
struct Http {
    client: Client<HttpsConnector<Tcp>, Counted>,
    patience: Duration,
}

#[async_trait]
impl HttpService for Http {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let mut request = request.map(|inner| Counted { inner, taken: counted });
        let agent = HeaderValue::from_static(concat!("xenoboot/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        // What has a query is about blobs, and is answered in words.
        let words = request.uri().query().is_some();
        let response = self.answer(request, &taken).await?;
        let words = words || !response.status().is_success();
        let left = if words { MAX_WORDS } else { u64::MAX };
        let patience = self.patience;
        Ok(response
            .map(|inner| HttpResponseBody::new(Watched { inner, left, patience, silence: None })))
    }
}

impl Http {
    /// Waits for the answer as long as the request is on its way.
    async fn answer(
        &self,
        request: Request<Counted>,
        taken: &AtomicUsize,
    ) -> Result<Response<Incoming>, HttpError> {
        let mut answer = pin!(self.client.request(request));
        let mut before = 0;
        loop {
            if let Ok(answered) = timeout(self.patience, &mut answer).await {
                return answered.map_err(|e| HttpError::new(kind(&e, e.is_connect()), e));
            }
            let now = taken.load(Ordering::Relaxed);
            if now == before {
                return Err(silent(self.patience));
            }
            before = now;
        }
    }
}

fn silent(patience: Duration) -> HttpError {
    let text = format!("nothing was heard for {} s", patience.as_secs());
    HttpError::new(HttpErrorKind::Timeout, io::Error::new(io::ErrorKind::TimedOut, text))
}

/// By which it is decided whether it is tried again.
fn kind(error: &(dyn Error + 'static), connecting: bool) -> HttpErrorKind {
    if connecting {
        return HttpErrorKind::Connect;
    }
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_parse() {
                return HttpErrorKind::Decode;
            }
            if error.is_closed() || error.is_incomplete_message() || error.is_canceled() {
                return HttpErrorKind::Request;
            }
        }
        if error.downcast_ref::<io::Error>().is_some() {
            return HttpErrorKind::Interrupted;
        }
        cause = error.source();
    }
    HttpErrorKind::Unknown
}

/// A request's body that counts what is taken of it.
#[derive(Debug)]
struct Counted {
    inner: HttpRequestBody,
    taken: Arc<AtomicUsize>,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        self.taken.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body that ends with an error when nothing comes, or too much. Whoever reads may take his time.
struct Watched {
    inner: Incoming,
    left: u64,
    patience: Duration,
    silence: Option<Pin<Box<Sleep>>>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        let patience = this.patience;
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            let silence = this.silence.get_or_insert_with(|| Box::pin(sleep(patience)));
            ready!(silence.as_mut().poll(cx));
            return Poll::Ready(Some(Err(silent(patience))));
        };
        this.silence = None;
        let frame = frame.map(|frame| {
            let frame = frame.map_err(|e| HttpError::new(HttpErrorKind::Interrupted, e))?;
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            let too_much = || io::Error::other("the storage says too much");
            let left = this.left.checked_sub(length);
            this.left = left.ok_or_else(|| HttpError::new(HttpErrorKind::Decode, too_much()))?;
            Ok(frame)
        });
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
