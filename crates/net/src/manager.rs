//! All links together: which are there, what each shall be, and what the kernel says that they are.

use crate::{
    config::{Config, LinkConfig},
    link::Link,
    netlink::{self, Card},
    race::{self, Candidate, Target, Trouble},
    resolv,
    status::{Lease, LinkStatus, Status, routable},
    sysctl,
};
use futures_util::StreamExt;
use rtnetlink::{Handle, MulticastGroup, new_multicast_connection};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
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

/// The metric of the preferred link's default route: better than any other.
const BEST: u32 = 100;

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
    tasks: Vec<JoinHandle<()>>,
}

/// What the manager and its links share.
pub(crate) struct Shared {
    pub(crate) handle: Handle,
    pub(crate) config: Config,
    facts: Mutex<BTreeMap<u32, Facts>>,
    /// Facts have changed.
    news: Notify,
    status: watch::Sender<Status>,
    preferred: Mutex<Option<u32>>,
}

/// What a link learned that the kernel does not know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) lease: Lease,
    pub(crate) dns4: Vec<IpAddr>,
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
        // A path that drops large packets and says nothing is found out by TCP itself (RFC 4821).
        sysctl::set("ipv4/tcp_mtu_probing", "1");
        let shared = Arc::new(Shared {
            handle,
            config,
            facts: Mutex::default(),
            news: Notify::new(),
            status: watch::channel(Status::default()).0,
            preferred: Mutex::default(),
        });
        let manager =
            Manager { shared: Arc::clone(&shared), cards: BTreeMap::new(), vlans: BTreeMap::new() };
        let messages = messages.map(drop);
        let tasks = vec![tokio::spawn(connection), tokio::spawn(manager.run(messages))];
        Ok(Self { shared, tasks })
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
        self.prefer(link).await;
        Ok(won)
    }

    /// Makes a link's default routes the best, and its name servers the first, for whatever scripts run.
    async fn prefer(&self, index: u32) {
        let before = lock(&self.shared.preferred).replace(index);
        if before == Some(index) {
            return;
        }
        let status = self.shared.status.borrow().clone();
        for link in &status.links {
            for router in &link.gateways {
                let all = match router {
                    IpAddr::V4(_) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
                    IpAddr::V6(_) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
                };
                if link.index == index {
                    let set =
                        netlink::add_route(&self.shared.handle, index, all, Some(*router), BEST);
                    if let Err(error) = set.await {
                        log::debug!("{}: preferring {router}: {error}", link.name);
                    }
                } else if before == Some(link.index) {
                    netlink::remove_route(
                        &self.shared.handle,
                        link.index,
                        all,
                        Some(*router),
                        BEST,
                    )
                    .await;
                }
            }
        }
        self.shared.news.notify_one();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    /// Changes what is known of a link.
    pub(crate) fn facts(&self, index: u32, change: impl FnOnce(&mut Facts)) {
        change(lock(&self.facts).entry(index).or_default());
        self.news.notify_one();
    }
}

/// A link that is being served.
struct Served {
    config: LinkConfig,
    carrier: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

struct Manager {
    shared: Arc<Shared>,
    /// Links that are served, and cards that only carry VLANs, by index.
    cards: BTreeMap<u32, Option<Served>>,
    /// VLANs that were asked for, by the name that they will have.
    vlans: BTreeMap<String, LinkConfig>,
}

impl Manager {
    /// Looks at everything whenever anything has changed: what the kernel says is the only state.
    async fn run(mut self, messages: impl futures_util::Stream<Item = ()>) {
        let mut messages = std::pin::pin!(messages);
        loop {
            if let Err(error) = self.look().await {
                log::warn!("asking the kernel about the network: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            tokio::select! {
                message = messages.next() => if message.is_none() { return },
                () = self.shared.news.notified() => {}
            }
            // A burst of changes is one change.
            while let Some(Some(())) = futures_util::FutureExt::now_or_never(messages.next()) {}
        }
    }

    async fn look(&mut self) -> Result<(), rtnetlink::Error> {
        let handle = &self.shared.handle;
        let cards: Vec<_> = netlink::links(handle).await?.iter().filter_map(Card::of).collect();
        let addresses: Vec<_> =
            netlink::addresses(handle).await?.iter().filter_map(netlink::address).collect();
        let routes: Vec<_> =
            netlink::routes(handle).await?.iter().filter_map(netlink::default_route).collect();
        self.cards.retain(|index, _| cards.iter().any(|card| card.index == *index));
        for card in &cards {
            self.serve(card);
            if let Some(Some(served)) = self.cards.get(&card.index) {
                served
                    .carrier
                    .send_if_modified(|now| std::mem::replace(now, card.carrier) != card.carrier);
            }
        }
        let status = self.status(&cards, &addresses, &routes);
        resolv::write(&self.name_servers(&status));
        self.shared.status.send_if_modified(|now| {
            let changed = *now != status;
            *now = status;
            changed
        });
        Ok(())
    }

    /// Sets a card to work when it is seen for the first time.
    fn serve(&mut self, card: &Card) {
        if self.cards.contains_key(&card.index) {
            return;
        }
        let vlan = self.vlans.get(&card.name).cloned();
        let wanted: Vec<_> = match &vlan {
            Some(config) => vec![config.clone()],
            None => self.wanted(card),
        };
        if wanted.is_empty() && !card.physical {
            return;
        }
        let mut served = None;
        for config in wanted {
            match config.vlan.filter(|_| vlan.is_none()) {
                Some(id) => self.add_vlan(card, id, config),
                None => served = Some(self.begin(card, config)),
            }
        }
        self.cards.insert(card.index, served);
    }

    /// What the configuration wants of a card.
    fn wanted(&self, card: &Card) -> Vec<LinkConfig> {
        let links = &self.shared.config.links;
        if links.is_empty() && card.physical {
            return vec![LinkConfig::default()];
        }
        links.iter().filter(|link| card.selected(&link.select)).cloned().collect()
    }

    fn begin(&self, card: &Card, config: LinkConfig) -> Served {
        let (carrier, seen) = watch::channel(card.carrier);
        let link =
            Link { shared: Arc::clone(&self.shared), card: card.clone(), config: config.clone() };
        Served { config, carrier, tasks: vec![tokio::spawn(link.serve(seen))] }
    }

    fn add_vlan(&mut self, card: &Card, id: u16, config: LinkConfig) {
        let name = format!("{}.{id}", card.name);
        self.vlans.insert(name.clone(), config);
        let (shared, card) = (Arc::clone(&self.shared), card.clone());
        tokio::spawn(async move {
            for attempt in 0.. {
                let made = match netlink::up(&shared.handle, card.index).await {
                    Ok(()) => netlink::add_vlan(&shared.handle, card.index, &name, id).await,
                    failed => failed,
                };
                let Err(error) = made else { return };
                if attempt == 0 {
                    log::warn!("{name}: making the VLAN: {error}");
                    shared.facts(card.index, |facts| {
                        facts.trouble = Some(format!("VLAN {id}: {error}"))
                    });
                }
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        });
    }

    fn status(
        &self,
        cards: &[Card],
        addresses: &[(u32, IpAddr, u8)],
        routes: &[(u32, IpAddr)],
    ) -> Status {
        let facts = lock(&self.shared.facts);
        let links =
            cards.iter().filter(|card| card.physical || self.cards.contains_key(&card.index));
        let links = links.map(|card| {
            let facts = facts.get(&card.index).cloned().unwrap_or_default();
            let served = self.cards.get(&card.index).and_then(Option::as_ref);
            let own = served.map(|served| served.config.dns.clone()).unwrap_or_default();
            let of = |index: u32| index == card.index;
            let gateways: BTreeSet<_> = routes.iter().filter(|r| of(r.0)).map(|r| r.1).collect();
            LinkStatus {
                index: card.index,
                name: card.name.clone(),
                mac: card.mac,
                driver: card.driver.clone(),
                used: served.is_some(),
                carrier: card.carrier,
                addresses: addresses
                    .iter()
                    .filter(|(index, address, _)| of(*index) && routable(*address))
                    .map(|(_, address, prefix)| (*address, *prefix))
                    .collect(),
                gateways: gateways.into_iter().collect(),
                dns: [own, facts.dns4, facts.dns6].concat(),
                lease: facts.lease,
                trouble: facts.trouble,
            }
        });
        Status { links: links.collect(), missing: self.missing(cards) }
    }

    /// Entries of the configuration that fit no card. No other card is used in their place.
    fn missing(&self, cards: &[Card]) -> Vec<String> {
        let there = |link: &&LinkConfig| cards.iter().any(|card| card.selected(&link.select));
        let links = self.shared.config.links.iter();
        links.filter(|link| !there(link)).map(|link| link.select.to_string()).collect()
    }

    /// The site's name servers first, then the preferred link's, then the others'.
    fn name_servers(&self, status: &Status) -> Vec<String> {
        let preferred = *lock(&self.shared.preferred);
        let mut links: Vec<_> = status.links.iter().collect();
        links.sort_by_key(|link| preferred != Some(link.index));
        let mut servers: Vec<_> = self.shared.config.dns.iter().map(IpAddr::to_string).collect();
        let of = |link: &&LinkStatus| -> Vec<_> {
            link.dns.iter().map(|server| resolv::server(*server, &link.name)).collect()
        };
        servers.extend(links.iter().flat_map(of));
        let mut seen = BTreeSet::new();
        servers.retain(|server| seen.insert(server.clone()));
        servers
    }
}

/// A lock whose holders cannot leave what it guards half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
