//! network: links, addresses, and a stream to a server.

mod diagnosis;

use super::Phase;
use crate::{
    backoff::Backoff, context::Context, failure::Failure, http::Connection, layout::Layout,
    phase::contact::KnownServer, status::Next,
};
use diagnosis::{diagnose, explain};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use std::{collections::BTreeSet, net::IpAddr, time::Duration};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};
use xenoboot_net::{
    Config, Host as NetHost, Ipv4 as NetIpv4, Ipv6 as NetIpv6, LinkConfig, Mac,
    Select as NetSelect, Status, Target,
};
use xenoboot_site::{Host, Ipv4, Ipv6, Link, Proxy, Select, Site};
use xenoboot_wire::{Code, boot::LinkInfo};

/// The phase. Without a usable address for so long the reason is shown; the search goes on beside, and
/// the machine goes on as soon as any link can be used.
pub const PHASE: Phase = Phase { name: "network", limit: Some(Duration::from_secs(8)) };

/// Most races at the same time: another begins when a link comes up while one is being run.
const RACES: usize = 3;

/// For a proxy to answer.
const PROXY: Duration = Duration::from_secs(10);

/// What a DHCP server is told where the image has no name.
const HOSTNAME: &str = "xenoboot";

/// The network.
pub enum Network {
    /// Somebody else's: the agent was started by hand.
    ByHand(watch::Receiver<Status>),
    /// Ours.
    Ours {
        /// Keeps it going.
        network: xenoboot_net::Network,
        /// What leads to servers.
        proxy: Option<Proxy>,
    },
}

impl Network {
    /// Sets the network to work as the site file says.
    ///
    /// # Errors
    /// When the kernel does not speak about networks.
    pub fn start(layout: &Layout, site: &Site, name: Option<&str>) -> anyhow::Result<Self> {
        if layout.by_hand() {
            return Ok(Self::ByHand(watch::channel(Status::default()).1));
        }
        let links = site.network.links.iter().map(link).collect();
        let hostname = name.unwrap_or(HOSTNAME).to_owned();
        let network = xenoboot_net::Network::start(Config {
            links,
            dns: site.network.dns.clone(),
            hostname,
        })?;
        Ok(Self::Ours { network, proxy: site.network.proxy.clone() })
    }

    /// What the network is; told of every change.
    fn status(&self) -> watch::Receiver<Status> {
        match self {
            Self::ByHand(status) => status.clone(),
            Self::Ours { network, .. } => network.status(),
        }
    }

    /// Waits until there is an address that can be used and was not there before.
    pub async fn grown(&self) {
        let mut status = self.status();
        let before = usable(&status.borrow_and_update());
        let grown = status.wait_for(|now| !usable(now).is_subset(&before)).await.is_ok();
        if !grown {
            std::future::pending().await
        }
    }

    /// Tries all servers, at every address, over every link, until one has the key that is pinned.
    ///
    /// # Errors
    /// What stood in the way of the candidate that got furthest.
    pub async fn dial(&self, known: &[KnownServer]) -> Result<Connection, Failure> {
        let mut races = FuturesUnordered::new();
        races.push(self.race(known));
        loop {
            tokio::select! {
                Some(ended) = races.next() => match ended {
                    Err(failure) if races.is_empty() => return Err(failure),
                    Err(_) => {}
                    Ok(connection) => return Ok(connection),
                },
                () = self.grown(), if races.len() < RACES => races.push(self.race(known)),
            }
        }
    }

    async fn race(&self, known: &[KnownServer]) -> Result<Connection, Failure> {
        let Self::Ours { network, proxy } = self else { return by_hand(known).await };
        let targets: Vec<Target> =
            known.iter().map(|server| target(server, proxy.as_ref())).collect();
        let shake = |candidate: xenoboot_net::Candidate, stream: TcpStream| async move {
            let at = format!("{} over {}", candidate.address, candidate.link);
            let server = known.get(candidate.target);
            let server = server.ok_or_else(|| Failure::new(Code::NoRoute, "no such server"))?;
            let stream = tunnel(stream, server, proxy.as_ref()).await?;
            server.shake_hands(stream, &at).await
        };
        let raced = network.race(&targets, shake).await;
        raced.map_err(|troubles| explain(&troubles, &network.status().borrow(), proxy.as_ref()))
    }
}

/// Waits until a link can be used; says every so often why none can.
pub async fn run(context: &Context, network: &Network) {
    let Network::Ours { network, .. } = network else { return };
    let mut status = network.status();
    let mut backoff = Backoff::default();
    let mut patience = PHASE.limit.unwrap_or_default();
    loop {
        let ready = status.wait_for(|s| !usable(s).is_empty());
        if let Ok(Ok(_)) = timeout(patience, ready).await {
            context.reporter.works(&["XB-NET"]);
            return;
        }
        let failure = diagnose(&status.borrow());
        let (attempt, delay) = backoff.failed(None);
        let next =
            Next::Text("still trying on every card; it goes on at once when one works".to_owned());
        context.reporter.failure(&failure, attempt, next);
        patience = delay.max(PHASE.limit.unwrap_or_default());
    }
}

/// Shows the cards, and says what changes, for ever.
pub async fn watch(context: &Context, network: &Network) {
    let mut status = network.status();
    let missing_told = async {
        let mut status = network.status();
        sleep(PHASE.limit.unwrap_or_default()).await;
        let missing = status.borrow_and_update().missing.clone();
        let some_works = !usable(&status.borrow()).is_empty();
        // A configured card that is not there is said aloud even when another one works.
        if let Some(first) = missing.first().filter(|_| some_works) {
            let cause =
                format!("no card with {first}; {} configured cards are missing", missing.len());
            let next = Next::Text("going on with the cards that are there".to_owned());
            context.reporter.failure(&Failure::new(Code::CardMissing, cause), 1, next);
        }
        std::future::pending::<()>().await;
    };
    let shown = async {
        loop {
            show(context, &status.borrow_and_update().clone());
            if status.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::join!(missing_told, shown);
}

/// Addresses that can be used, with their links.
fn usable(status: &Status) -> BTreeSet<(u32, IpAddr)> {
    let links = status.links.iter().filter(|link| link.usable());
    links
        .flat_map(|link| link.addresses.iter().map(|(address, _)| (link.index, *address)))
        .collect()
}

fn show(context: &Context, status: &Status) {
    let cards = diagnosis::cards(status);
    let before = context.reporter.status(|s| std::mem::replace(&mut s.cards, cards.clone()));
    for card in cards.iter().filter(|card| !before.contains(card)) {
        let link = if card.link { "link" } else { "no link" };
        context.reporter.say(None, &format!("{}: {link} {}", card.name, card.addresses.join(", ")));
    }
    context.reporter.set_links(status.links.iter().map(info).collect());
}

fn info(link: &xenoboot_net::LinkStatus) -> LinkInfo {
    LinkInfo {
        name: link.name.clone(),
        mac: link.mac.to_string(),
        driver: link.driver.clone(),
        carrier: link.carrier,
        addresses: link
            .addresses
            .iter()
            .map(|(address, prefix)| format!("{address}/{prefix}"))
            .collect(),
    }
}

fn link(link: &Link) -> LinkConfig {
    let mut select = NetSelect::default();
    match &link.select {
        Select::Mac(mac) => select.mac = Some(Mac(mac.0)),
        Select::Name(glob) => select.name = Some(glob.as_str().to_owned()),
        Select::Driver(driver) => select.driver = Some(driver.clone()),
    }
    let ipv4 = match link.ipv4 {
        Ipv4::Dhcp => NetIpv4::Dhcp,
        Ipv4::Off => NetIpv4::Off,
        Ipv4::Static { address, prefix, gateway } => NetIpv4::Static { address, prefix, gateway },
    };
    let ipv6 = match link.ipv6 {
        Ipv6::Auto => NetIpv6::Auto,
        Ipv6::Off => NetIpv6::Off,
        Ipv6::Static { address, prefix, gateway } => NetIpv6::Static { address, prefix, gateway },
    };
    LinkConfig { select, vlan: link.vlan, mtu: link.mtu, ipv4, ipv6, dns: link.dns.clone() }
}

fn target(server: &KnownServer, proxy: Option<&Proxy>) -> Target {
    let (host, port) = proxy.map_or((&server.url.host, server.url.port), |p| (&p.host, p.port));
    let host = match host {
        Host::Name(name) => NetHost::Name(name.clone()),
        Host::Address(address) => NetHost::Address(*address),
    };
    Target { host, port }
}

async fn tunnel(
    mut stream: TcpStream,
    server: &KnownServer,
    proxy: Option<&Proxy>,
) -> Result<TcpStream, Failure> {
    let Some(proxy) = proxy else { return Ok(stream) };
    match timeout(PROXY, xenoboot_net::proxy::connect(&mut stream, &server.authority)).await {
        Ok(Ok(())) => Ok(stream),
        Ok(Err(e)) => {
            let failure = Failure::chain(Code::ProxyFailed, &e);
            Err(Failure::new(Code::ProxyFailed, format!("{proxy}: {}", failure.cause)))
        }
        Err(_) => Err(Failure::new(Code::ProxyFailed, format!("{proxy} does not answer"))),
    }
}

/// Servers by address, over whatever network there is.
async fn by_hand(known: &[KnownServer]) -> Result<Connection, Failure> {
    let mut failure =
        Failure::new(Code::NameUnresolved, "by hand, servers are reached by address only");
    for server in known {
        let Host::Address(address) = server.url.host else { continue };
        let connected =
            timeout(Duration::from_secs(5), TcpStream::connect((address, server.url.port))).await;
        failure = match connected {
            Ok(Ok(stream)) => match server.shake_hands(stream, &address.to_string()).await {
                Ok(connection) => return Ok(connection),
                Err(failure) => failure,
            },
            Ok(Err(e)) => Failure::new(Code::ConnectRefused, format!("{}: {e}", server.authority)),
            Err(_) => Failure::new(Code::ConnectTimeout, &server.authority),
        };
    }
    Err(failure)
}
