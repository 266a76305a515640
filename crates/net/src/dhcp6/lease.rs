//! What a server leases, checked.

use super::message::{Address, Answer};
use crate::pdu::options::Options;
use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// Options' codes (RFC 8415, section 21; RFC 3646), and a status code.
const STATUS_CODE: u16 = 13;
const NAME_SERVERS: u16 = 23;
const NO_BINDING: u16 = 3;

/// Bounds on the length of a lease, seconds, as for IPv4.
const SHORTEST: u32 = 30;
const LONGEST: u32 = 7 * 86_400;

/// Most name servers that are taken from one answer.
const MAX_SERVERS: usize = 8;

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) address: Ipv6Addr,
    pub(crate) dns: Vec<IpAddr>,
    /// The server's identifier.
    pub(super) server: Vec<u8>,
    /// Until it is renewed with its server, with any server, and lost.
    pub(super) renew: Duration,
    pub(super) rebind: Duration,
    pub(crate) expire: Duration,
}

impl Lease {
    /// Reads the lease that an answer offers. `None` when it offers none that a host could use.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let set = answer.set.as_ref()?;
        if !succeeded(&answer.options) || !succeeded(&set.options) {
            return None;
        }
        // Section 21.4: such an answer is to be dropped.
        if set.t1 > set.t2 && set.t2 > 0 {
            return None;
        }
        let usable = set.addresses.iter().find(|given| usable(given))?;
        let expire = usable.valid.clamp(SHORTEST, LONGEST);
        // Zero leaves it to us (section 21.4): half and four fifths of the preferred lifetime.
        let or = |given: u32, part: u32| if given == 0 { part } else { given };
        let rebind = or(set.t2, usable.preferred / 5 * 4).clamp(SHORTEST / 3 * 2, expire);
        let renew = or(set.t1, usable.preferred / 2).clamp(SHORTEST / 3, rebind);
        let after = |s: u32| Duration::from_secs(s.into());
        Some(Self {
            address: usable.address,
            dns: name_servers(&answer.options),
            server: answer.server.clone(),
            renew: after(renew),
            rebind: after(rebind),
            expire: after(expire),
        })
    }
}

/// Whether the server takes back what it leased: it no longer knows of it, or its time is over at once.
pub(super) fn taken_back(answer: &Answer) -> bool {
    let Some(set) = &answer.set else { return false };
    let over = !set.addresses.is_empty() && set.addresses.iter().all(|given| given.valid == 0);
    status(&set.options) == NO_BINDING || over
}

/// The name servers of an answer (RFC 3646).
pub(super) fn name_servers(options: &Options) -> Vec<IpAddr> {
    let usable = options.ipv6s(NAME_SERVERS).into_iter().filter(|server| {
        !server.is_unspecified() && !server.is_loopback() && !server.is_multicast()
    });
    usable.take(MAX_SERVERS).map(IpAddr::V6).collect()
}

fn succeeded(options: &Options) -> bool {
    status(options) == 0
}

/// The status code (section 21.13); none is success. One that is cut short is none of the known.
fn status(options: &Options) -> u16 {
    let Some(content) = options.get(STATUS_CODE) else { return 0 };
    content.first_chunk::<2>().map_or(u16::MAX, |code| u16::from_be_bytes(*code))
}

/// Whether a host may have the address, for some time.
fn usable(given: &Address) -> bool {
    let address = given.address;
    let host = !address.is_unspecified()
        && !address.is_loopback()
        && !address.is_multicast()
        && !address.is_unicast_link_local();
    host && given.valid > 0 && given.preferred <= given.valid && succeeded(&given.options)
}
