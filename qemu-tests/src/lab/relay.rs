//! A connection from the machine to the server's address, carried on to the real server: as it is, or after
//! the request to a proxy.

use super::{Behaviour, PROXY_PORT, SERVER, Shared};
use smoltcp::{
    iface::{SocketHandle, SocketSet},
    socket::tcp::{Socket, SocketBuffer, State},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    sync::atomic::Ordering::Relaxed,
};

/// Bytes under way in each direction.
const BUFFER: usize = 64 << 10;

/// Longest request to the proxy.
const LONGEST_REQUEST: usize = 4096;

/// What the machine connects to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The server.
    Direct,
    /// A proxy (RFC 9110, section 9.3.6), which leads to the server only.
    Proxy,
}

/// One socket that listens, and the connection that it leads to.
pub(super) struct Relay {
    socket: SocketHandle,
    kind: Kind,
    /// What the proxy has been asked so far.
    request: Vec<u8>,
    upstream: Option<TcpStream>,
    /// The server has sent all that it will.
    finished: bool,
}

impl Relay {
    pub(super) fn new(kind: Kind, sockets: &mut SocketSet<'_>) -> Self {
        let buffer = || SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        let socket = sockets.add(socket);
        Self { socket, kind, request: Vec::new(), upstream: None, finished: false }
    }

    /// Carries what can be carried now.
    pub(super) fn turn(
        &mut self,
        sockets: &mut SocketSet<'_>,
        behaviour: &Behaviour,
        shared: &Shared,
    ) {
        let socket = sockets.get_mut::<Socket<'_>>(self.socket);
        match socket.state() {
            State::Closed => {
                self.upstream = None;
                self.finished = false;
                self.request.clear();
                let port = if self.kind == Kind::Proxy { PROXY_PORT } else { SERVER.port() };
                // Fails only for a port of zero or a socket in use.
                let _ = socket.listen(port);
            }
            State::Listen | State::SynReceived => {}
            _ if self.upstream.is_none() && !self.asked(socket, shared) => {}
            _ if self.upstream.is_none() => match connect(behaviour) {
                Ok(stream) => {
                    shared.counters.connections.fetch_add(1, Relaxed);
                    self.upstream = Some(stream);
                }
                Err(_) => socket.abort(),
            },
            _ => self.carry(socket),
        }
    }

    /// Whether the way to the server is open: at once, or when the proxy has been asked for it.
    fn asked(&mut self, socket: &mut Socket<'_>, shared: &Shared) -> bool {
        if self.kind == Kind::Direct {
            return true;
        }
        let _ = socket.recv(|bytes| {
            self.request.extend_from_slice(bytes);
            (bytes.len(), ())
        });
        if !self.request.ends_with(b"\r\n\r\n") {
            if self.request.len() > LONGEST_REQUEST || !socket.may_recv() {
                socket.abort();
            }
            return false;
        }
        let wanted = format!("CONNECT {SERVER} HTTP/1.1\r\n");
        if !self.request.starts_with(wanted.as_bytes()) {
            let _ = socket.send_slice(b"HTTP/1.1 403 Forbidden\r\n\r\n");
            socket.close();
            return false;
        }
        shared.counters.proxied.fetch_add(1, Relaxed);
        socket.send_slice(b"HTTP/1.1 200 Connection established\r\n\r\n").is_ok()
    }

    fn carry(&mut self, socket: &mut Socket<'_>) {
        let Some(upstream) = &mut self.upstream else { return };
        if up(socket, upstream).is_err()
            || (!self.finished && down(socket, upstream, &mut self.finished).is_err())
        {
            socket.abort();
        }
        if !socket.may_recv() && socket.recv_queue() == 0 {
            let _ = upstream.shutdown(Shutdown::Write);
        }
        if self.finished {
            socket.close();
        }
    }
}

fn connect(behaviour: &Behaviour) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(behaviour.server)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// From the machine to the server.
fn up(socket: &mut Socket<'_>, upstream: &mut TcpStream) -> std::io::Result<()> {
    while socket.can_recv() {
        let taken = socket.recv(|bytes| match upstream.write(bytes) {
            Ok(count) => (count, Ok(count)),
            Err(error) => (0, Err(error)),
        });
        match taken {
            Ok(Ok(0)) | Err(_) => break,
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock => break,
            Ok(Err(error)) => return Err(error),
        }
    }
    Ok(())
}

/// From the server to the machine.
fn down(
    socket: &mut Socket<'_>,
    upstream: &mut TcpStream,
    finished: &mut bool,
) -> std::io::Result<()> {
    while socket.can_send() {
        let sent = socket.send(|room| match upstream.read(room) {
            Ok(count) => (count, Ok(count)),
            Err(error) => (0, Err(error)),
        });
        match sent {
            Ok(Ok(0)) => {
                *finished = true;
                break;
            }
            Err(_) => break,
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock => break,
            Ok(Err(error)) => return Err(error),
        }
    }
    Ok(())
}
