//! `site.toml`: servers and network.

use crate::{
    error::{self, Error},
    host::{Proxy, ServerUrl},
    link::{Link, RawLink, servers},
};
use serde::Deserialize;
use std::net::IpAddr;
use toml::Spanned;
use xenoboot_wire::{Pin, id::InvalidId};

/// What differs between sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Servers in the order of the file, at least one, no two with the same host and port.
    pub servers: Vec<Server>,
    /// How the machine reaches them.
    pub network: Network,
}

/// A server and the keys that it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it is.
    pub url: ServerUrl,
    /// Its keys: at least one, several while a key is being replaced.
    pub pins: Vec<Pin>,
}

/// The network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The HTTP proxy to connect through.
    pub proxy: Option<Proxy>,
    /// Name servers, asked before those that DHCP or router advertisements tell.
    pub dns: Vec<IpAddr>,
    /// Cards and how to set them up. Empty: DHCP and SLAAC on every card that has a link.
    pub links: Vec<Link>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSite {
    #[serde(default)]
    server: Vec<Spanned<RawServer>>,
    #[serde(default)]
    network: RawNetwork,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    url: ServerUrl,
    pins: Spanned<Vec<Spanned<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNetwork {
    proxy: Option<Proxy>,
    #[serde(default)]
    dns: Vec<Spanned<String>>,
    #[serde(default)]
    link: Vec<Spanned<RawLink>>,
}

impl Site {
    /// Parses a site file of at most [`crate::MAX_FILE`] bytes.
    ///
    /// # Errors
    /// At the first thing that is not understood or contradicts something before it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let raw: RawSite = error::parse(text)?;
        if raw.server.is_empty() {
            let problem = "no server is named, expected `[[server]]` with `url` and `pins`";
            return Err(Error::at(text, 0..0, problem));
        }
        let mut servers: Vec<Server> = Vec::new();
        for entry in raw.server {
            let span = entry.span();
            let server = entry.into_inner().check(text)?;
            if servers.len() == crate::MAX_SERVERS {
                let problem = format!("too many servers, expected at most {}", crate::MAX_SERVERS);
                return Err(Error::at(text, span, problem));
            }
            if servers.iter().any(|s| s.url == server.url) {
                let problem = format!("server {} is there already", server.url);
                return Err(Error::at(text, span, problem));
            }
            servers.push(server);
        }
        Ok(Self { servers, network: raw.network.check(text)? })
    }
}

impl RawServer {
    fn check(self, text: &str) -> Result<Server, Error> {
        let span = self.pins.span();
        let list = self.pins.into_inner();
        if list.is_empty() || list.len() > crate::MAX_PINS {
            let problem = format!("{} pins, expected 1 to {}", list.len(), crate::MAX_PINS);
            return Err(Error::at(text, span, problem));
        }
        let mut pins = Vec::new();
        for entry in list {
            // Parsed here and not by serde, which would know the place of the list alone.
            let bad = |problem: String| Error::at(text, entry.span(), problem);
            let pin: Pin = entry.get_ref().parse().map_err(|e: InvalidId| bad(e.to_string()))?;
            if pins.contains(&pin) {
                return Err(bad("this pin is there already".to_owned()));
            }
            pins.push(pin);
        }
        Ok(Server { url: self.url, pins })
    }
}

impl RawNetwork {
    fn check(self, text: &str) -> Result<Network, Error> {
        let dns = servers(text, self.dns)?;
        let mut links: Vec<Link> = Vec::new();
        for entry in self.link {
            let span = entry.span();
            let link = entry.into_inner().check(text, span.clone())?;
            if links.len() == crate::MAX_LINKS {
                let problem = format!("too many links, expected at most {}", crate::MAX_LINKS);
                return Err(Error::at(text, span, problem));
            }
            // Two VLANs on one card are two links; the same VLAN twice contradicts itself.
            let twin =
                links.iter().find(|l| l.vlan == link.vlan && l.select.overlaps(&link.select));
            if let Some(twin) = twin {
                let problem = format!(
                    "{} overlaps with {} above, expected one entry for a card (and VLAN)",
                    link.select, twin.select
                );
                return Err(Error::at(text, span, problem));
            }
            links.push(link);
        }
        Ok(Network { proxy: self.proxy, dns, links })
    }
}
