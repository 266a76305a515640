//! ICMP and ICMPv6 (RFC 792, RFC 4443): echo requests, and what comes back.

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};
use std::{io, net::IpAddr, os::fd::OwnedFd};

/// A socket for one family.
#[derive(Debug)]
pub(crate) struct Socket {
    /// It.
    pub(crate) fd: OwnedFd,
    v6: bool,
    /// IPv4's raw sockets give the header, too.
    raw: bool,
}

/// A message, as far as it is about echoes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// An answer to an echo request.
    Reply {
        /// Whose request.
        id: u16,
        /// Which.
        sequence: u16,
        /// Bytes of ICMP.
        length: usize,
        /// How many hops were left, when IP's header was there.
        hops: Option<u8>,
    },
    /// A packet of ours did not get there.
    Error {
        /// What and why: type and code.
        kind: u8,
        /// The code.
        code: u8,
        /// The rest of the header: the MTU, for one.
        rest: u32,
        /// The protocol of that packet.
        protocol: u8,
        /// Its first bytes behind IP's header.
        packet: Vec<u8>,
        /// Where it went.
        to: IpAddr,
    },
}

impl Socket {
    /// Opens one: raw, or for echoes only where that is not allowed.
    pub(crate) fn open(v6: bool) -> io::Result<Self> {
        let (family, protocol) = if v6 {
            (AddressFamily::INET6, ipproto::ICMPV6)
        } else {
            (AddressFamily::INET, ipproto::ICMP)
        };
        let open = |kind| socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol));
        let (fd, raw) = match open(SocketType::RAW) {
            Ok(fd) => (fd, true),
            Err(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => {
                (open(SocketType::DGRAM)?, false)
            }
            Err(error) => return Err(error.into()),
        };
        xenoboot_sys::hops::ask_for_hops(&fd, v6)?;
        Ok(Self { fd, v6, raw })
    }

    /// Whether it hears everybody's messages: then `id` says which are ours.
    pub(crate) fn is_raw(&self) -> bool {
        self.raw
    }

    /// Reads what was received.
    pub(crate) fn parse(&self, bytes: &[u8]) -> Option<Message> {
        if self.v6 {
            return v6(bytes);
        }
        if !self.raw {
            return v4(bytes, None);
        }
        let (protocol, header) = ipv4_header(bytes)?;
        let hops = bytes.get(8).copied();
        (protocol == 1).then(|| v4(bytes.get(header..)?, hops)).flatten()
    }
}

/// An echo request. The kernel fills in ICMPv6's checksum.
pub(crate) fn echo(v6: bool, id: u16, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![if v6 { 128 } else { 8 }, 0, 0, 0];
    bytes.extend(id.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(payload);
    if !v6 {
        let sum = checksum(&bytes).to_be_bytes();
        if let Some(place) = bytes.get_mut(2..4) {
            place.copy_from_slice(&sum);
        }
    }
    bytes
}

/// The Internet checksum (RFC 1071).
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| {
        u32::from(pair.first().copied().unwrap_or(0)) << 8
            | u32::from(pair.get(1).copied().unwrap_or(0))
    };
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Protocol and length of an IPv4 header.
fn ipv4_header(bytes: &[u8]) -> Option<(u8, usize)> {
    let first = *bytes.first()?;
    let length = usize::from(first & 15) * 4;
    let whole = first >> 4 == 4 && length >= 20 && bytes.len() >= length;
    whole.then_some((*bytes.get(9)?, length))
}

fn v4(bytes: &[u8], hops: Option<u8>) -> Option<Message> {
    let (kind, code) = (*bytes.first()?, *bytes.get(1)?);
    match kind {
        0 => {
            // Those for echoes only are checked by the kernel.
            if hops.is_some() && checksum(bytes) != 0 {
                return None;
            }
            let (id, sequence) = (u16_at(bytes, 4)?, u16_at(bytes, 6)?);
            Some(Message::Reply { id, sequence, length: bytes.len(), hops })
        }
        3 | 4 | 5 | 11 | 12 => {
            let inner = bytes.get(8..)?;
            let (protocol, header) = ipv4_header(inner)?;
            let to = IpAddr::from(<[u8; 4]>::try_from(inner.get(16..20)?).ok()?);
            let packet = inner.get(header..)?.to_vec();
            Some(Message::Error { kind, code, rest: u32_at(bytes, 4)?, protocol, packet, to })
        }
        _ => None,
    }
}

fn v6(bytes: &[u8]) -> Option<Message> {
    let (kind, code) = (*bytes.first()?, *bytes.get(1)?);
    match kind {
        129 => {
            let (id, sequence) = (u16_at(bytes, 4)?, u16_at(bytes, 6)?);
            Some(Message::Reply { id, sequence, length: bytes.len(), hops: None })
        }
        1..=4 => {
            let inner = bytes.get(8..)?;
            let to = IpAddr::from(<[u8; 16]>::try_from(inner.get(24..40)?).ok()?);
            let (protocol, packet) = (*inner.get(6)?, inner.get(40..)?.to_vec());
            Some(Message::Error { kind, code, rest: u32_at(bytes, 4)?, protocol, packet, to })
        }
        _ => None,
    }
}

/// Identity and number of the echo request that an error is about.
pub(crate) fn request_of(v6: bool, protocol: u8, packet: &[u8]) -> Option<(u16, u16)> {
    let (of, request) = if v6 { (58, 128) } else { (1, 8) };
    let ours = protocol == of && packet.first() == Some(&request);
    ours.then(|| Some((u16_at(packet, 4)?, u16_at(packet, 6)?))).flatten()
}

/// What an error means, as iputils says it.
pub(crate) fn describe(v6: bool, kind: u8, code: u8, rest: u32) -> String {
    let text = match (v6, kind, code) {
        (false, 3, 0) => "Destination Net Unreachable",
        (false, 3, 1) => "Destination Host Unreachable",
        (false, 3, 2) => "Destination Protocol Unreachable",
        (false, 3, 3) => "Destination Port Unreachable",
        (false, 3, 4) => return format!("Frag needed and DF set (mtu = {})", rest & 0xffff),
        (false, 3, 5) => "Source Route Failed",
        (false, 3, 6) => "Destination Net Unknown",
        (false, 3, 7) => "Destination Host Unknown",
        (false, 3, 8) => "Source Host Isolated",
        (false, 3, 9) => "Destination Net Prohibited",
        (false, 3, 10) => "Destination Host Prohibited",
        (false, 3, 11) => "Destination Net Unreachable for Type of Service",
        (false, 3, 12) => "Destination Host Unreachable for Type of Service",
        (false, 3, 13) => "Packet filtered",
        (false, 3, 14) => "Precedence Violation",
        (false, 3, 15) => "Precedence Cutoff",
        (false, 3, _) => return format!("Dest Unreachable, Bad Code: {code}"),
        (false, 4, _) => "Source Quench",
        (false, 5, _) => "Redirect",
        (false, 11, 0) => "Time to live exceeded",
        (false, 11, 1) => "Frag reassembly time exceeded",
        (false, 11, _) => return format!("Time exceeded, Bad Code: {code}"),
        (false, _, _) => "Parameter problem",
        (true, 1, 0) => "Destination unreachable: No route",
        (true, 1, 1) => "Destination unreachable: Administratively prohibited",
        (true, 1, 2) => "Destination unreachable: Beyond scope of source address",
        (true, 1, 3) => "Destination unreachable: Address unreachable",
        (true, 1, 4) => "Destination unreachable: Port unreachable",
        (true, 1, _) => return format!("Destination unreachable: Unknown code {code}"),
        (true, 2, _) => return format!("Packet too big: mtu={rest}"),
        (true, 3, 0) => "Time exceeded: Hop limit",
        (true, 3, 1) => "Time exceeded: Defragmentation failure",
        (true, 3, _) => return format!("Time exceeded: code {code}"),
        (true, _, _) => "Parameter problem",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_error_tells_whose_packet_it_was() {
        let request = echo(false, 7, 9, b"abcd");
        assert_eq!(checksum(&request), 0);
        let mut inner = vec![0x45, 0, 0, 32, 0, 0, 0, 0, 1, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        inner.extend(&request);
        let error = [&[11, 0, 0, 0, 0, 0, 0, 0][..], &inner].concat();
        let Some(Message::Error { kind: 11, code: 0, protocol, packet, to, .. }) = v4(&error, None)
        else {
            panic!("{:?}", v4(&error, None))
        };
        assert_eq!(to, IpAddr::from([10, 0, 0, 2]));
        assert_eq!(request_of(false, protocol, &packet), Some((7, 9)));
        assert_eq!(describe(false, 11, 0, 0), "Time to live exceeded");
    }

    #[test]
    fn a_damaged_reply_does_not_count() {
        let mut reply = echo(false, 7, 9, b"abcd");
        reply[0] = 0;
        assert_eq!(v4(&reply, Some(64)), None);
        reply[2..4].fill(0);
        let sum = checksum(&reply).to_be_bytes();
        reply[2..4].copy_from_slice(&sum);
        let right = Message::Reply { id: 7, sequence: 9, length: 12, hops: Some(64) };
        assert_eq!(v4(&reply, Some(64)), Some(right));
    }

    proptest! {
        #[test]
        fn any_packet_is_read(bytes: Vec<u8>) {
            let _ = (v4(&bytes, Some(1)), v6(&bytes), ipv4_header(&bytes), request_of(false, 1, &bytes));
            prop_assert_eq!(checksum(&[&bytes[..], &[0, 0]].concat()), checksum(&bytes));
        }
    }
}
