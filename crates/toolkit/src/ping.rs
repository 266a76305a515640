//! `ping`: when packets go, which come back, and what that says of the way.

pub(crate) mod statistics;

use crate::{
    icmp::{self, Message, Socket},
    resolver,
};
use anyhow::{Context as _, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{SendFlags, sendto},
    process::Signal,
};
use statistics::Statistics;
use std::{
    collections::VecDeque,
    io::Write as _,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};
use xenoboot_sys::{hops, signal::Signals};

/// So many requests are remembered.
const REMEMBERED: usize = 1024;

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// As it was called.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) to: SocketAddr,
    /// How many.
    pub(crate) count: Option<u64>,
    /// How often.
    pub(crate) interval: Duration,
    /// How long the answer to the last may take, when there was none before.
    pub(crate) patience: Duration,
    /// When it ends, whatever happens.
    pub(crate) deadline: Option<Duration>,
    /// Bytes behind the header.
    pub(crate) size: usize,
    /// No line for each.
    pub(crate) quiet: bool,
    /// No names.
    pub(crate) numeric: bool,
    /// From this link or address.
    pub(crate) from: Option<String>,
    /// Hops.
    pub(crate) ttl: Option<u32>,
    /// With the time before each line.
    pub(crate) stamped: bool,
    /// Says which were not answered when the next one goes.
    pub(crate) outstanding: bool,
}

struct Session<'a> {
    plan: &'a Plan,
    socket: Socket,
    id: u16,
    /// Number, when it went, and whether it was answered.
    sent: VecDeque<(u64, Instant, bool)>,
    statistics: Statistics,
}

/// Does it; the exit status.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<u8> {
    let v6 = plan.to.is_ipv6();
    let socket = Socket::open(v6).context("socket")?;
    let link = plan.from.as_deref().filter(|from| from.parse::<IpAddr>().is_err());
    if let Some(link) = link {
        hops::bind_to_link(&socket.fd, link)
            .map_err(|_| anyhow::anyhow!("unknown iface: {link}"))?;
    }
    if let Some(ttl) = plan.ttl {
        if v6 {
            rustix::net::sockopt::set_ipv6_unicast_hops(&socket.fd, u8::try_from(ttl).ok())?;
        } else {
            rustix::net::sockopt::set_ip_ttl(&socket.fd, ttl)?;
        }
    }
    let source = source(plan, link)?;
    if plan.from.is_some() {
        rustix::net::bind(&socket.fd, &SocketAddr::new(source, 0)).context("bind")?;
    }
    let id = u16::try_from(std::process::id() & 0xffff)?;
    let statistics = Statistics::new(plan.size >= 16);
    let signals = Signals::block(&[Signal::INT, Signal::TERM])?;
    let mut session = Session { plan, socket, id, sent: VecDeque::new(), statistics };
    session.announce(source, link);
    session.go(&signals)?;
    print!("{}", session.statistics.text(&plan.name));
    let received = session.statistics.received;
    let short = plan.deadline.is_some() && plan.count.is_some_and(|count| received < count);
    Ok(u8::from(received == 0 || short))
}

/// The address that packets leave with.
fn source(plan: &Plan, link: Option<&str>) -> anyhow::Result<IpAddr> {
    let given = plan.from.as_deref().and_then(|from| from.parse::<IpAddr>().ok());
    let any = if plan.to.is_ipv6() { IpAddr::from([0; 16]) } else { IpAddr::from([0; 4]) };
    let probe = UdpSocket::bind((given.unwrap_or(any), 0)).context("bind")?;
    if let Some(link) = link {
        hops::bind_to_link(&probe, link)?;
    }
    match probe.connect(SocketAddr::new(plan.to.ip(), 1025)) {
        Ok(()) => Ok(probe.local_addr()?.ip()),
        Err(error) => bail!("connect: {}", crate::applet::reason(&error)),
    }
}

impl Session<'_> {
    fn announce(&self, source: IpAddr, link: Option<&str>) {
        let plan = self.plan;
        let (name, address) = (&plan.name, plan.to.ip());
        let literal = resolver::literal(name, 0).is_some();
        match plan.to {
            SocketAddr::V4(_) => print!("PING {name} ({address})"),
            SocketAddr::V6(_) if literal => print!("PING {name}({name})"),
            SocketAddr::V6(_) => {
                print!("PING {name}({})", self.named(address));
            }
        }
        if plan.from.is_some() {
            print!(" from {source} {}:", link.unwrap_or_default());
        }
        match plan.to {
            SocketAddr::V4(_) => println!(" {}({}) bytes of data.", plan.size, plan.size + 28),
            SocketAddr::V6(_) => println!(" {} data bytes", plan.size),
        }
    }

    /// An address with its name, if that is wanted and there is one.
    fn named(&self, address: IpAddr) -> String {
        if self.plan.numeric || resolver::literal(&self.plan.name, 0).is_some() {
            return address.to_string();
        }
        let soon = Instant::now() + Duration::from_secs(2);
        match resolver::reverse(address, Some(soon)) {
            Some(name) => format!("{name} ({address})"),
            None => address.to_string(),
        }
    }

    fn go(&mut self, signals: &Signals) -> anyhow::Result<()> {
        let began = Instant::now();
        let end = self.plan.deadline.map(|deadline| began + deadline);
        let (mut next, mut last) = (began, None);
        loop {
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) {
                break;
            }
            let more = self.plan.count.is_none_or(|count| self.statistics.sent < count);
            if more && now >= next {
                self.send()?;
                next = now + self.plan.interval;
                last = Some(now);
                continue;
            }
            let all = self.plan.count.is_some_and(|count| self.statistics.answered() >= count);
            if !more && all {
                break;
            }
            let mut until = if more { next } else { last.unwrap_or(now) + self.linger() };
            if !more && now >= until && end.is_none() {
                break;
            }
            if let Some(end) = end {
                until = if more { until.min(end) } else { end };
            }
            if self.wait(until.saturating_duration_since(now), signals)? {
                break;
            }
        }
        self.statistics.took = began.elapsed();
        Ok(())
    }

    /// How long the answer to the last request is waited for.
    fn linger(&self) -> Duration {
        match self.statistics.longest {
            None => self.plan.patience,
            Some(longest) => (longest * 2).max(self.plan.interval).min(self.plan.patience),
        }
    }

    fn send(&mut self) -> anyhow::Result<()> {
        if self.plan.outstanding
            && let Some((number, _, false)) = self.sent.back()
        {
            self.line(&format!("no answer yet for icmp_seq={number}"));
        }
        self.statistics.sent += 1;
        let number = self.statistics.sent;
        let payload: Vec<u8> =
            (0..self.plan.size).map(|n| u8::try_from(n & 0xff).unwrap_or(0)).collect();
        let sequence = u16::try_from(number & 0xffff)?;
        let bytes = icmp::echo(self.plan.to.is_ipv6(), self.id, sequence, &payload);
        if self.sent.len() >= REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((number, Instant::now(), false));
        if let Err(error) = sendto(&self.socket.fd, &bytes, SendFlags::empty(), &self.plan.to) {
            eprintln!("ping: sendmsg: {}", crate::applet::reason(&error.into()));
        }
        Ok(())
    }

    /// Waits for a packet; whether a signal says that it is enough.
    fn wait(&mut self, time: Duration, signals: &Signals) -> anyhow::Result<bool> {
        let time = Timespec::try_from(time)?;
        let mut ready =
            [PollFd::new(&self.socket.fd, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        match poll(&mut ready, Some(&time)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        if signals.next()?.is_some() {
            return Ok(true);
        }
        let mut buffer = vec![0; 65536 + 128];
        match hops::receive(&self.socket.fd, &mut buffer) {
            Ok(received) => {
                let bytes = buffer.get(..received.length).unwrap_or_default();
                if let Some(message) = self.socket.parse(bytes) {
                    self.take(message, received);
                }
            }
            // What an earlier packet met.
            Err(error) => self.line(&format!("ping: {}", crate::applet::reason(&error))),
        }
        Ok(false)
    }

    fn take(&mut self, message: Message, received: hops::Received) {
        let v6 = self.plan.to.is_ipv6();
        let ours = |id: u16| id == self.id || !self.socket.is_raw();
        match message {
            Message::Reply { id, sequence, length, hops } if ours(id) => {
                self.reply(sequence, length, hops.or(received.hops), received.from.ip());
            }
            Message::Error { kind, code, rest, protocol, packet, to }
                if to == self.plan.to.ip() =>
            {
                let Some((id, sequence)) = icmp::request_of(v6, protocol, &packet) else { return };
                let Some(place) = self.place(sequence).filter(|_| ours(id) && kind != 5) else {
                    return;
                };
                self.statistics.errors += 1;
                self.statistics.pipe(self.statistics.sent, place.0);
                if let Some(entry) = self.sent.iter_mut().find(|entry| entry.0 == place.0) {
                    entry.2 = true;
                }
                let what = icmp::describe(v6, kind, code, rest);
                let from = self.named(received.from.ip());
                self.line(&format!("From {from} icmp_seq={sequence} {what}"));
            }
            _ => {}
        }
    }

    /// The request with a number of 16 bits.
    fn place(&self, sequence: u16) -> Option<(u64, Instant, bool)> {
        self.sent.iter().rev().find(|(number, ..)| number & 0xffff == u64::from(sequence)).copied()
    }

    fn reply(&mut self, sequence: u16, length: usize, hops: Option<u8>, from: IpAddr) {
        let Some((number, went, answered)) = self.place(sequence) else { return };
        let took = went.elapsed();
        if answered {
            self.statistics.duplicates += 1;
        } else {
            self.statistics.receive(took);
            self.statistics.pipe(self.statistics.sent, number);
            if let Some(entry) = self.sent.iter_mut().find(|entry| entry.0 == number) {
                entry.2 = true;
            }
        }
        let mut text = format!("{length} bytes from {}: icmp_seq={sequence}", self.named(from));
        if let Some(hops) = hops {
            text.push_str(&format!(" ttl={hops}"));
        }
        if self.plan.size >= 16 {
            text.push_str(&format!(" time={} ms", statistics::time(took)));
        }
        if answered {
            text.push_str(" (DUP!)");
        }
        self.line(&text);
    }

    fn line(&self, text: &str) {
        if self.plan.quiet {
            return;
        }
        let stamp = if self.plan.stamped { statistics::stamp() } else { String::new() };
        let mut out = std::io::stdout();
        let _ = writeln!(out, "{stamp}{text}").and_then(|()| out.flush());
    }
}
