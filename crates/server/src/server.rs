//! The server as a whole: what its parts share, how it starts and how it stops.

use crate::{
    blobs::{BlobError, Blobs},
    claims::Claims,
    database::{Database, DatabaseError},
    doors::Doors,
    fellows::{self, Fellows},
    handlers,
    home::{Home, HomeError, OperatorFile},
    hub::Hub,
    keeper,
    listen::{self, Sources},
    mail::Mailer,
    notify::{self, Notices},
    oidc::{Oidc, SettingsError},
    power::Sealer,
    registrations::Registrations,
    router,
    store::{Store, StoreError},
    tls,
    turns::Turns,
};
use rustls::ServerConfig;
use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, time::sleep};
use xenoboot_wire::{MachineKey, Pin};

/// How often the database is told when machines were heard of.
const NOTE_SEEN: Duration = Duration::from_secs(10);

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its folder cannot be used.
    #[error("the server's folder cannot be used")]
    Home(#[from] HomeError),
    /// What was said of its database is not valid.
    #[error("the server's database is not told rightly")]
    Database(#[from] DatabaseError),
    /// Its database cannot be used.
    #[error("the server's database cannot be used")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was said of the provider by which people log in is not valid.
    #[error("the log-in by OpenID Connect cannot be set up")]
    Oidc(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another server of its database is known by other keys.
    #[error("a server at {address} uses the same database and has other keys")]
    Stranger {
        /// Where that is.
        address: String,
    },
    /// Its blobs cannot be used.
    #[error("the server's blobs cannot be used")]
    Blobs(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It cannot listen.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<SettingsError> for OpenError {
    fn from(error: SettingsError) -> Self {
        Self::Oidc(Box::new(error))
    }
}

impl From<BlobError> for OpenError {
    fn from(error: BlobError) -> Self {
        Self::Blobs(Box::new(error))
    }
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) hub: Arc<Hub>,
    pub(crate) doors: Doors,
    pub(crate) claims: Claims,
    pub(crate) notices: Notices,
    pub(crate) registrations: Registrations,
    /// For what a machine that was switched on costs.
    pub(crate) starts: Turns,
    /// For what a TLS handshake costs.
    pub(crate) handshakes: Turns,
    pub(crate) sources: Sources,
    pub(crate) sealer: Sealer,
    pub(crate) programs: PathBuf,
    pub(crate) mailer: Mailer,
    pub(crate) oidc: Option<Oidc>,
    pub(crate) fellows: Option<Arc<Fellows>>,
    /// The server's own key, as the other servers of its database show it.
    pub(crate) own: MachineKey,
    stopping: watch::Sender<bool>,
}

impl Shared {
    /// Whether the server is to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Whether this is the server that does what is done by the clock.
    pub(crate) fn leads(&self) -> bool {
        self.fellows.as_ref().is_none_or(|fellows| fellows.leads())
    }

    /// Waits until the server is to stop.
    pub(crate) async fn stopping(&self) {
        // The sender lives as long as `self`.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }
}

/// A server that listens; connections wait until it runs.
pub struct Server {
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    address: SocketAddr,
    pin: Pin,
    // The folder is ours until everything else is gone.
    _home: Home,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({} {})", self.address, self.pin)
    }
}

/// Where a server listens that is not told: all addresses, port 7443.
const DEFAULT: [IpAddr; 2] = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
const DEFAULT_PORT: u16 = 7443;

/// Machines whose power-on is noted and answered at a time: enough that one commit to the disk is for many.
const STARTS: usize = 128;
/// Of the 15 s for which a machine waits for an answer.
const START_PATIENCE: Duration = Duration::from_secs(6);
/// TLS handshakes at a time: they wait for the other side too.
const HANDSHAKES: usize = 64;
/// Machines have no more patience.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(15);

impl Server {
    /// Opens the server's folder, which is made on the first start, and listens: on `address` (port zero: any free
    /// one), else on port 7443 of all addresses. Writes `operator.toml` into the folder. A database that is not in the
    /// folder is waited for, a minute at most. `reach`: where other servers of that database reach this one; else by the
    /// address by which it reaches the database.
    ///
    /// # Errors
    /// When the folder is in use, damaged or not writable, or the address is not to be had.
    pub async fn open(
        dir: &Path,
        address: Option<SocketAddr>,
        database: &Database,
        reach: Option<SocketAddr>,
    ) -> Result<Self, OpenError> {
        let home = Home::open(dir)?;
        let key = home.key()?;
        let (tls, pin) =
            tls::server_config(&key, &home.web()?).map_err(|e| OpenError::Tls(Box::new(e)))?;
        let place = database.place(&home)?;
        let store = Store::open(&place).await?;
        let blobs = Blobs::open(dir).await?;
        let token = home.token()?;
        let sealer = home.sealer()?;
        let keys = home.keys(&key, &token)?;
        fellows::admitted(&place, &keys).await?;
        store.set_token(handlers::tokens::OWN, &token).await?;

        let (listener, address) = bind(address).await?;
        let url = format!("https://{}", reachable(address));
        home.write_operator(&OperatorFile { url, pin, token })?;
        let hub = Arc::new(Hub::default());
        let (registrations, sources) = (Registrations::new(), Sources::default());
        let stopping = watch::channel(false).0;
        let setup = |e| OpenError::Tls(Box::new(e) as Box<_>);
        let fellows = Fellows::of(&place, reach, address, &key, keys).map_err(setup)?.map(Arc::new);
        let own = MachineKey::try_from(key.public_key_raw());
        let own = own.map_err(|_| OpenError::Tls("a key that is none of Ed25519".into()))?;
        let claims = Claims::new(fellows.clone());
        let (doors, notices) = (Doors::default(), Notices::new());
        let (programs, mailer) = (home.power_programs(), Mailer::new(home.mail()));
        let oidc = Oidc::open(&home, &sealer)?;
        let shared = Arc::new(Shared {
            store,
            blobs,
            hub,
            claims,
            doors,
            notices,
            registrations,
            starts: Turns::new(STARTS, START_PATIENCE),
            handshakes: Turns::new(HANDSHAKES, HANDSHAKE_PATIENCE),
            sources,
            sealer,
            programs,
            mailer,
            oidc,
            fellows,
            own,
            stopping,
        });
        Ok(Self { shared, listener, tls: Arc::new(tls), address, pin, _home: home })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// By what machines know it.
    #[must_use]
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// Serves until `stop` is ready; then answers what has been asked, and ends.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let shared = &self.shared;
        let connections =
            listen::serve(self.listener, self.tls, router::router(shared), Arc::clone(shared));
        tokio::select! {
            () = connections => {}
            () = note_seen(shared) => {}
            () = keeper::run(shared) => {}
            () = keeper::tidy(shared) => {}
            () = notify::run(shared) => {}
            () = with_others(shared) => {}
            () = stop => {}
        }
        tracing::info!("stopping");
        shared.stopping.send_replace(true);
        listen::drained(&shared.sources).await;
        if let Err(error) = shared.store.note_seen(&shared.hub.take_seen()).await {
            tracing::warn!(%error, "when machines were heard of could not be noted");
        }
        if let Some(fellows) = &shared.fellows {
            fellows.leave().await;
        }
        shared.store.close().await;
    }
}

/// Works together with the other servers of the database, if there may be any.
async fn with_others(shared: &Shared) {
    match &shared.fellows {
        Some(fellows) => fellows.run(&shared.hub).await,
        None => std::future::pending().await,
    }
}

async fn bind(address: Option<SocketAddr>) -> Result<(TcpListener, SocketAddr), OpenError> {
    let candidates: Vec<SocketAddr> = match address {
        Some(address) => vec![address],
        None => DEFAULT.map(|ip| SocketAddr::new(ip, DEFAULT_PORT)).to_vec(),
    };
    let mut failed = None;
    for address in candidates {
        let bound = async {
            let listener = listen::bind(address)?;
            let address = listener.local_addr()?;
            std::io::Result::Ok((listener, address))
        };
        match bound.await {
            Ok(bound) => return Ok(bound),
            Err(source) => failed = failed.or(Some(OpenError::Listen { address, source })),
        }
    }
    let none = || OpenError::Listen {
        address: SocketAddr::new(DEFAULT[1], DEFAULT_PORT),
        source: std::io::ErrorKind::AddrNotAvailable.into(),
    };
    Err(failed.unwrap_or_else(none))
}

/// An address by which this computer reaches a listener.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        // A listener on all addresses of IPv6 has those of IPv4 as well, unless the system was told otherwise.
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn note_seen(shared: &Shared) {
    loop {
        sleep(NOTE_SEEN).await;
        if let Err(error) = shared.store.note_seen(&shared.hub.take_seen()).await {
            tracing::warn!(%error, "when machines were heard of could not be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::Peer;
    use axum::{
        body::Body,
        http::{Request, header},
    };
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;
    use xenoboot_wire::{
        BootId, MachineKey, Nonce, PROTOCOL, Version,
        boot::{BootRequest, ImageInfo, Inventory},
        encode,
    };

    fn power_on() -> Vec<u8> {
        let version = Version { major: 0, minor: 1, patch: 0 };
        encode(&BootRequest {
            protocol: PROTOCOL,
            nonce: Nonce([0; 32]),
            boot: BootId([0; 16]),
            image: ImageInfo { version, recipe: String::new(), kernel: String::new() },
            name: None,
            inventory: Inventory::default(),
            last_run: None,
            token: None,
            uptime_ms: 0,
        })
    }

    #[tokio::test]
    async fn a_machine_for_which_there_is_no_turn_is_told_when_to_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (folder, database) = (dir.path().join("s"), Database::default());
        let mut server = Server::open(&folder, Some(loopback), &database, None).await.unwrap();
        let shared = Arc::get_mut(&mut server.shared).unwrap();
        shared.starts = Turns::new(1, Duration::from_millis(20));
        let router = TowerToHyperService::new(router::router(&server.shared));
        let boot = async || {
            let request = Request::post("/machine/v1/boot").body(Body::from(power_on()));
            let mut request = request.unwrap();
            request.extensions_mut().insert(Peer::of(MachineKey([7; 32]), loopback));
            let answer = router.call(request).await.unwrap();
            let later = answer.headers().get(header::RETRY_AFTER);
            (answer.status().as_u16(), later.map(|value| value.to_str().unwrap().to_owned()))
        };
        let turn = server.shared.starts.wait().await.unwrap();
        assert_eq!(boot().await, (503, Some("3".to_owned())));
        assert!(server.shared.store.standing(&MachineKey([7; 32])).await.unwrap().is_none());
        drop(turn);
        assert_eq!(boot().await, (200, None));
        assert!(server.shared.store.standing(&MachineKey([7; 32])).await.unwrap().is_some());
    }
}
