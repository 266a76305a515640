//! A connection to a server: TCP, and TLS over it.

use super::Error;
use crate::resolver::{self, Family};
use rustls::{ClientConnection, StreamOwned};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Connecting, the handshake of TLS included.
    pub(crate) connect: Duration,
    /// Without a byte.
    pub(crate) stall: Option<Duration>,
    /// When everything must be done.
    pub(crate) deadline: Option<Instant>,
}

impl Patience {
    /// How long a read or write may take.
    fn now(&self) -> io::Result<Option<Duration>> {
        let left = match self.deadline {
            None => None,
            Some(deadline) => match deadline.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return Err(io::ErrorKind::TimedOut.into()),
                left => Some(left),
            },
        };
        Ok(match (left, self.stall) {
            (Some(left), Some(stall)) => Some(left.min(stall)),
            (left, stall) => left.or(stall),
        })
    }
}

/// Whom to connect to, and how.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// A name or an address.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// Which addresses.
    pub(crate) family: Family,
    /// Given addresses instead of looking the name up.
    pub(crate) fixed: Vec<SocketAddr>,
}

/// A TCP connection whose reads and writes end in time.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    patience: Patience,
}

impl Wire {
    /// Connects to the first address that answers.
    pub(crate) fn connect(place: &Place, patience: Patience) -> Result<Self, Error> {
        let mut end = Instant::now() + patience.connect;
        if let Some(deadline) = patience.deadline {
            end = end.min(deadline);
        }
        let addresses = if place.fixed.is_empty() {
            let found = resolver::lookup(&place.host, place.port, place.family, Some(end));
            found.map_err(|source| Error::Resolve { host: place.host.clone(), source })?
        } else {
            place.fixed.clone()
        };
        let mut reason = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let mut rest = addresses.iter().peekable();
        while let Some(address) = rest.next() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout("connecting"));
            }
            // So that an address that is silent leaves time for the others.
            let share = if rest.peek().is_some() { left / 2 } else { left };
            match TcpStream::connect_timeout(address, share) {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    // Until the handshake is done, time is that for connecting.
                    let patience = Patience { deadline: Some(end), ..patience };
                    return Ok(Self { stream, patience });
                }
                Err(error) => reason = error,
            }
        }
        if reason.kind() == io::ErrorKind::TimedOut {
            return Err(Error::Timeout("connecting"));
        }
        let reason = crate::applet::reason(&reason);
        Err(Error::Connect { host: place.host.clone(), port: place.port, reason })
    }

    /// The other end.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// From now on.
    pub(crate) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.patience.now()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.patience.now()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What HTTP is spoken over.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP.
    Plain(Wire),
    /// TLS.
    Tls(Box<StreamOwned<ClientConnection, Wire>>),
}

impl Stream {
    /// The TCP below.
    pub(crate) fn wire(&mut self) -> &mut Wire {
        match self {
            Self::Plain(wire) => wire,
            Self::Tls(stream) => &mut stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
