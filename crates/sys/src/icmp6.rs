//! Raw ICMPv6 sockets (RFC 3542).

use std::{
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

const ROUTER_ADVERTISEMENT: u32 = 134;
/// `struct icmp6_filter`'s option (linux/icmpv6.h).
const ICMPV6_FILTER: libc::c_int = 1;

/// A non-blocking socket that receives router advertisements and nothing else, and sends
/// with the hop limit of 255 that neighbour discovery demands (RFC 4861, section 6.1).
///
/// # Errors
/// Those of socket(2) and setsockopt(2).
pub fn router_advertisements() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket(2) takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_INET6, kind, libc::IPPROTO_ICMPV6) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just opened and belongs to nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    rustix::net::sockopt::set_ipv6_unicast_hops(&fd, Some(255))?;
    rustix::net::sockopt::set_ipv6_multicast_hops(&fd, 255)?;
    // A bit that is set blocks that type.
    let mut filter = [u32::MAX; 8];
    if let Some(word) = filter.get_mut((ROUTER_ADVERTISEMENT / 32) as usize) {
        *word &= !(1 << (ROUTER_ADVERTISEMENT % 32));
    }
    let size = mem::size_of_val(&filter) as libc::socklen_t;
    // SAFETY: `filter` has the layout of struct icmp6_filter, eight 32-bit words, and outlives the call.
    let set = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_ICMPV6,
            ICMPV6_FILTER,
            filter.as_ptr().cast(),
            size,
        )
    };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(fd) }
}
