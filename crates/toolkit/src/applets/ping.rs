//! `ping`: whether a machine answers.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    http::options::seconds,
    ping::{self, Plan},
    resolver::{self, Family},
};
use std::time::Duration;

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

const OPTIONS: &[Opt] = &[
    opt('c', "count", "NUMBER", "stop after so many"),
    opt('i', "interval", "SECONDS", "between two; 1 if not given"),
    opt('W', "timeout", "SECONDS", "for the last answer, when there was none; 10 if not given"),
    opt('w', "deadline", "SECONDS", "stop after this time"),
    opt('s', "size", "BYTES", "behind the header; 56 if not given"),
    opt('I', "interface", "LINK", "by this link, or from this address"),
    opt('t', "ttl", "NUMBER", "go at most so many hops"),
    flag('n', "numeric", "no names"),
    flag('q', "quiet", "no line for each"),
    flag('D', "timestamp", "the time before each line"),
    flag('O', "outstanding", "say which were not answered when the next one goes"),
    flag('4', "ipv4", "IPv4 only"),
    flag('6', "ipv6", "IPv6 only"),
];

pub(crate) static APPLET: Applet = Applet {
    name: "ping",
    summary: "Asks a machine for answers (ICMP echo) and says how long they took.",
    usage: "[OPTION]... NAME|ADDRESS",
    options: OPTIONS,
    notes: "Exit status 1 when there was no answer, or fewer than -c within -w.",
    example: "ping -c 3 -W 2 192.0.2.1 || echo 'the gateway is silent'",
    run: |args| run(args, Family::Any),
};

pub(crate) static SIX: Applet = Applet {
    name: "ping6",
    summary: "Like ping, IPv6 only.",
    usage: APPLET.usage,
    options: OPTIONS,
    notes: APPLET.notes,
    example: "ping6 -c 1 fe80::1%eth0",
    run: |args| run(args, Family::V6),
};

/// What a raw socket takes.
const MAX_SIZE: usize = 65_507;

fn run(args: &Args, family: Family) -> anyhow::Result<u8> {
    let [name] = args.words()?[..] else { return usage_error("which NAME?") };
    let family = match (family, crate::http::options::family(args)?) {
        (Family::Any, given) => given,
        (own, _) => own,
    };
    let to = match resolver::lookup(name, 0, family, None) {
        Ok(found) => found.into_iter().next(),
        Err(error) => {
            eprintln!("ping: {name}: {error}");
            return Ok(2);
        }
    };
    let Some(to) = to else { return usage_error("which NAME?") };
    let positive = |number: Option<u64>, what: &str| match number {
        Some(0) => usage_error(format!("the value of --{what} is 0")),
        number => Ok(number),
    };
    let time = |name| seconds(args, name);
    let plan = Plan {
        name: name.to_owned(),
        to,
        count: positive(args.number("count")?, "count")?,
        interval: time("interval")?.unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(2)),
        patience: time("timeout")?.unwrap_or(Duration::from_secs(10)),
        deadline: time("deadline")?,
        size: args.number("size")?.unwrap_or(56),
        quiet: args.has("quiet"),
        numeric: args.has("numeric"),
        from: args.text("interface")?.map(str::to_owned),
        ttl: args.number("ttl")?,
        stamped: args.has("timestamp"),
        outstanding: args.has("outstanding"),
    };
    if plan.size > MAX_SIZE {
        return usage_error(format!("at most {MAX_SIZE} bytes"));
    }
    match ping::run(&plan) {
        Ok(status) => Ok(status),
        Err(error) => {
            eprintln!("ping: {error:#}");
            Ok(2)
        }
    }
}
