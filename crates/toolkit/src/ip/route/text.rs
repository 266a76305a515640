//! A route as iproute2 prints it.

use super::{
    BOOT, CACHEINFO, CLONED, DST, GATEWAY, IIF, MAIN, METRIC_NAMES, METRICS, MULTIPATH, OIF, PREF,
    PREFSRC, PRIORITY, Route, SRC, UID, UNICAST, VIA, filter::Filter,
};
use crate::{
    ip::{Devices, INET, Show, address, bits, link::newline, names::Of},
    json::Json,
    netlink::{self, Attributes, u32_at},
};
use std::fmt::Write as _;

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

/// Both forms, as text and as JSON, less what was asked for.
pub(super) fn describe(
    show: Show,
    route: &Route,
    devices: &Devices,
    filter: &Filter,
) -> (String, Json) {
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
    let _ = write!(both.text, "{}    cache ", newline(show));
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
        let _ = write!(both.text, "{}\tnexthop {}", newline(show), hop.text);
        list.push(hop.json);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    both.json.put("nexthops", Json::List(list));
}
