//! One link at work: its addresses, from wherever they come, for as long as the link is there.

use crate::{
    config::{Ipv4, Ipv6, LinkConfig},
    dhcp4,
    manager::Shared,
    netlink::{self, Card},
    ra,
    status::Lease,
    sysctl,
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

/// Default routes of links: worse than what `prefer` sets, and each link's its own.
pub(crate) fn metric(index: u32) -> u32 {
    1024 + index
}

/// Between attempts at something that the kernel refused.
const AGAIN: Duration = Duration::from_secs(5);

/// A link with what it is to be.
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) card: Card,
    pub(crate) config: LinkConfig,
}

impl Link {
    /// Brings the link up and keeps its addresses. Never returns; dropped when the link is gone.
    pub(crate) async fn serve(self, carrier: watch::Receiver<bool>) {
        self.settings();
        self.until_done("bringing it up", || netlink::up(&self.shared.handle, self.card.index))
            .await;
        if let Some(mtu) = self.config.mtu {
            let set = || netlink::set_mtu(&self.shared.handle, self.card.index, mtu);
            self.until_done(&format!("setting an MTU of {mtu}"), set).await;
        }
        tokio::join!(self.ipv4(carrier.clone()), self.ipv6(carrier));
    }

    /// What must be right before the link goes up.
    fn settings(&self) {
        let name = &self.card.name;
        // Answers may come in over another link than the best route's: each card stands for itself.
        sysctl::link("ipv4", name, "rp_filter", "2");
        // Two cards in one network: neither shall answer for the other's address (arp(7)), or what is sent
        // to one would come in at the other.
        sysctl::link("ipv4", name, "arp_ignore", "1");
        sysctl::link("ipv4", name, "arp_announce", "2");
        let auto = self.config.ipv6 == Ipv6::Auto;
        sysctl::link(
            "ipv6",
            name,
            "disable_ipv6",
            if self.config.ipv6 == Ipv6::Off { "1" } else { "0" },
        );
        sysctl::link("ipv6", name, "accept_ra", if auto { "2" } else { "0" });
        sysctl::link("ipv6", name, "autoconf", if auto { "1" } else { "0" });
    }

    async fn ipv4(&self, mut carrier: watch::Receiver<bool>) {
        match self.config.ipv4 {
            Ipv4::Off => std::future::pending().await,
            Ipv4::Static { address, prefix, gateway } => {
                let all = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
                self.fixed((address.into(), prefix), gateway.map(IpAddr::V4), all).await;
            }
            Ipv4::Dhcp => loop {
                if !until(&mut carrier, true).await {
                    return;
                }
                tokio::select! {
                    () = self.leases() => {}
                    // With the cable in another network the lease would be another: ask anew. The old address
                    // stays until then, since most cables come back to where they were.
                    _ = until(&mut carrier, false) => {}
                }
            },
        }
    }

    async fn ipv6(&self, mut carrier: watch::Receiver<bool>) {
        match self.config.ipv6 {
            Ipv6::Off => std::future::pending().await,
            Ipv6::Static { address, prefix, gateway } => {
                let all = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
                self.fixed((address.into(), prefix), gateway.map(IpAddr::V6), all).await;
            }
            Ipv6::Auto => loop {
                if !until(&mut carrier, true).await {
                    return;
                }
                let heard =
                    |advertisement: crate::pdu::router_advertisement::RouterAdvertisement| {
                        self.shared.facts(self.card.index, |facts| facts.dns6 = advertisement.dns);
                    };
                let listening = ra::listen(&self.card.name, self.card.index, heard);
                tokio::select! {
                    result = listening => {
                        if let Err(error) = result {
                            log::debug!("{}: router advertisements: {error}", self.card.name);
                        }
                        sleep(AGAIN).await;
                    }
                    _ = until(&mut carrier, false) => {}
                }
            },
        }
    }

    /// An address and router of the site file.
    async fn fixed(
        &self,
        (address, prefix): (IpAddr, u8),
        router: Option<IpAddr>,
        all: (IpAddr, u8),
    ) {
        let (handle, index) = (&self.shared.handle, self.card.index);
        let set = || netlink::add_address(handle, index, address, prefix);
        self.until_done(&format!("setting {address}/{prefix}"), set).await;
        if let Some(router) = router {
            let set = || netlink::add_route(handle, index, all, Some(router), metric(index));
            self.until_done(&format!("setting the router {router}"), set).await;
        }
        std::future::pending().await
    }

    /// Asks for a lease and keeps it.
    async fn leases(&self) {
        let identity = dhcp4::Identity {
            index: self.card.index,
            name: self.card.name.clone(),
            mac: self.card.mac,
            hostname: self.shared.config.hostname.clone(),
        };
        self.shared.facts(self.card.index, |facts| {
            if facts.lease == Lease::None {
                facts.lease = Lease::Asking;
            }
        });
        let (changed, mut changes) = mpsc::channel::<Option<dhcp4::Lease>>(1);
        let take = async {
            let mut current: Option<dhcp4::Lease> = None;
            while let Some(lease) = changes.recv().await {
                self.change(current.as_ref(), lease.as_ref()).await;
                current = lease;
            }
        };
        let (result, ()) = tokio::join!(dhcp4::run(&identity, changed), take);
        if let Err(error) = result {
            self.trouble(&format!("DHCP: {error}"));
            sleep(AGAIN).await;
        }
    }

    /// From one lease to the next.
    async fn change(&self, before: Option<&dhcp4::Lease>, after: Option<&dhcp4::Lease>) {
        let (handle, index) = (&self.shared.handle, self.card.index);
        if let Some(old) = before.filter(|old| after.is_none_or(|new| new.address != old.address)) {
            netlink::remove_address(handle, index, old.address.into(), old.prefix).await;
            log::warn!("{}: the lease of {} is lost", self.card.name, old.address);
        }
        if let Some(lease) = after
            && let Err(error) = self.take(lease).await
        {
            self.trouble(&format!("the lease of {} could not be set: {error}", lease.address));
            return;
        }
        self.shared.facts(index, |facts| {
            facts.lease = if after.is_some() { Lease::Bound } else { Lease::Asking };
            facts.dns4 = after.map(|lease| lease.dns.clone()).unwrap_or_default();
            facts.trouble = None;
        });
    }

    /// Sets what a lease gives. Without the address it is worth nothing; of the rest each is worth having
    /// without the others, since one wrong option of a server must not cost the machine its network.
    async fn take(&self, lease: &dhcp4::Lease) -> Result<(), rtnetlink::Error> {
        let (handle, index, name) = (&self.shared.handle, self.card.index, &self.card.name);
        netlink::add_address(handle, index, lease.address.into(), lease.prefix).await?;
        let default = lease.gateway.map(|router| (Ipv4Addr::UNSPECIFIED, 0, router));
        for (network, prefix, router) in default.iter().chain(&lease.routes) {
            let via = Some(IpAddr::V4(*router)).filter(|router| !router.is_unspecified());
            let to = ((*network).into(), *prefix);
            if let Err(error) = netlink::add_route(handle, index, to, via, metric(index)).await {
                log::warn!("{name}: the route to {network}/{prefix} by {router}: {error}");
            }
        }
        if let Some(mtu) = lease.mtu.filter(|_| self.config.mtu.is_none())
            && let Err(error) = netlink::set_mtu(handle, index, mtu).await
        {
            log::warn!("{name}: an MTU of {mtu}: {error}");
        }
        Ok(())
    }

    /// Does something until the kernel agrees.
    async fn until_done<F>(&self, what: &str, mut act: impl FnMut() -> F)
    where
        F: Future<Output = Result<(), rtnetlink::Error>>,
    {
        while let Err(error) = act().await {
            self.trouble(&format!("{what}: {error}"));
            sleep(AGAIN).await;
        }
        self.shared.facts(self.card.index, |facts| facts.trouble = None);
    }

    fn trouble(&self, what: &str) {
        log::warn!("{}: {what}", self.card.name);
        self.shared.facts(self.card.index, |facts| facts.trouble = Some(what.to_owned()));
    }
}

/// Waits until there is carrier, or none. False when the link is gone.
async fn until(carrier: &mut watch::Receiver<bool>, wanted: bool) -> bool {
    carrier.wait_for(|up| *up == wanted).await.is_ok()
}
