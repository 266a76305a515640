//! Netlink (RFC 3549, netlink(7)): requests to the kernel and its answers, as bytes with attributes.
//!
//! The commands print every attribute the way iproute2 does, so they need the bytes; crates with
//! typed messages know fewer of them.

use rustix::net::{self, AddressFamily, Protocol, RecvFlags, SendFlags, SocketType, netlink};
use std::{io, os::fd::OwnedFd};

/// The request is answered by a list.
pub(crate) const DUMP: u16 = 0x300;
/// What is there is replaced.
pub(crate) const REPLACE: u16 = 0x100;
/// What is there is an error.
pub(crate) const EXCLUSIVE: u16 = 0x200;
/// What is not there is made.
pub(crate) const CREATE: u16 = 0x400;
/// Goes behind what is there.
pub(crate) const APPEND: u16 = 0x800;

const REQUEST: u16 = 1;
const ACK: u16 = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const HEADER: usize = 16;

/// One message of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// What it is: `RTM_NEWLINK` and so on.
    pub(crate) kind: u16,
    /// What follows the header.
    pub(crate) body: Vec<u8>,
}

/// A connection to the kernel.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// For addresses, routes and the like.
    pub(crate) fn route() -> io::Result<Self> {
        Self::open(None)
    }

    /// For sockets.
    pub(crate) fn sockets() -> io::Result<Self> {
        Self::open(Some(netlink::SOCK_DIAG))
    }

    /// For families with names of their own, such as ethtool's.
    pub(crate) fn generic() -> io::Result<Self> {
        Self::open(Some(netlink::GENERIC))
    }

    fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let flags = net::SocketFlags::CLOEXEC;
        let fd = net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        net::bind(&fd, &netlink::SocketAddrNetlink::new(0, 0))?;
        Ok(Self { fd, sequence: 0 })
    }

    /// Sends a request and collects its answer.
    ///
    /// # Errors
    /// The one that the kernel answers with.
    pub(crate) fn ask(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<Message>> {
        self.sequence += 1;
        let length = u32::try_from(HEADER + body.len()).map_err(io::Error::other)?;
        let ack = if flags & DUMP == DUMP { 0 } else { ACK };
        let mut request = Vec::with_capacity(HEADER + body.len());
        request.extend(length.to_ne_bytes());
        request.extend(kind.to_ne_bytes());
        request.extend((REQUEST | ack | flags).to_ne_bytes());
        request.extend(self.sequence.to_ne_bytes());
        request.extend(0_u32.to_ne_bytes());
        request.extend(body);
        net::send(&self.fd, &request, SendFlags::empty())?;
        let mut answer = Vec::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            let (length, _) = net::recv(&self.fd, buffer.as_mut_slice(), RecvFlags::empty())?;
            let mut rest = buffer.get(..length).unwrap_or(&[]);
            while let Some((message, sequence, after)) = split(rest) {
                rest = after;
                if sequence != self.sequence {
                    continue;
                }
                match message.kind {
                    NLMSG_DONE => return Ok(answer),
                    NLMSG_ERROR => match i32::from_ne_bytes(array(&message.body, 0)) {
                        0 => return Ok(answer),
                        error => return Err(io::Error::from_raw_os_error(-error)),
                    },
                    _ => answer.push(message),
                }
            }
        }
    }
}

/// The first message of some bytes, its sequence number, and the bytes behind it.
fn split(bytes: &[u8]) -> Option<(Message, u32, &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let body = bytes.get(HEADER..length)?.to_vec();
    let kind = u16::from_ne_bytes(array(bytes, 4));
    let sequence = u32::from_ne_bytes(array(bytes, 8));
    Some((Message { kind, body }, sequence, bytes.get(length.next_multiple_of(4)..).unwrap_or(&[])))
}

/// The bytes at a place; zeros where there are none.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|b| b.get(..N)?.try_into().ok()).unwrap_or([0; N])
}

/// A number at a place.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(array(bytes, at))
}

/// Attributes: type and value, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<(u16, Vec<u8>)>);

impl Attributes {
    /// Those in some bytes, from a place on.
    pub(crate) fn parse(bytes: &[u8], at: usize) -> Self {
        let mut rest = bytes.get(at..).unwrap_or(&[]);
        let mut found = Vec::new();
        while rest.len() >= 4 {
            let length = usize::from(u16::from_ne_bytes(array(rest, 0)));
            let Some(value) = rest.get(4..length) else { break };
            // The two upper bits say how it is encoded.
            found.push((u16::from_ne_bytes(array(rest, 2)) & 0x3fff, value.to_vec()));
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        }
        Self(found)
    }

    /// A value.
    pub(crate) fn get(&self, kind: u16) -> Option<&[u8]> {
        self.0.iter().find(|(k, _)| *k == kind).map(|(_, value)| value.as_slice())
    }

    /// Every attribute.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.0.iter().map(|(kind, value)| (*kind, value.as_slice()))
    }

    /// A number.
    pub(crate) fn number(&self, kind: u16) -> Option<u32> {
        let value = self.get(kind)?;
        Some(match value.len() {
            1 => u32::from(*value.first()?),
            2 => u32::from(u16::from_ne_bytes(array(value, 0))),
            _ => u32_at(value, 0),
        })
    }

    /// A text without the NUL at its end.
    pub(crate) fn text(&self, kind: u16) -> Option<String> {
        let value = self.get(kind)?;
        let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
        Some(String::from_utf8_lossy(value.get(..end)?).into_owned())
    }

    /// The attributes in an attribute.
    pub(crate) fn nested(&self, kind: u16) -> Self {
        self.get(kind).map_or(Self::default(), |value| Self::parse(value, 0))
    }
}

/// Appends an attribute.
pub(crate) fn push(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.resize(body.len().next_multiple_of(4), 0);
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Appends a text with a NUL.
pub(crate) fn push_text(body: &mut Vec<u8>, kind: u16, text: &str) {
    let mut value = text.as_bytes().to_vec();
    value.push(0);
    push(body, kind, &value);
}

/// Appends a number.
pub(crate) fn push_u32(body: &mut Vec<u8>, kind: u16, number: u32) {
    push(body, kind, &number.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn attributes_come_back() {
        let mut body = vec![1, 2, 3, 4];
        push_text(&mut body, 3, "eth0");
        push_u32(&mut body, 4, 1500);
        push(&mut body, 0x8012, &[]);
        let attributes = Attributes::parse(&body, 4);
        assert_eq!(attributes.text(3).as_deref(), Some("eth0"));
        assert_eq!(attributes.number(4), Some(1500));
        assert_eq!(attributes.get(0x12), Some(&[][..]));
        assert_eq!(attributes.get(9), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..300) {
            let _ = split(&bytes);
            for (kind, _) in Attributes::parse(&bytes, at).iter() {
                prop_assert!(kind <= 0x3fff);
            }
        }
    }
}
