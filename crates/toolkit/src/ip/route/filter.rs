//! Which routes `ip route` shows and flushes.

use super::{CLONED, DST, GATEWAY, MAIN, OIF, PREFSRC, Route};
use crate::ip::{
    Devices, INET, Words, address, family, names::Of, octets, parse_address, parse_prefix,
};
use anyhow::bail;
use std::net::IpAddr;

/// Which routes are shown.
#[derive(Default)]
pub(super) struct Filter {
    /// `None` is all.
    pub(super) table: Option<u32>,
    pub(super) device: Option<u32>,
    pub(super) protocol: Option<u32>,
    pub(super) scope: Option<u32>,
    kind: Option<u32>,
    pub(super) via: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
    /// Exactly, or at least, or at most.
    pub(super) to: Option<(IpAddr, u8, Match)>,
    default_only: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Match {
    Exact,
    Root,
    Covers,
}

impl Filter {
    pub(super) fn parse(words: &mut Words<'_>, devices: &Devices) -> anyhow::Result<Self> {
        let mut filter = Self { table: Some(MAIN), ..Self::default() };
        let number = |of: Of, text: &str, what: &str| match of.number(text) {
            Some(number) => Ok(Some(number)),
            None => bail!("Error: argument \"{text}\" is wrong: invalid \"{what}\""),
        };
        while let Some(word) = words.next() {
            match word {
                "table" => {
                    let name = words.value(word)?;
                    filter.table = match name {
                        "all" => None,
                        name => number(Of::Table, name, "table")?,
                    };
                }
                "dev" | "oif" => filter.device = Some(devices.index(words.value(word)?)?),
                "proto" | "protocol" => {
                    filter.protocol = number(Of::Protocol, words.value(word)?, word)?
                }
                "scope" => filter.scope = number(Of::Scope, words.value(word)?, word)?,
                "type" => filter.kind = number(Of::Type, words.value(word)?, word)?,
                "via" => filter.via = Some(parse_address(words.value(word)?)?),
                "src" => filter.source = Some(parse_address(words.value(word)?)?),
                "root" => filter.to = Some(to(words.value(word)?, Match::Root)?),
                "match" => filter.to = Some(to(words.value(word)?, Match::Covers)?),
                "exact" | "to" if words.peek().is_some() => match words.value(word)? {
                    "default" => filter.default_only = true,
                    "root" => filter.to = Some(to(words.value(word)?, Match::Root)?),
                    "match" => filter.to = Some(to(words.value(word)?, Match::Covers)?),
                    prefix => filter.to = Some(to(prefix, Match::Exact)?),
                },
                "default" => filter.default_only = true,
                prefix => filter.to = Some(to(prefix, Match::Exact)?),
            }
        }
        Ok(filter)
    }

    pub(super) fn fits(&self, route: &Route) -> bool {
        let attributes = &route.attributes;
        let destination = attributes.get(DST).and_then(address);
        let of = |kind| attributes.get(kind).and_then(address);
        let to = |(wanted, length, how): (IpAddr, u8, Match)| {
            let zero: IpAddr = if route.family == INET { [0; 4].into() } else { [0; 16].into() };
            let own = destination.unwrap_or(zero);
            family(wanted) == route.family
                && match how {
                    Match::Exact => own == wanted && route.bits == length,
                    Match::Root => route.bits >= length && same(own, wanted, length),
                    Match::Covers => route.bits <= length && same(own, wanted, route.bits),
                }
        };
        self.table.is_none_or(|table| table == route.table)
            && self.device.is_none_or(|d| attributes.number(OIF) == Some(d))
            && self.protocol.is_none_or(|p| p == u32::from(route.protocol))
            && self.scope.is_none_or(|s| s == u32::from(route.scope))
            && self.kind.is_none_or(|k| k == u32::from(route.kind))
            && self.via.is_none_or(|via| of(GATEWAY) == Some(via))
            && self.source.is_none_or(|source| of(PREFSRC) == Some(source))
            && self.to.is_none_or(to)
            && (!self.default_only || (route.bits == 0 && destination.is_none()))
            && route.flags & CLONED == 0
    }
}

fn to(text: &str, how: Match) -> anyhow::Result<(IpAddr, u8, Match)> {
    let (address, length) = parse_prefix(text)?;
    Ok((address, length, how))
}

fn same(a: IpAddr, b: IpAddr, length: u8) -> bool {
    let (a, b) = (octets(a), octets(b));
    let bit = |bytes: &[u8], n: usize| bytes.get(n / 8).map(|byte| byte >> (7 - n % 8) & 1);
    (0..usize::from(length)).all(|n| bit(&a, n) == bit(&b, n))
}
