//! `ss`: which sockets there are.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    ip::Words,
    netlink::Socket,
    services,
    sockdiag::{self, End, Entry, Holder, Kind},
};
use std::{collections::HashMap, net::IpAddr};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "ss",
    summary: "Prints the sockets that there are.",
    usage: "[OPTION]... [state STATE] [sport = :PORT] [dport = :PORT] [src ADDRESS] [dst ADDRESS]",
    options: &[
        flag('t', "tcp", "TCP"),
        flag('u', "udp", "UDP"),
        flag('x', "unix", "local sockets"),
        flag('l', "listening", "those that wait for others"),
        flag('a', "all", "those, too"),
        flag('n', "numeric", "no names of services"),
        flag('p', "processes", "whose they are"),
        flag('4', "ipv4", "IPv4 only"),
        flag('6', "ipv6", "IPv6 only"),
        flag('H', "no-header", "no header"),
        flag('O', "oneline", "ignored: always so"),
    ],
    notes: "STATE is all, connected, listening, established, syn-sent, time-wait and so on.",
    example: "ss -tlnp\nss -tn state established dport = :443",
    run,
};

const STATES: [&str; 12] = [
    "UNKNOWN",
    "ESTAB",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "UNCONN",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
];

const ALL: u32 = 0xfff;
const LISTENING: u32 = 1 << sockdiag::LISTEN | 1 << sockdiag::CLOSED;
/// Neither those nor what is not yet, or no longer, connected.
const CONNECTED: u32 = ALL & !(LISTENING | 1 << 6 | 1 << 3 | 1);

/// Which sockets are printed.
#[derive(Default)]
struct Filter {
    states: u32,
    source_port: Option<u16>,
    peer_port: Option<u16>,
    source: Option<(IpAddr, u8)>,
    peer: Option<(IpAddr, u8)>,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let filter = filter(args)?;
    let (v4, v6) = (args.has("ipv4"), args.has("ipv6"));
    let any = args.has("tcp") || args.has("udp") || args.has("unix");
    let wanted = |name| args.has(name) || (!any && (name != "unix" || !(v4 || v6)));
    let mut socket = Socket::sockets()?;
    let mut entries = Vec::new();
    if wanted("unix") {
        entries.extend(sockdiag::unix(&mut socket, filter.states)?);
    }
    for (name, udp) in [("udp", true), ("tcp", false)] {
        for six in [false, true] {
            if wanted(name) && (v4 == v6 || v6 == six) {
                entries.extend(sockdiag::inet(&mut socket, udp, six, filter.states)?);
            }
        }
    }
    entries.retain(|entry| filter.fits(entry) && filter.states >> entry.state & 1 == 1);
    let kinds = ["tcp", "udp", "unix"].iter().filter(|name| wanted(name)).count();
    let shown = [kinds != 1 || wanted("unix"), !filter.states.is_power_of_two()];
    let holders = if args.has("processes") { sockdiag::holders() } else { HashMap::new() };
    let rows = entries.iter().map(|entry| row(entry, args.has("numeric"), &holders));
    print(rows.collect(), shown, !args.has("no-header"));
    Ok(0)
}

fn filter(args: &Args) -> anyhow::Result<Filter> {
    let states = match (args.has("all"), args.has("listening")) {
        (true, _) => ALL,
        (false, true) => LISTENING,
        // Only TCP has states in between.
        (false, false) if !args.has("tcp") && (args.has("udp") || args.has("unix")) => {
            1 << sockdiag::ESTABLISHED
        }
        (false, false) => CONNECTED,
    };
    let mut filter = Filter { states, ..Filter::default() };
    let words = args.words()?;
    let mut words = Words::new(&words);
    let mut given = 0;
    while let Some(word) = words.next() {
        match word {
            "state" => given |= state(words.value(word)?)?,
            "and" | "&&" => {}
            "sport" => filter.source_port = Some(port(&mut words)?),
            "dport" => filter.peer_port = Some(port(&mut words)?),
            "src" => filter.source = Some(crate::ip::parse_prefix(words.value(word)?)?),
            "dst" => filter.peer = Some(crate::ip::parse_prefix(words.value(word)?)?),
            other => return usage_error(format!("{other:?} is unknown here")),
        }
    }
    if given != 0 {
        filter.states = given;
    }
    Ok(filter)
}

fn state(name: &str) -> anyhow::Result<u32> {
    let upper = name.to_ascii_uppercase();
    Ok(match upper.as_str() {
        "ALL" => ALL,
        "CONNECTED" => CONNECTED,
        "SYNCHRONIZED" => CONNECTED & !(1 << 2),
        "BUCKET" => 1 << 3 | 1 << 6,
        "BIG" => ALL & !(1 << 3 | 1 << 6),
        "ESTABLISHED" => 1 << sockdiag::ESTABLISHED,
        "LISTENING" => 1 << sockdiag::LISTEN,
        "CLOSED" | "UNCONNECTED" => 1 << sockdiag::CLOSED,
        other => match STATES.iter().position(|state| *state == other) {
            Some(n @ 1..) => 1 << n,
            _ => return usage_error(format!("{name:?} is no state")),
        },
    })
}

/// `= :PORT`, `eq :PORT` or `:PORT`
fn port(words: &mut Words<'_>) -> anyhow::Result<u16> {
    let mut word = words.value("sport")?;
    if matches!(word, "=" | "==" | "eq") {
        word = words.value("sport")?;
    }
    match word.strip_prefix(':').unwrap_or(word).parse() {
        Ok(port) => Ok(port),
        Err(_) => usage_error(format!("{word:?} is no port")),
    }
}

impl Filter {
    fn fits(&self, entry: &Entry) -> bool {
        end_fits(&entry.local, self.source_port, self.source)
            && end_fits(&entry.peer, self.peer_port, self.peer)
    }
}

fn end_fits(end: &End, port: Option<u16>, prefix: Option<(IpAddr, u8)>) -> bool {
    match end {
        End::Unix(..) => port.is_none() && prefix.is_none(),
        End::Inet(address, own, _) => {
            let bits = |address| {
                crate::ip::octets(address)
                    .into_iter()
                    .flat_map(|b| (0..8).rev().map(move |n| b >> n & 1))
            };
            port.is_none_or(|port| port == *own)
                && prefix.is_none_or(|(prefix, length)| {
                    prefix.is_ipv4() == address.is_ipv4()
                        && bits(prefix).zip(bits(*address)).take(length.into()).all(|(a, b)| a == b)
                })
        }
    }
}

/// Netid, state, queues, addresses and ports, processes.
type Row = [String; 9];

fn row(entry: &Entry, numeric: bool, holders: &HashMap<u32, Vec<Holder>>) -> Row {
    let (kind, protocol) = match entry.kind {
        Kind::Tcp => ("tcp", "tcp"),
        Kind::Udp => ("udp", "udp"),
        Kind::Unix(1) => ("u_str", ""),
        Kind::Unix(2) => ("u_dgr", ""),
        Kind::Unix(5) => ("u_seq", ""),
        Kind::Unix(_) => ("???", ""),
    };
    let state = STATES.get(usize::from(entry.state)).copied().unwrap_or("UNKNOWN");
    let (local, local_port) = end(entry, &entry.local, numeric, protocol);
    let (peer, peer_port) = end(entry, &entry.peer, numeric, protocol);
    // The last who opened it comes first there.
    let users = holders.get(&entry.inode).map_or(String::new(), |holders| {
        let each =
            holders.iter().rev().map(|h| format!("(\"{}\",pid={},fd={})", h.name, h.pid, h.fd));
        format!(" users:({})", each.collect::<Vec<_>>().join(","))
    });
    let queues = [format!("{:<6}", entry.received), format!("{:<6}", entry.sent)];
    let [received, sent] = queues;
    [kind.into(), state.into(), received, sent, local, local_port, peer, peer_port, users]
}

fn end(entry: &Entry, end: &End, numeric: bool, protocol: &str) -> (String, String) {
    match end {
        End::Unix(name, number) => (format!("{name} "), number.to_string()),
        End::Inet(address, port, link) => {
            let text = match address {
                IpAddr::V6(v6) if v6.is_unspecified() && !entry.v6_only => "*".to_owned(),
                IpAddr::V6(v6) => format!("[{v6}]"),
                IpAddr::V4(v4) => v4.to_string(),
            };
            let link = if *link == 0 { String::new() } else { format!("%{}", link_name(*link)) };
            let name = services::name(*port, protocol).filter(|_| !numeric);
            let port =
                if *port == 0 { "*".to_owned() } else { name.unwrap_or_else(|| port.to_string()) };
            (format!("{text}{link}:"), port)
        }
    }
}

fn link_name(index: u32) -> String {
    let links = Socket::route().ok().and_then(|mut s| crate::ip::Devices::read(&mut s).ok());
    links.map_or_else(|| format!("if{index}"), |links| links.name(index))
}

const HEADER: [&str; 9] = [
    "Netid",
    "State",
    "Recv-Q",
    "Send-Q",
    "Local Address:",
    "Port",
    "Peer Address:",
    "Port",
    "Process",
];

/// What stands before each column.
const BETWEEN: [&str; 9] = [" ", " ", " ", " ", " ", "", " ", "", ""];

/// Columns as wide as they must be, as the original has them where its output is no terminal.
fn print(rows: Vec<Row>, shown: [bool; 2], header: bool) {
    let mut all: Vec<Row> = Vec::new();
    if header {
        all.push(HEADER.map(str::to_owned));
    }
    all.extend(rows);
    let used = |n: usize| shown.get(n).copied().unwrap_or(true);
    let longest = |n: usize| {
        let lengths = all.iter().filter_map(|row| row.get(n)).map(|text| text.chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> =
        (0..HEADER.len()).map(|n| if used(n) { longest(n) } else { 0 }).collect();
    for row in &all {
        let mut line = String::new();
        for (n, (text, width)) in row.iter().zip(&widths).enumerate().filter(|(_, (_, w))| **w > 0)
        {
            if !line.is_empty() {
                line.push_str(BETWEEN.get(n).copied().unwrap_or_default());
            }
            match n {
                4 | 6 => line.push_str(&format!("{text:>width$}")),
                _ => line.push_str(&format!("{text:<width$}")),
            }
        }
        println!("{line}");
    }
}
