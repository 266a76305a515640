//! The agent's side of the socket to init: file descriptor 3, one short line a message.

use rustix::net::{SendFlags, SocketType, send, sockopt};
use std::{
    io,
    os::fd::{OwnedFd, RawFd},
    sync::Arc,
};
use tokio::net::UnixDatagram;

/// Where init puts the socket.
pub const DESCRIPTOR: RawFd = 3;

/// What the agent tells init.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// The event loop turns.
    Alive,
    /// Reboot the machine.
    Reboot,
    /// Switch the machine off.
    PowerOff,
    /// Start the loaded kernel.
    Kexec {
        /// How long it has until the watchdog resets the machine, seconds.
        watchdog_s: u32,
    },
}

/// The socket; clones are the same.
#[derive(Clone, Debug)]
pub struct Init(Option<Arc<UnixDatagram>>);

impl Init {
    /// Takes descriptor 3 over. Without it (the agent was started by hand) nothing is told and nothing
    /// ever comes. Call it once, inside the runtime.
    ///
    /// # Errors
    /// When the descriptor is no `SOCK_SEQPACKET` socket.
    pub fn new(inherited: Option<OwnedFd>) -> io::Result<Self> {
        let Some(socket) = inherited else { return Ok(Self(None)) };
        if sockopt::socket_type(&socket)? != SocketType::SEQPACKET {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // On a connected socket that keeps message boundaries, send and recv are the same calls for
        // both types.
        let socket = std::os::unix::net::UnixDatagram::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self(Some(Arc::new(UnixDatagram::from_std(socket)?))))
    }

    /// Whether init is there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Tells init. Whether it went out: init that does not read is no reason to wait.
    pub fn tell(&self, what: Tell) -> bool {
        let line = match what {
            Tell::Alive => "alive".to_owned(),
            Tell::Reboot => "reboot".to_owned(),
            Tell::PowerOff => "poweroff".to_owned(),
            Tell::Kexec { watchdog_s } => format!("kexec {watchdog_s}"),
        };
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        self.0.as_ref().is_some_and(|socket| send(socket, line.as_bytes(), flags).is_ok())
    }

    /// Waits until init says that an orderly shutdown begins. Never returns without init.
    pub async fn stop(&self) {
        if let Some(socket) = &self.0 {
            let mut line = [0; 64];
            // An end or an error: init is gone, and nobody is left who could stop the machine.
            while let Ok(length @ 1..) = socket.recv(&mut line).await {
                if line.get(..length) == Some(b"stop") {
                    return;
                }
            }
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, RecvFlags, SocketFlags, recv, socketpair};

    fn pair(kind: SocketType) -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
    }

    #[tokio::test]
    async fn lines_go_both_ways() {
        let (ours, theirs) = pair(SocketType::SEQPACKET);
        let init = Init::new(Some(ours)).unwrap();
        assert!(init.tell(Tell::Alive) && init.tell(Tell::PowerOff));
        assert!(init.tell(Tell::Kexec { watchdog_s: 60 }));
        for expected in [&b"alive"[..], b"poweroff", b"kexec 60"] {
            let mut line = [0; 64];
            let n = recv(&theirs, &mut line, RecvFlags::empty()).unwrap().0;
            assert_eq!(&line[..n], expected);
        }
        send(&theirs, b"something else", SendFlags::empty()).unwrap();
        send(&theirs, b"stop", SendFlags::empty()).unwrap();
        init.stop().await;
    }

    #[tokio::test]
    async fn another_kind_of_socket_is_refused() {
        let (ours, _theirs) = pair(SocketType::STREAM);
        assert!(Init::new(Some(ours)).is_err());
        assert!(!Init(None).tell(Tell::Alive));
    }
}
