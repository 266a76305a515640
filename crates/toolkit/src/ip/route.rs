//! `ip route`.

use super::{
    Devices, INET, INET6, Show, Words, address, ask, bits, family, names::Of, octets,
    parse_address, parse_prefix,
};
use crate::{
    applet::usage_error,
    json::Json,
    netlink::{self, Attributes, Message, Socket, push, push_u32, u32_at},
};
use anyhow::bail;
use std::{fmt::Write as _, net::IpAddr};

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const DST: u16 = 1;
const SRC: u16 = 2;
const IIF: u16 = 3;
const OIF: u16 = 4;
const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
const PREFSRC: u16 = 7;
const METRICS: u16 = 8;
const MULTIPATH: u16 = 9;
const CACHEINFO: u16 = 12;
const TABLE: u16 = 15;
const MARK: u16 = 16;
const VIA: u16 = 18;
const PREF: u16 = 20;
const UID: u16 = 25;
const EXPIRES: u16 = 23;

const UNICAST: u8 = 1;
const MAIN: u32 = 254;
const BOOT: u8 = 3;
const CLONED: u32 = 0x200;

const METRIC_NAMES: [&str; 18] = [
    "",
    "lock",
    "mtu",
    "window",
    "rtt",
    "rttvar",
    "ssthresh",
    "cwnd",
    "advmss",
    "reordering",
    "hoplimit",
    "initcwnd",
    "features",
    "rto_min",
    "initrwnd",
    "quickack",
    "congctl",
    "fastopen_no_cookie",
];

const FLAG_NAMES: &[(u32, &str)] = &[
    (1, "dead"),
    (4, "onlink"),
    (2, "pervasive"),
    (8, "offload"),
    (0x40, "trap"),
    (0x800, "notify"),
    (0x10, "linkdown"),
    (0x20, "unresolved"),
];

struct Route {
    family: u8,
    bits: u8,
    source_bits: u8,
    tos: u8,
    table: u32,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
    attributes: Attributes,
    body: Vec<u8>,
}

fn of_message(message: Message) -> Route {
    let body = message.body;
    let [family, bits, source_bits, tos] = netlink::array(&body, 0);
    let [table, protocol, scope, kind] = netlink::array(&body, 4);
    let attributes = Attributes::parse(&body, 12);
    let table = attributes.number(TABLE).unwrap_or(table.into());
    let flags = u32_at(&body, 8);
    Route { family, bits, source_bits, tos, table, protocol, scope, kind, flags, attributes, body }
}

fn read(socket: &mut Socket, family: u8) -> anyhow::Result<Vec<Route>> {
    let mut request = vec![0; 12];
    if let Some(first) = request.first_mut() {
        *first = family;
    }
    let messages = ask(socket, RTM_GETROUTE, netlink::DUMP, &request)?;
    Ok(messages.into_iter().map(of_message).collect())
}

/// Which routes are shown.
#[derive(Default)]
struct Filter {
    /// `None` is all.
    table: Option<u32>,
    device: Option<u32>,
    protocol: Option<u32>,
    scope: Option<u32>,
    kind: Option<u32>,
    via: Option<IpAddr>,
    source: Option<IpAddr>,
    /// Exactly, or at least, or at most.
    to: Option<(IpAddr, u8, Match)>,
    default_only: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Match {
    Exact,
    Root,
    Covers,
}

impl Filter {
    fn parse(words: &mut Words<'_>, devices: &Devices) -> anyhow::Result<Self> {
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

    fn fits(&self, route: &Route) -> bool {
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

/// `ip route show`.
pub(crate) fn show(show: Show, words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    let devices = Devices::read(socket)?;
    let filter = Filter::parse(words, &devices)?;
    let wanted = match (show.family, filter.to) {
        (0, Some((address, ..))) => family(address),
        (0, None) if filter.table.is_some() => INET,
        (family, _) => family,
    };
    let routes = read(socket, wanted)?;
    let known = |route: &&Route| matches!(route.family, INET | INET6) && filter.fits(route);
    let items = routes.iter().filter(known).map(|route| describe(show, route, &devices, &filter));
    super::print(show, items.collect());
    Ok(0)
}

/// Text under construction, in both forms.
struct Both {
    text: String,
    json: Json,
}

impl Both {
    fn put(&mut self, word: &str, key: &str, value: &str) {
        let _ = write!(self.text, "{word} {value} ");
        self.json.put(key, Json::text(value));
    }

    fn number(&mut self, word: &str, key: &str, value: u32) {
        let _ = write!(self.text, "{word} {value} ");
        self.json.put(key, Json::Number(value.into()));
    }
}

fn describe(show: Show, route: &Route, devices: &Devices, filter: &Filter) -> (String, Json) {
    let attributes = &route.attributes;
    let mut both = Both { text: String::new(), json: Json::object() };
    let of = |kind| attributes.get(kind).and_then(address);
    if route.kind != UNICAST || show.details {
        let kind = Of::Type.name(route.kind.into());
        let _ = write!(both.text, "{kind} ");
        both.json.put("type", Json::text(kind));
    }
    let destination = match (of(DST), route.bits) {
        (Some(address), length) if length == bits(address) => address.to_string(),
        (Some(address), length) => format!("{address}/{length}"),
        (None, 0) => "default".into(),
        (None, length) => format!("0/{length}"),
    };
    let _ = write!(both.text, "{destination} ");
    both.json.put("dst", Json::text(destination));
    if let Some(source) = of(SRC) {
        let whole = route.source_bits == bits(source);
        let text =
            if whole { source.to_string() } else { format!("{source}/{}", route.source_bits) };
        both.put("from", "from", &text);
    } else if route.source_bits > 0 {
        both.put("from", "from", &format!("0/{}", route.source_bits));
    }
    if route.tos != 0 {
        both.put("tos", "tos", &format!("{:#x}", route.tos));
    }
    // What was asked for is not repeated.
    if filter.via.is_none() {
        via(attributes, &mut both);
    }
    if let Some(index) = attributes.number(OIF).filter(|_| filter.device.is_none()) {
        both.put("dev", "dev", &devices.name(index));
    }
    if filter.table.is_none() && !matches!(route.table, 0 | MAIN) {
        both.put("table", "table", &Of::Table.name(route.table));
    }
    let cloned = route.flags & CLONED != 0;
    if !cloned || show.details {
        if (route.protocol != BOOT || show.details) && filter.protocol.is_none() {
            both.put("proto", "protocol", &Of::Protocol.name(route.protocol.into()));
        }
        if (route.scope != 0 || show.details) && filter.scope.is_none() {
            both.put("scope", "scope", &Of::Scope.name(route.scope.into()));
        }
    }
    if let Some(source) = of(PREFSRC).filter(|_| filter.source.is_none()) {
        both.put("src", "prefsrc", &source.to_string());
    }
    if let Some(metric) = attributes.number(PRIORITY) {
        both.number("metric", "metric", metric);
    }
    flags(route.flags, &mut both);
    if let Some(uid) = attributes.number(UID) {
        both.number("uid", "uid", uid);
    }
    if cloned && route.family == INET {
        cache(route.flags, show, &mut both);
    }
    if let Some(info) = attributes.get(CACHEINFO) {
        // Clock ticks, 100 a second for programs.
        let expires = u32_at(info, 8).cast_signed() / 100;
        if expires > 0 {
            let _ = write!(both.text, "expires {expires}sec ");
            both.json.put("expires", Json::Number(expires.unsigned_abs().into()));
        }
    }
    metrics(attributes, &mut both);
    if let Some(index) = attributes.number(IIF) {
        both.put("iif", "iif", &devices.name(index));
    }
    multipath(show, attributes, devices, &mut both);
    if let Some(pref) = attributes.number(PREF) {
        let names = ["medium", "high", "invalid", "low"];
        both.put("pref", "pref", names.get(pref as usize).unwrap_or(&"medium"));
        // The last word of all, without the blank that others have.
        both.text.pop();
    }
    (both.text + "\n", both.json)
}

fn via(attributes: &Attributes, both: &mut Both) {
    if let Some(gateway) = attributes.get(GATEWAY).and_then(address) {
        both.put("via", "gateway", &gateway.to_string());
    }
    if let Some(via) = attributes.get(VIA)
        && let Some(host) = address(via.get(2..).unwrap_or(&[]))
    {
        let name = if host.is_ipv4() { "inet" } else { "inet6" };
        let _ = write!(both.text, "via {name} {host} ");
        let pairs = [("family", name.to_owned()), ("host", host.to_string())];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), Json::Text(value)));
        both.json.put("via", Json::Object(pairs.to_vec()));
    }
}

fn flags(bits: u32, both: &mut Both) {
    let set: Vec<&str> =
        FLAG_NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    set.iter().for_each(|name| {
        let _ = write!(both.text, "{name} ");
    });
    both.json.put("flags", Json::List(set.into_iter().map(Json::text).collect()));
}

fn cache(bits: u32, show: Show, both: &mut Both) {
    let names = [
        (0x8000_0000, "local"),
        (0x1000_0000, "brd"),
        (0x2000_0000, "mcast"),
        (0x0004_0000, "redirected"),
    ];
    let set: Vec<&str> = names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, n)| *n).collect();
    let _ = write!(both.text, "{}    cache ", super::link::newline(show));
    if !set.is_empty() {
        let _ = write!(both.text, "<{}> ", set.join(","));
    }
    both.json.put("cache", Json::List(set.into_iter().map(Json::text).collect()));
}

fn metrics(attributes: &Attributes, both: &mut Both) {
    let nested = attributes.nested(METRICS);
    let lock = nested.number(1).unwrap_or(0);
    let mut object = Json::object();
    let mut any = false;
    for (kind, value) in nested.iter() {
        let Some(name) = METRIC_NAMES.get(usize::from(kind)).filter(|_| kind > 1) else { continue };
        any = true;
        if *name == "congctl" {
            let text = nested.text(kind).unwrap_or_default();
            let _ = write!(both.text, "{name} {text} ");
            object.put(name, Json::Text(text));
            continue;
        }
        let locked = if lock >> kind & 1 == 1 { "lock " } else { "" };
        let number = u32_at(value, 0);
        let _ = write!(both.text, "{name} {locked}{number} ");
        object.put(name, Json::Number(number.into()));
    }
    if any {
        both.json.put("metrics", Json::List(vec![object]));
    }
}

/// `struct rtnexthop`: length, flags, hops less one, index, attributes.
fn multipath(show: Show, attributes: &Attributes, devices: &Devices, both: &mut Both) {
    let Some(mut rest) = attributes.get(MULTIPATH) else { return };
    let mut list = Vec::new();
    while rest.len() >= 8 {
        let length = usize::from(u16::from_ne_bytes(netlink::array(rest, 0)));
        let [bits, hops] = netlink::array(rest, 2);
        let Some(own) = rest.get(..length).filter(|_| length >= 8) else { break };
        let mut hop = Both { text: String::new(), json: Json::object() };
        via(&Attributes::parse(own, 8), &mut hop);
        hop.put("dev", "dev", &devices.name(u32_at(own, 4)));
        hop.number("weight", "weight", u32::from(hops) + 1);
        flags(bits.into(), &mut hop);
        let _ = write!(both.text, "{}\tnexthop {}", super::link::newline(show), hop.text);
        list.push(hop.json);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    both.json.put("nexthops", Json::List(list));
}

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

/// `ip route get`: the way that a packet would go.
pub(crate) fn get(show: Show, words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    let devices = Devices::read(socket)?;
    let (mut to, mut rest, mut source_bits) = (None, Vec::new(), 0);
    while let Some(word) = words.next() {
        match word {
            "to" => {}
            "from" => {
                let source = parse_address(words.value(word)?)?;
                source_bits = bits(source);
                push(&mut rest, SRC, &octets(source));
            }
            "dev" | "oif" => push_u32(&mut rest, OIF, devices.index(words.value(word)?)?),
            "iif" => push_u32(&mut rest, IIF, devices.index(words.value(word)?)?),
            "mark" => push_u32(&mut rest, MARK, words.number(word)?),
            address => to = Some(parse_prefix(address)?.0),
        }
    }
    let Some(to) = to else { return usage_error("need at least a destination address") };
    const LOOKUP_TABLE: u32 = 0x1000;
    let mut body = vec![family(to), bits(to), source_bits, 0, 0, 0, 0, 0];
    body.extend(LOOKUP_TABLE.to_ne_bytes());
    push(&mut body, DST, &octets(to));
    body.extend(rest);
    let routes = ask(socket, RTM_GETROUTE, 0, &body)?.into_iter().map(of_message);
    let items = routes.map(|route| describe(show, &route, &devices, &Filter::default()));
    super::print(show, items.collect());
    Ok(0)
}

/// `ip route flush`.
pub(crate) fn flush(show: Show, words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    if words.peek().is_none() {
        return usage_error("\"ip route flush\" requires arguments.");
    }
    let devices = Devices::read(socket)?;
    let filter = Filter::parse(words, &devices)?;
    let wanted =
        if show.family == 0 { filter.to.map_or(INET, |(a, ..)| family(a)) } else { show.family };
    for route in read(socket, wanted)?.iter().filter(|route| filter.fits(route)) {
        match socket.ask(RTM_DELROUTE, 0, &route.body) {
            // Others may have gone along with the one before.
            Err(error) if error.raw_os_error() != Some(3) => return Err(super::answers(&error)),
            _ => {}
        }
    }
    Ok(0)
}
