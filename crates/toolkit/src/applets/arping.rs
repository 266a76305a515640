//! `arping`: whether a neighbour answers.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    arping::{self, Plan},
    http::options::seconds,
    ip::{Devices, INET, ask},
    netlink::{Attributes, Socket, push},
    resolver::{self, Family},
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "arping",
    summary: "Asks a neighbour for answers by ARP.",
    usage: "[OPTION]... NAME|ADDRESS",
    options: &[
        opt('c', "count", "NUMBER", "stop after so many"),
        opt('w', "deadline", "SECONDS", "stop after this time"),
        opt('i', "interval", "SECONDS", "between two; 1 if not given"),
        opt('I', "interface", "LINK", "by this link; if not given, by that of the route"),
        opt('s', "source", "ADDRESS", "from this address"),
        flag('f', "first", "the first answer is enough"),
        flag('D', "duplicate", "status 1 when somebody has the address, else 0"),
        flag('U', "unsolicited", "tell the neighbours who has the address"),
        flag('A', "answer", "the same, as an answer"),
        flag('b', "broadcast", "ask everybody each time"),
        flag('q', "quiet", "no words"),
    ],
    notes: "Exit status 1 when there was no answer.",
    example: "arping -D -c 2 -I eth0 192.0.2.50 || echo 'somebody has this address'",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let [name] = args.words()?[..] else { return usage_error("which NAME?") };
    let target = match resolver::lookup(name, 0, Family::V4, None) {
        Ok(found) => found.first().map(SocketAddr::ip),
        Err(error) => {
            eprintln!("arping: {name}: {error}");
            return Ok(2);
        }
    };
    let Some(IpAddr::V4(target)) = target else { return usage_error("which NAME?") };
    let mut socket = Socket::route()?;
    let devices = Devices::read(&mut socket)?;
    let link = match args.text("interface")? {
        Some(link) => devices.named(link).cloned(),
        None => {
            let index = way(&mut socket, target);
            devices.0.iter().find(|device| Some(device.index) == index).cloned()
        }
    };
    let Some(link) = link else {
        let wanted = args.text("interface")?.unwrap_or("for this address");
        eprintln!("arping: Device {wanted} not available.");
        return Ok(2);
    };
    // IFLA_ADDRESS; IFF_UP, IFF_NOARP and IFF_LOOPBACK.
    let mac = link.attributes.get(1).and_then(|mac| <[u8; 6]>::try_from(mac).ok());
    let (Some(mac), true) = (mac, link.flags & (1 | 0x80 | 8) == 1) else {
        let why = if link.flags & 1 == 0 { "is down" } else { "is not ARPable" };
        eprintln!("arping: Interface \"{}\" {why}", link.name);
        return Ok(2);
    };
    let duplicate = args.has("duplicate");
    let tells = match (args.has("unsolicited"), args.has("answer")) {
        (_, true) => Some(2),
        (true, false) => Some(1),
        (false, false) => None,
    };
    let source = match args.text("source")?.map(str::parse) {
        Some(Ok(source)) => source,
        Some(Err(_)) => return usage_error("the value of --source is no address"),
        None if duplicate => Ipv4Addr::UNSPECIFIED,
        None if tells.is_some() => target,
        None => own(target, &link.name)?,
    };
    let plan = Plan {
        target,
        source,
        link: (link.name, link.index),
        mac,
        count: args.number("count")?,
        deadline: seconds(args, "deadline")?,
        interval: seconds(args, "interval")?.unwrap_or(Duration::from_secs(1)),
        first: args.has("first"),
        duplicate,
        tells,
        broadcast: args.has("broadcast"),
        quiet: args.has("quiet"),
    };
    arping::run(&plan)
}

const RTM_GETROUTE: u16 = 26;
/// `RTA_OIF` and `RTA_DST`.
const LINK: u16 = 4;
const TO: u16 = 1;

/// The link that packets for an address leave by.
fn way(socket: &mut Socket, target: Ipv4Addr) -> Option<u32> {
    let mut body = vec![INET, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    push(&mut body, TO, &target.octets());
    let answer = ask(socket, RTM_GETROUTE, 0, &body).ok()?;
    Attributes::parse(&answer.first()?.body, 12).number(LINK)
}

/// The own address for packets to another by a link.
fn own(target: Ipv4Addr, link: &str) -> anyhow::Result<Ipv4Addr> {
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    xenoboot_sys::hops::bind_to_link(&probe, link)?;
    probe.connect((target, 1025))?;
    match probe.local_addr()?.ip() {
        IpAddr::V4(own) => Ok(own),
        IpAddr::V6(_) => Ok(Ipv4Addr::UNSPECIFIED),
    }
}
