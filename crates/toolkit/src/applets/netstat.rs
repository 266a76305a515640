//! `netstat`: sockets, routes and links, as scripts of old expect them.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    netlink::Socket,
    sockdiag::{self, CLOSED, End, Entry, Holder, Kind, LISTEN},
};
use std::{collections::HashMap, fs, net::Ipv4Addr};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "netstat",
    summary: "Prints sockets, routes or links. ss and ip know more.",
    usage: "[OPTION]...",
    options: &[
        flag('t', "tcp", "TCP"),
        flag('u', "udp", "UDP"),
        flag('x', "unix", "local sockets"),
        flag('l', "listening", "those that wait for others"),
        flag('a', "all", "those, too"),
        flag('n', "numeric", "ignored: names are not looked up"),
        flag('p', "programs", "whose they are"),
        flag('W', "wide", "addresses are not cut"),
        flag('r', "route", "print routes of IPv4"),
        flag('i', "interfaces", "print links"),
        flag('4', "inet", "IPv4 only"),
        flag('6', "inet6", "IPv6 only"),
    ],
    notes: "",
    example: "netstat -tlnp",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    match (args.has("route"), args.has("interfaces")) {
        (true, true) => return usage_error("routes or links, not both"),
        (true, false) => return routes(),
        (false, true) => return links(args.has("all")),
        (false, false) => {}
    }
    let any = args.has("tcp") || args.has("udp") || args.has("unix");
    let family = args.has("inet") || args.has("inet6");
    let wanted = |name| args.has(name) || (!any && (name != "unix" || !family));
    let holders = if args.has("programs") { sockdiag::holders() } else { HashMap::new() };
    let which = match (args.has("all"), args.has("listening")) {
        (true, _) => "servers and established",
        (false, true) => "only servers",
        (false, false) => "w/o servers",
    };
    if wanted("tcp") || wanted("udp") {
        println!("Active Internet connections ({which})");
        let program = if args.has("programs") { " PID/Program name    " } else { "" };
        println!(
            "Proto Recv-Q Send-Q Local Address           Foreign Address         State      {program}"
        );
        let mut socket = Socket::sockets()?;
        for (name, udp) in [("tcp", false), ("udp", true)] {
            for six in [false, true] {
                let this =
                    wanted(name) && (!family || args.has(if six { "inet6" } else { "inet" }));
                let found =
                    if this { sockdiag::inet(&mut socket, udp, six, 0xfff)? } else { Vec::new() };
                for entry in found.iter().filter(|entry| is_shown(entry.state, args)) {
                    inet(entry, args, &holders);
                }
            }
        }
    }
    if wanted("unix") {
        unix(args, &holders, which)?;
    }
    Ok(0)
}

fn is_shown(state: u8, args: &Args) -> bool {
    let waits = matches!(state, LISTEN | CLOSED);
    args.has("all") || waits == args.has("listening")
}

const STATES: [&str; 12] = [
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
];

fn inet(entry: &Entry, args: &Args, holders: &HashMap<u32, Vec<Holder>>) {
    let udp = entry.kind == Kind::Udp;
    let six = matches!(entry.local, End::Inet(address, ..) if address.is_ipv6());
    let protocol = match (udp, six) {
        (false, false) => "tcp",
        (false, true) => "tcp6",
        (true, false) => "udp",
        (true, true) => "udp6",
    };
    let state = match entry.state {
        CLOSED if udp => "",
        state => STATES.get(usize::from(state)).copied().unwrap_or("UNKNOWN"),
    };
    // A server's queue of connections is not shown there.
    let sent = if entry.state == LISTEN { 0 } else { entry.sent };
    let (local, peer) = (end(&entry.local, args), end(&entry.peer, args));
    let program = program(entry.inode, args, holders);
    println!(
        "{protocol:<4}  {:>6} {sent:>6} {local:<23} {peer:<23} {state:<11}{program}",
        entry.received
    );
}

fn end(end: &End, args: &Args) -> String {
    let End::Inet(address, port, _) = end else { return String::new() };
    let port = if *port == 0 { "*".to_owned() } else { port.to_string() };
    let mut address = address.to_string();
    if !args.has("wide") && address.len() + port.len() > 22 {
        address.truncate(22 - port.len());
    }
    format!("{address}:{port}")
}

fn program(inode: u32, args: &Args, holders: &HashMap<u32, Vec<Holder>>) -> String {
    if !args.has("programs") {
        return String::new();
    }
    let holder = holders.get(&inode).and_then(|holders| holders.first());
    let text = holder.map_or("-".to_owned(), |holder| format!("{}/{}", holder.pid, holder.name));
    format!(" {:<20}", text.chars().take(19).collect::<String>())
}

/// `/proc/net/unix`: number, references, protocol, flags, type, state, inode, path.
fn unix(args: &Args, holders: &HashMap<u32, Vec<Holder>>, which: &str) -> anyhow::Result<()> {
    println!("Active UNIX domain sockets ({which})");
    let program_head = if args.has("programs") { "PID/Program name     " } else { "" };
    println!("Proto RefCnt Flags       Type       State         I-Node   {program_head}Path");
    for line in fs::read_to_string("/proc/net/unix")?.lines().skip(1) {
        let mut words = line.split_whitespace().take(7).map(|word| word.trim_end_matches(':'));
        let path = line_path(line, words.clone().count());
        let mut hex =
            |skip: usize| u32::from_str_radix(words.nth(skip).unwrap_or_default(), 16).unwrap_or(0);
        let (references, flags, kind, state) = (hex(1), hex(1), hex(0), hex(0));
        let inode = words.next().and_then(|word| word.parse::<u32>().ok()).unwrap_or(0);
        let listens = flags & 0x1_0000 != 0;
        if !args.has("all") && listens != args.has("listening") {
            continue;
        }
        let flags = if listens { "[ ACC ]" } else { "[ ]" };
        let kind = match kind {
            1 => "STREAM",
            2 => "DGRAM",
            5 => "SEQPACKET",
            _ => "UNKNOWN",
        };
        let state = match state {
            1 if listens => "LISTENING",
            1 => "",
            2 => "CONNECTING",
            3 => "CONNECTED",
            4 => "DISCONNECTING",
            _ => "FREE",
        };
        let program = program(inode, args, holders);
        let program =
            if program.is_empty() { program } else { format!("{} ", program.trim_start()) };
        println!(
            "unix  {references:<6} {flags:<11} {kind:<10} {state:<13} {inode:<8} {program}{path}"
        );
    }
    Ok(())
}

/// What follows the seventh word.
fn line_path(line: &str, words: usize) -> &str {
    let mut rest = line;
    for _ in 0..words {
        rest = rest.trim_start();
        rest = rest.find(' ').and_then(|at| rest.get(at..)).unwrap_or_default();
    }
    rest.trim_start()
}

/// `/proc/net/route`
fn routes() -> anyhow::Result<u8> {
    println!("Kernel IP routing table");
    println!("Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface");
    for line in fs::read_to_string("/proc/net/route")?.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [link, to, via, flags, _, _, _, mask, mtu, window, irtt, ..] = words[..] else {
            continue;
        };
        let address = |word: &str| {
            let number = u32::from_str_radix(word, 16).unwrap_or(0);
            Ipv4Addr::from(number.to_ne_bytes()).to_string()
        };
        let flags = u32::from_str_radix(flags, 16).unwrap_or(0);
        let letters =
            [(1, 'U'), (0x200, '!'), (2, 'G'), (4, 'H'), (8, 'R'), (0x10, 'D'), (0x20, 'M')];
        if flags & 1 == 0 {
            continue;
        }
        let flags: String = match flags & 0x200 {
            0 => letters.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, l)| *l).collect(),
            _ if flags & 4 != 0 => "!H".into(),
            _ => "!".into(),
        };
        let (to, via, mask) = (address(to), address(via), address(mask));
        if flags.starts_with('!') {
            println!(
                "{to:<15} {:<15} {mask:<15} {flags:<5} {:>5} {:<5} {:>6} -",
                "-", "-", "-", "-"
            );
            continue;
        }
        println!("{to:<15} {via:<15} {mask:<15} {flags:<5} {mtu:>5} {window:<5} {irtt:>6} {link}");
    }
    Ok(0)
}

/// `/proc/net/dev`
fn links(all: bool) -> anyhow::Result<u8> {
    println!("Kernel Interface table");
    println!(
        "Iface             MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg"
    );
    let text = fs::read_to_string("/proc/net/dev")?;
    let mut devices = crate::ip::Devices::read(&mut Socket::route()?)?.0;
    devices.sort_by(|a, b| a.name.cmp(&b.name));
    for device in devices.iter().filter(|device| all || device.flags & 1 != 0) {
        let own =
            |line: &&str| line.split(':').next().is_some_and(|name| name.trim() == device.name);
        let counters = text.lines().find(own).and_then(|line| line.split_once(':'));
        let Some((_, counters)) = counters else { continue };
        let counters: Vec<&str> = counters.split_whitespace().collect();
        let [_, rx, rx_bad, rx_drop, rx_over, _, _, _, _, tx, tx_bad, tx_drop, tx_over, ..] =
            counters[..]
        else {
            continue;
        };
        println!(
            "{:<15} {:>5} {rx:>8} {rx_bad:>6} {rx_drop:>6} {rx_over:<6} {tx:>8} {tx_bad:>6} {tx_drop:>6} {tx_over:>6} {}",
            device.name,
            device.attributes.number(MTU).unwrap_or(0),
            letters(device.flags)
        );
    }
    Ok(0)
}

/// `IFLA_MTU`
const MTU: u16 = 4;

/// The letters of a link's flags.
fn letters(flags: u32) -> String {
    let known = [
        (0x200, 'A'),
        (2, 'B'),
        (4, 'D'),
        (8, 'L'),
        (0x1000, 'M'),
        (0x100, 'P'),
        (0x20, 'N'),
        (0x80, 'O'),
        (0x10, 'P'),
        (0x800, 's'),
        (0x400, 'm'),
        (0x40, 'R'),
        (1, 'U'),
    ];
    known.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| *letter).collect()
}
