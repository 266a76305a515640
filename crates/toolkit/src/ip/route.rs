//! `ip route`.

mod change;
mod filter;
mod text;

use super::{
    Devices, INET, INET6, Show, Words, ask, bits, family, octets, parse_address, parse_prefix,
};
use crate::{
    applet::usage_error,
    netlink::{self, Attributes, Message, Socket, push, push_u32, u32_at},
};
pub(crate) use change::{Action, change};
use filter::Filter;
use text::describe;

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
