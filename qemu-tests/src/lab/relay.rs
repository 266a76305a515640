//! A connection from the machine to the server's address, carried on to the real server.

use super::{Behaviour, SERVER, Shared};
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

/// One socket that listens at the server's address, and the connection that it leads to.
pub(super) struct Relay {
    socket: SocketHandle,
    upstream: Option<TcpStream>,
    /// The server has sent all that it will.
    finished: bool,
}

impl Relay {
    pub(super) fn new(sockets: &mut SocketSet<'_>) -> Self {
        let buffer = || SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        Self { socket: sockets.add(socket), upstream: None, finished: false }
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
                // Fails only for a port of zero or a socket in use.
                let _ = socket.listen(SERVER);
            }
            State::Listen | State::SynReceived => {}
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
