//! `ip`: links, addresses, routes, neighbours and rules.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    ip::{INET, INET6, Show, Words, addr, link, neigh, route, rule},
    netlink::Socket,
};
use anyhow::Context as _;

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "ip",
    summary: "Prints and changes links, addresses, routes, neighbours and rules.",
    usage: "[OPTION]... link [show|set|add|delete] ...\n[OPTION]... addr [show|add|change|replace|delete|flush] ...\n\
            [OPTION]... route [show|get|add|append|change|replace|delete|flush] ...\n\
            [OPTION]... neigh [show|add|change|replace|delete|flush] ...\n[OPTION]... rule [show|add|delete] ...",
    options: &[
        flag('4', "ipv4", "IPv4 only"),
        flag('6', "ipv6", "IPv6 only"),
        Opt { short: 'f', long: "family", value: "FAMILY", help: "inet or inet6" },
        flag('j', "json", "print JSON"),
        flag('o', "oneline", "one line for each; '\\' for the ends of lines"),
        flag('\0', "brief", "few words (-br)"),
        flag('s', "statistics", "with counters (-stats)"),
        flag('d', "details", "with the type of link, and what is left out otherwise"),
        Opt { short: 'c', long: "color", value: "[WHEN]", help: "ignored" },
        flag('n', "numeric", "ignored"),
    ],
    notes: "Long options may have one dash. Objects and actions may be cut: 'ip a', 'ip r g'. Exit status 2 when\n\
            the kernel refuses, 1 when a link does not exist.",
    example: "ip -br addr\nip route add 192.0.2.0/24 via 10.0.0.1 dev eth0\nip -j route get 192.0.2.7",
    run,
};

/// What the original gives when the kernel refuses.
const REFUSED: u8 = 2;

fn run(args: &Args) -> anyhow::Result<u8> {
    let family = match (args.text("family")?, args.has("ipv4"), args.has("ipv6")) {
        (None | Some("inet" | "inet6"), true, false) | (Some("inet"), ..) => INET,
        (None, false, true) | (Some("inet6"), ..) => INET6,
        (None, false, false) => 0,
        (Some(other), ..) => return usage_error(format!("unknown family {other:?}")),
        (None, true, true) => return usage_error("IPv4 or IPv6, not both"),
    };
    let show = Show {
        json: args.has("json"),
        oneline: args.has("oneline"),
        brief: args.has("brief"),
        statistics: args.has("statistics"),
        details: args.has("details"),
        family,
    };
    let words = args.words()?;
    let [object, rest @ ..] = words.as_slice() else { return usage_error("which object?") };
    let mut socket = Socket::route().context("cannot open a netlink socket")?;
    match dispatch(show, object, rest, &mut socket) {
        Err(error) if error.to_string().starts_with("RTNETLINK answers") => {
            eprintln!("{error}");
            Ok(REFUSED)
        }
        Err(error) if is_of_iproute(&error.to_string()) => {
            eprintln!("{error}");
            Ok(1)
        }
        result => result,
    }
}

/// Errors that have no `ip: ` before them there either.
fn is_of_iproute(text: &str) -> bool {
    ["Error: ", "Device \"", "Cannot find device"].iter().any(|start| text.starts_with(start))
        || text.ends_with("is invalid lladdr.")
}

/// The first of some names that begins with a word.
fn meant<'a>(word: &str, names: &[&'a str]) -> anyhow::Result<&'a str> {
    match names.iter().find(|name| name.starts_with(word)) {
        Some(name) => Ok(name),
        None => usage_error(format!("\"{word}\" is unknown")),
    }
}

fn dispatch(show: Show, object: &str, rest: &[&str], socket: &mut Socket) -> anyhow::Result<u8> {
    let objects = ["address", "route", "link", "neighbour", "neighbor", "rule"];
    let object = meant(object, &objects)?;
    let mut words = Words::new(rest);
    let actions: &[&str] = match object {
        "link" => &["set", "show", "list", "lst", "ls", "add", "delete"],
        "rule" => &["add", "delete", "show", "list", "lst", "ls"],
        _ => &[
            "add", "append", "change", "chg", "replace", "delete", "get", "show", "list", "lst",
            "ls", "flush",
        ],
    };
    let action = match words.next() {
        Some(word) => meant(word, actions)?,
        None => "show",
    };
    use addr::Action;
    let words = &mut words;
    match (object, action) {
        ("link", "set") => link::set(words, socket),
        ("link", "add") => link::add(words, socket),
        ("link", "delete") => link::delete(words, socket),
        ("link", _) => link::show(show, words, socket),
        ("address", "add") => addr::change(Action::Add, words, socket),
        ("address", "change" | "chg") => addr::change(Action::Change, words, socket),
        ("address", "replace") => addr::change(Action::Replace, words, socket),
        ("address", "delete") => addr::change(Action::Delete, words, socket),
        ("address", "flush") => addr::flush(show, words, socket),
        ("address", "show" | "list" | "lst" | "ls") => addr::show(show, words, socket),
        ("route", "add") => route::change(show, route::Action::Add, words, socket),
        ("route", "append") => route::change(show, route::Action::Append, words, socket),
        ("route", "change" | "chg") => route::change(show, route::Action::Change, words, socket),
        ("route", "replace") => route::change(show, route::Action::Replace, words, socket),
        ("route", "delete") => route::change(show, route::Action::Delete, words, socket),
        ("route", "get") => route::get(show, words, socket),
        ("route", "flush") => route::flush(show, words, socket),
        ("route", _) => route::show(show, words, socket),
        ("rule", "add") => rule::change(show, true, words, socket),
        ("rule", "delete") => rule::change(show, false, words, socket),
        ("rule", _) => rule::show(show, words, socket),
        ("neighbour" | "neighbor", "add") => neigh::change(Action::Add, words, socket),
        ("neighbour" | "neighbor", "change" | "chg") => {
            neigh::change(Action::Change, words, socket)
        }
        ("neighbour" | "neighbor", "replace") => neigh::change(Action::Replace, words, socket),
        ("neighbour" | "neighbor", "delete") => neigh::change(Action::Delete, words, socket),
        ("neighbour" | "neighbor", "flush") => neigh::flush(show, words, socket),
        ("neighbour" | "neighbor", "show" | "list" | "lst" | "ls") => {
            neigh::show(show, words, socket)
        }
        _ => usage_error(format!("{object} has no {action}")),
    }
}
