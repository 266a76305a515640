//! One request and its answer.

use super::{
    Error,
    body::Body,
    head::Head,
    proxy::Proxies,
    stream::{Patience, Place, Stream, Wire},
    tls::{self, Trust, base64},
    url::{Scheme, Url},
};
use crate::resolver::Family;
use std::{
    fs::File,
    io::{self, BufReader, Read, Write as _},
    net::SocketAddr,
    path::PathBuf,
};

/// Most answers of the kind "go on" before the real one.
const MAX_INTERIM: usize = 16;

/// What is sent behind the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What is in a file.
    File(PathBuf),
    /// What comes from standard input, in chunks.
    Stdin,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET` and so on.
    pub(crate) method: String,
    /// Of whom, and what.
    pub(crate) url: Url,
    /// Fields besides those that every request has. An empty value takes such a field away.
    pub(crate) fields: Vec<(String, String)>,
    /// What is sent.
    pub(crate) payload: Option<Payload>,
}

/// How a request gets there.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// Whom to trust.
    pub(crate) trust: Trust,
    /// What stands between.
    pub(crate) proxies: Proxies,
    /// `USER:PASSWORD` for that.
    pub(crate) proxy_user: Option<String>,
    /// Which addresses.
    pub(crate) family: Family,
    /// Addresses that are given for names: host, port, addresses.
    pub(crate) fixed: Vec<(String, u16, Vec<SocketAddr>)>,
    /// How long it may take.
    pub(crate) patience: Patience,
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What was sent.
    pub(crate) sent: String,
    /// Its head.
    pub(crate) head: Head,
    /// What the proxy said when it made the tunnel.
    pub(crate) tunnel: Option<Head>,
    /// Its body.
    pub(crate) body: Body<BufReader<Stream>>,
    /// Who answered.
    pub(crate) peer: Option<SocketAddr>,
}

/// A connection that can be asked again when each answer was read to its end.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<Stream>,
    /// The proxy that is asked in place of the server.
    through: Option<Url>,
    tunnel: Option<Head>,
    peer: Option<SocketAddr>,
}

impl Connection {
    /// Connects to the server of an address.
    pub(crate) fn open(url: &Url, path: &Path) -> Result<Self, Error> {
        let proxy = path.proxies.of(url)?;
        let mut wire = connect(url, proxy.as_ref(), path)?;
        let peer = wire.peer();
        let mut tunnel = None;
        let mut stream = match (url.scheme, &proxy) {
            (Scheme::Http, _) => Stream::Plain(wire),
            (Scheme::Https, None) => tls::handshake(wire, &url.host, &path.trust)?,
            (Scheme::Https, Some(proxy)) => {
                tunnel = Some(make_tunnel(&mut wire, url, proxy, path)?);
                tls::handshake(wire, &url.host, &path.trust)?
            }
        };
        stream.wire().set_patience(path.patience);
        let through = proxy.filter(|_| url.scheme == Scheme::Http);
        let stream = BufReader::with_capacity(64 << 10, stream);
        Ok(Self { stream, through, tunnel, peer })
    }

    /// Sends a request; what was sent, and the head of its answer.
    pub(crate) fn ask(&mut self, request: &Request, path: &Path) -> Result<(String, Head), Error> {
        let (head, body) = open(request.payload.as_ref())?;
        let sent = text(request, self.through.as_ref(), path, head);
        // A server that has heard enough may answer and close before it was sent everything.
        let sending = send(self.stream.get_mut(), &sent, body);
        match (answer(&mut self.stream), sending) {
            (Ok(head), _) => Ok((sent, head)),
            (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        }
    }

    /// What the answer's body is read from.
    pub(crate) fn stream(&mut self) -> &mut BufReader<Stream> {
        &mut self.stream
    }
}

/// Sends a request and reads the head of its answer.
pub(crate) fn exchange(request: &Request, path: &Path) -> Result<Answer, Error> {
    let mut connection = Connection::open(&request.url, path)?;
    let (sent, head) = connection.ask(request, path)?;
    let Connection { stream, tunnel, peer, .. } = connection;
    let body = Body::new(stream, &head, request.method == "HEAD")?;
    Ok(Answer { sent, head, tunnel, body, peer })
}

fn connect(url: &Url, proxy: Option<&Url>, path: &Path) -> Result<Wire, Error> {
    let to = proxy.unwrap_or(url);
    let fixed = path.fixed.iter().find(|(host, port, _)| {
        proxy.is_none() && (*host == to.host || host == "*") && *port == to.port
    });
    let place = Place {
        host: to.host.clone(),
        port: to.port,
        family: path.family,
        fixed: fixed.map(|(.., addresses)| addresses.clone()).unwrap_or_default(),
    };
    Wire::connect(&place, path.patience).map_err(|error| match error {
        Error::Resolve { host, source } if proxy.is_some() => Error::ResolveProxy { host, source },
        other => other,
    })
}

/// CONNECT (RFC 9110, section 9.3.6).
fn make_tunnel(wire: &mut Wire, url: &Url, proxy: &Url, path: &Path) -> Result<Head, Error> {
    let place = format!("{}:{}", url.bracketed(), url.port);
    let mut text = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
    if let Some(user) = path.proxy_user.as_ref().or(proxy.user.as_ref()) {
        text.push_str(&format!("Proxy-Authorization: Basic {}\r\n", base64(user.as_bytes())));
    }
    text.push_str("\r\n");
    wire.write_all(text.as_bytes()).map_err(Error::of_write)?;
    // Byte by byte: what follows the head belongs to the tunnel.
    let head = Head::read(&mut BufReader::with_capacity(1, wire))?;
    match head.status {
        200..=299 => Ok(head),
        other => Err(Error::Tunnel(other)),
    }
}

/// The fields that a payload needs, and its bytes.
fn open(payload: Option<&Payload>) -> Result<(Option<String>, Box<dyn Read>), Error> {
    let length = |length: u64| Some(format!("Content-Length: {length}\r\n"));
    Ok(match payload {
        None => (None, Box::new(io::empty())),
        Some(Payload::Bytes(bytes)) => {
            (length(bytes.len() as u64), Box::new(io::Cursor::new(bytes.clone())))
        }
        Some(Payload::File(path)) => {
            let wrong = |error: io::Error| {
                Error::Payload(format!("{}: {}", path.display(), crate::applet::reason(&error)))
            };
            let file = File::open(path).map_err(wrong)?;
            let size = file.metadata().map_err(wrong)?.len();
            // A file that grows meanwhile is sent as long as it was.
            (length(size), Box::new(file.take(size)))
        }
        Some(Payload::Stdin) => {
            (Some("Transfer-Encoding: chunked\r\n".to_owned()), Box::new(io::stdin()))
        }
    })
}

/// The head of a request.
fn text(request: &Request, through: Option<&Url>, path: &Path, length: Option<String>) -> String {
    let url = &request.url;
    let target = match through {
        Some(_) => url.to_string(),
        None => url.target.clone(),
    };
    let mut text = format!("{} {target} HTTP/1.1\r\n", request.method);
    let given = |name: &str| request.fields.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let mut own = vec![("Host", url.authority())];
    if let Some(user) = &url.user {
        own.push(("Authorization", format!("Basic {}", base64(user.as_bytes()))));
    }
    if let Some(user) = through.and_then(|proxy| path.proxy_user.as_ref().or(proxy.user.as_ref())) {
        own.push(("Proxy-Authorization", format!("Basic {}", base64(user.as_bytes()))));
    }
    own.push(("Connection", "close".to_owned()));
    for (name, value) in own.into_iter().filter(|(name, _)| !given(name)) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    for (name, value) in request.fields.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !given("content-length") {
        text.push_str(&length.unwrap_or_default());
    }
    text + "\r\n"
}

fn send(stream: &mut Stream, head: &str, mut body: Box<dyn Read>) -> Result<(), Error> {
    stream.write_all(head.as_bytes()).map_err(Error::of_write)?;
    let chunked = head.contains("\r\nTransfer-Encoding: chunked\r\n");
    let mut buffer = vec![0; 64 << 10];
    loop {
        let got = match body.read(&mut buffer) {
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Payload(crate::applet::reason(&error))),
        };
        let bytes = buffer.get(..got).unwrap_or_default();
        if chunked {
            let frame = [format!("{got:x}\r\n").as_bytes(), bytes, b"\r\n"].concat();
            stream.write_all(&frame).map_err(Error::of_write)?;
        } else {
            stream.write_all(bytes).map_err(Error::of_write)?;
        }
        if got == 0 {
            return stream.flush().map_err(Error::of_write);
        }
    }
}

/// The head of the answer, past those that only say to go on.
fn answer(stream: &mut BufReader<Stream>) -> Result<Head, Error> {
    for _ in 0..MAX_INTERIM {
        let head = Head::read(stream)?;
        if head.status == 101 || head.status >= 200 {
            return Ok(head);
        }
    }
    Err(Error::Weird("nothing but 1xx"))
}
