//! A link's IPv4 address: from the site file or by DHCP.

use super::{AGAIN, Link, expired, metric, until};
use crate::{config::Ipv4, dhcp4, netlink, status::Lease};
use std::net::{IpAddr, Ipv4Addr};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

/// The lease whose address is set, and when it ends.
type Held = Option<(dhcp4::Lease, Instant)>;

impl Link {
    pub(super) async fn ipv4(&self, mut carrier: watch::Receiver<bool>) {
        match self.config.ipv4 {
            Ipv4::Off => std::future::pending().await,
            Ipv4::Static { address, prefix, gateway } => {
                let all = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
                self.fixed((address.into(), prefix), gateway.map(IpAddr::V4), all).await;
            }
            Ipv4::Dhcp => {
                let mut held = None;
                loop {
                    if !until(&mut carrier, true).await {
                        return;
                    }
                    tokio::select! {
                        () = self.leases4(&mut held) => {}
                        // With the cable in another network the lease would be another: ask anew. The
                        // old address stays until then, or until its time is over, since most cables come
                        // back to where they were.
                        _ = until(&mut carrier, false) => {}
                    }
                }
            }
        }
    }

    /// Asks for a lease and keeps it.
    async fn leases4(&self, held: &mut Held) {
        let identity = dhcp4::Identity {
            index: self.card.index,
            name: self.card.name.clone(),
            mac: self.card.mac,
            hostname: self.shared.config.hostname.clone(),
        };
        self.shared.facts(self.card.index, |facts| facts.lease = Lease::Asking);
        let (changed, mut changes) = mpsc::channel::<Option<dhcp4::Lease>>(1);
        let take = async {
            loop {
                let expiry = held.as_ref().map(|(_, expiry)| *expiry);
                let lease = tokio::select! {
                    change = changes.recv() => match change {
                        Some(lease) => lease,
                        None => return,
                    },
                    () = expired(expiry) => None,
                };
                self.change4(held.as_ref().map(|(lease, _)| lease), lease.as_ref()).await;
                *held = lease.map(|lease| {
                    let expiry = Instant::now() + lease.expire;
                    (lease, expiry)
                });
            }
        };
        let (result, ()) = tokio::join!(dhcp4::run(&identity, changed), take);
        if let Err(error) = result {
            self.trouble(&format!("DHCP: {error}"));
            sleep(AGAIN).await;
        }
    }

    /// From one lease to the next.
    async fn change4(&self, before: Option<&dhcp4::Lease>, after: Option<&dhcp4::Lease>) {
        let (handle, index) = (&self.shared.handle(), self.card.index);
        if let Some(old) = before.filter(|old| after.is_none_or(|new| new.address != old.address)) {
            netlink::remove_address(handle, index, old.address.into(), old.prefix).await;
            log::warn!("{}: the lease of {} is lost", self.card.name, old.address);
        }
        if let Some(lease) = after
            && let Err(error) = self.take4(lease).await
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
    async fn take4(&self, lease: &dhcp4::Lease) -> Result<(), rtnetlink::Error> {
        let (handle, index, name) = (&self.shared.handle(), self.card.index, &self.card.name);
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
}
