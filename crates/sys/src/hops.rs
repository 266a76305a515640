//! How far a datagram has come, and sockets of one link: what ping and traceroute need.

use std::{
    io, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::{AsFd, AsRawFd},
};

/// Room for control messages, in words that are aligned for them.
const CONTROL: usize = 16;

/// A datagram that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its length, bytes.
    pub length: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// How many hops it could still have gone (IPv4: time to live).
    pub hops: Option<u8>,
}

fn set(fd: &impl AsFd, level: i32, option: i32, value: &[u8]) -> io::Result<()> {
    let size = libc::socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `value` is valid for reads of the length given and outlives the call.
    let set = unsafe {
        libc::setsockopt(fd.as_fd().as_raw_fd(), level, option, value.as_ptr().cast(), size)
    };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A socket's datagrams go and come by one link only.
///
/// # Errors
/// Those of setsockopt(2): `ENODEV` when there is no such link.
pub fn bind_to_link(fd: &impl AsFd, link: &str) -> io::Result<()> {
    set(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, link.as_bytes())
}

/// Asks for the hops of what is received.
///
/// # Errors
/// Those of setsockopt(2).
pub fn ask_for_hops(fd: &impl AsFd, v6: bool) -> io::Result<()> {
    let (level, option) = if v6 {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT)
    } else {
        (libc::IPPROTO_IP, libc::IP_RECVTTL)
    };
    set(fd, level, option, &1_i32.to_ne_bytes())
}

/// Receives a datagram and its hops.
///
/// # Errors
/// Those of recvmsg(2).
pub fn receive(fd: &impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    // SAFETY: all zeros is a valid value of these plain structures.
    let (mut from, mut message): (libc::sockaddr_storage, libc::msghdr) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    let mut control = [0_u64; CONTROL];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    message.msg_name = (&raw mut from).cast();
    message.msg_namelen = mem::size_of_val(&from) as libc::socklen_t;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&control);
    // SAFETY: every pointer in `message` is valid for the length beside it and outlives the call.
    let length = unsafe { libc::recvmsg(fd.as_fd().as_raw_fd(), &raw mut message, 0) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    Ok(Received { length, from: address(&from)?, hops: hops(&message) })
}

fn hops(message: &libc::msghdr) -> Option<u8> {
    // SAFETY: the kernel has filled the control messages, whose buffer outlives `message`'s use here;
    // the macros stay within it.
    let mut each = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !each.is_null() {
        // SAFETY: `each` points to a whole header; the data behind it is an int for these two kinds.
        unsafe {
            let kind = ((*each).cmsg_level, (*each).cmsg_type);
            if matches!(
                kind,
                (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT)
            ) {
                let value: i32 = libc::CMSG_DATA(each).cast::<i32>().read_unaligned();
                return u8::try_from(value).ok();
            }
            each = libc::CMSG_NXTHDR(message, each);
        }
    }
    None
}

fn address(from: &libc::sockaddr_storage) -> io::Result<SocketAddr> {
    match i32::from(from.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that this is a sockaddr_in, and a sockaddr_storage is larger.
            let from = unsafe { &*(&raw const *from).cast::<libc::sockaddr_in>() };
            let address = Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr));
            Ok(SocketAddr::new(IpAddr::V4(address), u16::from_be(from.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: likewise, a sockaddr_in6.
            let from = unsafe { &*(&raw const *from).cast::<libc::sockaddr_in6>() };
            let address = Ipv6Addr::from(from.sin6_addr.s6_addr);
            let port = u16::from_be(from.sin6_port);
            Ok(SocketAddrV6::new(address, port, 0, from.sin6_scope_id).into())
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn hops_of(address: &str, ttl: u32) -> Received {
        let (here, there) = (UdpSocket::bind(address).unwrap(), UdpSocket::bind(address).unwrap());
        ask_for_hops(&here, address.starts_with('[')).unwrap();
        there.set_ttl(ttl).unwrap();
        there.send_to(b"abc", here.local_addr().unwrap()).unwrap();
        let received = receive(&here, &mut [0; 8]).unwrap();
        assert_eq!(received.from, there.local_addr().unwrap());
        received
    }

    #[test]
    fn hops_are_received() {
        let received = hops_of("127.0.0.1:0", 17);
        assert_eq!((received.length, received.hops), (3, Some(17)));
        assert_eq!(hops_of("[::1]:0", 64).hops, Some(64));
    }

    #[test]
    fn a_link_that_is_not_there_is_an_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = bind_to_link(&socket, "nosuchlink").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }
}
