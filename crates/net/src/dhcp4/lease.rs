//! What a server leases, checked.

use super::message::Answer;
use crate::pdu::options::Options;
use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

/// Options' codes (RFC 2132; RFC 3442).
const SUBNET_MASK: u16 = 1;
const ROUTERS: u16 = 3;
const NAME_SERVERS: u16 = 6;
const MTU: u16 = 26;
const LEASE_TIME: u16 = 51;
const SERVER: u16 = 54;
const RENEWAL: u16 = 58;
const REBINDING: u16 = 59;
const CLASSLESS_ROUTES: u16 = 121;

/// Bounds on the length of a lease: a server's mistake must neither make us ask each second nor keep a
/// wrong address for a year.
const SHORTEST: u32 = 30;
const LONGEST: u32 = 7 * 86_400;

/// Most routes and servers that are taken from a lease.
const MAX: usize = 16;

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix: u8,
    pub(crate) gateway: Option<Ipv4Addr>,
    /// Other routes: network, length of its prefix, router.
    pub(crate) routes: Vec<(Ipv4Addr, u8, Ipv4Addr)>,
    pub(crate) dns: Vec<IpAddr>,
    pub(crate) mtu: Option<u32>,
    pub(crate) server: Ipv4Addr,
    /// Until it is renewed with its server, with any server, and lost.
    pub(crate) renew: Duration,
    pub(crate) rebind: Duration,
    pub(crate) expire: Duration,
}

impl Lease {
    /// Reads the lease that an OFFER or ACK offers. `None` when no host could use it.
    pub(crate) fn of(answer: &Answer) -> Option<Self> {
        let options = &answer.options;
        let address = Some(answer.address).filter(|address| host(*address))?;
        let mask = options.number(SUBNET_MASK).unwrap_or(0xffff_ff00);
        let prefix = mask.leading_ones();
        // The ones of a mask stand together (RFC 950).
        if mask.checked_shl(prefix).unwrap_or(0) != 0 || prefix == 0 {
            return None;
        }
        let expire = options.number(LEASE_TIME).unwrap_or(3600).clamp(SHORTEST, LONGEST);
        // In order, whatever the server says (RFC 2131, section 4.4.5).
        let rebind =
            options.number(REBINDING).unwrap_or(expire / 8 * 7).clamp(SHORTEST / 3 * 2, expire);
        let renew = options.number(RENEWAL).unwrap_or(expire / 2).clamp(SHORTEST / 3, rebind);
        let (gateway, routes) = routes(options);
        let servers = options.ipv4s(NAME_SERVERS).into_iter().filter(|server| host(*server));
        // Below 576 IPv4 hardly works; a wrong small value is a known mistake of cheap routers.
        let mtu = options.array(MTU).map(u16::from_be_bytes);
        let mtu = mtu.filter(|mtu| (576..=9216).contains(mtu)).map(u32::from);
        let after = |s: u32| Duration::from_secs(s.into());
        Some(Self {
            address,
            prefix: prefix as u8,
            gateway,
            routes,
            dns: servers.take(MAX).map(IpAddr::V4).collect(),
            mtu,
            server: server(answer)?,
            renew: after(renew),
            rebind: after(rebind),
            expire: after(expire),
        })
    }
}

/// The server's identifier.
pub(crate) fn server(answer: &Answer) -> Option<Ipv4Addr> {
    answer.options.array(SERVER).map(Ipv4Addr::from).filter(|server| host(*server))
}

type Routes = Vec<(Ipv4Addr, u8, Ipv4Addr)>;

/// The default router and other routes. Where there are classless routes, the router option does not
/// count (RFC 3442).
fn routes(options: &Options) -> (Option<Ipv4Addr>, Routes) {
    if let Some(given) = options.get(CLASSLESS_ROUTES).and_then(classless) {
        let usable = given.into_iter().take(MAX);
        let all: Routes =
            usable.filter(|(_, _, router)| host(*router) || router.is_unspecified()).collect();
        let default =
            all.iter().find(|(_, prefix, router)| *prefix == 0 && host(*router)).map(|r| r.2);
        return (default, all.into_iter().filter(|(_, prefix, _)| *prefix > 0).collect());
    }
    (options.ipv4s(ROUTERS).into_iter().find(|router| host(*router)), Vec::new())
}

/// Reads classless routes (RFC 3442): length of the prefix, as many bytes of it as that needs, router.
/// `None` when they are cut short or a prefix is too long.
fn classless(mut bytes: &[u8]) -> Option<Routes> {
    let mut routes = Vec::new();
    while let [prefix, rest @ ..] = bytes {
        let (network, rest) = rest.split_at_checked(usize::from(*prefix).div_ceil(8))?;
        let (router, rest) = rest.split_first_chunk::<4>()?;
        let mut whole = [0; 4];
        whole.get_mut(..network.len())?.copy_from_slice(network);
        let mask = u32::MAX.checked_shl(32_u32.checked_sub((*prefix).into())?).unwrap_or(0);
        let network = Ipv4Addr::from(u32::from_be_bytes(whole) & mask);
        routes.push((network, *prefix, Ipv4Addr::from(*router)));
        bytes = rest;
    }
    Some(routes)
}

/// Whether a host may have this address.
fn host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first != 0 && first < 240 && !address.is_multicast() && !address.is_loopback()
}
