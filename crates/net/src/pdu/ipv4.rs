//! IPv4 (RFC 791), as far as a DHCP client needs it.

use super::checksum;
use std::net::Ipv4Addr;

/// The protocol number of UDP.
pub const UDP: u8 = 17;

const HEADER: usize = 20;

/// One unfragmented datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// From.
    pub source: Ipv4Addr,
    /// To.
    pub destination: Ipv4Addr,
    /// What the payload is, [`UDP`] for instance.
    pub protocol: u8,
    /// What the header is followed by.
    pub payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Reads one. `None` when it is damaged, a fragment, or no IPv4.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = usize::from(bytes.first()? & 0x0f) * 4;
        let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let total = usize::from(word(2)?);
        // Version 4; "more fragments" and the fragment's offset must be zero.
        let whole = bytes.first()? >> 4 == 4 && word(6)? & 0x3fff == 0;
        if !whole || header < HEADER || total < header || checksum(&[bytes.get(..header)?]) != 0 {
            return None;
        }
        let address = |at: usize| {
            let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(Ipv4Addr::from(four))
        };
        // A short frame is padded: what is after the total length is not the datagram's.
        let payload = bytes.get(header..total)?;
        let protocol = *bytes.get(9)?;
        Some(Self { source: address(12)?, destination: address(16)?, protocol, payload })
    }

    /// Its bytes. The payload must have at most 65,515.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let total = (HEADER + self.payload.len()) as u16;
        let [high, low] = total.to_be_bytes();
        // No options, no fragments, time to live 64.
        let mut header = vec![0x45, 0x10, high, low, 0, 0, 0x40, 0, 64, self.protocol, 0, 0];
        header.extend(self.source.octets());
        header.extend(self.destination.octets());
        let sum = checksum(&[&header]).to_be_bytes();
        header.splice(10..12, sum);
        header.extend_from_slice(self.payload);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = Datagram::parse(&bytes);
        }

        #[test]
        fn round_trip(source: [u8; 4], destination: [u8; 4], protocol: u8, payload: Vec<u8>, padding in 0usize..20) {
            let datagram = Datagram {
                source: source.into(), destination: destination.into(), protocol, payload: &payload,
            };
            let mut bytes = datagram.encode();
            bytes.resize(bytes.len() + padding, 0);
            assert_eq!(Datagram::parse(&bytes), Some(datagram));
        }

        #[test]
        fn a_flipped_bit_in_the_header_is_seen(bit in 0usize..160) {
            let datagram = Datagram {
                source: [10, 0, 0, 1].into(), destination: [255; 4].into(), protocol: UDP, payload: b"x",
            };
            let mut bytes = datagram.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Datagram::parse(&bytes), None);
        }
    }
}
