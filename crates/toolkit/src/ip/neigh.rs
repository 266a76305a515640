//! `ip neigh`.

use super::{
    Devices, Show, Words, address, ask,
    link::{hex, parse_hex},
    octets, parse_address,
};
use crate::{
    applet::usage_error,
    json::Json,
    netlink::{self, Attributes, Socket, array, push, u32_at},
};
use anyhow::bail;
use std::fmt::Write as _;

const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_GETNEIGH: u16 = 30;
const DST: u16 = 1;
const LLADDR: u16 = 2;
const PROXY: u8 = 8;
const ROUTER: u8 = 0x80;
const NOARP: u16 = 0x40;
const PERMANENT: u16 = 0x80;

const STATES: &[(u16, &str)] = &[
    (0x01, "INCOMPLETE"),
    (0x02, "REACHABLE"),
    (0x04, "STALE"),
    (0x08, "DELAY"),
    (0x10, "PROBE"),
    (0x20, "FAILED"),
    (NOARP, "NOARP"),
    (PERMANENT, "PERMANENT"),
];

struct Filter {
    device: Option<u32>,
    states: u16,
    proxy: bool,
    to: Option<std::net::IpAddr>,
}

impl Filter {
    fn parse(words: &mut Words<'_>, devices: &Devices) -> anyhow::Result<Self> {
        let mut filter = Self { device: None, states: 0xff & !NOARP, proxy: false, to: None };
        let mut chosen = 0;
        while let Some(word) = words.next() {
            match word {
                "dev" => filter.device = Some(devices.index(words.value(word)?)?),
                "nud" => match words.value(word)? {
                    "all" => chosen = 0xff,
                    name => chosen |= state(name)?,
                },
                "proxy" => filter.proxy = true,
                "to" => {}
                other => filter.to = Some(parse_address(other)?),
            }
        }
        if chosen != 0 {
            filter.states = chosen;
        }
        Ok(filter)
    }
}

fn state(name: &str) -> anyhow::Result<u16> {
    match STATES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)) {
        Some((bits, _)) => Ok(*bits),
        None if name == "none" => Ok(0),
        None => bail!("Error: argument \"{name}\" is wrong: nud state is bad"),
    }
}

struct Neighbour {
    index: u32,
    state: u16,
    flags: u8,
    attributes: Attributes,
    body: Vec<u8>,
}

fn read(socket: &mut Socket, family: u8, filter: &Filter) -> anyhow::Result<Vec<Neighbour>> {
    let mut request = vec![0; 12];
    if let Some(first) = request.first_mut() {
        *first = family;
    }
    if let (true, Some(flags)) = (filter.proxy, request.get_mut(10)) {
        *flags = PROXY;
    }
    let messages = ask(socket, RTM_GETNEIGH, netlink::DUMP, &request)?;
    let neighbours = messages.into_iter().map(|message| Neighbour {
        index: u32_at(&message.body, 4),
        state: u16::from_ne_bytes(array(&message.body, 8)),
        flags: message.body.get(10).copied().unwrap_or(0),
        attributes: Attributes::parse(&message.body, 12),
        body: message.body,
    });
    let fits = |n: &Neighbour| {
        filter.device.is_none_or(|index| index == n.index)
            && (filter.proxy || n.state & filter.states != 0)
            && filter.to.is_none_or(|to| n.attributes.get(DST).and_then(address) == Some(to))
    };
    Ok(neighbours.filter(fits).collect())
}

/// `ip neigh show`.
pub(crate) fn show(show: Show, words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    let devices = Devices::read(socket)?;
    let filter = Filter::parse(words, &devices)?;
    let mut items = Vec::new();
    for neighbour in read(socket, show.family, &filter)? {
        let mut json = Json::object();
        let to = neighbour.attributes.get(DST).and_then(address);
        let mut text = to.map_or(String::new(), |to| format!("{to} "));
        json.put("dst", Json::text(text.trim_end()));
        if filter.device.is_none() {
            let name = devices.name(neighbour.index);
            let _ = write!(text, "dev {name} ");
            json.put("dev", Json::text(name));
        }
        if let Some(address) = neighbour.attributes.get(LLADDR) {
            let _ = write!(text, "lladdr {} ", hex(address));
            json.put("lladdr", Json::text(hex(address)));
        }
        for (bit, name) in [(ROUTER, "router"), (PROXY, "proxy")] {
            if neighbour.flags & bit != 0 {
                let _ = write!(text, "{name} ");
                json.put(name, Json::Null);
            }
        }
        let states = STATES.iter().filter(|(bit, _)| neighbour.state & bit != 0);
        let states: Vec<&str> = states.map(|(_, name)| *name).collect();
        if !states.is_empty() {
            let _ = write!(text, "{} ", states.join(","));
            json.put("state", Json::List(states.into_iter().map(Json::text).collect()));
        }
        items.push((text + "\n", json));
    }
    super::print(show, items);
    Ok(0)
}

/// `ip neigh add` and its kin.
pub(crate) fn change(
    what: super::addr::Action,
    words: &mut Words<'_>,
    socket: &mut Socket,
) -> anyhow::Result<u8> {
    use super::addr::Action;
    let devices = Devices::read(socket)?;
    let (mut to, mut device, mut flags, mut rest) = (None, None, 0_u8, Vec::new());
    let mut wanted = PERMANENT;
    while let Some(word) = words.next() {
        match word {
            "dev" => device = Some(devices.index(words.value(word)?)?),
            "lladdr" => push(&mut rest, LLADDR, &parse_hex(words.value(word)?)?),
            "nud" => wanted = state(words.value(word)?)?,
            "proxy" => {
                flags |= PROXY;
                to = Some(parse_address(words.value(word)?)?);
            }
            "router" => flags |= ROUTER,
            "to" => {}
            other => to = Some(parse_address(other)?),
        }
    }
    let (Some(to), Some(device)) = (to, device) else {
        return usage_error("Device and destination are required arguments.");
    };
    let mut body = vec![super::family(to), 0, 0, 0];
    body.extend(device.to_ne_bytes());
    let state = if what == Action::Delete { 0 } else { wanted };
    body.extend(state.to_ne_bytes());
    body.extend([flags, 0]);
    push(&mut body, DST, &octets(to));
    body.extend(rest);
    let (kind, flags) = match what {
        Action::Add => (RTM_NEWNEIGH, netlink::CREATE | netlink::EXCLUSIVE),
        Action::Change => (RTM_NEWNEIGH, netlink::REPLACE),
        Action::Replace => (RTM_NEWNEIGH, netlink::CREATE | netlink::REPLACE),
        Action::Delete => (RTM_DELNEIGH, 0),
    };
    ask(socket, kind, flags, &body)?;
    Ok(0)
}

/// `ip neigh flush`: what is not permanent.
pub(crate) fn flush(show: Show, words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    if words.peek().is_none() {
        return usage_error("Flush requires arguments.");
    }
    let devices = Devices::read(socket)?;
    let mut filter = Filter::parse(words, &devices)?;
    if filter.states == 0xff & !NOARP {
        filter.states &= !(PERMANENT | 0x20);
    }
    for neighbour in read(socket, show.family, &filter)? {
        match socket.ask(RTM_DELNEIGH, 0, &neighbour.body) {
            Err(error) if error.raw_os_error() != Some(2) => return Err(super::answers(&error)),
            _ => {}
        }
    }
    Ok(0)
}
