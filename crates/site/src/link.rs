//! One `[[network.link]]` entry: how a card is set up.

use crate::{
    error::Error,
    select::{Driver, Glob, Mac, Select},
};
use serde::{Deserialize, Deserializer, de};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use toml::Spanned;

/// How a network card is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which card.
    pub select: Select,
    /// The IEEE 802.1Q VLAN to use on it, 1 to 4094; `None`: untagged.
    pub vlan: Option<u16>,
    /// The largest IP packet, 576 to 9216 bytes (1280 at least unless IPv6 is off).
    pub mtu: Option<u32>,
    /// IPv4.
    pub ipv4: Ipv4,
    /// IPv6.
    pub ipv6: Ipv6,
    /// Name servers to ask over this link, in order, before those that DHCP tells.
    pub dns: Vec<IpAddr>,
}

/// How a link gets its IPv4 address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipv4 {
    /// From DHCP (RFC 2131).
    #[default]
    Dhcp,
    /// IPv4 is not used.
    Off,
    /// As given.
    Static {
        /// The machine's address.
        address: Ipv4Addr,
        /// The subnet's prefix length, 1 to 32.
        prefix: u8,
        /// The default route, inside the subnet.
        gateway: Option<Ipv4Addr>,
    },
}

/// How a link gets its IPv6 address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipv6 {
    /// From router advertisements (SLAAC, RFC 4862) and DHCPv6 (RFC 9915) as they say.
    #[default]
    Auto,
    /// IPv6 is not used.
    Off,
    /// As given; router advertisements are ignored.
    Static {
        /// The machine's address.
        address: Ipv6Addr,
        /// The subnet's prefix length, 1 to 128.
        prefix: u8,
        /// The default route: link-local or inside the subnet.
        gateway: Option<Ipv6Addr>,
    },
}

/// The entry as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLink {
    mac: Option<Mac>,
    name: Option<Glob>,
    driver: Option<Driver>,
    vlan: Option<Spanned<u16>>,
    mtu: Option<Spanned<u32>>,
    #[serde(default)]
    ipv4: Ipv4,
    #[serde(default)]
    ipv6: Ipv6,
    #[serde(default)]
    dns: Vec<Spanned<String>>,
}

impl RawLink {
    /// Checks what only the whole entry shows. `span` is the entry's place in `text`.
    pub(crate) fn check(self, text: &str, span: std::ops::Range<usize>) -> Result<Link, Error> {
        let select = match (self.mac, self.name, self.driver) {
            (Some(mac), None, None) => Select::Mac(mac),
            (None, Some(glob), None) => Select::Name(glob),
            (None, None, Some(driver)) => Select::Driver(driver.0),
            _ => {
                let problem = "a link is chosen by one key, expected `mac`, `name` or `driver`";
                return Err(Error::at(text, span, problem));
            }
        };
        if self.ipv4 == Ipv4::Off && self.ipv6 == Ipv6::Off {
            let problem = "neither IPv4 nor IPv6 is used, expected at least one of them";
            return Err(Error::at(text, span, problem));
        }
        let vlan = ranged(text, self.vlan, 1, 4094, "VLAN")?;
        let least = if self.ipv6 == Ipv6::Off { 576 } else { 1280 };
        let mtu = ranged(text, self.mtu, least, 9216, "MTU")?;
        let dns = servers(text, self.dns)?;
        Ok(Link { select, vlan, mtu, ipv4: self.ipv4, ipv6: self.ipv6, dns })
    }
}

fn ranged<T: Copy + PartialOrd + fmt::Display>(
    text: &str,
    value: Option<Spanned<T>>,
    least: T,
    most: T,
    what: &str,
) -> Result<Option<T>, Error> {
    let Some(value) = value else { return Ok(None) };
    let number = *value.get_ref();
    if number < least || number > most {
        let why = if what == "MTU" { " (IPv6 needs 1280)" } else { "" };
        let problem = format!("{number} is not a {what}, expected {least} to {most}{why}");
        return Err(Error::at(text, value.span(), problem));
    }
    Ok(Some(number))
}

/// The name servers of a list, each once, at most [`crate::MAX_DNS`].
pub(crate) fn servers(text: &str, list: Vec<Spanned<String>>) -> Result<Vec<IpAddr>, Error> {
    let mut found = Vec::new();
    for server in list {
        let span = server.span();
        let address = dns_server(server.get_ref()).map_err(|p| Error::at(text, span.clone(), p))?;
        if found.contains(&address) {
            return Err(Error::at(text, span, format!("{address} is there already")));
        }
        if found.len() == crate::MAX_DNS {
            let problem = format!("too many name servers, expected at most {}", crate::MAX_DNS);
            return Err(Error::at(text, span, problem));
        }
        found.push(address);
    }
    Ok(found)
}

fn dns_server(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| {
        format!("`{}` is not an address, expected IPv4 or IPv6", text.escape_debug())
    })?;
    // 127.0.0.53 copied from a desktop's resolv.conf is a mistake: nothing answers there.
    let unusable = address.is_unspecified() || address.is_multicast() || address.is_loopback();
    if unusable || matches!(address, IpAddr::V4(v4) if v4.is_broadcast()) {
        return Err(format!("{address} cannot be a name server, expected a unicast address"));
    }
    Ok(address)
}

/// `{ address = "ADDRESS/PREFIX", gateway = "ADDRESS" }`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStatic {
    address: String,
    gateway: Option<String>,
}

impl RawStatic {
    fn address<A: std::str::FromStr>(&self, most: u8, example: &str) -> Result<(A, u8), String> {
        let expected = || {
            format!(
                "`{}` is not an address with prefix length, expected the like of {example}",
                self.address.escape_debug()
            )
        };
        let (address, digits) = self.address.split_once('/').ok_or_else(expected)?;
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        let prefix = digits.parse::<u8>().ok().filter(|p| plain && (1..=most).contains(p));
        let prefix = prefix.ok_or_else(|| {
            format!("`/{}` is not a prefix length, expected 1 to {most}", digits.escape_debug())
        })?;
        Ok((address.parse().map_err(|_| expected())?, prefix))
    }

    fn gateway<A: std::str::FromStr>(&self) -> Result<Option<A>, String> {
        self.gateway
            .as_deref()
            .map(|g| {
                g.parse().map_err(|_| {
                    format!("gateway `{}` is not an address of this family", g.escape_debug())
                })
            })
            .transpose()
    }

    fn v4(&self) -> Result<Ipv4, String> {
        let (address, prefix): (Ipv4Addr, u8) = self.address(32, "192.0.2.7/24")?;
        let gateway: Option<Ipv4Addr> = self.gateway()?;
        let mask = u32::MAX << (32 - u32::from(prefix));
        let bits = u32::from(address);
        let ends = prefix < 31 && (bits & !mask == 0 || bits & !mask == !mask);
        let loopback = address.is_loopback() || address.is_unspecified();
        if ends || loopback || address.is_multicast() || address.is_broadcast() {
            return Err(format!("{address}/{prefix} is not a host's address in its subnet"));
        }
        if let Some(gateway) =
            gateway.filter(|g| u32::from(*g) & mask != bits & mask || *g == address)
        {
            return Err(format!("gateway {gateway} is not another host inside {address}/{prefix}"));
        }
        Ok(Ipv4::Static { address, prefix, gateway })
    }

    fn v6(&self) -> Result<Ipv6, String> {
        let (address, prefix): (Ipv6Addr, u8) = self.address(128, "2001:db8::7/64")?;
        let gateway: Option<Ipv6Addr> = self.gateway()?;
        let mask = u128::MAX << (128 - u32::from(prefix));
        let bits = u128::from(address);
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            return Err(format!("{address}/{prefix} is not a host's address"));
        }
        let inside =
            |g: &Ipv6Addr| g.is_unicast_link_local() || u128::from(*g) & mask == bits & mask;
        if let Some(gateway) = gateway.filter(|g| !inside(g) || *g == address) {
            return Err(format!(
                "gateway {gateway} is neither link-local nor another host inside {address}/{prefix}"
            ));
        }
        Ok(Ipv6::Static { address, prefix, gateway })
    }
}

/// Either a word or a table: written by hand because serde's untagged enums lose what was expected.
struct WordOrTable<T> {
    expected: &'static str,
    word: fn(&str) -> Option<T>,
    table: fn(&RawStatic) -> Result<T, String>,
}

impl<'de, T> de::Visitor<'de> for WordOrTable<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.word)(text).ok_or_else(|| {
            E::custom(format!("`{}` is not known, expected {}", text.escape_debug(), self.expected))
        })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let raw = RawStatic::deserialize(de::value::MapAccessDeserializer::new(map))?;
        (self.table)(&raw).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Ipv4 {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(WordOrTable {
            expected: r#""dhcp", "off" or { address = "192.0.2.7/24", gateway = "192.0.2.1" }"#,
            word: |text| match text {
                "dhcp" => Some(Self::Dhcp),
                "off" => Some(Self::Off),
                _ => None,
            },
            table: RawStatic::v4,
        })
    }
}

impl<'de> Deserialize<'de> for Ipv6 {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(WordOrTable {
            expected: r#""auto", "off" or { address = "2001:db8::7/64", gateway = "2001:db8::1" }"#,
            word: |text| match text {
                "auto" => Some(Self::Auto),
                "off" => Some(Self::Off),
                _ => None,
            },
            table: RawStatic::v6,
        })
    }
}
