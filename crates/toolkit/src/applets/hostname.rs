//! `hostname`: the machine's name.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    ip::{Devices, address, ask},
    netlink::{self, Attributes, Socket},
    resolver::{self, Family},
};
use anyhow::Context as _;
use std::{collections::BTreeSet, fs, net::IpAddr};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "hostname",
    summary: "Prints or sets the machine's name.",
    usage: "[-s|-f|-d|-i|-I]\n[-F FILE] [NAME]",
    options: &[
        flag('s', "short", "only up to the first dot"),
        flag('f', "fqdn", "with its domain, as /etc/hosts has it"),
        flag('d', "domain", "the domain only"),
        flag('i', "ip-address", "the addresses that the name has"),
        flag('I', "all-ip-addresses", "the machine's addresses"),
        Opt { short: 'F', long: "file", value: "FILE", help: "the name is in a file" },
    ],
    notes: "",
    example: "hostname rescue",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let name = match (args.value("file"), words.as_slice()) {
        (None, []) => return print(args),
        (Some(path), []) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.to_string_lossy()))?;
            let mut lines = text.lines().map(str::trim);
            let name = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
            name.unwrap_or_default().to_owned()
        }
        (None, [name]) => (*name).to_owned(),
        _ => return usage_error("only one NAME can be given"),
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
        return usage_error(format!("{name:?} is not a name of 1 to 64 letters, digits, - and ."));
    }
    rustix::system::sethostname(name.as_bytes()).context("cannot set the name")?;
    Ok(0)
}

fn print(args: &Args) -> anyhow::Result<u8> {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    if args.has("all-ip-addresses") {
        let each = addresses()?.into_iter().map(|address| format!("{address} "));
        println!("{}", each.collect::<String>());
    } else if args.has("ip-address") {
        let found = resolver::lookup(&name, 0, Family::Any, None)?;
        let each: BTreeSet<String> = found.iter().map(|address| address.ip().to_string()).collect();
        println!("{}", Vec::from_iter(each).join(" "));
    } else if args.has("short") {
        println!("{}", name.split('.').next().unwrap_or(&name));
    } else if args.has("fqdn") {
        println!("{}", whole(&name));
    } else if args.has("domain") {
        println!("{}", whole(&name).split_once('.').map_or("", |(_, domain)| domain));
    } else {
        println!("{name}");
    }
    Ok(0)
}

/// The first name on the line of `/etc/hosts` that has this one.
fn whole(name: &str) -> String {
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let named = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace().skip(1);
        let names: Vec<&str> = words.by_ref().collect();
        let has = names.iter().any(|own| own.eq_ignore_ascii_case(name));
        names.first().filter(|_| has).map(|first| (*first).to_owned())
    };
    hosts.lines().find_map(named).unwrap_or_else(|| name.to_owned())
}

const RTM_GETADDR: u16 = 22;
/// `IFA_ADDRESS` and `IFA_LOCAL`.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
/// `IFF_UP` and `IFF_LOOPBACK`.
const UP: u32 = 1;
const LOOPBACK: u32 = 8;

/// Those of all links that are up, but for loopback and those that only hold for a link.
fn addresses() -> anyhow::Result<Vec<IpAddr>> {
    let mut socket = Socket::route()?;
    let devices = Devices::read(&mut socket)?;
    let usable =
        |index: u32| devices.0.iter().any(|d| d.index == index && d.flags & (UP | LOOPBACK) == UP);
    let messages = ask(&mut socket, RTM_GETADDR, netlink::DUMP, &[0; 8])?;
    let found = messages.iter().filter(|m| usable(netlink::u32_at(&m.body, 4))).filter_map(|m| {
        let attributes = Attributes::parse(&m.body, 8);
        address(attributes.get(LOCAL).or_else(|| attributes.get(ADDRESS))?)
    });
    let links_only =
        |address: &IpAddr| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    Ok(found.filter(|address| !links_only(address)).collect())
}
