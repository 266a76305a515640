//! Ports that are forwarded: from the operator to what the machine reaches, and from the machine's own loopback to
//! what the operator reaches.

use super::inbox::{self, Inbox};
use bytes::Bytes;
use russh::{
    Channel, ChannelId, ChannelOpenFailure,
    server::{ChannelOpenHandle, Handle, Msg},
};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::Semaphore,
    task::AbortHandle,
    time::{sleep, timeout},
};

/// For a connection to be made.
const PATIENCE: Duration = Duration::from_secs(15);
/// Most ports of the machine that are forwarded, and connections to each.
const PORTS: usize = 16;
const CONNECTIONS: usize = 16;
/// What is read of a connection at once, bytes.
const PIECE: usize = 16 << 10;

/// Where `host` is: an address, or the machine itself. Names are for the operator's computer to look up.
fn addresses(host: &str) -> Vec<IpAddr> {
    match host.parse() {
        Ok(address) => vec![address],
        Err(_) if host.eq_ignore_ascii_case("localhost") => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        Err(_) => Vec::new(),
    }
}

async fn dial(host: &str, port: u32) -> Option<TcpStream> {
    let port = u16::try_from(port).ok()?;
    for address in addresses(host) {
        let connecting = TcpStream::connect(SocketAddr::new(address, port));
        if let Ok(Ok(stream)) = timeout(PATIENCE, connecting).await {
            return Some(stream);
        }
    }
    None
}

/// Connects a channel to `target`, and carries bytes until both have ended.
pub(super) async fn connect(
    channel: Channel<Msg>,
    target: (String, u32),
    reply: ChannelOpenHandle,
    handle: Handle,
    inbox: Inbox,
) {
    match dial(&target.0, target.1).await {
        Some(stream) => {
            reply.accept().await;
            carry(channel, stream, handle, inbox).await;
        }
        None => reply.reject(ChannelOpenFailure::ConnectFailed).await,
    }
}

async fn carry(channel: Channel<Msg>, stream: TcpStream, handle: Handle, inbox: Inbox) {
    let id = channel.id();
    let (_, to) = channel.split();
    let (from_there, mut there) = stream.into_split();
    let back = async {
        send(from_there, &to).await;
        // Fails when the session is over.
        let _ = to.eof().await;
    };
    let forth = async {
        while let Some(bytes) = inbox.take().await {
            if there.write_all(&bytes).await.is_err() {
                break;
            }
            inbox::used(&handle, id, bytes.len()).await;
        }
        // It may have gone already.
        let _ = there.shutdown().await;
    };
    tokio::select! {
        _ = async { tokio::join!(back, forth) } => {}
        () = inbox.closed() => {}
    }
    let _ = to.close().await;
    inbox.close();
}

async fn send(mut from: OwnedReadHalf, to: &russh::ChannelWriteHalf<Msg>) {
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let bytes = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
        if to.data_bytes(bytes).await.is_err() {
            return;
        }
    }
}

/// Ports of the machine's loopback that are forwarded to the operator; the end of the session closes them.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    tasks: HashMap<(String, u32), AbortHandle>,
    open: Opened,
}

/// Channels that the machine has opened.
#[derive(Clone, Debug, Default)]
struct Opened(Arc<Mutex<HashMap<ChannelId, Inbox>>>);

impl Opened {
    fn all(&self) -> MutexGuard<'_, HashMap<ChannelId, Inbox>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.tasks.values().for_each(AbortHandle::abort);
    }
}

impl Listeners {
    pub(super) fn push(&self, id: ChannelId, data: &[u8]) {
        // The client may send before the task that opened the channel has come to note it.
        self.open.all().entry(id).or_default().push(data);
    }

    pub(super) fn end(&self, id: ChannelId) {
        self.open.all().entry(id).or_default().end();
    }

    pub(super) fn close(&self, id: ChannelId) {
        if let Some(inbox) = self.open.all().remove(&id) {
            inbox.close();
        }
    }

    /// Listens for a client that asked for `address`; whatever it asked for, only the loopback is listened on. A port of
    /// zero becomes the one that was free.
    pub(super) async fn listen(&mut self, address: &str, port: &mut u32, handle: Handle) -> bool {
        let wanted = u16::try_from(*port).ok().filter(|_| self.tasks.len() < PORTS);
        let Some(wanted) = wanted else { return false };
        let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).await else {
            return false;
        };
        let Ok(bound) = listener.local_addr() else { return false };
        *port = bound.port().into();
        let name = (address.to_owned(), *port);
        let task = tokio::spawn(accept(listener, name.clone(), handle, self.open.clone()));
        self.tasks.insert(name, task.abort_handle());
        true
    }

    pub(super) fn cancel(&mut self, address: &str, port: u32) -> bool {
        let task = self.tasks.remove(&(address.to_owned(), port));
        task.is_some_and(|task| {
            task.abort();
            true
        })
    }
}

async fn accept(listener: TcpListener, name: (String, u32), handle: Handle, open: Opened) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (handle, open, (address, port)) = (handle.clone(), open.clone(), name.clone());
        tokio::spawn(async move {
            let from = (peer.ip().to_string(), u32::from(peer.port()));
            let opened = handle.channel_open_forwarded_tcpip(address, port, from.0, from.1).await;
            if let Ok(channel) = opened {
                let id = channel.id();
                let inbox = open.all().entry(id).or_default().clone();
                carry(channel, stream, handle, inbox).await;
                open.all().remove(&id);
            }
            drop(place);
        });
    }
}
