//! All links together: which are there, what each shall be, and what the kernel says that they are.

use crate::{
    config::LinkConfig,
    link::{Advertised, Link},
    netlink::{self, Card, DefaultRoute},
    network::{Shared, lock},
    resolv,
    status::{LinkStatus, Status, routable},
};
use futures_util::StreamExt;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};

/// The metric of the preferred link's default routes: better than any other, and ours alone.
const BEST: u32 = 100;

/// A card that is used.
struct Served {
    /// `None` when it only carries VLANs.
    link: Option<(LinkConfig, watch::Sender<bool>)>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

pub(crate) struct Manager {
    shared: Arc<Shared>,
    /// By index.
    cards: BTreeMap<u32, Served>,
    /// VLANs that were asked for, by the name that they will have.
    vlans: BTreeMap<String, LinkConfig>,
}

impl Manager {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, cards: BTreeMap::new(), vlans: BTreeMap::new() }
    }

    /// Looks at everything whenever anything has changed: what the kernel says is the only state.
    /// Returns when there are no more messages.
    pub(crate) async fn run(mut self, messages: impl futures_util::Stream<Item = ()>) {
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
        let handle = self.shared.handle();
        let cards: Vec<_> = netlink::links(&handle).await?.iter().filter_map(Card::of).collect();
        let addresses: Vec<_> =
            netlink::addresses(&handle).await?.iter().filter_map(netlink::address).collect();
        let routes: Vec<_> =
            netlink::routes(&handle).await?.iter().filter_map(netlink::default_route).collect();
        self.cards.retain(|index, _| cards.iter().any(|card| card.index == *index));
        lock(&self.shared.facts).retain(|index, _| cards.iter().any(|card| card.index == *index));
        for card in &cards {
            self.serve(card);
            let served = self.cards.get(&card.index).and_then(|served| served.link.as_ref());
            if let Some((_, carrier)) = served {
                carrier
                    .send_if_modified(|now| std::mem::replace(now, card.carrier) != card.carrier);
            }
        }
        self.prefer(&routes).await;
        let status = self.status(&cards, &addresses, &routes);
        resolv::write(&self.name_servers(&status));
        self.shared.status.send_if_modified(|now| {
            let changed = *now != status;
            *now = status;
            changed
        });
        Ok(())
    }

    /// Gives each default route of the preferred link a better one beside it, and takes away those that
    /// stand beside none: after a new lease, another router, or a link that is preferred no more.
    async fn prefer(&self, routes: &[DefaultRoute]) {
        let handle = self.shared.handle();
        let preferred = *lock(&self.shared.preferred);
        let (best, plain): (Vec<DefaultRoute>, Vec<DefaultRoute>) =
            routes.iter().copied().partition(|route| route.metric == BEST);
        let same = |a: &DefaultRoute, b: &DefaultRoute| (a.link, a.router) == (b.link, b.router);
        let wanted: Vec<_> = plain.iter().filter(|route| preferred == Some(route.link)).collect();
        for route in best.iter().filter(|route| !wanted.iter().any(|w| same(w, route))) {
            let (to, router) = (everywhere(route.router), Some(route.router));
            netlink::remove_route(&handle, route.link, to, router, BEST).await;
        }
        for route in wanted.iter().filter(|route| !best.iter().any(|b| same(b, route))) {
            let (to, router) = (everywhere(route.router), Some(route.router));
            if let Err(error) = netlink::add_route(&handle, route.link, to, router, BEST).await {
                log::debug!("preferring {}: {error}", route.router);
            }
        }
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
        let mut served = Served { link: None, tasks: Vec::new() };
        for config in wanted {
            match config.vlan.filter(|_| vlan.is_none()) {
                Some(id) => served.tasks.push(self.add_vlan(card, id, config)),
                None => {
                    let (carrier, seen) = watch::channel(card.carrier);
                    let (shared, card) = (Arc::clone(&self.shared), card.clone());
                    let link = Link { shared, card, config: config.clone() };
                    served.tasks.push(tokio::spawn(link.serve(seen)));
                    served.link = Some((config, carrier));
                }
            }
        }
        self.cards.insert(card.index, served);
    }

    /// What the configuration wants of a card: one link, or several VLANs.
    fn wanted(&self, card: &Card) -> Vec<LinkConfig> {
        let links = &self.shared.config.links;
        if links.is_empty() && card.physical {
            return vec![LinkConfig::default()];
        }
        let fitting: Vec<_> = links.iter().filter(|link| card.selected(&link.select)).collect();
        let closest = fitting.iter().map(|link| link.select.kind()).min();
        let closest = fitting.into_iter().filter(|link| Some(link.select.kind()) == closest);
        closest.cloned().collect()
    }

    /// Makes a VLAN, which then appears as a card.
    fn add_vlan(&mut self, card: &Card, id: u16, config: LinkConfig) -> JoinHandle<()> {
        let name = format!("{}.{id}", card.name);
        self.vlans.insert(name.clone(), config);
        let (shared, card) = (Arc::clone(&self.shared), card.clone());
        tokio::spawn(async move {
            for attempt in 0.. {
                let handle = shared.handle();
                let made = match netlink::up(&handle, card.index).await {
                    Ok(()) => netlink::add_vlan(&handle, card.index, &name, id).await,
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
        })
    }

    fn status(
        &self,
        cards: &[Card],
        addresses: &[(u32, IpAddr, u8)],
        routes: &[DefaultRoute],
    ) -> Status {
        let facts = lock(&self.shared.facts);
        let links =
            cards.iter().filter(|card| card.physical || self.cards.contains_key(&card.index));
        let links = links.map(|card| {
            let facts = facts.get(&card.index).cloned().unwrap_or_default();
            let served = self.cards.get(&card.index).and_then(|served| served.link.as_ref());
            let own = served.map(|(config, _)| config.dns.clone()).unwrap_or_default();
            let told = facts.dns_ra.iter().filter(|told| told.valid());
            let told = told.map(|told: &Advertised| IpAddr::V6(told.server)).collect();
            let of = |index: u32| index == card.index;
            let gateways: BTreeSet<_> =
                routes.iter().filter(|r| of(r.link)).map(|r| r.router).collect();
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
                dns: [own, facts.dns4, told, facts.dns6].concat(),
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

/// The destination of a default route by `router`.
fn everywhere(router: IpAddr) -> (IpAddr, u8) {
    match router {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), 0),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), 0),
    }
}
