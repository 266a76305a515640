//! The race to a server, as RFC 8305 has it for the addresses of one name, extended over servers and
//! links: candidates start 250 ms apart, or at once when the one before has failed, and the first that
//! the caller is content with wins. Every socket is bound to its link.

use crate::{
    dns,
    status::{LinkStatus, Status},
};
use futures_util::{StreamExt, future::Either, stream::FuturesUnordered};
use std::{
    collections::{BTreeSet, VecDeque},
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep_until, timeout},
};

/// Between one candidate's start and the next (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// For a connection. SYN is sent at 0, 1, 3 and 7 s.
const CONNECT: Duration = Duration::from_secs(10);

/// Most candidates that are tried at the same time: as many as begin within the time that a connection
/// has, so that those that lead nowhere keep none of the others waiting.
const MAX_RUNNING: usize = (CONNECT.as_millis() / STAGGER.as_millis()) as usize;

/// Most candidates that one name server's answer gives.
const MAX_OF_SOURCE: usize = 16;

/// A server's name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// To be asked of name servers.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A server, or the proxy that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub host: Host,
    /// TCP port.
    pub port: u16,
}

/// One way to one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which of the targets.
    pub target: usize,
    /// The address that was connected to.
    pub address: SocketAddr,
    /// The link's name.
    pub link: String,
    index: u32,
}

/// Why a candidate, or a name, came to nothing.
#[derive(Debug)]
pub struct Trouble<E> {
    /// Which of the targets.
    pub target: usize,
    /// `192.0.2.7:7443 over eth0`, or `boot.example.org over eth0`.
    pub what: String,
    /// Why.
    pub cause: Cause<E>,
}

/// The kinds of failure.
#[derive(Debug)]
pub enum Cause<E> {
    /// No link has an address.
    NoLink,
    /// The name did not resolve, in words.
    Unresolved(String),
    /// No route to the address, or a router said that there is none.
    Unreachable(io::Error),
    /// The host is there, and nothing listens.
    Refused,
    /// No answer.
    TimedOut,
    /// Something else.
    Io(io::Error),
    /// A connection was made, and the caller was not content.
    Rejected(E),
}

/// Runs a race over the links as they are. Returns what `attempt` made and the index of the link.
pub(crate) async fn run<T, E, F>(
    status: &Status,
    preferred: Option<u32>,
    site_dns: &[IpAddr],
    targets: &[Target],
    attempt: impl Fn(Candidate, TcpStream) -> F,
) -> Result<(T, u32), Vec<Trouble<E>>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut links: Vec<_> = status.links.iter().filter(|link| link.usable()).collect();
    links.sort_by_key(|link| (preferred != Some(link.index), link.index));
    if links.is_empty() {
        let none = |target| Trouble { target, what: "network".into(), cause: Cause::NoLink };
        return Err((0..targets.len()).map(none).collect());
    }
    let mut queue = Queue::default();
    let mut troubles = Vec::new();
    let mut names = FuturesUnordered::new();
    for (target, Target { host, port }) in targets.iter().enumerate() {
        match host {
            Host::Address(address) => queue.add(target, &[*address], *port, &links),
            Host::Name(name) => {
                let asked = questions(&links, site_dns);
                if asked.is_empty() {
                    let cause = Cause::Unresolved("no name server is known".into());
                    troubles.push(Trouble { target, what: name.clone(), cause });
                }
                names.extend(asked.into_iter().map(|(server, link)| async move {
                    (target, name, link, dns::ask(server, &link.name, name).await)
                }));
            }
        }
    }
    let mut running = FuturesUnordered::new();
    let mut start_next = Instant::now();
    loop {
        let ready = !queue.is_empty() && running.len() < MAX_RUNNING;
        if !ready && running.is_empty() && names.is_empty() {
            return Err(troubles);
        }
        tokio::select! {
            () = sleep_until(start_next), if ready => {
                if let Some(candidate) = queue.next() {
                    running.push(one(candidate, &attempt));
                    start_next = Instant::now() + STAGGER;
                }
            }
            Some((target, name, link, found)) = names.next(), if !names.is_empty() => match found {
                Ok(addresses) => {
                    let port = targets.get(target).map_or(0, |target| target.port);
                    queue.add(target, &addresses, port, &links);
                }
                Err(error) => {
                    let (what, cause) = (format!("{name} over {}", link.name), Cause::Unresolved(error.to_string()));
                    troubles.push(Trouble { target, what, cause });
                }
            },
            Some((candidate, ended)) = running.next(), if !running.is_empty() => match ended {
                Ok(won) => return Ok((won, candidate.index)),
                Err(cause) => {
                    let what = format!("{} over {}", candidate.address, candidate.link);
                    troubles.push(Trouble { target: candidate.target, what, cause });
                    start_next = Instant::now();
                }
            },
        }
    }
}

/// Which name servers to ask over which link: each link's own, and the site's over every link.
fn questions<'a>(links: &[&'a LinkStatus], site: &[IpAddr]) -> Vec<(IpAddr, &'a LinkStatus)> {
    let mut seen = BTreeSet::new();
    let all =
        links.iter().flat_map(|link| site.iter().chain(&link.dns).map(|server| (*server, *link)));
    all.filter(|(server, link)| seen.insert((*server, link.index))).collect()
}

/// Connects, and lets the caller try.
async fn one<T, E, F>(
    candidate: Candidate,
    attempt: impl Fn(Candidate, TcpStream) -> F,
) -> (Candidate, Result<T, Cause<E>>)
where
    F: Future<Output = Result<T, E>>,
{
    let connected = timeout(CONNECT, connect(&candidate)).await;
    let ended = match connected {
        Err(_) => Either::Left(Cause::TimedOut),
        Ok(Err(error)) => Either::Left(classify(error)),
        Ok(Ok(stream)) => Either::Right(stream),
    };
    let result = match ended {
        Either::Left(cause) => Err(cause),
        Either::Right(stream) => attempt(candidate.clone(), stream).await.map_err(Cause::Rejected),
    };
    (candidate, result)
}

async fn connect(candidate: &Candidate) -> io::Result<TcpStream> {
    let socket =
        if candidate.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The link's own routes alone count: another's default route must not carry this connection.
    socket.bind_device(Some(candidate.link.as_bytes()))?;
    let stream = socket.connect(candidate.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn classify<E>(error: io::Error) -> Cause<E> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::Refused,
        io::ErrorKind::TimedOut => Cause::TimedOut,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Cause::Unreachable(error)
        }
        _ => Cause::Io(error),
    }
}

/// Candidates that wait for their turn, each once. Sources take turns: a name server that lies keeps
/// nobody from what another one says.
#[derive(Default)]
struct Queue {
    /// The source whose turn it is first.
    sources: VecDeque<VecDeque<Candidate>>,
    seen: BTreeSet<(usize, SocketAddr, u32)>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    fn next(&mut self) -> Option<Candidate> {
        let mut source = self.sources.pop_front()?;
        let candidate = source.pop_front();
        if !source.is_empty() {
            self.sources.push_back(source);
        }
        candidate
    }

    /// Adds a target's addresses, from one source, over all links that speak their family: one link's IPv6
    /// and IPv4 after the other's, since a link is more likely to be broken than a family.
    fn add(&mut self, target: usize, addresses: &[IpAddr], port: u16, links: &[&LinkStatus]) {
        let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) =
            addresses.iter().copied().partition(IpAddr::is_ipv6);
        let rounds = v6.len().max(v4.len());
        let woven = (0..rounds).flat_map(|n| [v6.get(n), v4.get(n)]).flatten();
        let mut source = VecDeque::new();
        for address in woven {
            for link in links {
                let speaks =
                    link.addresses.iter().any(|(own, _)| own.is_ipv4() == address.is_ipv4());
                let address = SocketAddr::new(*address, port);
                let room = source.len() < MAX_OF_SOURCE;
                if speaks && room && self.seen.insert((target, address, link.index)) {
                    let (link, index) = (link.name.clone(), link.index);
                    source.push_back(Candidate { target, address, link, index });
                }
            }
        }
        if !source.is_empty() {
            self.sources.push_back(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Mac, status::Lease};

    fn link(index: u32) -> LinkStatus {
        LinkStatus {
            index,
            name: format!("eth{index}"),
            mac: Mac::default(),
            driver: String::new(),
            used: true,
            carrier: true,
            addresses: vec![(IpAddr::from([192, 0, 2, 7]), 24)],
            gateways: Vec::new(),
            dns: Vec::new(),
            lease: Lease::Bound,
            trouble: None,
        }
    }

    #[test]
    fn a_source_of_many_addresses_keeps_no_other_waiting() {
        let links = [link(0), link(1)];
        let links: Vec<_> = links.iter().collect();
        let mut queue = Queue::default();
        let lies: Vec<_> = (0..200).map(|n| IpAddr::from([203, 0, 113, n])).collect();
        let right = IpAddr::from([198, 51, 100, 1]);
        queue.add(0, &lies, 443, &links);
        queue.add(0, &[right], 443, &links);
        queue.add(0, &[lies[0]], 443, &links);
        let order: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(order[1].address.ip(), right, "the second source is the second to be tried");
        assert_eq!(order.len(), MAX_OF_SOURCE + 2, "each once, and not too many of one source");
        assert!(queue.is_empty());
    }
}
