//! `arping`: whether a neighbour answers (ARP, RFC 826), or an address is taken (RFC 5227).

use anyhow::Context as _;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Signal,
};
use std::{
    io::Write as _,
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use xenoboot_sys::{arp::ArpSocket, signal::Signals};

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Whom.
    pub(crate) target: Ipv4Addr,
    /// From which address; none to ask whether an address is taken.
    pub(crate) source: Ipv4Addr,
    /// By which link: name and number.
    pub(crate) link: (String, u32),
    /// The link's own address.
    pub(crate) mac: [u8; 6],
    /// How many.
    pub(crate) count: Option<u64>,
    /// When it ends.
    pub(crate) deadline: Option<Duration>,
    /// How often.
    pub(crate) interval: Duration,
    /// The first answer is enough.
    pub(crate) first: bool,
    /// Whether an address is taken is the question.
    pub(crate) duplicate: bool,
    /// Tells others, and waits for nothing: 1 as a question, 2 as an answer.
    pub(crate) tells: Option<u8>,
    /// Asks everybody each time.
    pub(crate) broadcast: bool,
    /// No words.
    pub(crate) quiet: bool,
}

/// A packet: what it is, and who it says is where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packet {
    operation: u8,
    sender_mac: [u8; 6],
    sender: Ipv4Addr,
    target_mac: [u8; 6],
    target: Ipv4Addr,
}

impl Packet {
    fn bytes(&self) -> Vec<u8> {
        // Ethernet, IPv4, their lengths.
        let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, self.operation];
        bytes.extend(self.sender_mac);
        bytes.extend(self.sender.octets());
        bytes.extend(self.target_mac);
        bytes.extend(self.target.octets());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let part = |at: usize| -> Option<[u8; 6]> { bytes.get(at..at + 6)?.try_into().ok() };
        let address = |at: usize| -> Option<Ipv4Addr> {
            Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?))
        };
        let [0, 1 | 6, 8, 0, 6, 4, 0, operation] = *bytes.get(..8)? else { return None };
        Some(Self {
            operation,
            sender_mac: part(8)?,
            sender: address(14)?,
            target_mac: part(18)?,
            target: address(24)?,
        })
    }
}

#[derive(Default)]
struct Counts {
    sent: u64,
    broadcast: u64,
    received: u64,
    requests: u64,
}

/// Does it; the exit status.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<u8> {
    let socket = ArpSocket::open(plan.link.1).context("socket")?;
    let signals = Signals::block(&[Signal::INT, Signal::TERM])?;
    if !plan.quiet {
        println!("ARPING {} from {} {}", plan.target, plan.source, plan.link.0);
    }
    let began = Instant::now();
    let mut next = began;
    let (mut counts, mut known, mut last) = (Counts::default(), None, began);
    loop {
        let now = Instant::now();
        if plan.deadline.is_some_and(|deadline| now >= began + deadline) {
            break;
        }
        if now >= next {
            if plan.count.is_some_and(|count| counts.sent >= count) {
                break;
            }
            let to = known.filter(|_| !plan.broadcast && plan.tells.is_none());
            socket.send(&request(plan).bytes(), to.unwrap_or([0xff; 6])).context("send")?;
            counts.sent += 1;
            counts.broadcast += u64::from(to.is_none());
            (last, next) = (now, now + plan.interval);
        }
        let end = plan.deadline.map_or(next, |deadline| next.min(began + deadline));
        let time = Timespec::try_from(end.saturating_duration_since(Instant::now()))?;
        let mut fds = [PollFd::new(&socket, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        match poll(&mut fds, Some(&time)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            result => result?,
        };
        if signals.next()?.is_some() {
            break;
        }
        let mut buffer = [0; 256];
        let (length, alone) = socket.receive(&mut buffer)?;
        let packet = Packet::parse(buffer.get(..length).unwrap_or_default());
        if let Some(packet) = packet.filter(|packet| is_answer(plan, packet)) {
            counts.received += 1;
            counts.requests += u64::from(packet.operation == 1);
            known = Some(packet.sender_mac);
            show(plan, &packet, alone, last.elapsed())?;
            let all = plan.count.is_some_and(|count| counts.received >= count);
            if plan.first || plan.duplicate || all {
                break;
            }
        }
    }
    end(plan, &counts);
    let taken = plan.duplicate && counts.received > 0;
    let silent = !plan.duplicate && plan.tells.is_none() && counts.received == 0;
    Ok(u8::from(taken || silent))
}

fn request(plan: &Plan) -> Packet {
    let answers = plan.tells == Some(2);
    Packet {
        operation: if answers { 2 } else { 1 },
        sender_mac: plan.mac,
        sender: plan.source,
        target_mac: if answers { plan.mac } else { [0xff; 6] },
        target: plan.target,
    }
}

fn is_answer(plan: &Plan, packet: &Packet) -> bool {
    if !matches!(packet.operation, 1 | 2) || packet.sender != plan.target || plan.tells.is_some() {
        return false;
    }
    if plan.duplicate {
        // Anybody but us who says that the address is theirs.
        return packet.sender_mac != plan.mac;
    }
    packet.operation == 2 && packet.target == plan.source && packet.target_mac == plan.mac
}

fn show(plan: &Plan, packet: &Packet, alone: bool, took: Duration) -> anyhow::Result<()> {
    if plan.quiet {
        return Ok(());
    }
    let how = if alone { "Unicast" } else { "Broadcast" };
    let what = if packet.operation == 1 { "request" } else { "reply" };
    let mac: Vec<String> = packet.sender_mac.iter().map(|byte| format!("{byte:02X}")).collect();
    let us = took.as_micros();
    let mut out = std::io::stdout();
    let time = format!("{}.{:03}ms", us / 1000, us % 1000);
    writeln!(out, "{how} {what} from {} [{}]  {time}", packet.sender, mac.join(":"))?;
    out.flush()?;
    Ok(())
}

fn end(plan: &Plan, counts: &Counts) {
    if plan.quiet {
        return;
    }
    println!("Sent {} probes ({} broadcast(s))", counts.sent, counts.broadcast);
    let requests = match counts.requests {
        0 => String::new(),
        requests => format!(" ({requests} request(s))"),
    };
    println!("Received {} response(s){requests}", counts.received);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_comes_back() {
        let packet = Packet {
            operation: 2,
            sender_mac: [2, 0, 0, 0, 0, 1],
            sender: Ipv4Addr::new(192, 0, 2, 1),
            target_mac: [2, 0, 0, 0, 0, 2],
            target: Ipv4Addr::new(192, 0, 2, 2),
        };
        assert_eq!(Packet::parse(&packet.bytes()), Some(packet));
        assert_eq!(Packet::parse(&packet.bytes()[..27]), None);
    }

    proptest! {
        #[test]
        fn any_packet_is_read(bytes: Vec<u8>) {
            prop_assert!(Packet::parse(&bytes).is_none() || bytes.len() >= 28);
        }
    }
}
