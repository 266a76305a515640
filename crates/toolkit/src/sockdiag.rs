//! The sockets that there are (sock_diag(7)), and whose they are.

use crate::netlink::{self, Attributes, Socket};
use std::{
    collections::HashMap,
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET: u8 = 2;
const INET6: u8 = 10;
const UNIX: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// `INET_DIAG_SKV6ONLY`
const V6_ONLY: u16 = 11;
/// Name, peer and lengths of queues are asked for.
const UNIX_SHOW: u32 = 1 | 4 | 0x10;

/// States, as the kernel numbers those of TCP.
pub(crate) const ESTABLISHED: u8 = 1;
/// Neither connected nor listening.
pub(crate) const CLOSED: u8 = 7;
/// Waiting for others.
pub(crate) const LISTEN: u8 = 10;

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Local, by its type: stream 1, datagram 2, packets 5.
    Unix(u8),
}

/// One end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// On the network, and the link it is bound to.
    Inet(IpAddr, u16, u32),
    /// Local: name and number.
    Unix(String, u32),
}

/// A socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What it speaks.
    pub(crate) kind: Kind,
    /// `TCP_ESTABLISHED` and so on.
    pub(crate) state: u8,
    /// Bytes (listening: connections) not yet read.
    pub(crate) received: u32,
    /// Bytes not yet acknowledged (listening: how many connections may wait).
    pub(crate) sent: u32,
    /// Here.
    pub(crate) local: End,
    /// There.
    pub(crate) peer: End,
    /// Its number, as in `/proc/PID/fd`.
    pub(crate) inode: u32,
    /// IPv6, but IPv4 not through it.
    pub(crate) v6_only: bool,
}

/// Sockets of TCP or UDP of one family, in some states (a bit for each).
pub(crate) fn inet(
    socket: &mut Socket,
    udp: bool,
    v6: bool,
    states: u32,
) -> io::Result<Vec<Entry>> {
    let mut request = vec![if v6 { INET6 } else { INET }, if udp { UDP } else { TCP }, 0, 0];
    request.extend(states.to_ne_bytes());
    request.resize(56, 0);
    let messages = socket.ask(SOCK_DIAG_BY_FAMILY, netlink::DUMP, &request)?;
    let kind = if udp { Kind::Udp } else { Kind::Tcp };
    Ok(messages.iter().filter_map(|message| of_inet(kind, &message.body)).collect())
}

/// `struct inet_diag_msg`
fn of_inet(kind: Kind, body: &[u8]) -> Option<Entry> {
    if body.len() < 72 {
        return None;
    }
    let [family, state] = netlink::array(body, 0);
    let port = |at| u16::from_be_bytes(netlink::array(body, at));
    let address = |at| match family {
        INET => IpAddr::from(Ipv4Addr::from(netlink::array::<4>(body, at))),
        _ => IpAddr::from(Ipv6Addr::from(netlink::array::<16>(body, at))),
    };
    let link = netlink::u32_at(body, 40);
    Some(Entry {
        kind,
        state,
        received: netlink::u32_at(body, 56),
        sent: netlink::u32_at(body, 60),
        local: End::Inet(address(8), port(4), link),
        peer: End::Inet(address(24), port(6), 0),
        inode: netlink::u32_at(body, 68),
        v6_only: Attributes::parse(body, 72).number(V6_ONLY).is_some_and(|only| only != 0),
    })
}

/// Local sockets in some states.
pub(crate) fn unix(socket: &mut Socket, states: u32) -> io::Result<Vec<Entry>> {
    let mut request = vec![UNIX, 0, 0, 0];
    request.extend(states.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(UNIX_SHOW.to_ne_bytes());
    request.resize(24, 0);
    let messages = socket.ask(SOCK_DIAG_BY_FAMILY, netlink::DUMP, &request)?;
    Ok(messages.iter().filter_map(|message| of_unix(&message.body)).collect())
}

/// `struct unix_diag_msg`
fn of_unix(body: &[u8]) -> Option<Entry> {
    if body.len() < 16 {
        return None;
    }
    let [_, kind, state] = netlink::array(body, 0);
    let attributes = Attributes::parse(body, 16);
    let inode = netlink::u32_at(body, 4);
    let queues = attributes.get(4).unwrap_or_default();
    let name = attributes.get(0).map_or("*".to_owned(), unix_name);
    let peer = attributes.number(2).unwrap_or(0);
    Some(Entry {
        kind: Kind::Unix(kind),
        state,
        received: netlink::u32_at(queues, 0),
        sent: netlink::u32_at(queues, 4),
        local: End::Unix(name, inode),
        peer: End::Unix("*".to_owned(), peer),
        inode,
        v6_only: false,
    })
}

/// A path, or `@` and a name that is in no folder.
fn unix_name(bytes: &[u8]) -> String {
    let (mark, rest) = match bytes.split_first() {
        Some((0, rest)) => ("@", rest),
        _ => ("", bytes),
    };
    let end = rest.len() - rest.iter().rev().take_while(|b| **b == 0).count();
    let text = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).replace('\0', "@");
    format!("{mark}{}", crate::dns::safe(&text))
}

/// A process that has a socket open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its name.
    pub(crate) name: String,
    /// Its number.
    pub(crate) pid: u32,
    /// Which of its descriptors.
    pub(crate) fd: u32,
}

/// Who has which socket, as far as we may see.
pub(crate) fn holders() -> HashMap<u32, Vec<Holder>> {
    let mut holders: HashMap<u32, Vec<Holder>> = HashMap::new();
    let number = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let numbers = |folder: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut numbers: Vec<u32> = entries.filter_map(|entry| number(&entry)).collect();
        numbers.sort_unstable();
        numbers
    };
    for pid in numbers("/proc") {
        for fd in numbers(&format!("/proc/{pid}/fd")) {
            let Ok(link) = fs::read_link(format!("/proc/{pid}/fd/{fd}")) else { continue };
            let link = link.to_string_lossy();
            let inode = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            let Some(inode) = inode.and_then(|inode| inode.parse().ok()) else { continue };
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let holder = Holder { name: name.trim_end().to_owned(), pid, fd };
            holders.entry(inode).or_default().push(holder);
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::TcpListener;

    #[test]
    fn a_socket_of_ours_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut socket = Socket::sockets().unwrap();
        let found = inet(&mut socket, false, false, 1 << LISTEN).unwrap();
        let place = End::Inet(Ipv4Addr::LOCALHOST.into(), port, 0);
        let own = found.iter().find(|entry| entry.local == place).unwrap();
        let holder = holders().remove(&own.inode).unwrap();
        assert_eq!(holder[0].pid, std::process::id());
    }

    #[test]
    fn names_without_a_folder_have_a_mark() {
        assert_eq!(unix_name(b"\0a\0b"), "@a@b");
        assert_eq!(unix_name(b"/run/x\0"), "/run/x");
    }

    proptest! {
        #[test]
        fn any_message_is_read(bytes: Vec<u8>) {
            let _ = of_unix(&bytes);
            prop_assert_eq!(of_inet(Kind::Tcp, &bytes).is_some(), bytes.len() >= 72);
        }
    }
}
