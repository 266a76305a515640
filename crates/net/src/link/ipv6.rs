//! A link's IPv6 addresses: from the site file, or from routers (by the kernel) and DHCPv6.

use super::{AGAIN, Link, expired, until};
use crate::{
    config::Ipv6,
    dhcp6::{self, Mode, News},
    netlink,
    pdu::router_advertisement::RouterAdvertisement,
    ra,
};
use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

/// An address of our own by DHCPv6; what else is on the link, routers say.
const ALONE: u8 = 128;

/// Name servers that routers may tell of, all together.
const MAX_SERVERS: usize = 16;

/// The lease whose address is set, and when it ends.
type Held = Option<(dhcp6::Lease, Instant)>;

/// A name server that a router told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advertised {
    pub(crate) server: Ipv6Addr,
    router: Ipv6Addr,
    /// `None`: never.
    expiry: Option<Instant>,
}

impl Advertised {
    /// Whether its time is not over.
    pub(crate) fn valid(&self) -> bool {
        self.expiry.is_none_or(|expiry| expiry > Instant::now())
    }
}

impl Link {
    pub(super) async fn ipv6(&self, mut carrier: watch::Receiver<bool>) {
        match self.config.ipv6 {
            Ipv6::Off => std::future::pending().await,
            Ipv6::Static { address, prefix, gateway } => {
                let all = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
                self.fixed((address.into(), prefix), gateway.map(IpAddr::V6), all).await;
            }
            Ipv6::Auto => {
                let mut held = None;
                loop {
                    if !until(&mut carrier, true).await {
                        return;
                    }
                    // What routers want is learned anew with each cable.
                    let (say, said) = watch::channel(None);
                    tokio::select! {
                        ((), ()) = async { tokio::join!(self.routers(&say), self.leases6(said, &mut held)) } => {}
                        _ = until(&mut carrier, false) => {}
                    }
                }
            }
        }
    }

    /// Hears routers: their name servers, and what is to be had by DHCPv6. The most that any asked for
    /// counts, so that none can talk us out of what another has.
    async fn routers(&self, say: &watch::Sender<Option<Mode>>) {
        loop {
            let heard = |router, advertisement: RouterAdvertisement| {
                self.shared.facts(self.card.index, |facts| {
                    advertised(&mut facts.dns_ra, router, &advertisement.dns);
                });
                let mode = match (advertisement.managed, advertisement.other) {
                    (true, _) => Some(Mode::Addresses),
                    (false, true) => Some(Mode::Settings),
                    (false, false) => None,
                };
                say.send_if_modified(|now| {
                    let more = mode > *now;
                    *now = mode.max(*now);
                    more
                });
            };
            if let Err(error) = ra::listen(&self.card.name, self.card.index, heard).await {
                log::debug!("{}: router advertisements: {error}", self.card.name);
            }
            sleep(AGAIN).await;
        }
    }

    /// Asks by DHCPv6 for what routers say is to be had by it.
    async fn leases6(&self, mut said: watch::Receiver<Option<Mode>>, held: &mut Held) {
        let mut mode = None;
        loop {
            let Ok(wanted) = said.wait_for(|now| *now > mode).await.map(|now| *now) else { return };
            mode = wanted;
            let Some(wanted) = wanted else { continue };
            tokio::select! {
                () = self.keep6(wanted, held) => {}
                _ = said.wait_for(|now| *now > mode) => {}
            }
        }
    }

    /// Gets what is wanted and keeps it. Never returns.
    async fn keep6(&self, wanted: Mode, held: &mut Held) {
        let (index, name, mac) = (self.card.index, self.card.name.clone(), self.card.mac);
        let identity = dhcp6::Identity { index, name, mac };
        loop {
            let (changed, mut changes) = mpsc::channel(1);
            let take = async {
                loop {
                    let expiry = held.as_ref().map(|(_, expiry)| *expiry);
                    let news = tokio::select! {
                        news = changes.recv() => match news {
                            Some(news) => news,
                            None => return,
                        },
                        () = expired(expiry) => News::Lease(None),
                    };
                    match news {
                        News::Lease(lease) => self.change6(held, lease).await,
                        News::Settings(dns) => self.shared.facts(index, |facts| facts.dns6 = dns),
                    }
                }
            };
            let (result, ()) = tokio::join!(dhcp6::run(&identity, wanted, changed), take);
            if let Err(error) = result {
                self.trouble(&format!("DHCPv6: {error}"));
            }
            sleep(AGAIN).await;
        }
    }

    /// From one lease to the next.
    async fn change6(&self, held: &mut Held, lease: Option<dhcp6::Lease>) {
        let (handle, index) = (&self.shared.handle(), self.card.index);
        let same =
            |old: &dhcp6::Lease| lease.as_ref().is_some_and(|new| new.address == old.address);
        if let Some((old, _)) = held.take().filter(|(old, _)| !same(old)) {
            netlink::remove_address(handle, index, old.address.into(), ALONE).await;
            log::warn!("{}: the lease of {} is lost", self.card.name, old.address);
        }
        if let Some(lease) = &lease
            && let Err(error) =
                netlink::add_address(handle, index, lease.address.into(), ALONE).await
        {
            self.trouble(&format!("the lease of {} could not be set: {error}", lease.address));
            return;
        }
        self.shared.facts(index, |facts| {
            facts.dns6 = lease.as_ref().map(|lease| lease.dns.clone()).unwrap_or_default();
            facts.trouble = None;
        });
        *held = lease.map(|lease| {
            let expiry = Instant::now() + lease.expire;
            (lease, expiry)
        });
    }
}

/// Takes what a router told: each server with its own lifetime (RFC 8106, section 5.1). One router's
/// message takes nothing back of another's.
fn advertised(known: &mut Vec<Advertised>, router: Ipv6Addr, told: &[(Ipv6Addr, u32)]) {
    for (server, lifetime) in told {
        known.retain(|entry| (entry.router, entry.server) != (router, *server) && entry.valid());
        let after = Duration::from_secs((*lifetime).into());
        let expiry = (*lifetime != u32::MAX).then(|| Instant::now() + after);
        if *lifetime > 0 && known.len() < MAX_SERVERS {
            known.push(Advertised { server: *server, router, expiry });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_takes_back_only_what_it_told() {
        let address = |n: u16| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n);
        let servers = |known: &[Advertised]| known.iter().map(|k| k.server).collect::<Vec<_>>();
        let mut known = Vec::new();
        advertised(&mut known, address(1), &[(address(53), 600), (address(54), u32::MAX)]);
        advertised(&mut known, address(2), &[(address(55), 600), (address(53), 0)]);
        assert_eq!(servers(&known), [address(53), address(54), address(55)]);
        advertised(&mut known, address(1), &[(address(53), 0)]);
        assert_eq!(servers(&known), [address(54), address(55)]);
        for n in 100..200 {
            advertised(&mut known, address(3), &[(address(n), 600)]);
        }
        assert_eq!(known.len(), MAX_SERVERS);
        assert!(known.iter().all(Advertised::valid));
    }
}
