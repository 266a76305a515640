//! A web server for the baseline: TLS 1.3, connections kept alive.

use anyhow::{Context, Result};
use rcgen::{CertifiedKey, PublicKeyData};
use rustls::{
    ServerConfig, ServerConnection, Stream,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    version::TLS13,
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};
use xenoboot_wire::Pin;

type Contents = BTreeMap<String, Vec<u8>>;

/// A running server on the host's loopback. It ends with the process.
pub(crate) struct Files {
    port: u16,
    pin: String,
}

impl Files {
    /// Serves `contents` by path.
    pub(crate) fn serve(contents: Contents) -> Result<Self> {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["baseline".to_owned()])?;
        let pin = Pin::of_spki(&signing_key.subject_public_key_info()).to_string();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)?;
        let (config, contents) = (Arc::new(config), Arc::new(contents));
        let listener = TcpListener::bind("127.0.0.1:0").context("a port")?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, contents) = (Arc::clone(&config), Arc::clone(&contents));
                // A client that goes away is no failure.
                thread::spawn(move || drop(answer(stream, config, &contents)));
            }
        });
        Ok(Self { port, pin })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// As curl's `--pinnedpubkey` takes it.
    pub(crate) fn pin(&self) -> &str {
        &self.pin
    }
}

fn answer(mut socket: TcpStream, config: Arc<ServerConfig>, contents: &Contents) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut connection = ServerConnection::new(config)?;
    let mut stream = BufReader::new(Stream::new(&mut connection, &mut socket));
    loop {
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            if stream.read_line(&mut request)? == 0 {
                return Ok(());
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let (status, body) = match contents.get(path) {
            Some(body) => ("200 OK", body.as_slice()),
            None => ("404 Not Found", &[][..]),
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        stream.get_mut().flush()?;
    }
}
