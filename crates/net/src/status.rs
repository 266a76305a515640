//! What the network is now.

use crate::config::Mac;
use std::net::IpAddr;

/// A snapshot of every link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// In the order of their indexes.
    pub links: Vec<LinkStatus>,
    /// Configured cards that are not there, in words.
    pub missing: Vec<String>,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// The kernel's index.
    pub index: u32,
    /// Interface name.
    pub name: String,
    /// Permanent MAC address.
    pub mac: Mac,
    /// Kernel driver; empty for a VLAN.
    pub driver: String,
    /// Whether it is one that the configuration uses.
    pub used: bool,
    /// Whether there is a link partner.
    pub carrier: bool,
    /// Addresses with prefix lengths that can be used now.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Default routers.
    pub gateways: Vec<IpAddr>,
    /// Name servers that the network told, or the configuration for this link.
    pub dns: Vec<IpAddr>,
    /// What DHCP is about.
    pub lease: Lease,
    /// Why something could not be set, in words.
    pub trouble: Option<String>,
}

impl LinkStatus {
    /// Whether a server could be reached over it: it has an address that is not only link-local.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.used && self.carrier && self.addresses.iter().any(|(address, _)| routable(*address))
    }
}

/// Whether an address can be used beyond its link.
pub(crate) fn routable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local() && !address.is_loopback(),
        IpAddr::V6(address) => !address.is_unicast_link_local() && !address.is_loopback(),
    }
}

/// What DHCP for IPv4 is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lease {
    /// Not used on this link.
    #[default]
    None,
    /// Asked, no answer yet.
    Asking,
    /// A server leased an address.
    Bound,
}
