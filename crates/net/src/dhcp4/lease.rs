//! What a server leases, checked.

use dhcproto::v4::{DhcpOption, Message, OptionCode};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

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
    pub(crate) fn of(message: &Message) -> Option<Self> {
        let options = message.opts();
        let address = Some(message.yiaddr()).filter(|address| host(*address))?;
        let mask = match options.get(OptionCode::SubnetMask) {
            Some(DhcpOption::SubnetMask(mask)) => u32::from(*mask),
            _ => 0xffff_ff00,
        };
        let prefix = mask.leading_ones();
        // The ones of a mask stand together (RFC 950).
        if mask.checked_shl(prefix).unwrap_or(0) != 0 || prefix == 0 {
            return None;
        }
        let seconds = |code| match options.get(code) {
            Some(
                DhcpOption::AddressLeaseTime(s) | DhcpOption::Renewal(s) | DhcpOption::Rebinding(s),
            ) => Some(*s),
            _ => None,
        };
        let expire = seconds(OptionCode::AddressLeaseTime).unwrap_or(3600).clamp(SHORTEST, LONGEST);
        // In order, whatever the server says (RFC 2131, section 4.4.5).
        let rebind = seconds(OptionCode::Rebinding)
            .unwrap_or(expire / 8 * 7)
            .clamp(SHORTEST / 3 * 2, expire);
        let renew = seconds(OptionCode::Renewal).unwrap_or(expire / 2).clamp(SHORTEST / 3, rebind);
        let (gateway, routes) = routes(message);
        let dns = match options.get(OptionCode::DomainNameServer) {
            Some(DhcpOption::DomainNameServer(servers)) => {
                servers.iter().filter(|s| host(**s)).take(MAX).map(|s| IpAddr::V4(*s)).collect()
            }
            _ => Vec::new(),
        };
        let mtu = match options.get(OptionCode::InterfaceMtu) {
            // Below 576 IPv4 hardly works; a wrong small value is a known mistake of cheap routers.
            Some(DhcpOption::InterfaceMtu(mtu)) if (576..=9216).contains(mtu) => {
                Some(u32::from(*mtu))
            }
            _ => None,
        };
        let after = |s: u32| Duration::from_secs(s.into());
        Some(Self {
            address,
            prefix: prefix as u8,
            gateway,
            routes,
            dns,
            mtu,
            server: server(message)?,
            renew: after(renew),
            rebind: after(rebind),
            expire: after(expire),
        })
    }
}

/// The server's identifier.
pub(crate) fn server(message: &Message) -> Option<Ipv4Addr> {
    match message.opts().get(OptionCode::ServerIdentifier) {
        Some(DhcpOption::ServerIdentifier(server)) => Some(*server).filter(|server| host(*server)),
        _ => None,
    }
}

type Routes = Vec<(Ipv4Addr, u8, Ipv4Addr)>;

/// The default router and other routes. Where there are classless routes, the router option does not
/// count (RFC 3442).
fn routes(message: &Message) -> (Option<Ipv4Addr>, Routes) {
    let options = message.opts();
    if let Some(DhcpOption::ClasslessStaticRoute(given)) =
        options.get(OptionCode::ClasslessStaticRoute)
    {
        let usable =
            given.iter().take(MAX).filter(|(_, router)| host(*router) || router.is_unspecified());
        let all: Routes =
            usable.map(|(net, router)| (net.network(), net.prefix_len(), *router)).collect();
        let default =
            all.iter().find(|(_, prefix, router)| *prefix == 0 && host(*router)).map(|r| r.2);
        return (default, all.into_iter().filter(|(_, prefix, _)| *prefix > 0).collect());
    }
    let gateway = match options.get(OptionCode::Router) {
        Some(DhcpOption::Router(routers)) => routers.iter().copied().find(|router| host(*router)),
        _ => None,
    };
    (gateway, Vec::new())
}

/// Whether a host may have this address.
fn host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first != 0 && first < 240 && !address.is_multicast() && !address.is_loopback()
}
