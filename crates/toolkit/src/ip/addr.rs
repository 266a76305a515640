//! `ip addr`.

use super::{
    Device, Devices, INET, INET6, Show, Words, address, ask, family,
    link::{self, Filter, newline},
    names::Of,
    octets,
};
use crate::{
    applet::usage_error,
    json::Json,
    netlink::{self, Attributes, Message, Socket, push, push_text, u32_at},
};
use anyhow::bail;
use std::{fmt::Write as _, net::IpAddr};

const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const LABEL: u16 = 3;
const BROADCAST: u16 = 4;
const ANYCAST: u16 = 5;
const CACHE: u16 = 6;
const FLAGS: u16 = 8;
const METRIC: u16 = 9;
const PROTOCOL: u16 = 11;
const FOREVER: u32 = u32::MAX;

const NAMES: &[(u32, &str)] = &[
    (0x01, "secondary"),
    (0x02, "nodad"),
    (0x04, "optimistic"),
    (0x08, "dadfailed"),
    (0x10, "home"),
    (0x20, "deprecated"),
    (0x40, "tentative"),
    (0x80, "dynamic"),
    (0x100, "mngtmpaddr"),
    (0x200, "noprefixroute"),
    (0x400, "autojoin"),
    (0x800, "stable-privacy"),
];
const PERMANENT: u32 = 0x80;

/// One address.
struct Address {
    family: u8,
    bits: u8,
    scope: u32,
    index: u32,
    flags: u32,
    attributes: Attributes,
    /// As it came.
    body: Vec<u8>,
}

fn read(socket: &mut Socket, family: u8) -> anyhow::Result<Vec<Address>> {
    let mut request = vec![0; 8];
    if let Some(first) = request.first_mut() {
        *first = family;
    }
    let messages = ask(socket, RTM_GETADDR, netlink::DUMP, &request)?;
    Ok(messages.into_iter().map(of_message).collect())
}

fn of_message(message: Message) -> Address {
    let body = message.body;
    let [family, bits, flags, scope] = netlink::array(&body, 0);
    let attributes = Attributes::parse(&body, 8);
    Address {
        family,
        bits,
        scope: scope.into(),
        index: u32_at(&body, 4),
        flags: attributes.number(FLAGS).unwrap_or(flags.into()),
        attributes,
        body,
    }
}

impl Address {
    fn get(&self, kind: u16) -> Option<IpAddr> {
        address(self.attributes.get(kind)?)
    }

    /// Its own address, and that of the other end when it is another.
    fn ends(&self) -> (Option<IpAddr>, Option<IpAddr>) {
        let (local, address) = (self.get(LOCAL), self.get(ADDRESS));
        match (local, address) {
            (None, only) => (only, None),
            (local, address) if local == address => (local, None),
            ends => ends,
        }
    }

    fn fits(&self, show: Show, filter: &Filter) -> bool {
        let prefix = |(wanted, length): (IpAddr, u8)| {
            self.ends().0.is_some_and(|own| begins(own, wanted, length) && self.bits >= length)
        };
        (show.family == 0 || show.family == self.family)
            && filter.scope.is_none_or(|scope| scope == self.scope)
            && filter.label.as_ref().is_none_or(|l| self.attributes.text(LABEL).as_ref() == Some(l))
            && filter.to.is_none_or(prefix)
    }

    fn describe(&self, show: Show) -> (String, Json) {
        let mut json = Json::object();
        let (local, peer) = self.ends();
        let local = local.map_or_else(String::new, |ip| ip.to_string());
        let name = if self.family == INET { "inet" } else { "inet6" };
        if !show.brief {
            json.put("family", Json::text(name));
        }
        json.put("local", Json::text(&local));
        let mut text = if show.brief { local } else { format!("    {name} {local}") };
        if let Some(peer) = peer {
            let _ = write!(text, " peer {peer}");
            json.put("address", Json::text(peer.to_string()));
        }
        let _ = write!(text, "/{} ", self.bits);
        json.put("prefixlen", Json::Number(self.bits.into()));
        if let Some(metric) = self.attributes.number(METRIC) {
            let _ = write!(text, "metric {metric} ");
            json.put("metric", Json::Number(metric.into()));
        }
        if show.brief {
            return (text, json);
        }
        for (kind, short, long) in [(BROADCAST, "brd", "broadcast"), (ANYCAST, "any", "anycast")] {
            if let Some(other) = self.get(kind) {
                let _ = write!(text, "{short} {other} ");
                json.put(long, Json::text(other.to_string()));
            }
        }
        let scope = Of::Scope.name(self.scope);
        let _ = write!(text, "scope {scope} ");
        json.put("scope", Json::text(scope));
        for (bit, name) in NAMES {
            // An address is dynamic when it is not permanent.
            let set = if *bit == PERMANENT { self.flags & bit == 0 } else { self.flags & bit != 0 };
            if set {
                let temporary = *bit == 1 && self.family == INET6;
                let name = if temporary { "temporary" } else { name };
                let _ = write!(text, "{name} ");
                json.put(name, Json::Flag(true));
            }
        }
        if let Some(protocol) = self.attributes.number(PROTOCOL).filter(|_| show.details) {
            let name = match protocol {
                1 => "kernel_lo".to_owned(),
                2 => "kernel_ra".to_owned(),
                3 => "kernel_ll".to_owned(),
                number => number.to_string(),
            };
            let _ = write!(text, "proto {name} ");
            json.put("protocol", Json::text(name));
        }
        if let Some(label) = self.attributes.text(LABEL) {
            text.push_str(&label);
            json.put("label", Json::text(label));
        }
        if let Some(cache) = self.attributes.get(CACHE) {
            let (preferred, valid) = (u32_at(cache, 0), u32_at(cache, 4));
            let time = |seconds: u32| match seconds {
                FOREVER => "forever".to_owned(),
                seconds => format!("{seconds}sec"),
            };
            let (v, p) = (time(valid), time(preferred));
            let _ = write!(text, "{}       valid_lft {v} preferred_lft {p}", newline(show));
            json.put("valid_life_time", Json::Number(valid.into()));
            json.put("preferred_life_time", Json::Number(preferred.into()));
        }
        (text + "\n", json)
    }
}

/// Whether an address begins with so many bits of another.
fn begins(own: IpAddr, wanted: IpAddr, length: u8) -> bool {
    let (own, wanted) = (octets(own), octets(wanted));
    let bit = |bytes: &[u8], n: usize| bytes.get(n / 8).map(|byte| byte >> (7 - n % 8) & 1);
    own.len() == wanted.len() && (0..usize::from(length)).all(|n| bit(&own, n) == bit(&wanted, n))
}

/// `ip addr show`.
pub(crate) fn show(show: Show, words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    let devices = Devices::read(socket)?;
    let filter = Filter::parse(words, &devices)?;
    let family_of = |(prefix, _): (IpAddr, u8)| family(prefix);
    let show = Show { family: filter.to.map_or(show.family, family_of), ..show };
    let addresses: Vec<Address> = read(socket, show.family)?;
    let narrow = show.family != 0 || filter.label.is_some();
    let mut items = Vec::new();
    for device in devices.0.iter().filter(|device| filter.fits(device)) {
        let own: Vec<&Address> =
            addresses.iter().filter(|a| a.index == device.index && a.fits(show, &filter)).collect();
        let bare = !addresses.iter().any(|address| address.index == device.index);
        if own.is_empty() && (narrow || (filter.scope.is_some() && !bare)) {
            continue;
        }
        items.push(one(show, device, &devices, &own));
    }
    super::print(show, items);
    Ok(0)
}

/// One link with its addresses.
fn one(show: Show, device: &Device, devices: &Devices, own: &[&Address]) -> (String, Json) {
    let (head, mut json) = link::describe(show, device, devices, false, show.family == 0);
    let described: Vec<(String, Json)> = own.iter().map(|address| address.describe(show)).collect();
    let lines = described.iter().map(|(text, _)| text.as_str());
    let text = if show.brief {
        head + &lines.collect::<String>() + "\n"
    } else if show.oneline {
        lines.map(|line| format!("{}: {}{line}", device.index, device.name)).collect()
    } else {
        head + "\n" + &lines.collect::<String>()
    };
    let list = described.into_iter().map(|(_, own)| match own {
        Json::Object(pairs) if show.oneline => {
            let index = ("index".to_owned(), Json::Number(device.index.into()));
            let name = ("dev".to_owned(), Json::text(&device.name));
            Json::Object([index, name].into_iter().chain(pairs).collect())
        }
        own => own,
    });
    let list = Json::List(list.collect());
    if show.oneline {
        return (text, Json::Object(vec![("addr_info".into(), list)]));
    }
    json.put("addr_info", list);
    (text, json)
}

/// What a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It must not be there yet.
    Add,
    /// It must be there.
    Change,
    /// Either.
    Replace,
    /// It goes.
    Delete,
}

/// `ip addr add` and its kin.
pub(crate) fn change(
    what: Action,
    words: &mut Words<'_>,
    socket: &mut Socket,
) -> anyhow::Result<u8> {
    let devices = Devices::read(socket)?;
    let (mut local, mut peer, mut broadcast, mut device, mut label) =
        (None, None, None, None, None);
    let (mut scope, mut flags, mut metric) = (None, 0_u32, None);
    let (mut valid, mut preferred) = (FOREVER, FOREVER);
    while let Some(word) = words.next() {
        let time = |words: &mut Words<'_>| match words.peek() {
            Some("forever") => words.next().map_or(Ok(FOREVER), |_| Ok(FOREVER)),
            _ => words.number(word),
        };
        match word {
            "dev" => device = Some(words.value(word)?),
            "peer" | "remote" => peer = Some(super::parse_prefix(words.value(word)?)?),
            "local" => local = Some(super::parse_prefix(words.value(word)?)?),
            "broadcast" | "brd" => broadcast = Some(words.value(word)?),
            "label" => label = Some(words.value(word)?),
            "metric" | "priority" => metric = Some(words.number(word)?),
            "valid_lft" => valid = time(words)?,
            "preferred_lft" => preferred = time(words)?,
            "scope" => {
                let name = words.value(word)?;
                scope = Of::Scope.number(name);
                if scope.is_none() {
                    bail!("Error: argument \"{name}\" is wrong: invalid scope value.");
                }
            }
            "nodad" => flags |= 0x02,
            "home" => flags |= 0x10,
            "mngtmpaddr" => flags |= 0x100,
            "noprefixroute" => flags |= 0x200,
            other => local = Some(super::parse_prefix(other)?),
        }
    }
    let Some(device) = device else {
        return usage_error("Not enough information: \"dev\" argument is required.");
    };
    let Some((own, mut length)) = local else { return usage_error("which address?") };
    let mut address = own;
    if let Some((other, others)) = peer {
        (address, length) = (other, others);
    }
    let local_scope = own.is_loopback() && own.is_ipv4();
    let scope = scope.unwrap_or(if local_scope { 254 } else { 0 });
    let mut body = vec![family(own), length, 0, u8::try_from(scope)?];
    body.extend(devices.index(device)?.to_ne_bytes());
    push(&mut body, LOCAL, &octets(own));
    push(&mut body, ADDRESS, &octets(address));
    if let Some(text) = broadcast {
        push(&mut body, BROADCAST, &octets(broadcast_of(text, own, length)?));
    }
    if let Some(label) = label {
        push_text(&mut body, LABEL, label);
    }
    if flags != 0 {
        push(&mut body, FLAGS, &flags.to_ne_bytes());
    }
    if let Some(metric) = metric {
        netlink::push_u32(&mut body, METRIC, metric);
    }
    if valid != FOREVER || preferred != FOREVER {
        let times = [preferred, valid, 0, 0].map(u32::to_ne_bytes).concat();
        push(&mut body, CACHE, &times);
    }
    let (kind, flags) = match what {
        Action::Add => (RTM_NEWADDR, netlink::CREATE | netlink::EXCLUSIVE),
        Action::Change => (RTM_NEWADDR, netlink::REPLACE),
        Action::Replace => (RTM_NEWADDR, netlink::CREATE | netlink::REPLACE),
        Action::Delete => (RTM_DELADDR, 0),
    };
    ask(socket, kind, flags, &body)?;
    Ok(0)
}

/// `+` is the network with all bits of the host set, `-` with none.
fn broadcast_of(text: &str, own: IpAddr, length: u8) -> anyhow::Result<IpAddr> {
    let ones = match text {
        "+" => true,
        "-" => false,
        text => return super::parse_address(text),
    };
    let IpAddr::V4(own) = own else { bail!("Error: IPv6 has no broadcast addresses.") };
    let host = u32::MAX.checked_shr(length.into()).unwrap_or(0);
    let bits = if ones { own.to_bits() | host } else { own.to_bits() & !host };
    Ok(std::net::Ipv4Addr::from_bits(bits).into())
}

/// `ip addr flush`.
pub(crate) fn flush(show: Show, words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    if words.peek().is_none() {
        return usage_error("flush requires arguments");
    }
    let devices = Devices::read(socket)?;
    let filter = Filter::parse(words, &devices)?;
    for address in read(socket, show.family)? {
        let device = devices.0.iter().find(|device| device.index == address.index);
        if device.is_some_and(|device| filter.fits(device)) && address.fits(show, &filter) {
            // Deleting an address may take its secondary ones along.
            match socket.ask(RTM_DELADDR, 0, &address.body) {
                Err(error) if error.raw_os_error() != Some(99) => {
                    return Err(super::answers(&error));
                }
                _ => {}
            }
        }
    }
    Ok(0)
}
