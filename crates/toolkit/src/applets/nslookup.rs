//! `nslookup`: asks name servers.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    dns::{bare, complain, configure, data, record_type, reverse_name, server, status},
    resolver::{Answer, PORT, Resolver},
};
use hickory_proto::{
    op::ResponseCode,
    rr::{Name, RData, Record, RecordType},
};

const fn opt(long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short: '\0', long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "nslookup",
    summary: "Asks name servers for the addresses of a name, or the name of an address.",
    usage: "[OPTION]... NAME|ADDRESS [SERVER]",
    options: &[
        opt("type", "TYPE", "ask for this: A, AAAA, MX, TXT, SRV, NS, SOA, PTR, CNAME ..."),
        opt("query", "TYPE", "the same"),
        opt("port", "NUMBER", "the server's port"),
        opt("timeout", "SECONDS", "wait so long for each answer; 5 if not given"),
        opt("retry", "NUMBER", "ask so often again"),
        opt("vc", "", "by TCP from the start"),
        opt("norecurse", "", "the server shall not ask others"),
        opt("debug", "", "ignored"),
    ],
    notes: "Long options have one dash: -type=mx. Exit status 1 when there is no such name, or nobody answers.",
    example: "nslookup -type=txt example.org 192.0.2.53",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let (word, via) = match words[..] {
        [word] => (word, None),
        [word, via] => (word, Some(via)),
        _ => return usage_error("which NAME? (questions are not asked one by one here)"),
    };
    let given = args.text("type")?.or(args.text("query")?);
    let kind = match given.map(|text| (text, record_type(text))) {
        None => None,
        Some((_, Some(kind))) => Some(kind),
        Some((text, None)) => return usage_error(format!("unknown query type: {text}")),
    };
    let mut resolver = Resolver::system();
    configure(&mut resolver, args)?;
    resolver.tcp |= args.has("vc");
    resolver.recursion = !args.has("norecurse");
    let port = args.number("port")?.unwrap_or(PORT);
    resolver.servers.iter_mut().for_each(|server| server.set_port(port));
    if let Some(via) = via {
        resolver.servers = vec![server(via, port)?];
    }
    let code = match reverse_name(word) {
        Some(name) => lookup(&resolver, &[name], &[RecordType::PTR], None),
        None => {
            let names = resolver.candidates(word)?;
            let both = [RecordType::A, RecordType::AAAA];
            let kinds = kind.map_or(both.to_vec(), |kind| vec![kind]);
            lookup(&resolver, &names, &kinds, Some(via))
        }
    };
    println!();
    Ok(code)
}

/// Asks for the first name that there is. With `heading`, who answers is printed first.
fn lookup(
    resolver: &Resolver,
    names: &[Name],
    kinds: &[RecordType],
    heading: Option<Option<&str>>,
) -> u8 {
    let mut last = None;
    for name in names {
        let mut answers = Vec::new();
        for kind in kinds {
            match resolver.ask(name, *kind, None) {
                Ok(answer) => answers.push(answer),
                Err(error) => {
                    complain(resolver, &error);
                    return 1;
                }
            }
        }
        let code = answers.first().map(|answer| answer.message.metadata.response_code);
        if code == Some(ResponseCode::NoError) {
            announce(answers.first(), heading);
            show(&answers, name);
            return 0;
        }
        last = answers.into_iter().next().map(|answer| (name, answer));
    }
    if let Some((name, answer)) = last {
        announce(Some(&answer), heading);
        let (_, text) = status(answer.message.metadata.response_code);
        println!("** server can't find {}: {text}", bare(name));
    }
    1
}

fn announce(answer: Option<&Answer>, heading: Option<Option<&str>>) {
    if let (Some(answer), Some(via)) = (answer, heading) {
        let address = answer.server.ip().to_string();
        let place = format!("{address}#{}", answer.server.port());
        println!("Server:\t\t{}\nAddress:\t{place}\n", via.unwrap_or(&address));
        if !answer.message.metadata.authoritative {
            println!("Non-authoritative answer:");
        }
    }
}

fn show(answers: &[Answer], name: &Name) {
    // The second answer has the aliases of the first one again.
    let again = |n: usize, record: &Record| n > 0 && matches!(record.data, RData::CNAME(_));
    let mut any = false;
    for (n, answer) in answers.iter().enumerate() {
        for record in answer.message.answers.iter().filter(|record| !again(n, record)) {
            print(record);
            any = true;
        }
    }
    if !any {
        println!("*** Can't find {}: No answer", bare(name));
    }
}

fn print(record: &Record) {
    let name = bare(&record.name);
    let text = data(&record.data);
    match &record.data {
        RData::A(_) | RData::AAAA(_) => println!("Name:\t{name}\nAddress: {text}"),
        RData::CNAME(_) => println!("{name}\tcanonical name = {text}"),
        RData::MX(_) => println!("{name}\tmail exchanger = {text}"),
        RData::NS(_) => println!("{name}\tnameserver = {text}"),
        RData::PTR(_) => println!("{name}\tname = {text}"),
        RData::SRV(_) => println!("{name}\tservice = {text}"),
        RData::TXT(_) => println!("{name}\ttext = {text}"),
        RData::SOA(soa) => {
            println!("{name}\n\torigin = {}\n\tmail addr = {}", bare(&soa.mname), bare(&soa.rname));
            println!("\tserial = {}\n\trefresh = {}", soa.serial, soa.refresh);
            println!(
                "\tretry = {}\n\texpire = {}\n\tminimum = {}",
                soa.retry, soa.expire, soa.minimum
            );
        }
        _ => println!("{name}\trdata_{} = {text}", u16::from(record.record_type())),
    }
}
