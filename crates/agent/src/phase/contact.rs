//! contact: a connection to a server that has a pinned key, kept for as long as the agent lives, and the
//! question what to do.

use super::{Phase, network::Network};
use crate::{
    backoff::Backoff,
    context::Context,
    failure::Failure,
    http::{Connection, STALL},
    report::Reporter,
    server::Slot,
    status::Next,
    tls,
};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsConnector;
use xenoboot_site::ServerUrl;
use xenoboot_wire::{
    Code,
    boot::{BootReply, Order},
    timing::SHORT,
};

/// The phase. After a failure it is tried again.
pub const PHASE: Phase = Phase { name: "contact", limit: Some(STALL) };

const PATH: &str = "/machine/v1/boot";

/// A server of the site file, ready to be shaken hands with.
#[derive(Clone, Debug)]
pub struct KnownServer {
    /// Where it is.
    pub url: ServerUrl,
    /// `HOST:PORT`, as requests name it.
    pub authority: String,
    /// What the certificate is for, which is not looked at; names go into the handshake (SNI).
    pub name: ServerName<'static>,
    /// With its pins.
    pub tls: Arc<ClientConfig>,
}

impl KnownServer {
    /// Authenticates the server at the other end of `stream`, and the machine to it. `at` is its address, for people.
    ///
    /// # Errors
    /// `WrongPin`, `TlsFailed`, or `Stalled` when the handshake does not go on.
    pub async fn shake_hands<S>(&self, stream: S, at: &str) -> Result<Connection, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shown = format!("{} at {at}", self.authority);
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = match timeout(STALL, connector.connect(self.name.clone(), stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => return Err(tls::explain(&shown, &e)),
            Err(_) => {
                let cause =
                    format!("{shown} took the connection and did not finish the TLS handshake");
                return Err(Failure::new(Code::Stalled, cause));
            }
        };
        if stream.get_ref().1.alpn_protocol() != Some(tls::ALPN) {
            let none = io::Error::other("HTTP/2 was not agreed on");
            return Err(tls::explain(&shown, &none));
        }
        Connection::open(stream, &self.authority, &shown).await
    }
}

/// Asks what to do.
///
/// # Errors
/// When the server cannot be asked or its answer is not to be used.
pub async fn run(context: &Context) -> Result<Order, Failure> {
    let connection = context.server.connected().await;
    let nonce = Context::nonce();
    let reply: BootReply = connection.post(PATH, &context.boot_request(nonce), STALL).await?;
    context.accept(nonce, &reply)?;
    context.server.heard(&reply.order);
    Ok(reply.order)
}

/// Makes connections for ever: the next when the one before is of no more use.
pub async fn keep_connected(
    context: &Context,
    slot: Slot,
    network: &Network,
    known: &[KnownServer],
) {
    let mut backoff = Backoff::default();
    let reporter = &context.reporter;
    loop {
        let failed = match network.dial(known).await {
            Err(failure) => Some(failure),
            Ok(connection) => {
                reporter.works(&["XB-NET", "XB-SRV"]);
                let ended = use_up(reporter, &slot, Arc::new(connection)).await;
                if ended.is_none() {
                    backoff.reset();
                }
                ended
            }
        };
        let (attempt, delay) = backoff.failed(failed.as_ref().and_then(|f| f.retry_after));
        if let Some(failure) = failed {
            reporter.failure(&failure, attempt, Next::after(delay));
        }
        // A cable that is plugged in ends the waiting.
        tokio::select! {
            () = sleep(delay) => {}
            () = network.grown() => {}
        }
    }
}

/// Lets everybody have the connection until it is gone. It is a failure when that was soon.
async fn use_up(reporter: &Reporter, slot: &Slot, connection: Arc<Connection>) -> Option<Failure> {
    let (began, peer) = (Instant::now(), connection.peer());
    reporter.console(&format!("connected to {peer}"));
    reporter.status(|s| (s.server, s.connected) = (Some(peer.to_owned()), true));
    slot.send_replace(Some(Arc::clone(&connection)));
    let why = connection.gone().await;
    slot.send_replace(None);
    reporter.status(|s| s.connected = false);
    reporter.console(&format!("the connection to {peer} is gone: {why}"));
    let lasted = began.elapsed();
    (lasted < SHORT).then(|| {
        let cause = format!("{peer}: the connection lasted {:.1} s: {why}", lasted.as_secs_f32());
        Failure::new(Code::Stalled, cause)
    })
}
