//! `ip route add` and its kin.

use super::{
    BOOT, DST, EXPIRES, GATEWAY, MAIN, METRIC_NAMES, METRICS, MULTIPATH, OIF, PREFSRC, PRIORITY,
    RTM_DELROUTE, RTM_NEWROUTE, TABLE, UNICAST, VIA,
};
use crate::{
    applet::usage_error,
    ip::{
        Devices, INET, INET6, Show, Words, ask, family, names::Of, octets, parse_address,
        parse_prefix,
    },
    netlink::{self, Socket, push, push_u32},
};
use anyhow::bail;
use std::net::IpAddr;

/// What a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It must not be there yet.
    Add,
    /// It goes behind the others.
    Append,
    /// It must be there.
    Change,
    /// Either.
    Replace,
    /// It goes.
    Delete,
}

/// A route as words ask for it.
#[derive(Default)]
struct Wanted {
    family: u8,
    kind: Option<u8>,
    destination: Option<(IpAddr, u8)>,
    table: Option<u32>,
    protocol: Option<u8>,
    scope: Option<u8>,
    flags: u32,
    tos: u8,
    metrics: Vec<u8>,
    hops: Vec<u8>,
    gateway: bool,
    rest: Vec<u8>,
}

impl Wanted {
    fn set_family(&mut self, address: IpAddr) {
        if self.family == 0 {
            self.family = family(address);
        }
    }

    fn parse(show: Show, words: &mut Words<'_>, devices: &Devices) -> anyhow::Result<Self> {
        let mut wanted = Self { family: show.family, ..Self::default() };
        let mut to = false;
        if let Some(kind) = words.peek().and_then(|word| Of::Type.number(word)).filter(|_| {
            words.peek().is_some_and(|word| word.chars().all(|c| c.is_ascii_alphabetic()))
        }) {
            words.next();
            wanted.kind = u8::try_from(kind).ok();
        }
        while let Some(word) = words.next() {
            match word {
                "to" => {}
                "default" if !to => to = true,
                _ if wanted.option(word, words, devices)? => {}
                prefix if !to => {
                    let (address, length) = parse_prefix(prefix)?;
                    wanted.set_family(address);
                    wanted.destination = Some((address, length));
                    to = true;
                }
                other => return usage_error(format!("unknown argument \"{other}\" of route")),
            }
        }
        if !to && wanted.rest.is_empty() && wanted.hops.is_empty() {
            return usage_error("which route?");
        }
        Ok(wanted)
    }

    fn option(
        &mut self,
        word: &str,
        words: &mut Words<'_>,
        devices: &Devices,
    ) -> anyhow::Result<bool> {
        let named = |of: Of, text: &str| match of.number(text) {
            Some(number) => Ok(number),
            None => bail!("Error: argument \"{text}\" is wrong: \"{word}\" value is invalid"),
        };
        match word {
            "via" => {
                let gateway = next_address(words)?;
                self.gateway = true;
                self.via(gateway);
            }
            "dev" | "oif" => push_u32(&mut self.rest, OIF, devices.index(words.value(word)?)?),
            "src" => {
                let source = parse_address(words.value(word)?)?;
                self.set_family(source);
                push(&mut self.rest, PREFSRC, &octets(source));
            }
            "metric" | "priority" | "preference" => {
                push_u32(&mut self.rest, PRIORITY, words.number(word)?)
            }
            "table" => self.table = Some(named(Of::Table, words.value(word)?)?),
            "proto" | "protocol" => {
                self.protocol = Some(u8::try_from(named(Of::Protocol, words.value(word)?)?)?);
            }
            "scope" => self.scope = Some(u8::try_from(named(Of::Scope, words.value(word)?)?)?),
            "type" => self.kind = Some(u8::try_from(named(Of::Type, words.value(word)?)?)?),
            "tos" | "dsfield" => self.tos = words.number(word)?,
            "expires" => push_u32(&mut self.rest, EXPIRES, words.number(word)?),
            "onlink" => self.flags |= 4,
            "nexthop" => self.hop(words, devices)?,
            "mtu" | "advmss" | "hoplimit" | "initcwnd" | "initrwnd" | "window" | "cwnd"
            | "ssthresh" | "quickack" | "reordering" => {
                if words.peek() == Some("lock") {
                    words.next();
                    let bit = METRIC_NAMES.iter().position(|name| *name == word).unwrap_or(0);
                    push_u32(&mut self.metrics, 1, 1 << bit);
                }
                let kind = METRIC_NAMES.iter().position(|name| *name == word).unwrap_or(0);
                push_u32(&mut self.metrics, u16::try_from(kind)?, words.number(word)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn via(&mut self, gateway: IpAddr) {
        self.set_family(gateway);
        if family(gateway) == self.family {
            push(&mut self.rest, GATEWAY, &octets(gateway));
        } else {
            push(&mut self.rest, VIA, &other_family(gateway));
        }
    }

    fn hop(&mut self, words: &mut Words<'_>, devices: &Devices) -> anyhow::Result<()> {
        let (mut index, mut weight, mut flags, mut attributes) = (0, 1_u32, 0_u8, Vec::new());
        while let Some(word) =
            words.peek().filter(|word| matches!(*word, "via" | "dev" | "weight" | "onlink"))
        {
            words.next();
            match word {
                "via" => {
                    let gateway = next_address(words)?;
                    self.set_family(gateway);
                    push(&mut attributes, GATEWAY, &octets(gateway));
                }
                "dev" => index = devices.index(words.value(word)?)?,
                "onlink" => flags |= 4,
                _ => weight = words.number(word)?,
            }
        }
        if !(1..=256).contains(&weight) {
            bail!("Error: argument \"{weight}\" is wrong: \"weight\" is invalid");
        }
        self.hops.extend(u16::try_from(8 + attributes.len())?.to_ne_bytes());
        self.hops.extend([flags, u8::try_from(weight - 1)?]);
        self.hops.extend(index.to_ne_bytes());
        self.hops.extend(attributes);
        Ok(())
    }

    fn body(self, what: Action) -> Vec<u8> {
        let family = if self.family == 0 { INET } else { self.family };
        let deletes = what == Action::Delete;
        let kind = self.kind.unwrap_or(if deletes { 0 } else { UNICAST });
        let scope = self.scope.unwrap_or(match kind {
            _ if family == INET6 => 0,
            _ if deletes => 255,
            2 | 10 => 254,
            3..=5 => 253,
            1 | 0 if !self.gateway && self.hops.is_empty() => 253,
            _ => 0,
        });
        let protocol = self.protocol.unwrap_or(if deletes { 0 } else { BOOT });
        let table =
            self.table.unwrap_or(if kind == 2 || kind == 3 || kind == 10 { 255 } else { MAIN });
        let length = self.destination.map_or(0, |(_, length)| length);
        let short = u8::try_from(table).unwrap_or(0);
        let mut body = vec![family, length, 0, self.tos, short, protocol, scope, kind];
        body.extend(self.flags.to_ne_bytes());
        if let Some((address, _)) = self.destination {
            push(&mut body, DST, &octets(address));
        }
        if short == 0 {
            push_u32(&mut body, TABLE, table);
        }
        body.extend(self.rest);
        if !self.metrics.is_empty() {
            push(&mut body, METRICS, &self.metrics);
        }
        if !self.hops.is_empty() {
            push(&mut body, MULTIPATH, &self.hops);
        }
        body
    }
}

/// `struct rtvia`: a gateway of another family.
fn other_family(gateway: IpAddr) -> Vec<u8> {
    let mut value = u16::from(family(gateway)).to_ne_bytes().to_vec();
    value.extend(octets(gateway));
    value
}

fn next_address(words: &mut Words<'_>) -> anyhow::Result<IpAddr> {
    if matches!(words.peek(), Some("inet" | "inet6")) {
        words.next();
    }
    parse_address(words.value("via")?)
}

/// `ip route add` and its kin.
pub(crate) fn change(
    show: Show,
    what: Action,
    words: &mut Words<'_>,
    socket: &mut Socket,
) -> anyhow::Result<u8> {
    let devices = Devices::read(socket)?;
    let wanted = Wanted::parse(show, words, &devices)?;
    let (kind, flags) = match what {
        Action::Add => (RTM_NEWROUTE, netlink::CREATE | netlink::EXCLUSIVE),
        Action::Append => (RTM_NEWROUTE, netlink::CREATE | netlink::APPEND),
        Action::Change => (RTM_NEWROUTE, netlink::REPLACE),
        Action::Replace => (RTM_NEWROUTE, netlink::CREATE | netlink::REPLACE),
        Action::Delete => (RTM_DELROUTE, 0),
    };
    ask(socket, kind, flags, &wanted.body(what))?;
    Ok(0)
}
