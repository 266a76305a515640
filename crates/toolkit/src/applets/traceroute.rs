//! `traceroute`: which way packets go.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    http::options::{family, seconds},
    resolver,
    traceroute::{self, Plan},
};
use std::{net::SocketAddr, time::Duration};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "traceroute",
    summary: "Prints which way packets go, hop by hop.",
    usage: "[OPTION]... NAME|ADDRESS [BYTES]",
    options: &[
        flag('I', "icmp", "by echo requests, not UDP"),
        flag('U', "udp", "ignored: always so without -I"),
        flag('n', "numeric", "no names"),
        opt('f', "first", "NUMBER", "begin with so many hops; 1 if not given"),
        opt('m', "max-hops", "NUMBER", "end with so many; 30 if not given"),
        opt('q', "queries", "NUMBER", "so many probes for each; 3 if not given"),
        opt('w', "wait", "SECONDS", "for an answer; 5 if not given"),
        opt('p', "port", "NUMBER", "the first port; 33434 if not given"),
        opt('i', "interface", "LINK", "by this link"),
        opt('s', "source", "ADDRESS", "from this address"),
        flag('4', "ipv4", "IPv4 only"),
        flag('6', "ipv6", "IPv6 only"),
    ],
    notes: "Behind a time: !H, !N, !P host, network or protocol cannot be reached, !X forbidden.",
    example: "traceroute -n -q 1 -w 2 192.0.2.1",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let (name, bytes) = match words[..] {
        [name] => (name, 60),
        [name, bytes] => match bytes.parse::<usize>() {
            Ok(bytes @ 48..=65_000) => (name, bytes),
            _ => return usage_error("BYTES are 48 to 65000"),
        },
        _ => return usage_error("which NAME?"),
    };
    let found = match resolver::lookup(name, 0, family(args)?, None) {
        Ok(found) => found,
        Err(error) => {
            eprintln!("{name}: {error}\ntraceroute: cannot go there");
            return Ok(2);
        }
    };
    // As the original: IPv4 first.
    let Some(to) = found.iter().min_by_key(|address| address.is_ipv6()).map(SocketAddr::ip) else {
        return usage_error("which NAME?");
    };
    let hops = (args.number("first")?.unwrap_or(1), args.number("max-hops")?.unwrap_or(30));
    if hops.0 == 0 || hops.1 > 255 || hops.0 > hops.1 {
        return usage_error("the numbers of hops are 1 to 255");
    }
    let probes = args.number("queries")?.unwrap_or(3);
    if !(1..=10).contains(&probes) {
        return usage_error("1 to 10 probes for each");
    }
    let source = match args.text("source")?.map(str::parse) {
        None => None,
        Some(Ok(address)) => Some(address),
        Some(Err(_)) => return usage_error("the value of --source is no address"),
    };
    let header = if to.is_ipv6() { 48 } else { 28 };
    let bytes = if to.is_ipv6() && words.len() == 1 { 80 } else { bytes };
    let plan = Plan {
        to,
        icmp: args.has("icmp"),
        hops,
        probes,
        patience: seconds(args, "wait")?.unwrap_or(Duration::from_secs(5)),
        payload: bytes - header,
        port: args.number("port")?,
        numeric: args.has("numeric"),
        link: args.text("interface")?.map(str::to_owned),
        source,
    };
    println!("traceroute to {name} ({to}), {} hops max, {bytes} byte packets", hops.1);
    traceroute::run(&plan).map(|()| 0)
}
