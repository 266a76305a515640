//! Connections: TLS, then HTTP/2 or HTTP/1.1, all with limits, because anyone on the Internet may connect.

mod rest;

use crate::{hub::Presence, server::Shared, tls};
use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rest::ToTheEnd;
use rustls::ServerConfig;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use xenoboot_wire::{MachineKey, timing::LONGEST};

/// Most connections at once.
const MAX_CONNECTIONS: usize = 20_000;
/// Most connections at once from one address (of IPv6: one network of 64 bits, which one host may own).
const MAX_PER_SOURCE: usize = 2_000;
/// Connections that may wait to be accepted: ten thousand machines may come within a second, and one that finds no
/// place here tries again after one.
const BACKLOG: u32 = 4096;
/// For a TLS handshake: as long as machines have patience.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// How long a handshake keeps others from theirs.
const TURN: Duration = Duration::from_millis(100);
/// For a request's headers in HTTP/1.1.
const HEADERS: Duration = Duration::from_secs(15);
/// Longest that a connection may do nothing on which neither an approved machine nor an operator has spoken. A machine that
/// has been put off asks again on the same connection: its next handshake would cost more than the wait.
const IDLE: Duration = LONGEST.saturating_add(Duration::from_secs(15));
/// HTTP/2: a ping after this silence (in which pings of the other side do not count), and its answer within that time.
/// A machine that waits shall cost less than 100 bytes a minute.
const PING: Duration = Duration::from_secs(120);
const PONG: Duration = Duration::from_secs(20);
/// HTTP/2: what may come of one request, and of all on a connection, that nobody has read yet, bytes. A console that
/// an operator does not read must not keep the machine from saying other things.
const WINDOW: u32 = 256 << 10;
const WINDOWS: u32 = 4 << 20;
/// HTTP/2: requests at once on a connection, and the size of their headers in bytes.
const MAX_STREAMS: u32 = 64;
const MAX_HEADERS: u32 = 16 << 10;
/// For answers that are under way when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Who is at the other end of a connection; with every request.
#[derive(Clone)]
pub(crate) struct Peer {
    /// The machine's key, if it has shown a certificate.
    pub(crate) machine: Option<MachineKey>,
    /// Its address.
    pub(crate) address: SocketAddr,
    activity: Arc<Activity>,
}

impl Peer {
    /// One that has a key, on a connection that is not there.
    #[cfg(test)]
    pub(crate) fn of(machine: MachineKey, address: SocketAddr) -> Self {
        Self { machine: Some(machine), address, activity: Arc::default() }
    }

    /// Whether the connection has not ended.
    pub(crate) fn connected(&self) -> bool {
        !self.activity.ended.load(Relaxed)
    }

    /// How many requests came over the connection so far.
    pub(crate) fn requests_begun(&self) -> usize {
        self.activity.begun.load(Relaxed)
    }

    /// Whether it is the same connection.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.activity, &other.activity)
    }

    /// Notes that whoever is there may be there for as long as it likes.
    pub(crate) fn trust(&self) {
        self.activity.trusted.store(true, Relaxed);
    }
}

#[derive(Default)]
struct Activity {
    trusted: AtomicBool,
    requests: AtomicUsize,
    begun: AtomicUsize,
    ended: AtomicBool,
}

/// A connection; dropped when it ends.
struct Open(Arc<Activity>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.ended.store(true, Relaxed);
    }
}

/// A request that has not been answered yet.
struct Answering(Arc<Activity>);

impl Answering {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Relaxed);
        activity.begun.fetch_add(1, Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Relaxed);
    }
}

/// Listens.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections for ever.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    router: Router,
    shared: Arc<Shared>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let room = Arc::new(Semaphore::new(most_connections()));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or the client has gone: both pass.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(source) = shared.sources.enter(address.ip()) else {
            tracing::debug!(%address, "too many connections from there");
            continue;
        };
        let held = Held { _permit: permit, _source: source };
        let (acceptor, router, shared) = (acceptor.clone(), router.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            if let Err(error) = connection(stream, address, &acceptor, router, &shared).await {
                tracing::debug!(%address, %error, "a connection ended");
            }
            drop(held);
        });
    }
}

/// File descriptors are for files too.
fn most_connections() -> usize {
    let limit = std::fs::read_to_string("/proc/self/limits").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("Max open files"))?.to_owned();
        line.split_whitespace().nth(3)?.parse::<usize>().ok()
    });
    limit.map_or(MAX_CONNECTIONS, |files| (files * 3 / 4).clamp(16, MAX_CONNECTIONS))
}

struct Held {
    _permit: OwnedSemaphorePermit,
    _source: Source,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: &TlsAcceptor,
    router: Router,
    shared: &Arc<Shared>,
) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let stream = shake_hands(stream, acceptor, shared).await?;
    let session = stream.get_ref().1;
    let http2 = session.alpn_protocol() == Some(tls::H2);
    let machine = match session.peer_certificates().and_then(|chain| chain.first()) {
        Some(certificate) => Some(tls::machine_key(certificate)?),
        None => None,
    };
    // For as long as the connection lasts. Another server of the same database is no machine.
    let present = machine.filter(|key| *key != shared.own);
    let _presence: Option<Presence> = present.map(|key| shared.hub.connect(key));
    let activity = Arc::new(Activity::default());
    let _open = Open(Arc::clone(&activity));
    let peer = Peer { machine, address, activity: Arc::clone(&activity) };
    http(stream, http2, peer, router, shared, &activity).await
}

/// In turn. One that does not get on keeps its place for a moment only: whoever is silent must not keep others out.
async fn shake_hands(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    shared: &Shared,
) -> Result<TlsStream<TcpStream>, Error> {
    let turn = shared.handshakes.wait().await.ok_or("too many handshakes")?;
    let mut accept = std::pin::pin!(timeout(HANDSHAKE, acceptor.accept(stream)));
    let done = tokio::select! {
        done = accept.as_mut() => done,
        () = sleep(TURN) => {
            drop(turn);
            accept.await
        }
    };
    Ok(done??)
}

async fn http(
    stream: TlsStream<TcpStream>,
    http2: bool,
    peer: Peer,
    router: Router,
    shared: &Shared,
    activity: &Arc<Activity>,
) -> Result<(), Error> {
    let router = TowerToHyperService::new(router);
    let begun = Arc::clone(activity);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let answering = Answering::begin(&begun);
        request.extensions_mut().insert(peer.clone());
        let request = request.map(|body| match http2 {
            true => Body::new(body),
            false => Body::new(ToTheEnd::from(body)),
        });
        let answer = hyper::service::Service::call(&router, request);
        async move {
            let answer = answer.await;
            drop(answering);
            answer
        }
    });
    let stream = TokioIo::new(stream);
    // The two kinds have the same methods, but no common trait.
    macro_rules! drive {
        ($connection:expr) => {{
            let mut connection = std::pin::pin!($connection);
            tokio::select! {
                ended = connection.as_mut() => return Ok(ended?),
                () = idle(activity) => return Err("nothing came".into()),
                () = shared.stopping() => connection.as_mut().graceful_shutdown(),
            }
            Ok(timeout(DRAIN, connection).await??)
        }};
    }
    if http2 {
        let mut builder = conn::http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOWS)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADERS);
        drive!(builder.serve_connection(stream, service))
    } else {
        let mut builder = conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(64 << 10);
        drive!(builder.serve_connection(stream, service))
    }
}

/// Ready when a stranger's connection has done nothing for [`IDLE`].
async fn idle(activity: &Activity) {
    loop {
        let before = activity.begun.load(Relaxed);
        sleep(IDLE).await;
        let busy = activity.requests.load(Relaxed) > 0 || activity.begun.load(Relaxed) != before;
        if !busy && !activity.trusted.load(Relaxed) {
            return;
        }
    }
}

/// Waits until all connections have ended, for a while.
pub(crate) async fn drained(sources: &Sources) {
    let ended = async {
        while !sources.is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    // Whoever has not got its answer by then asks again.
    let _ = timeout(DRAIN, ended).await;
}

/// Connections by where they come from.
#[derive(Clone, Default)]
pub(crate) struct Sources(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection in the count; dropped when it ends.
struct Source {
    sources: Sources,
    from: IpAddr,
}

impl Sources {
    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Counts a connection; `None` when there are too many from there.
    fn enter(&self, address: IpAddr) -> Option<Source> {
        let from = network(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(from).or_insert(0);
        if *count >= MAX_PER_SOURCE {
            return None;
        }
        *count += 1;
        Some(Source { sources: self.clone(), from })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let mut counts = self.sources.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.from);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_has_its_share_and_no_more() {
        let sources = Sources::default();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut held: Vec<_> =
            (0..MAX_PER_SOURCE).map(|_| sources.enter(ip("2001:db8::1")).unwrap()).collect();
        assert!(sources.enter(ip("2001:db8::ffff:2")).is_none());
        assert!(sources.enter(ip("2001:db8:0:1::1")).is_some());
        held.pop();
        assert!(sources.enter(ip("2001:db8::3")).is_some());
        drop(held);
        assert!(sources.0.lock().unwrap().is_empty());
        assert_eq!(network(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }
}
