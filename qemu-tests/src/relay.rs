//! A bad path to the server: a TCP relay on the host's loopback that can stall or cut what the server sends.

use anyhow::{Context, Result};
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// Never reached: the path is good.
const NEVER: usize = usize::MAX;

#[derive(Debug)]
struct Shared {
    to: Mutex<SocketAddr>,
    stop: AtomicBool,
    stall_after: AtomicUsize,
    cut_after: AtomicUsize,
    connections: AtomicUsize,
}

/// A running relay. Dropped, it takes no more connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Relay {
    /// Relays to `to` from a free port.
    pub fn start(to: SocketAddr) -> Result<Self> {
        Self::start_at(0, to)
    }

    /// Relays to `to` from `port` of the loopback.
    pub fn start_at(port: u16, to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).context("a relay's port")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            to: Mutex::new(to),
            stop: AtomicBool::new(false),
            stall_after: AtomicUsize::new(NEVER),
            cut_after: AtomicUsize::new(NEVER),
            connections: AtomicUsize::new(0),
        });
        let inside = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if inside.stop.load(Relaxed) {
                    return;
                }
                inside.connections.fetch_add(1, Relaxed);
                let inside = Arc::clone(&inside);
                thread::spawn(move || carry(stream, &inside));
            }
        });
        Ok(Self { address, shared })
    }

    /// The port that stands for the server's.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on new connections lead to `to`.
    pub fn lead_to(&self, to: SocketAddr) {
        *self.shared.to.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// From now on, of each connection only this many bytes of the server's come through; then nothing does,
    /// and nothing is closed.
    pub fn stall_after(&self, bytes: usize) {
        self.shared.stall_after.store(bytes, Relaxed);
    }

    /// From now on each connection is cut after this many bytes of the server's.
    pub fn cut_after(&self, bytes: usize) {
        self.shared.cut_after.store(bytes, Relaxed);
    }

    /// The path is good again, for new connections.
    pub fn heal(&self) {
        self.stall_after(NEVER);
        self.cut_after(NEVER);
    }

    /// Connections until now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn carry(machine: TcpStream, shared: &Shared) {
    let to = *shared.to.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(server) = TcpStream::connect(to) else { return };
    let (Ok(mut from_machine), Ok(mut to_server)) = (machine.try_clone(), server.try_clone())
    else {
        return;
    };
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_machine, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    down(server, machine, shared);
}

fn down(mut server: TcpStream, mut machine: TcpStream, shared: &Shared) {
    let (stall, cut) = (shared.stall_after.load(Relaxed), shared.cut_after.load(Relaxed));
    let (mut passed, mut buffer) = (0, vec![0; 16 << 10]);
    loop {
        let room = stall.min(cut).saturating_sub(passed).min(buffer.len());
        if room == 0 {
            if cut <= stall {
                let _ = machine.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
                return;
            }
            // Stalled until the machine has given up, or the relay has ended.
            while !shared.stop.load(Relaxed) && open(&machine) {
                thread::sleep(Duration::from_millis(50));
            }
            let _ = server.shutdown(Shutdown::Both);
            return;
        }
        let Some(room) = buffer.get_mut(..room) else { return };
        let Ok(count) = server.read(room) else { return };
        if count == 0 || machine.write_all(room.get(..count).unwrap_or_default()).is_err() {
            let _ = machine.shutdown(Shutdown::Both);
            return;
        }
        passed += count;
    }
}

/// Whether the other end has not reset the connection.
fn open(stream: &TcpStream) -> bool {
    matches!(stream.take_error(), Ok(None)) && stream.peer_addr().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                stream.write_all(&[7; 1000]).unwrap();
            }
        });
        address
    }

    fn received(port: u16) -> (usize, bool) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes).is_ok();
        (bytes.len(), ended)
    }

    #[test]
    fn stalls_cuts_and_heals() {
        let relay = Relay::start(server()).unwrap();
        assert_eq!(received(relay.port()), (1000, true));
        relay.stall_after(100);
        assert_eq!(received(relay.port()), (100, false));
        relay.heal();
        relay.cut_after(50);
        assert_eq!(received(relay.port()).0, 50);
        relay.heal();
        assert_eq!(received(relay.port()), (1000, true));
        assert_eq!(relay.connections(), 4);
    }
}
