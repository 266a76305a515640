//! Where servers and proxies are: `https://HOST[:PORT]`, `http://HOST:PORT`.

use serde::Deserialize;
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// The port of a server whose URL names none.
pub const DEFAULT_PORT: u16 = 7443;

/// A host: a DNS name (RFC 1123) in lower case, or an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name to resolve.
    Name(String),
    /// An address: not unspecified, multicast or IPv6 link-local.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A server's URL, `https://HOST[:PORT]`; the port is [`DEFAULT_PORT`] when it is not given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ServerUrl {
    /// The host.
    pub host: Host,
    /// The TCP port, never zero.
    pub port: u16,
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}", self.host, self.port)
    }
}

impl FromStr for ServerUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected https://HOST or https://HOST:PORT";
        let rest = text
            .strip_prefix("https://")
            .ok_or_else(|| format!("`{}` is not https, {EXPECTED}", text.escape_debug()))?;
        let (host, port) = authority(rest.strip_suffix('/').unwrap_or(rest), EXPECTED)?;
        Ok(Self { host, port: port.unwrap_or(DEFAULT_PORT) })
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// An HTTP proxy that connects through (`CONNECT`, RFC 9110, section 9.3.6), `http://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Proxy {
    /// The host.
    pub host: Host,
    /// The TCP port, never zero.
    pub port: u16,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

impl FromStr for Proxy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected http://HOST:PORT";
        let rest = text
            .strip_prefix("http://")
            .ok_or_else(|| format!("`{}` is not an HTTP proxy, {EXPECTED}", text.escape_debug()))?;
        let (host, port) = authority(rest.strip_suffix('/').unwrap_or(rest), EXPECTED)?;
        let port = port.ok_or_else(|| format!("the port is missing, {EXPECTED}"))?;
        Ok(Self { host, port })
    }
}

impl TryFrom<String> for Proxy {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Splits `HOST[:PORT]`; an IPv6 address stands in brackets (RFC 3986, section 3.2.2).
fn authority(text: &str, expected: &str) -> Result<(Host, Option<u16>), String> {
    if let Some(at) = text.find(['/', '?', '#', '@']) {
        let found = text.get(at..).unwrap_or("").escape_debug();
        return Err(format!("unexpected `{found}`, {expected}"));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (literal, tail) =
            rest.split_once(']').ok_or_else(|| format!("`]` is missing, {expected}"))?;
        let address = literal.parse::<Ipv6Addr>().map_err(|_| {
            format!("`{}` is not an IPv6 address (without zone)", literal.escape_debug())
        })?;
        let port = match tail.strip_prefix(':') {
            Some(digits) => Some(port(digits)?),
            None if tail.is_empty() => None,
            None => return Err(format!("unexpected `{}`, {expected}", tail.escape_debug())),
        };
        return Ok((usable(IpAddr::V6(address))?, port));
    }
    let (name, digits) = match text.split_once(':') {
        Some((name, digits)) => (name, Some(digits)),
        None => (text, None),
    };
    if digits.is_some_and(|d| d.contains(':')) {
        return Err(format!("an IPv6 address stands in brackets, {expected}"));
    }
    let port = digits.map(port).transpose()?;
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok((usable(address)?, port));
    }
    if is_dns_name(name) {
        return Ok((Host::Name(name.to_ascii_lowercase()), port));
    }
    Err(format!("`{}` is neither a DNS name nor an address", name.escape_debug()))
}

fn port(digits: &str) -> Result<u16, String> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits
        .parse()
        .ok()
        .filter(|_| plain)
        .ok_or_else(|| format!("`{}` is not a port, expected 1 to 65535", digits.escape_debug()))
}

fn usable(address: IpAddr) -> Result<Host, String> {
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if address.is_unspecified() || address.is_multicast() || broadcast || link_local {
        return Err(format!("{address} cannot be a host's address, expected a unicast address"));
    }
    Ok(Host::Address(address))
}

/// Host names as RFC 1123, section 2.1, has them. The last label is not all digits, so that a
/// misspelt IPv4 address is not taken for a name.
fn is_dns_name(name: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let last_is_number =
        name.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(label) && !last_is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, shown) in [
            ("https://boot.example.org", "https://boot.example.org:7443"),
            ("https://Boot.Example.org:443/", "https://boot.example.org:443"),
            ("https://192.0.2.1:1", "https://192.0.2.1:1"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]:7443"),
            ("https://[2001:DB8:0::1]:8443", "https://[2001:db8::1]:8443"),
        ] {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(shown.parse::<ServerUrl>().unwrap(), url);
        }
    }

    #[test]
    fn bad_urls() {
        for text in [
            "",
            "http://a",
            "https://",
            "HTTPS://a",
            "https://a/path",
            "https://user@a",
            "https://a?b",
            "https://a#b",
            "https://a:0",
            "https://a:65536",
            "https://a:+1",
            "https://a:",
            "https://a:080",
            "https://2001:db8::1",
            "https://[2001:db8::1",
            "https://[2001:db8::1]x",
            "https://[fe80::1]",
            "https://[fe80::1%eth0]",
            "https://[192.0.2.1]",
            "https://192.0.2.300",
            "https://0.0.0.0",
            "https://224.0.0.1",
            "https://255.255.255.255",
            "https://a..b",
            "https://-a",
            "https://a_b",
            "https://ä.example",
            "https://a b",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_proxy_names_its_port() {
        assert_eq!(
            "http://192.0.2.8:3128".parse::<Proxy>().unwrap().to_string(),
            "http://192.0.2.8:3128"
        );
        for text in ["http://192.0.2.8", "https://192.0.2.8:3128", "192.0.2.8:3128"] {
            assert!(text.parse::<Proxy>().is_err(), "{text}");
        }
    }
}
