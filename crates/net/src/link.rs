//! One link at work: its addresses, from wherever they come, for as long as the link is there.

mod ipv4;
mod ipv6;

pub(crate) use ipv6::Advertised;

use crate::{
    config::{Ipv6, LinkConfig},
    netlink::{self, Card},
    network::Shared,
    sysctl,
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
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
        self.until_done("bringing it up", || async {
            netlink::up(&self.shared.handle(), self.card.index).await
        })
        .await;
        if let Some(mtu) = self.config.mtu {
            let set =
                || async { netlink::set_mtu(&self.shared.handle(), self.card.index, mtu).await };
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

    /// An address and router of the site file.
    async fn fixed(
        &self,
        (address, prefix): (IpAddr, u8),
        router: Option<IpAddr>,
        all: (IpAddr, u8),
    ) {
        let (shared, index) = (&self.shared, self.card.index);
        let set = || async { netlink::add_address(&shared.handle(), index, address, prefix).await };
        self.until_done(&format!("setting {address}/{prefix}"), set).await;
        if let Some(router) = router {
            let set = || async {
                netlink::add_route(&shared.handle(), index, all, Some(router), metric(index)).await
            };
            self.until_done(&format!("setting the router {router}"), set).await;
        }
        std::future::pending().await
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

/// Waits for a moment; for ever if there is none.
async fn expired(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
