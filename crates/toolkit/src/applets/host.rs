//! `host`: asks name servers.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    dns::{bare, complain, configure, data, record_type, reverse_name, server, status},
    resolver::{Answer, PORT, Resolver},
};
use hickory_proto::{
    op::ResponseCode,
    rr::{Name, RData, Record, RecordType},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "host",
    summary: "Asks name servers for the addresses of a name, or the name of an address.",
    usage: "[OPTION]... NAME|ADDRESS [SERVER]",
    options: &[
        opt('t', "type", "TYPE", "ask for this: A, AAAA, MX, TXT, SRV, NS, SOA, PTR, CNAME ..."),
        flag('a', "all", "ask for everything: -t ANY"),
        flag('T', "tcp", "by TCP from the start"),
        flag('r', "norecurse", "the server shall not ask others"),
        opt('R', "retry", "NUMBER", "ask so often again"),
        opt('W', "timeout", "SECONDS", "wait so long for each answer; 5 if not given"),
        opt('N', "ndots", "NUMBER", "names with so many dots are tried as they are first"),
        opt('p', "port", "NUMBER", "the server's port"),
        flag('4', "ipv4", "ignored: the server's address decides"),
        flag('6', "ipv6", "ignored: the server's address decides"),
    ],
    notes: "Exit status 1 when there is no such name, or nobody answers.",
    example: "host boot.example.org\nhost -t txt example.org 192.0.2.53",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let (word, via) = match words[..] {
        [word] => (word, None),
        [word, via] => (word, Some(via)),
        _ => return usage_error("which NAME?"),
    };
    let given = if args.has("all") { Some("ANY") } else { args.text("type")? };
    let kind = match given.map(|text| (text, record_type(text))) {
        None => None,
        Some((_, Some(kind))) => Some(kind),
        Some((text, None)) => {
            eprintln!("host: invalid type: {text}");
            return Ok(2);
        }
    };
    let mut resolver = Resolver::system();
    configure(&mut resolver, args)?;
    resolver.tcp |= args.has("tcp") || kind == Some(RecordType::ANY);
    resolver.recursion = !args.has("norecurse");
    resolver.ndots = args.number("ndots")?.unwrap_or(resolver.ndots);
    let port = args.number("port")?.unwrap_or(PORT);
    if let Some(via) = via {
        let address = server(via, port)?;
        resolver.servers = vec![address];
        let place = format!("{}#{}", address.ip(), address.port());
        println!("Using domain server:\nName: {via}\nAddress: {place}\nAliases: \n");
    } else {
        resolver.servers.iter_mut().for_each(|server| server.set_port(port));
    }
    match reverse_name(word) {
        Some(name) => Ok(first(&resolver, &[name], kind.unwrap_or(RecordType::PTR), true).0),
        None => {
            let names = resolver.candidates(word)?;
            let (status, found) =
                first(&resolver, &names, kind.unwrap_or(RecordType::A), kind.is_some());
            if let (Some(name), None) = (found, kind) {
                for kind in [RecordType::AAAA, RecordType::MX] {
                    if let Ok(answer) = resolver.ask(&name, kind, None) {
                        answer.message.answers.iter().for_each(print);
                    }
                }
            }
            Ok(status)
        }
    }
}

/// Asks for the first name that there is; the exit status, and the name at the end of its aliases.
fn first(resolver: &Resolver, names: &[Name], kind: RecordType, only: bool) -> (u8, Option<Name>) {
    let mut last = None;
    for name in names {
        match resolver.ask(name, kind, None) {
            Ok(answer) if answer.message.metadata.response_code == ResponseCode::NoError => {
                return (0, Some(show(&answer, name, kind, only)));
            }
            Ok(answer) => last = Some((name, answer.message.metadata.response_code)),
            Err(error) => {
                complain(resolver, &error);
                return (1, None);
            }
        }
    }
    if let Some((name, code)) = last {
        let (number, text) = status(code);
        let dot = if kind == RecordType::PTR { "." } else { "" };
        println!("Host {}{dot} not found: {number}({text})", bare(name));
    }
    (1, None)
}

/// Prints an answer; where its aliases lead.
fn show(answer: &Answer, name: &Name, kind: RecordType, only: bool) -> Name {
    let answers = &answer.message.answers;
    answers.iter().for_each(print);
    if answers.is_empty() && only {
        println!("{} has no {kind} record", bare(name));
    }
    let alias = answers.iter().rev().find_map(|record| match &record.data {
        RData::CNAME(target) => Some(target.0.clone()),
        _ => None,
    });
    alias.unwrap_or_else(|| name.clone())
}

fn print(record: &Record) {
    let verb = match record.record_type() {
        RecordType::A => "has address",
        RecordType::AAAA => "has IPv6 address",
        RecordType::CNAME => "is an alias for",
        RecordType::MX => "mail is handled by",
        RecordType::NS => "name server",
        RecordType::PTR => "domain name pointer",
        RecordType::TXT => "descriptive text",
        other => {
            println!("{} has {other} record {}", bare(&record.name), data(&record.data));
            return;
        }
    };
    println!("{} {verb} {}", bare(&record.name), data(&record.data));
}
