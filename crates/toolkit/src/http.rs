//! HTTP/1.1 (RFC 9110, RFC 9112) for `fetch`, `curl` and `wget`, one connection for each request.
//!
//! What commands print of an answer is what the server sent, byte for byte, which is why the messages
//! are read here and not by a crate that keeps their meaning only; `httparse` and `rustls` do the parsing.

pub(crate) mod body;
pub(crate) mod exchange;
pub(crate) mod head;
pub(crate) mod options;
pub(crate) mod progress;
pub(crate) mod proxy;
pub(crate) mod sink;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod transfer;
pub(crate) mod url;

use crate::resolver;
use std::io;

/// Why a transfer failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What was asked for is no address.
    #[error(transparent)]
    Url(#[from] url::Error),
    /// The server's name has no address.
    #[error("Could not resolve host: {host} ({source})")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        source: resolver::Error,
    },
    /// Likewise the proxy's.
    #[error("Could not resolve proxy: {host} ({source})")]
    ResolveProxy {
        /// The name.
        host: String,
        /// Why.
        source: resolver::Error,
    },
    /// No address of the server could be connected to.
    #[error("Failed to connect to {host} port {port}: {reason}")]
    Connect {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// The last address's reason.
        reason: String,
    },
    /// Time is up.
    #[error("Operation timed out: {0}")]
    Timeout(&'static str),
    /// The handshake failed.
    #[error("TLS connect error: {0}")]
    Tls(String),
    /// The server's certificate is not to be trusted.
    #[error("SSL certificate problem: {0}")]
    Certificate(String),
    /// The server has another key. The value is its own pin.
    #[error("public key does not match pinned public key: the server has sha256//{0}")]
    Pin(String),
    /// The file with certificates cannot be used.
    #[error("{0}")]
    Roots(String),
    /// The proxy made no tunnel.
    #[error("CONNECT tunnel failed, response {0}")]
    Tunnel(u16),
    /// The connection broke.
    #[error("Recv failure: {0}")]
    Receive(String),
    /// What was sent did not arrive.
    #[error("Send failure: {0}")]
    Send(String),
    /// The server closed the connection without a word.
    #[error("Empty reply from server")]
    Empty,
    /// The answer is not HTTP/1.
    #[error("Received HTTP/0.9 when not allowed")]
    NotHttp,
    /// The answer breaks the rules.
    #[error("Weird server reply: {0}")]
    Weird(&'static str),
    /// The body breaks the rules.
    #[error("Malformed encoding found in chunked-encoding: {0}")]
    Chunk(&'static str),
    /// The body ended before its end.
    #[error("end of response with {0} bytes missing")]
    Short(u64),
    /// What shall be sent cannot be read.
    #[error("Failed to open/read local data: {0}")]
    Payload(String),
}

impl Error {
    /// Brings it through an interface that knows errors of input and output only.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }

    /// The error of a read from a connection.
    pub(crate) fn of_read(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                    Self::Timeout("the server sends nothing")
                }
                _ => Self::Receive(crate::applet::reason(&error)),
            },
        }
    }

    /// The error of a write to a connection.
    pub(crate) fn of_write(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                Self::Timeout("the server takes nothing")
            }
            _ => Self::Send(crate::applet::reason(&error)),
        }
    }

    /// Whether the same may work a moment later: nothing that a person must change first.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Resolve { source, .. } | Self::ResolveProxy { source, .. } => {
                !matches!(source, resolver::Error::NoSuchName | resolver::Error::BadName)
            }
            Self::Connect { .. }
            | Self::Timeout(_)
            | Self::Receive(_)
            | Self::Send(_)
            | Self::Empty
            | Self::Short(_) => true,
            _ => false,
        }
    }
}
