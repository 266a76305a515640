//! The machine's network as a whole: what others ask of it, and what its parts share.

use crate::{
    config::Config,
    link::Advertised,
    manager::Manager,
    race::{self, Candidate, Target, Trouble},
    status::{Lease, Status},
    sysctl,
};
use futures_util::StreamExt;
use rtnetlink::{Handle, MulticastGroup, new_multicast_connection};
use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::{Notify, watch},
    task::JoinHandle,
};

/// What we want to be told of.
const GROUPS: [MulticastGroup; 5] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

/// Before the kernel is asked again for a connection that ended.
const AGAIN: Duration = Duration::from_secs(1);

/// The network could not be set to work at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No netlink socket.
    #[error("cannot speak with the kernel about the network")]
    Netlink(#[from] io::Error),
}

/// The machine's network. It works for as long as this handle lives, within a tokio runtime.
pub struct Network {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the manager and its links share.
pub(crate) struct Shared {
    /// The connection with the kernel that is in force.
    handle: Mutex<Handle>,
    pub(crate) config: Config,
    pub(crate) facts: Mutex<BTreeMap<u32, Facts>>,
    /// Facts have changed.
    pub(crate) news: Notify,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) preferred: Mutex<Option<u32>>,
}

/// What a link learned that the kernel does not know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) lease: Lease,
    pub(crate) dns4: Vec<IpAddr>,
    /// Name servers by router advertisements, and by DHCPv6.
    pub(crate) dns_ra: Vec<Advertised>,
    pub(crate) dns6: Vec<IpAddr>,
    pub(crate) trouble: Option<String>,
}

impl Network {
    /// Sets every link to work.
    ///
    /// # Errors
    /// When the kernel gives no netlink socket.
    pub fn start(config: Config) -> Result<Self, Error> {
        let (connection, handle, messages) = new_multicast_connection(&GROUPS)?;
        let messages = messages.map(drop);
        // A path that drops large packets and says nothing is found out by TCP itself (RFC 4821).
        sysctl::set("ipv4/tcp_mtu_probing", "1");
        let shared = Arc::new(Shared {
            handle: Mutex::new(handle),
            config,
            facts: Mutex::default(),
            news: Notify::new(),
            status: watch::channel(Status::default()).0,
            preferred: Mutex::default(),
        });
        let copy = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            work(&copy, connection, messages).await;
            loop {
                log::error!(
                    "the connection with the kernel about the network ended; beginning anew"
                );
                tokio::time::sleep(AGAIN).await;
                match new_multicast_connection(&GROUPS) {
                    Ok((connection, handle, messages)) => {
                        *lock(&copy.handle) = handle;
                        work(&copy, connection, messages.map(drop)).await;
                    }
                    Err(error) => log::error!("no connection with the kernel: {error}"),
                }
            }
        });
        Ok(Self { shared, task })
    }

    /// What the network is; told of every change.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    /// Tries all servers at once as [`crate::race`] describes; the first whose `attempt` succeeds is taken,
    /// and its link is preferred from then on.
    ///
    /// # Errors
    /// Why each candidate failed.
    pub async fn race<T, E, F>(
        &self,
        targets: &[Target],
        attempt: impl Fn(Candidate, TcpStream) -> F,
    ) -> Result<T, Vec<Trouble<E>>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let status = self.shared.status.borrow().clone();
        let preferred = *lock(&self.shared.preferred);
        let (won, link) =
            race::run(&status, preferred, &self.shared.config.dns, targets, attempt).await?;
        // The manager makes its default routes the best, and its name servers the first, for whatever
        // scripts run.
        *lock(&self.shared.preferred) = Some(link);
        self.shared.news.notify_one();
        Ok(won)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves all links for as long as the connection with the kernel lives.
async fn work(
    shared: &Arc<Shared>,
    connection: impl Future<Output = ()>,
    messages: impl futures_util::Stream<Item = ()>,
) {
    tokio::select! {
        () = connection => {}
        () = Manager::new(Arc::clone(shared)).run(messages) => {}
    }
}

impl Shared {
    /// The connection with the kernel.
    pub(crate) fn handle(&self) -> Handle {
        lock(&self.handle).clone()
    }

    /// Changes what is known of a link.
    pub(crate) fn facts(&self, index: u32, change: impl FnOnce(&mut Facts)) {
        change(lock(&self.facts).entry(index).or_default());
        self.news.notify_one();
    }
}

/// A lock whose holders cannot leave what it guards half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
