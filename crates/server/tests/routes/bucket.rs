//! A place of a test's own in the bucket that XENOBOOT_S3 names, if it does, and a network on the way there that fails when it is
//! told to. So the same tests are run with both kinds of storage. `cargo xtask test` starts a server for that.

use std::{
    env, fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering::Relaxed},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};
use xenoboot_wire::Pin;

/// Where it is, and who one is there.
#[derive(Clone)]
pub(crate) struct TestBucket {
    pub(crate) access: String,
    pub(crate) secret: String,
    /// Host and port.
    pub(crate) host: String,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// The key of an endpoint with TLS.
    pub(crate) pin: Option<Pin>,
}

#[allow(dead_code, reason = "not of use to every program that has this file")]
impl TestBucket {
    /// An empty one; `None` when tests are to use a folder.
    pub(crate) fn new() -> Option<Self> {
        Self::of(0)
    }

    /// As one who may only read.
    pub(crate) fn reader() -> Option<Self> {
        Self::of(1)
    }

    fn of(user: usize) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let urls = env::var("XENOBOOT_S3").ok()?;
        let url = urls.split(' ').nth(user).expect("two URLs");
        let (keys, place) = url.strip_prefix("http://").unwrap().split_once('@').unwrap();
        let (access, secret) = keys.split_once(':').unwrap();
        let (host, bucket) = place.split_once('/').unwrap();
        Some(Self {
            access: access.to_owned(),
            secret: secret.replace("%2F", "/").replace("%2B", "+"),
            bucket: bucket.to_owned(),
            prefix: format!("test/{}-{}", process::id(), COUNT.fetch_add(1, Relaxed)),
            ..Self::at(host)
        })
    }

    /// One of which nothing is known but where it is.
    pub(crate) fn at(host: &str) -> Self {
        let [access, secret, bucket, prefix] = ["a", "s", "bucket", "test"].map(str::to_owned);
        Self { access, secret, host: host.to_owned(), bucket, prefix, pin: None }
    }

    /// Writes `blobs.toml` into a server's folder, which is made if it is not there.
    pub(crate) fn write(&self, dir: &Path) {
        let Self { access, secret, host, bucket, prefix, pin } = self;
        let endpoint = match pin {
            Some(pin) => format!("endpoint = \"https://{host}\"\npin = \"{pin}\""),
            None => format!("endpoint = \"http://{host}\"\nallow_http = true"),
        };
        let text = format!(
            "bucket = \"{bucket}\"\nprefix = \"{prefix}\"\n{endpoint}\naccess_key = \"{access}\"\nsecret_key = \"{secret}\"\n"
        );
        fs::create_dir_all(dir).unwrap();
        let path = dir.join("blobs.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The same by a network that can fail.
    pub(crate) async fn by_network(&mut self) -> Network {
        let network = Network::to(self.host.parse().unwrap(), None).await;
        self.host = network.address.to_string();
        network
    }

    /// The same by TLS, with a key of its own and a certificate that no authority knows.
    pub(crate) async fn by_tls(&mut self) -> Network {
        let key = rcgen::KeyPair::generate().unwrap();
        self.pin = Some(Pin::of_spki(&rcgen::PublicKeyData::subject_public_key_info(&key)));
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let network = Network::to(self.host.parse().unwrap(), Some(acceptor)).await;
        self.host = network.address.to_string();
        network
    }
}

/// A network of which connections break.
pub(crate) struct Network {
    address: SocketAddr,
    /// Bytes that still pass.
    left: Arc<AtomicI64>,
    /// Bytes that pass after a connection was broken.
    then: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

impl Drop for Network {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[allow(dead_code, reason = "not of use to every program that has this file")]
impl Network {
    async fn to(server: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let then = Arc::new(AtomicI64::new(0));
        let shared = (Arc::clone(&left), Arc::clone(&then));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let ((left, then), tls) = (shared.clone(), tls.clone());
                tokio::spawn(async move {
                    if left.load(Relaxed) <= 0 {
                        return;
                    }
                    let Some(tls) = tls else { return pass(client, server, &left, &then).await };
                    if let Ok(client) = tls.accept(client).await {
                        pass(client, server, &left, &then).await;
                    }
                });
            }
        });
        Self { address, left, then, task }
    }

    /// After so many bytes a connection breaks, and no other is had.
    pub(crate) fn fails_after(&self, bytes: i64) {
        self.then.store(0, Relaxed);
        self.left.store(bytes, Relaxed);
    }

    /// After so many bytes a connection breaks, once.
    pub(crate) fn stumbles_after(&self, bytes: i64) {
        self.then.store(i64::MAX, Relaxed);
        self.left.store(bytes, Relaxed);
    }

    /// All is well again.
    pub(crate) fn heals(&self) {
        self.left.store(i64::MAX, Relaxed);
    }
}

/// Passes bytes both ways until there are too many.
async fn pass<S>(client: S, server: SocketAddr, left: &AtomicI64, then: &AtomicI64)
where
    S: AsyncRead + AsyncWrite,
{
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = server.into_split();
    let mut bytes = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let (count, to) = tokio::select! {
            n = from_client.read(&mut bytes.0) => (n, true),
            n = from_server.read(&mut bytes.1) => (n, false),
        };
        let Ok(count @ 1..) = count else { return };
        if left.fetch_sub(count as i64, Relaxed) < count as i64 {
            left.store(then.load(Relaxed), Relaxed);
            return;
        }
        let written = match to {
            true => to_server.write_all(&bytes.0[..count]).await,
            false => to_client.write_all(&bytes.1[..count]).await,
        };
        // What is encrypted may be kept back.
        if written.is_err() || to_client.flush().await.is_err() {
            return;
        }
    }
}
