//! Packet sockets (packet(7)): IPv4 datagrams from and to a link before it has an address.

use std::{
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

const ETH_P_IP: u16 = 0x0800;

/// A socket that takes whole IPv4 datagrams, without the Ethernet header, from one link. Non-blocking.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    link: i32,
}

impl PacketSocket {
    /// Opens one on the link with this index.
    ///
    /// # Errors
    /// Those of socket(2) and bind(2): no right to, no such link.
    pub fn open(link: u32) -> io::Result<Self> {
        let link = i32::try_from(link).map_err(|_| io::ErrorKind::InvalidInput)?;
        let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: socket(2) takes no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, i32::from(ETH_P_IP.to_be())) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just opened and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let address = address(link, [0; 6]);
        // SAFETY: `address` is a valid sockaddr_ll of the length given and outlives the call.
        let bound = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length()) };
        if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(Self { fd, link }) }
    }

    /// Sends one datagram, which must begin with its IPv4 header, to everybody on the link.
    ///
    /// # Errors
    /// Those of sendto(2).
    pub fn broadcast(&self, datagram: &[u8]) -> io::Result<()> {
        let to = address(self.link, [0xff; 6]);
        let fd = self.fd.as_raw_fd();
        // SAFETY: the buffer and `to` are valid for the lengths given and outlive the call.
        let sent = unsafe {
            libc::sendto(
                fd,
                datagram.as_ptr().cast(),
                datagram.len(),
                0,
                (&raw const to).cast(),
                length(),
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The same socket once more, for whoever waits for datagrams and reads them with read(2) or recv(2).
    ///
    /// # Errors
    /// Those of dup(2).
    pub fn reader(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }
}

/// A non-blocking UDP socket of one link, at a local address and port; for IPv4 it may broadcast. The link
/// comes before the port: two links' sockets may then have the same.
///
/// # Errors
/// Those of socket(2), setsockopt(2) and bind(2).
pub fn udp_on(link: &str, local: std::net::SocketAddr) -> io::Result<std::net::UdpSocket> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
    let family = if local.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let fd = socket_with(family, SocketType::DGRAM, flags, None)?;
    let size = libc::socklen_t::try_from(link.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_BINDTODEVICE);
    // SAFETY: the name is valid for reads of the length given and outlives the call.
    let set =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, link.as_ptr().cast(), size) };
    if set < 0 {
        return Err(io::Error::last_os_error());
    }
    if local.is_ipv4() {
        sockopt::set_socket_broadcast(&fd, true)?;
    } else {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    bind(&fd, &local)?;
    Ok(fd.into())
}

fn length() -> libc::socklen_t {
    mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t
}

fn address(link: i32, mac: [u8; 6]) -> libc::sockaddr_ll {
    let [a, b, c, d, e, f] = mac;
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: ETH_P_IP.to_be(),
        sll_ifindex: link,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [a, b, c, d, e, f, 0, 0],
    }
}
