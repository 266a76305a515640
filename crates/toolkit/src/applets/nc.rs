//! `nc`: speaks TCP, UDP and local sockets.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    http::options::{family, seconds},
    netcat::{Plan, relay, sockets},
    resolver, services,
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    time::Duration,
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "nc",
    summary: "Connects standard input and output to a server, or to who connects.",
    usage: "[OPTION]... HOST PORT[-PORT]\n-l [OPTION]... [ADDRESS] PORT\n-U [OPTION]... PATH",
    options: &[
        flag('l', "listen", "wait for a connection"),
        flag('k', "keep", "with -l: and then for the next one"),
        flag('u', "udp", "UDP"),
        flag('U', "unix", "a local socket"),
        flag('z', "zero", "only look whether somebody listens"),
        flag('v', "verbose", "say what happens"),
        flag('n', "numeric", "no names"),
        opt('w', "timeout", "SECONDS", "for connecting, and without a byte"),
        opt('W', "packets", "NUMBER", "end after so many packets"),
        flag('N', "shutdown", "tell the other end when standard input ends"),
        opt('q', "quit", "SECONDS", "end so long after standard input"),
        flag('d', "detach", "do not read standard input"),
        opt('s', "source", "ADDRESS", "the own address"),
        opt('p', "port", "NUMBER", "the own port"),
        flag('4', "ipv4", "IPv4 only"),
        flag('6', "ipv6", "IPv6 only"),
    ],
    notes: "Exit status 1 when nobody listens.",
    example: "nc -z -w 2 192.0.2.1 22 && echo 'there is ssh'\nnc -l 9000 > received",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let plan = Plan {
        udp: args.has("udp"),
        family: family(args)?,
        numeric: args.has("numeric"),
        verbose: args.has("verbose"),
        scan: args.has("zero"),
        timeout: seconds(args, "timeout")?.filter(|time| !time.is_zero()),
        packets: args.number("packets")?,
        shutdown: args.has("shutdown"),
        quit: args
            .number::<i64>("quit")?
            .and_then(|s| u64::try_from(s).ok())
            .map(Duration::from_secs),
        no_input: args.has("detach"),
        source: match args.text("source")?.map(str::parse) {
            None => None,
            Some(Ok(address)) => Some(address),
            Some(Err(_)) => return usage_error("the value of --source is no address"),
        },
        source_port: args.number("port")?.unwrap_or(0),
    };
    let words = args.words()?;
    let keep = args.has("keep");
    if keep && !args.has("listen") {
        return usage_error("-k needs -l");
    }
    let result = match (args.has("unix"), args.has("listen"), &words[..]) {
        (true, false, [path]) => unix(&plan, path),
        (true, true, [path]) => serve_all(&plan, sockets::serve_unix(&plan, path), keep, path),
        (true, ..) => return usage_error("which PATH?"),
        (false, true, [port]) => listen(&plan, None, port, keep),
        (false, true, []) if plan.source_port != 0 => {
            listen(&plan, None, &plan.source_port.to_string(), keep)
        }
        (false, true, [address, port]) => listen(&plan, Some(address), port, keep),
        (false, false, [host, ports]) => return connect(&plan, host, ports),
        _ => return usage_error("which HOST and PORT?"),
    };
    match result {
        Ok(status) => Ok(status),
        Err(error) => {
            eprintln!("nc: {}", crate::applet::reason(&error));
            Ok(1)
        }
    }
}

fn unix(plan: &Plan, path: &str) -> io::Result<u8> {
    let fd = match sockets::dial_unix(plan, path) {
        Ok(fd) => fd,
        Err(error) => {
            if plan.verbose {
                eprintln!("nc: unix connect failed: {}", crate::applet::reason(&error));
            }
            return Ok(1);
        }
    };
    if plan.verbose {
        eprintln!("Connection to {path} succeeded!");
    }
    if !plan.scan {
        relay::run(plan, &fd, plan.udp)?;
    }
    Ok(0)
}

/// `PORT`, `FIRST-LAST`, or the name of a service.
fn ports(text: &str, udp: bool) -> Option<(u16, u16)> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match text.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            Some((first.min(last), first.max(last)))
        }
        None => {
            let port = number(text).or_else(|| {
                let protocol = if udp { "udp" } else { "tcp" };
                services::port(text, protocol)
            });
            port.map(|port| (port, port))
        }
    }
}

fn service(plan: &Plan, port: u16) -> String {
    let protocol = if plan.udp { "udp" } else { "tcp" };
    let known = services::name(port, protocol).filter(|_| !plan.numeric);
    format!("{protocol}/{}", known.unwrap_or_else(|| "*".into()))
}

fn connect(plan: &Plan, host: &str, text: &str) -> anyhow::Result<u8> {
    let Some((first, last)) = ports(text, plan.udp) else {
        eprintln!("nc: port number invalid: {text}");
        return Ok(1);
    };
    let mut status = 1;
    for port in first..=last {
        match dial(plan, host, port) {
            Err(error) => {
                eprintln!("nc: getaddrinfo for host \"{host}\" port {port}: {error}");
                return Ok(1);
            }
            Ok(None) => {}
            Ok(Some(fd)) => {
                if plan.scan && plan.udp && !probe(&fd) {
                    continue;
                }
                status = 0;
                if plan.verbose {
                    let service = service(plan, port);
                    eprintln!("Connection to {host} {port} port [{service}] succeeded!");
                }
                if !plan.scan
                    && let Err(error) = relay::run(plan, &fd, plan.udp)
                {
                    // Who hears nothing is what UDP has for a connection that ends.
                    if !plan.udp {
                        eprintln!("nc: {}", crate::applet::reason(&error));
                    }
                    status = 1;
                }
            }
        }
    }
    Ok(status)
}

fn dial(plan: &Plan, host: &str, port: u16) -> Result<Option<OwnedFd>, resolver::Error> {
    let protocol = if plan.udp { "udp" } else { "tcp" };
    let literal = resolver::literal(host, port);
    if plan.numeric && literal.is_none() {
        return Err(resolver::Error::NoSuchName);
    }
    for address in resolver::lookup(host, port, plan.family, None)? {
        match sockets::dial(plan, address) {
            Ok(fd) => return Ok(Some(fd)),
            Err(error) if plan.verbose => {
                let shown =
                    if literal.is_some() { String::new() } else { format!("({}) ", address.ip()) };
                let why = crate::applet::reason(&error);
                eprintln!("nc: connect to {host} {shown}port {port} ({protocol}) failed: {why}");
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Sends a few datagrams: who does not listen says so.
fn probe(fd: &OwnedFd) -> bool {
    let wait = Plan { timeout: Some(Duration::from_millis(250)), ..Plan::default() };
    (0..4).all(|_| {
        let sent = rustix::net::send(fd, b"X", rustix::net::SendFlags::NOSIGNAL).is_ok();
        let heard = sockets::wait(&wait, fd).unwrap_or(true);
        sent && (!heard || rustix::net::sockopt::socket_error(fd).is_ok_and(|error| error.is_ok()))
    })
}

fn listen(plan: &Plan, address: Option<&str>, port: &str, keep: bool) -> io::Result<u8> {
    let Some((port, _)) = ports(port, plan.udp) else {
        eprintln!("nc: port number invalid: {port}");
        return Ok(1);
    };
    let at = match address {
        Some(word) => {
            let found =
                resolver::lookup(word, port, plan.family, None).map_err(io::Error::other)?;
            found.into_iter().min_by_key(SocketAddr::is_ipv6).ok_or(io::ErrorKind::NotFound)?
        }
        None => {
            let any: IpAddr = match plan.family {
                resolver::Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
                _ => Ipv4Addr::UNSPECIFIED.into(),
            };
            SocketAddr::new(any, port)
        }
    };
    let shown = address.map_or_else(|| at.ip().to_string(), str::to_owned);
    serve_all(plan, sockets::serve(plan, at), keep, &format!("{shown} {port}"))
}

fn serve_all(plan: &Plan, fd: io::Result<OwnedFd>, keep: bool, shown: &str) -> io::Result<u8> {
    let fd = fd?;
    if plan.verbose {
        let what = if plan.udp { "Bound" } else { "Listening" };
        eprintln!("{what} on {shown}");
    }
    if plan.udp && keep {
        return relay::sink(plan, &fd).map(|()| 0);
    }
    loop {
        // The original has no limit here, whatever -w says.
        sockets::wait(&Plan::default(), &fd)?;
        if plan.udp {
            let from = sockets::take_datagram(&fd)?;
            received(plan, from);
            return relay::run(plan, &fd, true).map(|()| 0);
        }
        let connection = sockets::take(&fd)?;
        received(plan, sockets::peer(&connection));
        relay::run(plan, &connection, false)?;
        if !keep {
            return Ok(0);
        }
    }
}

fn received(plan: &Plan, from: Option<SocketAddr>) {
    match from {
        Some(from) if plan.verbose => {
            eprintln!("Connection received on {} {}", from.ip(), from.port());
        }
        None if plan.verbose => eprintln!("Connection received"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::ports;

    #[test]
    fn ports_are_numbers_and_ranges() {
        assert_eq!(ports("80", false), Some((80, 80)));
        assert_eq!(ports("9-7", false), Some((7, 9)));
        for wrong in ["0", "65536", "x", "1-", "-1", ""] {
            assert_eq!(ports(wrong, false), None, "{wrong}");
        }
    }
}
