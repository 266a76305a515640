//! What the network shall be.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// An Ethernet address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The whole machine's network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Links to use. None: every card, with DHCP and SLAAC.
    pub links: Vec<LinkConfig>,
    /// Name servers of the site, asked over every link.
    pub dns: Vec<IpAddr>,
    /// Told to DHCP servers, some of which demand it.
    pub hostname: String,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Which card.
    pub select: Select,
    /// 802.1Q VLAN on that card, 1 to 4094.
    pub vlan: Option<u16>,
    /// Largest packet, bytes.
    pub mtu: Option<u32>,
    /// IPv4 addresses.
    pub ipv4: Ipv4,
    /// IPv6 addresses.
    pub ipv6: Ipv6,
    /// Name servers, beside those that the network tells.
    pub dns: Vec<IpAddr>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        let (select, dns) = (Select::default(), Vec::new());
        Self { select, vlan: None, mtu: None, ipv4: Ipv4::Dhcp, ipv6: Ipv6::Auto, dns }
    }
}

/// Which card; all that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    /// Its permanent MAC address.
    pub mac: Option<Mac>,
    /// Its interface name; `*` stands for any characters, `?` for one.
    pub name: Option<String>,
    /// Its kernel driver.
    pub driver: Option<String>,
}

impl Select {
    /// Whether a card is meant.
    #[must_use]
    pub fn fits(&self, name: &str, mac: Mac, driver: &str) -> bool {
        self.mac.is_none_or(|wanted| wanted == mac)
            && self.name.as_ref().is_none_or(|pattern| glob(pattern.as_bytes(), name.as_bytes()))
            && self.driver.as_ref().is_none_or(|wanted| wanted == driver)
    }

    /// By what it selects. Where several entries fit a card, those of the lowest kind count: a MAC address
    /// is closer than a name, and a name than a driver.
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Self { mac: Some(_), .. } => 0,
            Self { name: Some(_), .. } => 1,
            Self { driver: Some(_), .. } => 2,
            _ => 3,
        }
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mac = self.mac.map(|mac| format!("MAC {mac}"));
        let name = self.name.as_ref().map(|name| format!("name {name}"));
        let driver = self.driver.as_ref().map(|driver| format!("driver {driver}"));
        let parts: Vec<_> = [mac, name, driver].into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("any card") } else { f.write_str(&parts.join(", ")) }
    }
}

/// How a link gets IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv4 {
    /// From a DHCP server (RFC 2131).
    Dhcp,
    /// Not at all.
    Off,
    /// This one.
    Static {
        /// The address.
        address: Ipv4Addr,
        /// Length of the network's prefix, bits.
        prefix: u8,
        /// The default router.
        gateway: Option<Ipv4Addr>,
    },
}

/// How a link gets IPv6 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv6 {
    /// From router advertisements (RFC 4862), and DHCPv6 where they say so.
    Auto,
    /// Not at all.
    Off,
    /// This one.
    Static {
        /// The address.
        address: Ipv6Addr,
        /// Length of the network's prefix, bits.
        prefix: u8,
        /// The default router.
        gateway: Option<Ipv6Addr>,
    },
}

/// Matches without backtracking over more than the last `*`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => {
            (0..=text.len()).any(|n| text.get(n..).is_some_and(|t| glob(rest, t)))
        }
        Some((first, rest)) => text
            .split_first()
            .is_some_and(|(c, tail)| (*first == b'?' || first == c) && glob(rest, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_kind_counts() {
        let driver = Select { driver: Some("e1000".into()), ..Select::default() };
        let name = Select { name: Some("e*".into()), ..driver.clone() };
        let mac = Select { mac: Some(Mac::default()), ..name.clone() };
        let kinds = [&mac, &name, &driver, &Select::default()].map(Select::kind);
        assert!(kinds.is_sorted_by(|a, b| a < b), "{kinds:?}");
    }

    #[test]
    fn selects_by_all_that_is_given() {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let select = Select { mac: Some(mac), name: Some("e*0".into()), driver: None };
        assert!(select.fits("eth0", mac, "e1000"));
        assert!(!select.fits("eth1", mac, "e1000"));
        assert!(!select.fits("eth0", Mac([2; 6]), "e1000"));
        assert!(Select::default().fits("x", mac, "y"));
        assert!(glob(b"en?s*", b"enps3") && !glob(b"en?s*", b"ens3"));
    }
}
