//! Names and addresses: `/etc/hosts`, `/etc/resolv.conf` (resolv.conf(5)) and DNS (RFC 1035), asked
//! one server after the other.
//!
//! The C library's resolver loads shared objects even in a static program, so it is not used.

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket},
    str::FromStr as _,
    time::{Duration, Instant},
};

/// Where name servers listen.
pub(crate) const PORT: u16 = 53;

/// Largest answer by UDP that is asked for and read, bytes.
const MAX_UDP: u16 = 4096;

/// What the C library reads of `resolv.conf`.
const MAX_SERVERS: usize = 3;

/// Longest chain of aliases that is followed.
const MAX_ALIASES: usize = 8;

/// Which addresses are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Family {
    /// Both, IPv6 first.
    #[default]
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Whether an address is of it.
    pub(crate) fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody answered in time.
    #[error("no name server answered")]
    Silent,
    /// There is no such name.
    #[error("Name or service not known")]
    NoSuchName,
    /// The name has nothing of what was asked for.
    #[error("No address associated with hostname")]
    NoAddress,
    /// The server would not or could not.
    #[error("the name server answered {0}")]
    Failed(ResponseCode),
    /// It is no name.
    #[error("not a name that can be asked for")]
    BadName,
    /// A server cannot be reached.
    #[error("the name server cannot be asked: {0}")]
    Io(#[from] io::Error),
}

/// An answer and where it came from.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The message, whose question was checked to be ours.
    pub(crate) message: Message,
    /// The server.
    pub(crate) server: SocketAddr,
}

/// Whom to ask, and how.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    /// The servers, best first.
    pub(crate) servers: Vec<SocketAddr>,
    /// What is appended to names.
    pub(crate) search: Vec<String>,
    /// Names with so many dots are tried as they are first.
    pub(crate) ndots: usize,
    /// How long each server gets.
    pub(crate) timeout: Duration,
    /// How often all are asked.
    pub(crate) attempts: u32,
    /// By TCP from the start.
    pub(crate) tcp: bool,
    /// Whether the server may ask others.
    pub(crate) recursion: bool,
}

impl Resolver {
    /// As `/etc/resolv.conf` says.
    pub(crate) fn system() -> Self {
        Self::parse(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut resolver = Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            tcp: false,
            recursion: true,
        };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if resolver.servers.len() < MAX_SERVERS => {
                    let server = words.next().and_then(|word| literal(word, PORT));
                    resolver.servers.extend(server);
                }
                Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
                Some("options") => words.for_each(|word| resolver.option(word)),
                _ => {}
            }
        }
        if resolver.servers.is_empty() {
            resolver.servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        resolver
    }

    fn option(&mut self, word: &str) {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let number = || value.parse::<u32>().ok();
        match (name, number()) {
            ("ndots", Some(number)) => self.ndots = number.min(15) as usize,
            ("timeout", Some(number)) => {
                self.timeout = Duration::from_secs(number.clamp(1, 30).into())
            }
            ("attempts", Some(number)) => self.attempts = number.clamp(1, 5),
            ("use-vc", _) => self.tcp = true,
            _ => {}
        }
    }

    /// The names that a word may mean, in the order of asking.
    pub(crate) fn candidates(&self, word: &str) -> Result<Vec<Name>, Error> {
        let absolute = |word: &str| {
            Name::from_str(&format!("{}.", word.trim_end_matches('.'))).map_err(|_| Error::BadName)
        };
        let itself = absolute(word)?;
        if word.ends_with('.') {
            return Ok(vec![itself]);
        }
        let dots = word.matches('.').count();
        let searched = self.search.iter().map(|domain| absolute(&format!("{word}.{domain}")));
        let mut names: Vec<Name> = searched.collect::<Result<_, _>>()?;
        names.insert(if dots >= self.ndots { 0 } else { names.len() }, itself);
        Ok(names)
    }

    /// Asks one question of the servers until one answers, whatever it says.
    pub(crate) fn ask(
        &self,
        name: &Name,
        kind: RecordType,
        deadline: Option<Instant>,
    ) -> Result<Answer, Error> {
        let mut trouble = Error::Silent;
        for _ in 0..self.attempts {
            for server in &self.servers {
                let mut end = Instant::now() + self.timeout;
                if let Some(deadline) = deadline {
                    if deadline <= Instant::now() {
                        return Err(Error::Silent);
                    }
                    end = end.min(deadline);
                }
                match self.ask_one(*server, name, kind, end) {
                    Ok(answer) => return Ok(answer),
                    Err(error) => trouble = error,
                }
            }
        }
        Err(trouble)
    }

    fn ask_one(
        &self,
        server: SocketAddr,
        name: &Name,
        kind: RecordType,
        end: Instant,
    ) -> Result<Answer, Error> {
        let question = Query::query(name.clone(), kind);
        let mut message = Message::query();
        message.metadata.recursion_desired = self.recursion;
        message.add_query(question.clone());
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_UDP);
        message.set_edns(edns);
        let id = message.metadata.id;
        let bytes = message.to_vec().map_err(|_| Error::BadName)?;
        if !self.tcp {
            let answer = by_udp(server, &bytes, id, &question, end)?;
            if !answer.message.metadata.truncation {
                return Ok(answer);
            }
        }
        by_tcp(server, &bytes, id, &question, end)
    }

    /// The addresses of a name.
    pub(crate) fn addresses(
        &self,
        word: &str,
        family: Family,
        deadline: Option<Instant>,
    ) -> Result<Vec<IpAddr>, Error> {
        let mut trouble = Error::NoSuchName;
        for name in self.candidates(word)? {
            match self.of_name(&name, family, deadline) {
                Ok(found) => return Ok(found),
                Err(error @ (Error::NoSuchName | Error::NoAddress)) => trouble = error,
                Err(error) => return Err(error),
            }
        }
        Err(trouble)
    }

    fn of_name(
        &self,
        name: &Name,
        family: Family,
        deadline: Option<Instant>,
    ) -> Result<Vec<IpAddr>, Error> {
        let kinds: &[RecordType] = match family {
            Family::Any => &[RecordType::AAAA, RecordType::A],
            Family::V4 => &[RecordType::A],
            Family::V6 => &[RecordType::AAAA],
        };
        let (mut found, mut trouble) = (Vec::new(), None);
        for kind in kinds {
            match self.ask(name, *kind, deadline) {
                Ok(answer) => match answer.message.metadata.response_code {
                    ResponseCode::NoError => found.extend(of_answer(&answer.message, name, *kind)),
                    ResponseCode::NXDomain => trouble = Some(Error::NoSuchName),
                    other => trouble = Some(Error::Failed(other)),
                },
                Err(error) => trouble = Some(error),
            }
        }
        match trouble {
            _ if !found.is_empty() => Ok(found),
            Some(error) => Err(error),
            None => Err(Error::NoAddress),
        }
    }
}

fn left(end: Instant) -> Result<Duration, Error> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Error::Silent) } else { Ok(left) }
}

fn silent(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Silent,
        _ => Error::Io(error),
    }
}

fn by_udp(
    server: SocketAddr,
    bytes: &[u8],
    id: u16,
    question: &Query,
    end: Instant,
) -> Result<Answer, Error> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A port of its own, chosen at random by the kernel, and only packets from this server (RFC 5452).
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.send(bytes)?;
    let mut buffer = vec![0; MAX_UDP.into()];
    loop {
        socket.set_read_timeout(Some(left(end)?))?;
        let length = socket.recv(&mut buffer).map_err(silent)?;
        let answer = buffer.get(..length).and_then(|bytes| read(bytes, id, question));
        if let Some(message) = answer {
            return Ok(Answer { message, server });
        }
    }
}

fn by_tcp(
    server: SocketAddr,
    bytes: &[u8],
    id: u16,
    question: &Query,
    end: Instant,
) -> Result<Answer, Error> {
    let mut stream = TcpStream::connect_timeout(&server, left(end)?).map_err(silent)?;
    stream.set_write_timeout(Some(left(end)?))?;
    let length = u16::try_from(bytes.len()).map_err(|_| Error::BadName)?;
    stream.write_all(&[&length.to_be_bytes()[..], bytes].concat()).map_err(silent)?;
    let mut length = [0; 2];
    stream.set_read_timeout(Some(left(end)?))?;
    stream.read_exact(&mut length).map_err(silent)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    let mut got = 0;
    while got < answer.len() {
        stream.set_read_timeout(Some(left(end)?))?;
        match stream.read(answer.get_mut(got..).unwrap_or_default()).map_err(silent)? {
            0 => return Err(Error::Io(io::ErrorKind::UnexpectedEof.into())),
            more => got += more,
        }
    }
    let message = read(&answer, id, question).ok_or(Error::Silent)?;
    Ok(Answer { message, server })
}

/// Reads an answer to this very question.
fn read(bytes: &[u8], id: u16, question: &Query) -> Option<Message> {
    let message = Message::from_vec(bytes).ok()?;
    let head = &message.metadata;
    let answers = head.id == id
        && head.message_type == MessageType::Response
        && head.op_code == OpCode::Query
        && message.queries.len() == 1
        && message.queries.first().is_some_and(|echoed| {
            echoed.query_type() == question.query_type() && echoed.name() == question.name()
        });
    answers.then_some(message)
}

/// The addresses of a name in an answer, through its aliases.
fn of_answer(answer: &Message, name: &Name, kind: RecordType) -> Vec<IpAddr> {
    let mut wanted = name.clone();
    for _ in 0..MAX_ALIASES {
        let alias = answer.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == wanted => Some(target.0.clone()),
            _ => None,
        });
        match alias {
            Some(target) => wanted = target,
            None => break,
        }
    }
    let ours = answer.answers.iter().filter(|record| record.name == wanted);
    let address = ours.filter_map(|record| match (&record.data, kind) {
        (RData::A(address), RecordType::A) => Some(IpAddr::V4(address.0)),
        (RData::AAAA(address), RecordType::AAAA) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    address.collect()
}

/// An address as a word, with `%LINK` behind one of IPv6.
pub(crate) fn literal(word: &str, port: u16) -> Option<SocketAddr> {
    let Some((address, link)) = word.split_once('%') else {
        return Some(SocketAddr::new(word.parse().ok()?, port));
    };
    let index = link.parse().ok().or_else(|| link_index(link))?;
    Some(SocketAddrV6::new(address.parse().ok()?, port, 0, index).into())
}

/// The number of a link.
pub(crate) fn link_index(name: &str) -> Option<u32> {
    let devices = crate::ip::Devices::read(&mut crate::netlink::Socket::route().ok()?).ok()?;
    devices.index(name).ok()
}

/// The addresses that a word means: itself, what `/etc/hosts` says, or what DNS says.
pub(crate) fn lookup(
    word: &str,
    port: u16,
    family: Family,
    deadline: Option<Instant>,
) -> Result<Vec<SocketAddr>, Error> {
    if let Some(address) = literal(word, port) {
        return if family.has(address.ip()) { Ok(vec![address]) } else { Err(Error::NoAddress) };
    }
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut found = of_hosts(&hosts, word, family);
    let local = word.trim_end_matches('.').to_ascii_lowercase();
    if found.is_empty() && (local == "localhost" || local.ends_with(".localhost")) {
        // RFC 6761, section 6.3.
        let loopback: [IpAddr; 2] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        found.extend(loopback.into_iter().filter(|address| family.has(*address)));
    }
    if found.is_empty() {
        found = Resolver::system().addresses(word, family, deadline)?;
    }
    Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// hosts(5).
fn of_hosts(text: &str, word: &str, family: Family) -> Vec<IpAddr> {
    let line = |line: &str| -> Option<IpAddr> {
        let mut words = line.split('#').next()?.split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        let named = words.any(|name| name.eq_ignore_ascii_case(word));
        (named && family.has(address)).then_some(address)
    };
    text.lines().filter_map(line).collect()
}

/// The name of an address, as `/etc/hosts` or DNS has it.
pub(crate) fn reverse(address: IpAddr, deadline: Option<Instant>) -> Option<String> {
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let of_line = |line: &str| -> Option<String> {
        let mut words = line.split('#').next()?.split_whitespace();
        let own: IpAddr = words.next()?.parse().ok()?;
        words.next().filter(|_| own == address).map(str::to_owned)
    };
    if let Some(name) = hosts.lines().find_map(of_line) {
        return Some(name);
    }
    let answer =
        Resolver::system().ask(&Name::from(address), RecordType::PTR, deadline).ok()?.message;
    answer.answers.iter().find_map(|record| match &record.data {
        RData::PTR(name) => {
            let name = name.0.to_ascii();
            let name = name.trim_end_matches('.');
            // It goes to terminals and logs.
            name.chars().all(|c| c.is_ascii_graphic()).then(|| name.to_owned())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn resolv_conf_is_read() {
        let resolver = Resolver::parse(
            "# x\nnameserver 192.0.2.1\nnameserver nonsense\nnameserver ::1\nsearch a.example b.example\n\
             options ndots:2 timeout:1 attempts:9 use-vc\n",
        );
        let servers: Vec<String> = resolver.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[::1]:53"]);
        assert_eq!((resolver.ndots, resolver.attempts, resolver.tcp), (2, 5, true));
        let names = |word| -> Vec<String> {
            resolver.candidates(word).unwrap().iter().map(Name::to_ascii).collect()
        };
        assert_eq!(names("x.y"), ["x.y.a.example.", "x.y.b.example.", "x.y."]);
        assert_eq!(names("x.y.z").first().map(String::as_str), Some("x.y.z."));
        assert_eq!(names("x."), ["x."]);
        assert_eq!(Resolver::parse("").servers.len(), 1);
    }

    #[test]
    fn hosts_are_found() {
        let hosts = "127.0.0.1 localhost\n192.0.2.1 a A.example # b\n2001:db8::1 a\nx b\n";
        assert_eq!(of_hosts(hosts, "a.EXAMPLE", Family::Any), [IpAddr::from([192, 0, 2, 1])]);
        assert_eq!(of_hosts(hosts, "a", Family::Any).len(), 2);
        assert!(of_hosts(hosts, "a", Family::V6).iter().all(IpAddr::is_ipv6));
        assert!(of_hosts(hosts, "b", Family::Any).is_empty());
    }

    proptest! {
        #[test]
        fn any_file_and_answer_is_read(text in "\\PC{0,80}", bytes: Vec<u8>) {
            let _ = Resolver::parse(&text);
            let _ = of_hosts(&text, "a", Family::Any);
            let question = Query::query(Name::root(), RecordType::A);
            prop_assert!(read(&bytes, 7, &question).is_none_or(|message| message.metadata.id == 7));
        }
    }
}
