//! Options of DHCP messages: code, length, content. Read here rather than by the library that writes them:
//! what comes in is hostile, and one option whose length is not what its code says makes the message
//! worth nothing.

use std::{collections::BTreeMap, net::Ipv4Addr, net::Ipv6Addr};

/// The options of a message by their codes. One that occurs several times is put together (RFC 3396) for
/// IPv4, and kept apart for IPv6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(BTreeMap<u16, Vec<Vec<u8>>>);

impl Options {
    /// Reads DHCPv4 options (RFC 2132): one byte each for code and length, 0 is padding, 255 the end. `None`
    /// when one is cut short.
    #[must_use]
    pub fn v4(mut bytes: &[u8]) -> Option<Self> {
        let mut options: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
        while let [code, rest @ ..] = bytes {
            if *code == 255 {
                break;
            }
            if *code == 0 {
                bytes = rest;
                continue;
            }
            let (length, rest) = rest.split_first()?;
            let (content, rest) = rest.split_at_checked(usize::from(*length))?;
            let contents = options.entry(u16::from(*code)).or_insert_with(|| vec![Vec::new()]);
            contents.iter_mut().for_each(|known| known.extend_from_slice(content));
            bytes = rest;
        }
        Some(Self(options))
    }

    /// Reads DHCPv6 options (RFC 8415, section 21.1): two bytes each for code and length. `None` when one
    /// is cut short.
    #[must_use]
    pub fn v6(mut bytes: &[u8]) -> Option<Self> {
        let mut options: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
        while !bytes.is_empty() {
            let ([a, b, c, d], rest) = bytes.split_first_chunk::<4>()?;
            let length = usize::from(u16::from_be_bytes([*c, *d]));
            let (content, rest) = rest.split_at_checked(length)?;
            options.entry(u16::from_be_bytes([*a, *b])).or_default().push(content.to_vec());
            bytes = rest;
        }
        Some(Self(options))
    }

    /// Every option with this code.
    pub fn all(&self, code: u16) -> impl Iterator<Item = &[u8]> {
        self.0.get(&code).into_iter().flatten().map(Vec::as_slice)
    }

    /// The first option with this code.
    #[must_use]
    pub fn get(&self, code: u16) -> Option<&[u8]> {
        self.all(code).next()
    }

    /// One whose content has exactly `N` bytes.
    #[must_use]
    pub fn array<const N: usize>(&self, code: u16) -> Option<[u8; N]> {
        self.get(code)?.try_into().ok()
    }

    /// One that holds an unsigned number of 32 bits.
    #[must_use]
    pub fn number(&self, code: u16) -> Option<u32> {
        self.array(code).map(u32::from_be_bytes)
    }

    /// One that is a list of IPv4 addresses; empty when it is none.
    #[must_use]
    pub fn ipv4s(&self, code: u16) -> Vec<Ipv4Addr> {
        let (addresses, rest) = self.get(code).unwrap_or_default().as_chunks::<4>();
        if rest.is_empty() {
            addresses.iter().copied().map(Ipv4Addr::from).collect()
        } else {
            Vec::new()
        }
    }

    /// One that is a list of IPv6 addresses; empty when it is none.
    #[must_use]
    pub fn ipv6s(&self, code: u16) -> Vec<Ipv6Addr> {
        let (addresses, rest) = self.get(code).unwrap_or_default().as_chunks::<16>();
        if rest.is_empty() {
            addresses.iter().copied().map(Ipv6Addr::from).collect()
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_kinds() {
        let options =
            Options::v4(&[0, 3, 4, 10, 0, 0, 1, 60, 1, b'a', 60, 1, b'b', 255, 9]).unwrap();
        assert_eq!(options.ipv4s(3), [Ipv4Addr::new(10, 0, 0, 1)]);
        assert_eq!(options.get(60), Some(&b"ab"[..]));
        assert_eq!(options.number(60), None);
        assert_eq!(Options::v4(&[3, 4, 10]), None);
        let options = Options::v6(&[0, 7, 0, 1, 9, 0, 7, 0, 0]).unwrap();
        assert_eq!(options.all(7).collect::<Vec<_>>(), [&[9][..], &[]]);
        assert_eq!(Options::v6(&[0, 7, 0, 2, 9]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = Options::v4(&bytes);
            if let Some(options) = Options::v6(&bytes) {
                let sum: usize = options.0.values().flatten().map(|content| 4 + content.len()).sum();
                prop_assert_eq!(sum, bytes.len());
            }
        }
    }
}
