//! Router advertisements (RFC 4861, section 4.2) and their name servers (RFC 8106). Prefixes and
//! routers are the kernel's business; it reads the same message.

use std::net::Ipv6Addr;

const TYPE: u8 = 134;
const RDNSS: u8 = 25;

/// Most name servers that are taken from one message.
const MAX_SERVERS: usize = 8;

/// What we want of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterAdvertisement {
    /// Addresses are to be had from DHCPv6 (the M flag).
    pub managed: bool,
    /// Other settings are to be had from DHCPv6 (the O flag).
    pub other: bool,
    /// Recursive name servers, each with its lifetime in seconds: 0 takes it back, `u32::MAX` is for ever.
    pub dns: Vec<(Ipv6Addr, u32)>,
}

impl RouterAdvertisement {
    /// Reads an ICMPv6 message. `None` when it is not a well-formed advertisement.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [TYPE, 0, ..] = bytes else { return None };
        let flags = bytes.get(5)?;
        let mut found =
            Self { managed: flags & 0x80 != 0, other: flags & 0x40 != 0, dns: Vec::new() };
        let mut rest = bytes.get(16..)?;
        while let [kind, units, ..] = rest {
            // The length is in units of eight bytes; zero is forbidden (section 4.6).
            let (option, tail) =
                rest.split_at_checked(usize::from(*units) * 8).filter(|(o, _)| !o.is_empty())?;
            if *kind == RDNSS {
                found.servers(option);
            }
            rest = tail;
        }
        Some(found)
    }

    fn servers(&mut self, option: &[u8]) {
        let Some((lifetime, addresses)) =
            option.get(4..).and_then(|rest| rest.split_first_chunk::<4>())
        else {
            return;
        };
        for address in addresses.chunks_exact(16) {
            let Ok(bytes) = <[u8; 16]>::try_from(address) else { return };
            let address = Ipv6Addr::from(bytes);
            let host =
                !address.is_multicast() && !address.is_unspecified() && !address.is_loopback();
            if host && self.dns.len() < MAX_SERVERS {
                self.dns.push((address, u32::from_be_bytes(*lifetime)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_and_flags() {
        let mut bytes = vec![134, 0, 0, 0, 64, 0x40, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([1, 1, 2, 0, 0, 0, 0, 1]);
        bytes.extend([25, 3, 0, 0, 0, 0, 0, 60]);
        bytes.extend("2001:db8::53".parse::<Ipv6Addr>().unwrap().octets());
        let found = RouterAdvertisement::parse(&bytes).unwrap();
        assert!(found.other && !found.managed);
        assert_eq!(found.dns, [("2001:db8::53".parse().unwrap(), 60)]);
        // An option of length zero would never end.
        bytes.extend([25, 0, 0, 0, 0, 0, 0, 60]);
        assert_eq!(RouterAdvertisement::parse(&bytes), None);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(mut bytes: Vec<u8>) {
            let _ = RouterAdvertisement::parse(&bytes);
            bytes.splice(0..0, [134, 0]);
            let _ = RouterAdvertisement::parse(&bytes);
        }
    }
}
