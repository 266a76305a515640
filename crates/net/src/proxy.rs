//! HTTP proxies: CONNECT (RFC 9110, section 9.3.6) on a connected stream.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest answer that is read, bytes.
const MAX_ANSWER: usize = 8 << 10;

/// Why the proxy did not connect.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection to the proxy failed.
    #[error("the connection to the proxy failed")]
    Io(#[from] io::Error),
    /// It refused, with its status line.
    #[error("the proxy answered: {0}")]
    Refused(String),
    /// What it said is no HTTP.
    #[error("the proxy does not speak HTTP")]
    NotHttp,
}

/// Asks the proxy at the other end of `stream` for a tunnel to `authority` (`HOST:PORT`).
///
/// # Errors
/// When it does not make one. Waiting is bounded by the caller.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    authority: &str,
) -> Result<(), Error> {
    let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    // Byte by byte: what follows the head belongs to the tunnel.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_ANSWER {
            return Err(Error::NotHttp);
        }
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next().unwrap_or_default();
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    match status.map(str::as_bytes) {
        Some([b'2', _, _]) => Ok(()),
        Some([_, _, _]) => {
            Err(Error::Refused(line.chars().filter(|c| !c.is_control()).take(120).collect()))
        }
        _ => Err(Error::NotHttp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(answer: &'static [u8]) -> (Result<(), Error>, Vec<u8>) {
        let (mut ours, mut theirs) = tokio::io::duplex(64 << 10);
        let proxy = async move {
            let mut request = vec![0; 1024];
            let got = theirs.read(&mut request).await.unwrap();
            assert!(request[..got].starts_with(b"CONNECT [2001:db8::1]:7443 HTTP/1.1\r\nHost: "));
            theirs.write_all(answer).await.unwrap();
        };
        let (result, ()) = tokio::join!(connect(&mut ours, "[2001:db8::1]:7443"), proxy);
        let mut rest = Vec::new();
        ours.read_to_end(&mut rest).await.unwrap();
        (result, rest)
    }

    #[tokio::test]
    async fn what_follows_the_answer_is_the_tunnels() {
        let (result, rest) = ask(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n\x16\x03").await;
        assert!(result.is_ok());
        assert_eq!(rest, b"\x16\x03");
    }

    #[tokio::test]
    async fn refusals_are_told() {
        let (result, _) = ask(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
        assert_eq!(result.unwrap_err().to_string(), "the proxy answered: HTTP/1.1 403 Forbidden");
        assert!(matches!(ask(b"SSH-2.0-x\r\n\r\n").await.0, Err(Error::NotHttp)));
        assert!(matches!(ask(b"HTTP/1.1 200 OK\r\n").await.0, Err(Error::Io(_))));
    }
}
