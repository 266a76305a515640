//! `ip link`.

use super::{Device, Devices, Show, Words, ask};
use crate::{
    applet::usage_error,
    json::Json,
    netlink::{self, Attributes, Socket, push, push_text, push_u32},
};
use anyhow::bail;
use std::fmt::Write as _;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const ADDRESS: u16 = 1;
const BROADCAST: u16 = 2;
const NAME: u16 = 3;
const MTU: u16 = 4;
const LINK: u16 = 5;
const QDISC: u16 = 6;
const MASTER: u16 = 10;
const TXQLEN: u16 = 13;
const OPERSTATE: u16 = 16;
const LINKMODE: u16 = 17;
const LINKINFO: u16 = 18;
const STATS64: u16 = 23;
const GROUP: u16 = 27;
const LINK_NETNSID: u16 = 37;

const FLAGS: &[(u32, &str)] = &[
    (0x8, "LOOPBACK"),
    (0x2, "BROADCAST"),
    (0x10, "POINTOPOINT"),
    (0x1000, "MULTICAST"),
    (0x80, "NOARP"),
    (0x200, "ALLMULTI"),
    (0x100, "PROMISC"),
    (0x400, "MASTER"),
    (0x800, "SLAVE"),
    (0x4, "DEBUG"),
    (0x8000, "DYNAMIC"),
    (0x4000, "AUTOMEDIA"),
    (0x2000, "PORTSEL"),
    (0x20, "NOTRAILERS"),
    (0x1, "UP"),
    (0x1_0000, "LOWER_UP"),
    (0x2_0000, "DORMANT"),
    (0x4_0000, "ECHO"),
];
const UP: u32 = 1;
const RUNNING: u32 = 0x40;

fn flags(device: &Device) -> Vec<&'static str> {
    let carrier = device.flags & UP != 0 && device.flags & RUNNING == 0;
    let set = FLAGS.iter().filter(|(bit, _)| device.flags & bit != 0).map(|(_, name)| *name);
    carrier.then_some("NO-CARRIER").into_iter().chain(set).collect()
}

/// Its type of hardware.
fn hardware(device: &Device) -> String {
    match device.hardware {
        1 => "ether".into(),
        772 => "loopback".into(),
        768 => "ipip".into(),
        776 => "sit".into(),
        778 => "gre".into(),
        32 => "infiniband".into(),
        512 => "ppp".into(),
        0xfffe => "none".into(),
        other => format!("[{other}]"),
    }
}

/// `02:00:00:00:00:01`
pub(crate) fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

/// The reverse.
pub(crate) fn parse_hex(text: &str) -> anyhow::Result<Vec<u8>> {
    let byte = |part: &str| u8::from_str_radix(part, 16).ok();
    match text.split(':').map(byte).collect::<Option<Vec<u8>>>() {
        Some(bytes) if bytes.len() > 1 => Ok(bytes),
        _ => bail!("\"{text}\" is invalid lladdr."),
    }
}

fn state(device: &Device) -> String {
    let states = ["UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"];
    let number = device.attributes.number(OPERSTATE).unwrap_or(0);
    states.get(number as usize).map_or_else(|| format!("{number:#x}"), |s| (*s).to_owned())
}

/// What a link hangs on: the other end of a pair, or what a VLAN is on.
fn below(device: &Device, devices: &Devices) -> Option<(String, bool)> {
    let index = device.attributes.number(LINK)?;
    if device.attributes.get(LINK_NETNSID).is_some() {
        return Some((format!("if{index}"), true));
    }
    match index {
        0 => Some(("NONE".into(), false)),
        index => Some((devices.name(index), false)),
    }
}

/// A link as text, up to where addresses begin, and as JSON. `mode` is shown by `ip link` alone.
pub(crate) fn describe(
    show: Show,
    device: &Device,
    devices: &Devices,
    mode: bool,
    address: bool,
) -> (String, Json) {
    let attributes = &device.attributes;
    let mut json = Json::object();
    let below = below(device, devices);
    if !show.brief {
        json.put("ifindex", Json::Number(device.index.into()));
    }
    if let Some((name, foreign)) = &below {
        match (foreign, attributes.number(LINK)) {
            (true, Some(index)) => json.put("link_index", Json::Number(index.into())),
            _ if name == "NONE" => json.put("link", Json::Null),
            _ => json.put("link", Json::text(name)),
        }
    }
    json.put("ifname", Json::text(&device.name));
    let full = below.as_ref().map_or(device.name.clone(), |(b, _)| format!("{}@{b}", device.name));
    let flags = flags(device);
    let state = state(device);
    let hex_of = |kind| attributes.get(kind).map(hex);
    if show.brief {
        json.put("operstate", Json::text(&state));
        let mut text = format!("{full:<16} {state:<14} ");
        if mode {
            let own = hex_of(ADDRESS).unwrap_or_default();
            let _ = write!(text, "{own} <{}> ", flags.join(","));
            json.put("address", Json::Text(own));
            json.put("flags", Json::List(flags.iter().map(|f| Json::text(*f)).collect()));
        }
        return (text, json);
    }
    json.put("flags", Json::List(flags.iter().map(|f| Json::text(*f)).collect()));
    let mut text = format!("{}: {full}: <{}> ", device.index, flags.join(","));
    let mtu = attributes.number(MTU).unwrap_or(0);
    let _ = write!(text, "mtu {mtu} ");
    json.put("mtu", Json::Number(mtu.into()));
    // Asked for IPv6, the kernel does not say what is below.
    let whole = show.family != super::INET6;
    if let Some(qdisc) = attributes.text(QDISC).filter(|_| whole) {
        let _ = write!(text, "qdisc {qdisc} ");
        json.put("qdisc", Json::text(qdisc));
    }
    if let Some(master) = attributes.number(MASTER).filter(|_| whole) {
        let name = devices.name(master);
        let _ = write!(text, "master {name} ");
        json.put("master", Json::text(name));
    }
    let _ = write!(text, "state {state} ");
    json.put("operstate", Json::text(state));
    if mode {
        let mode = if attributes.number(LINKMODE) == Some(1) { "DORMANT" } else { "DEFAULT" };
        let _ = write!(text, "mode {mode} ");
        json.put("linkmode", Json::text(mode));
    }
    let group = match attributes.number(GROUP).unwrap_or(0) {
        0 => "default".to_owned(),
        number => number.to_string(),
    };
    if whole {
        let _ = write!(text, "group {group} ");
        json.put("group", Json::text(group));
    }
    if let Some(length) = attributes.number(TXQLEN).filter(|length| *length > 0) {
        let _ = write!(text, "qlen {length}");
        json.put("txqlen", Json::Number(length.into()));
    }
    if address {
        let _ = write!(text, "{}    link/{} ", newline(show), hardware(device));
        json.put("link_type", Json::text(hardware(device)));
        if let Some(own) = hex_of(ADDRESS) {
            text.push_str(&own);
            json.put("address", Json::Text(own));
        }
        if let Some(all) = hex_of(BROADCAST) {
            let pair = device.flags & 0x10 != 0;
            let _ = write!(text, " {} {all}", if pair { "peer" } else { "brd" });
            json.put("broadcast", Json::Text(all));
        }
        if let Some(id) = attributes.number(LINK_NETNSID) {
            let _ = write!(text, " link-netnsid {id}");
            json.put("link_netnsid", Json::Number(id.into()));
        }
    }
    if show.details {
        let kind = attributes.nested(LINKINFO).text(1);
        if let Some(kind) = kind {
            let _ = write!(text, "{}    {kind} ", newline(show));
            json.put("linkinfo", Json::Object(vec![("info_kind".into(), Json::Text(kind))]));
        }
    }
    if show.statistics {
        statistics(show, attributes, &mut text, &mut json);
    }
    (text, json)
}

/// What ends a line within one item.
pub(crate) fn newline(show: Show) -> &'static str {
    if show.oneline { "\\" } else { "\n" }
}

/// `struct rtnl_link_stats64`: 64-bit counters.
fn statistics(show: Show, attributes: &Attributes, text: &mut String, json: &mut Json) {
    let Some(stats) = attributes.get(STATS64) else { return };
    let counter = |n: usize| u64::from_ne_bytes(netlink::array(stats, 8 * n));
    type Row = (&'static str, [(&'static str, &'static str, usize); 6]);
    let rows: [Row; 2] = [
        (
            "RX",
            [
                ("bytes", "bytes", 2),
                ("packets", "packets", 0),
                ("errors", "errors", 4),
                ("dropped", "dropped", 6),
                ("missed", "over_errors", 14),
                ("mcast", "multicast", 8),
            ],
        ),
        (
            "TX",
            [
                ("bytes", "bytes", 3),
                ("packets", "packets", 1),
                ("errors", "errors", 5),
                ("dropped", "dropped", 7),
                ("carrier", "carrier_errors", 17),
                ("collsns", "collisions", 9),
            ],
        ),
    ];
    let mut object = Json::object();
    for (name, fields) in rows {
        let mut part = Json::object();
        let (mut head, mut line) = (format!("    {name}:"), "   ".to_owned());
        for (n, (title, key, at)) in fields.into_iter().enumerate() {
            let value =
                if key == "over_errors" { counter(at).max(counter(11)) } else { counter(at) };
            // The first column begins below the name of the line.
            let least = [10, 7, 6, 7, 7, 7].get(n).copied().unwrap_or(7);
            let width = value.to_string().len().max(least);
            let above = if n == 0 { width - 4 } else { width };
            let _ = write!(head, " {title:>above$}");
            let _ = write!(line, " {value:>width$}");
            part.put(key, Json::Number(value));
        }
        head.push_str("          ");
        let end = newline(show);
        let _ = write!(text, "{end}{head} {end}{line} ");
        object.put(&name.to_lowercase(), part);
    }
    json.put("stats64", object);
}

/// `ip link show`: filters, then all that fit.
pub(crate) fn show(show: Show, words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    let devices = Devices::read(socket)?;
    let filter = Filter::parse(words, &devices)?;
    let mut items = Vec::new();
    for device in devices.0.iter().filter(|device| filter.fits(device)) {
        let (text, json) = describe(show, device, &devices, true, true);
        items.push((text + "\n", json));
    }
    super::print(show, items);
    Ok(0)
}

/// Which links are shown.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    index: Option<u32>,
    up: bool,
    master: Option<u32>,
    kind: Option<String>,
    /// Of addresses.
    pub(crate) scope: Option<u32>,
    /// Of addresses.
    pub(crate) label: Option<String>,
    /// Of addresses: prefix.
    pub(crate) to: Option<(std::net::IpAddr, u8)>,
}

impl Filter {
    /// From the words after `show`.
    pub(crate) fn parse(words: &mut Words<'_>, devices: &Devices) -> anyhow::Result<Self> {
        let mut filter = Self::default();
        let find = |name: &str| match devices.named(name) {
            Some(device) => Ok(Some(device.index)),
            None => bail!("Device \"{name}\" does not exist."),
        };
        while let Some(word) = words.next() {
            match word {
                "up" => filter.up = true,
                "master" => filter.master = find(words.value(word)?)?,
                "type" => filter.kind = Some(words.value(word)?.to_owned()),
                "scope" => {
                    let name = words.value(word)?;
                    filter.scope = super::names::Of::Scope.number(name);
                    if filter.scope.is_none() {
                        bail!("Error: argument \"{name}\" is wrong: invalid \"scope\"");
                    }
                }
                "label" => filter.label = Some(words.value(word)?.to_owned()),
                "to" => filter.to = Some(super::parse_prefix(words.value(word)?)?),
                "dev" => filter.index = find(words.value(word)?)?,
                name => filter.index = find(name)?,
            }
        }
        Ok(filter)
    }

    /// Whether a link is shown.
    pub(crate) fn fits(&self, device: &Device) -> bool {
        let kind = || device.attributes.nested(LINKINFO).text(1);
        self.index.is_none_or(|index| index == device.index)
            && (!self.up || device.flags & UP != 0)
            && self.master.is_none_or(|m| device.attributes.number(MASTER) == Some(m))
            && self.kind.as_ref().is_none_or(|wanted| kind().as_ref() == Some(wanted))
    }
}

fn body(index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(change.to_ne_bytes());
    body
}

/// `ip link set`.
pub(crate) fn set(words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    let devices = Devices::read(socket)?;
    let mut name = words.value("dev")?;
    if name == "dev" {
        name = words.value("dev")?;
    }
    let index = devices.index(name)?;
    let (mut flags, mut change) = (0, 0);
    let mut rest = Vec::new();
    let mut flag = |bit: u32, on: bool| {
        change |= bit;
        flags = if on { flags | bit } else { flags & !bit };
    };
    while let Some(word) = words.next() {
        let on_off = |words: &mut Words<'_>| match words.value(word)? {
            "on" => Ok(true),
            "off" => Ok(false),
            other => {
                bail!("Error: argument of \"{word}\" must be \"on\" or \"off\", not \"{other}\"")
            }
        };
        match word {
            "up" => flag(UP, true),
            "down" => flag(UP, false),
            "arp" => flag(0x80, !on_off(words)?),
            "promisc" => flag(0x100, on_off(words)?),
            "allmulticast" => flag(0x200, on_off(words)?),
            "multicast" => flag(0x1000, on_off(words)?),
            "mtu" => push_u32(&mut rest, MTU, words.number(word)?),
            "txqueuelen" | "txqlen" | "qlen" => push_u32(&mut rest, TXQLEN, words.number(word)?),
            "address" => push(&mut rest, ADDRESS, &parse_hex(words.value(word)?)?),
            "broadcast" | "brd" => push(&mut rest, BROADCAST, &parse_hex(words.value(word)?)?),
            "name" => push_text(&mut rest, NAME, words.value(word)?),
            "master" => push_u32(&mut rest, MASTER, devices.index(words.value(word)?)?),
            "nomaster" => push_u32(&mut rest, MASTER, 0),
            "group" => push_u32(&mut rest, GROUP, words.number(word)?),
            "netns" => push_u32(&mut rest, 19, words.number(word)?),
            other => return usage_error(format!("unknown argument \"{other}\" of link set")),
        }
    }
    let mut request = body(index, flags, change);
    request.extend(rest);
    ask(socket, RTM_NEWLINK, 0, &request)?;
    Ok(0)
}

/// `ip link delete`.
pub(crate) fn delete(words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    let mut name = words.value("dev")?;
    if name == "dev" {
        name = words.value("dev")?;
    }
    let index = Devices::read(socket)?.index(name)?;
    ask(socket, RTM_DELLINK, 0, &body(index, 0, 0))?;
    Ok(0)
}

/// `ip link add`: bridges, VLANs, pairs, dummies.
pub(crate) fn add(words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    let devices = Devices::read(socket)?;
    let mut rest = Vec::new();
    let (mut kind, mut data) = (None, Vec::new());
    while let Some(word) = words.next() {
        match word {
            "link" => push_u32(&mut rest, LINK, devices.index(words.value(word)?)?),
            "name" | "dev" => push_text(&mut rest, NAME, words.value(word)?),
            "mtu" => push_u32(&mut rest, MTU, words.number(word)?),
            "txqueuelen" => push_u32(&mut rest, TXQLEN, words.number(word)?),
            "address" => push(&mut rest, ADDRESS, &parse_hex(words.value(word)?)?),
            "type" => {
                let name = words.value(word)?;
                kind = Some(name);
                data = details(name, words)?;
                break;
            }
            name => push_text(&mut rest, NAME, name),
        }
    }
    let Some(kind) = kind else { return usage_error("link add needs \"type\"") };
    let mut info = Vec::new();
    push_text(&mut info, 1, kind);
    if !data.is_empty() {
        push(&mut info, 2, &data);
    }
    let mut request = body(0, 0, 0);
    request.extend(rest);
    push(&mut request, LINKINFO, &info);
    ask(socket, RTM_NEWLINK, netlink::CREATE | netlink::EXCLUSIVE, &request)?;
    Ok(0)
}

fn details(kind: &str, words: &mut Words<'_>) -> anyhow::Result<Vec<u8>> {
    let mut data = Vec::new();
    match kind {
        "vlan" => {
            while let Some(word) = words.next() {
                match word {
                    "id" => push(&mut data, 1, &words.number::<u16>(word)?.to_ne_bytes()),
                    other => {
                        return usage_error(format!("unknown argument \"{other}\" of type vlan"));
                    }
                }
            }
        }
        "veth" => {
            let mut peer = body(0, 0, 0);
            while let Some(word) = words.next() {
                match word {
                    "peer" => {}
                    "name" => push_text(&mut peer, NAME, words.value(word)?),
                    other => push_text(&mut peer, NAME, other),
                }
            }
            push(&mut data, 1, &peer);
        }
        _ => {
            if let Some(other) = words.next() {
                return usage_error(format!("unknown argument \"{other}\" of type {kind}"));
            }
        }
    }
    Ok(data)
}
