//! UDP (RFC 768).

use super::{checksum, ipv4};
use std::net::Ipv4Addr;

/// One UDP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp<'a> {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// What it carries.
    pub payload: &'a [u8],
}

impl<'a> Udp<'a> {
    /// Reads the payload of an IPv4 datagram. `None` when it is damaged. The checksum is not verified:
    /// virtual network cards deliver datagrams of their own host without one (checksum offload), and
    /// what DHCP says is believed by nobody anyway.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let (source, destination, length) = (word(0)?, word(2)?, usize::from(word(4)?));
        Some(Self { source, destination, payload: bytes.get(8..length)? })
    }

    /// An IPv4 datagram that carries it. The payload must have at most 65,507 bytes.
    #[must_use]
    pub fn datagram(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
        let length = ((8 + self.payload.len()) as u16).to_be_bytes();
        let mut bytes = Vec::with_capacity(8 + self.payload.len());
        for word in [self.source.to_be_bytes(), self.destination.to_be_bytes(), length, [0, 0]] {
            bytes.extend(word);
        }
        bytes.extend_from_slice(self.payload);
        let pseudo =
            [&source.octets()[..], &destination.octets(), &[0, ipv4::UDP], &length].concat();
        // Zero would mean that there is no checksum.
        let sum = match checksum(&[&pseudo, &bytes]) {
            0 => 0xffff,
            sum => sum,
        };
        bytes.splice(6..8, sum.to_be_bytes());
        ipv4::Datagram { source, destination, protocol: ipv4::UDP, payload: &bytes }.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = Udp::parse(&bytes);
        }

        #[test]
        fn round_trip(source: u16, destination: u16, payload: Vec<u8>) {
            let message = Udp { source, destination, payload: &payload };
            let bytes = message.datagram(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
            let outer = ipv4::Datagram::parse(&bytes).unwrap();
            assert_eq!(Udp::parse(outer.payload), Some(message));
            // The checksum over pseudo-header and message comes out as zero (RFC 1071).
            let length = (outer.payload.len() as u16).to_be_bytes();
            let pseudo = [&[0; 4][..], &[255; 4], &[0, 17], &length].concat();
            assert_eq!(checksum(&[&pseudo, outer.payload]), 0);
        }
    }
}
