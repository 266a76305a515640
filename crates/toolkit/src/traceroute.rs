//! `traceroute`: packets that may go one hop, two hops and so on, and who says that they went too far.

use crate::{
    icmp::{self, Message, Socket},
    resolver,
};
use anyhow::Context as _;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{SendFlags, sendto, sockopt},
};
use std::{
    io::Write as _,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};
use xenoboot_sys::hops;

/// The first port of UDP probes: each has the next.
const PORT: u16 = 33434;

/// So many are on their way at once.
const AT_ONCE: usize = 16;

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where to.
    pub(crate) to: IpAddr,
    /// Echo requests, not UDP.
    pub(crate) icmp: bool,
    /// The first and the last number of hops.
    pub(crate) hops: (u16, u16),
    /// Probes for each.
    pub(crate) probes: u16,
    /// How long an answer may take.
    pub(crate) patience: Duration,
    /// Bytes behind the headers.
    pub(crate) payload: usize,
    /// The first port.
    pub(crate) port: Option<u16>,
    /// No names.
    pub(crate) numeric: bool,
    /// By this link.
    pub(crate) link: Option<String>,
    /// From this address.
    pub(crate) source: Option<IpAddr>,
}

/// What became of a probe.
#[derive(Clone, Debug, Default)]
struct Probe {
    sent: Option<Instant>,
    heard: Option<Heard>,
    silent: bool,
}

#[derive(Clone, Debug)]
struct Heard {
    from: IpAddr,
    took: Duration,
    /// Nothing is behind it.
    last: bool,
    mark: &'static str,
}

struct Trace<'a> {
    plan: &'a Plan,
    heard: Socket,
    udp: UdpSocket,
    id: u16,
    probes: Vec<Probe>,
}

/// Does it.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let v6 = plan.to.is_ipv6();
    let heard = Socket::open(v6).context("socket")?;
    anyhow::ensure!(heard.is_raw(), "only root may hear what others say of packets");
    let any = if v6 { IpAddr::from([0; 16]) } else { IpAddr::from([0; 4]) };
    let udp = UdpSocket::bind((plan.source.unwrap_or(any), 0)).context("bind")?;
    if let Some(link) = &plan.link {
        hops::bind_to_link(&heard.fd, link).context("no such link")?;
        hops::bind_to_link(&udp, link)?;
    }
    let id = u16::try_from(std::process::id() & 0xffff)?;
    let count = (plan.hops.1 + 1 - plan.hops.0) * plan.probes;
    let probes = vec![Probe::default(); count.into()];
    Trace { plan, heard, udp, id, probes }.go()
}

impl Trace<'_> {
    fn go(mut self) -> anyhow::Result<()> {
        let each = usize::from(self.plan.probes);
        let (mut next, mut shown) = (0, 0);
        let mut before = None;
        loop {
            // As far as everything is known, it is printed.
            while let Some(probe) = self.probes.get(shown).filter(|p| p.heard.is_some() || p.silent)
            {
                if shown % each == 0 {
                    before = None;
                    print!("{:2} ", usize::from(self.plan.hops.0) + shown / each);
                }
                print!("{}", self.text(probe, &mut before));
                shown += 1;
                let hop = self.probes.get(shown - shown.min(each)..shown).unwrap_or_default();
                if shown % each == 0 {
                    println!();
                    if hop.iter().any(|probe| probe.heard.as_ref().is_some_and(|heard| heard.last))
                    {
                        return Ok(());
                    }
                }
                std::io::stdout().flush()?;
            }
            if shown == self.probes.len() {
                return Ok(());
            }
            if next < self.probes.len() && next - shown < AT_ONCE && !self.is_there(next) {
                self.send(next)?;
                next += 1;
                continue;
            }
            self.wait()?;
        }
    }

    /// Whether what was heard already makes a probe needless.
    fn is_there(&self, probe: usize) -> bool {
        let each = usize::from(self.plan.probes);
        let hop = probe / each;
        self.probes.iter().take(hop * each).any(|p| p.heard.as_ref().is_some_and(|h| h.last))
    }

    fn text(&self, probe: &Probe, before: &mut Option<IpAddr>) -> String {
        let Some(heard) = &probe.heard else { return " *".to_owned() };
        let mut text = String::new();
        if *before != Some(heard.from) {
            *before = Some(heard.from);
            text = format!(" {}", self.named(heard.from));
        }
        let us = heard.took.as_micros();
        text + &format!("  {}.{:03} ms{}", us / 1000, us % 1000, heard.mark)
    }

    fn named(&self, address: IpAddr) -> String {
        if self.plan.numeric {
            return address.to_string();
        }
        let soon = Instant::now() + Duration::from_secs(2);
        let name = resolver::reverse(address, Some(soon)).unwrap_or_else(|| address.to_string());
        format!("{name} ({address})")
    }

    fn send(&mut self, number: usize) -> anyhow::Result<()> {
        let number16 = u16::try_from(number)?;
        let ttl = self.plan.hops.0 + number16 / self.plan.probes;
        let v6 = self.plan.to.is_ipv6();
        let payload: Vec<u8> =
            (0..self.plan.payload).map(|n| 0x40 + u8::try_from(n & 63).unwrap_or(0)).collect();
        let sent = if self.plan.icmp {
            set_hops(&self.heard.fd, v6, ttl)?;
            let bytes = icmp::echo(v6, self.id, number16 + 1, &payload);
            sendto(&self.heard.fd, &bytes, SendFlags::empty(), &SocketAddr::new(self.plan.to, 0))
        } else {
            set_hops(&self.udp, v6, ttl)?;
            let port = self.plan.port.unwrap_or(PORT).wrapping_add(number16);
            sendto(&self.udp, &payload, SendFlags::empty(), &SocketAddr::new(self.plan.to, port))
        };
        sent.map_err(|error| anyhow::anyhow!("send: {}", crate::applet::reason(&error.into())))?;
        if let Some(probe) = self.probes.get_mut(number) {
            probe.sent = Some(Instant::now());
        }
        Ok(())
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let patience = self.plan.patience;
        let open = |probe: &&Probe| probe.heard.is_none() && !probe.silent;
        let ends = self.probes.iter().filter(open).filter_map(|p| Some(p.sent? + patience));
        let end = ends.min().unwrap_or(now);
        let time = Timespec::try_from(end.saturating_duration_since(now))?;
        let ready = match poll(&mut [PollFd::new(&self.heard.fd, PollFlags::IN)], Some(&time)) {
            Err(rustix::io::Errno::INTR) => 0,
            result => result?,
        };
        if ready > 0 {
            let mut buffer = vec![0; 65536];
            if let Ok(received) = hops::receive(&self.heard.fd, &mut buffer) {
                let bytes = buffer.get(..received.length).unwrap_or_default();
                if let Some(message) = self.heard.parse(bytes) {
                    self.take(&message, received.from.ip());
                }
            }
        }
        let now = Instant::now();
        let mut late: Vec<&mut Probe> = self
            .probes
            .iter_mut()
            .filter(|p| p.sent.is_some_and(|sent| now >= sent + patience))
            .collect();
        late.iter_mut().for_each(|probe| probe.silent = true);
        Ok(())
    }

    fn take(&mut self, message: &Message, from: IpAddr) {
        let v6 = self.plan.to.is_ipv6();
        let (number, last, mark) = match message {
            Message::Reply { id, sequence, .. }
                if self.plan.icmp && *id == self.id && from == self.plan.to =>
            {
                (sequence.checked_sub(1), true, "")
            }
            Message::Error { kind, code, protocol, packet, to, .. } if *to == self.plan.to => {
                let Some((last, mark)) = meaning(v6, *kind, *code) else { return };
                let number = if self.plan.icmp {
                    let request = icmp::request_of(v6, *protocol, packet);
                    request.filter(|(id, _)| *id == self.id).and_then(|(_, n)| n.checked_sub(1))
                } else {
                    self.port_of(*protocol, packet)
                };
                (number, last, mark)
            }
            _ => return,
        };
        let Some(probe) = number.and_then(|n| self.probes.get_mut(usize::from(n))) else { return };
        if let (Some(sent), None) = (probe.sent, &probe.heard) {
            probe.heard = Some(Heard { from, took: sent.elapsed(), last, mark });
        }
    }

    /// Which UDP probe a packet was.
    fn port_of(&self, protocol: u8, packet: &[u8]) -> Option<u16> {
        let at = |n| Some(u16::from_be_bytes(packet.get(n..n + 2)?.try_into().ok()?));
        let (source, to) = (at(0)?, at(2)?);
        let own = self.udp.local_addr().ok()?.port();
        let first = self.plan.port.unwrap_or(PORT);
        (protocol == 17 && source == own).then(|| to.wrapping_sub(first))
    }
}

fn set_hops(fd: &impl std::os::fd::AsFd, v6: bool, hops: u16) -> anyhow::Result<()> {
    if v6 {
        sockopt::set_ipv6_unicast_hops(fd, Some(u8::try_from(hops)?))?;
    } else {
        sockopt::set_ip_ttl(fd, hops.into())?;
    }
    Ok(())
}

/// Whether a message means the end of the way, and how that is marked.
fn meaning(v6: bool, kind: u8, code: u8) -> Option<(bool, &'static str)> {
    Some(match (v6, kind, code) {
        (false, 11, _) | (true, 3, _) => (false, ""),
        (false, 3, 3) | (true, 1, 4) => (true, ""),
        (false, 3, 0) | (true, 1, 0) => (true, " !N"),
        (false, 3, 1) | (true, 1, 3) => (true, " !H"),
        (false, 3, 2) => (true, " !P"),
        (false, 3, 4) | (true, 2, _) => (true, " !F"),
        (false, 3, 5) => (true, " !S"),
        (false, 3, 9 | 10 | 13) | (true, 1, 1) => (true, " !X"),
        (false, 3, _) | (true, 1, _) => (true, " !U"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::meaning;

    #[test]
    fn only_some_messages_end_the_way() {
        assert_eq!(meaning(false, 11, 0), Some((false, "")));
        assert_eq!(meaning(true, 1, 4), Some((true, "")));
        assert_eq!(meaning(false, 3, 1), Some((true, " !H")));
        assert_eq!(meaning(false, 5, 1), None);
    }
}
