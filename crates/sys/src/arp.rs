//! Packet sockets for ARP (packet(7), RFC 826).

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

const ETH_P_ARP: u16 = 0x0806;

/// A socket that hears and sends the ARP packets of one link.
#[derive(Debug)]
pub struct ArpSocket {
    fd: OwnedFd,
    link: i32,
}

impl ArpSocket {
    /// Opens one for the link of a number.
    ///
    /// # Errors
    /// Those of socket(2) and bind(2); `EPERM` for all but root.
    pub fn open(link: u32) -> io::Result<Self> {
        let link = i32::try_from(link).map_err(|_| io::ErrorKind::InvalidInput)?;
        // Nothing is heard before the link is set.
        let fd = socket_with(AddressFamily::PACKET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        let address = address(link, [0xff; 6]);
        // SAFETY: `address` is a sockaddr_ll of the length given and outlives the call.
        let bound = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length()) };
        if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(Self { fd, link }) }
    }

    /// Sends a packet to a card's address.
    ///
    /// # Errors
    /// Those of sendto(2).
    pub fn send(&self, packet: &[u8], to: [u8; 6]) -> io::Result<()> {
        let address = address(self.link, to);
        // SAFETY: packet and address are valid for reads of the lengths given and outlive the call.
        let sent = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                (&raw const address).cast(),
                length(),
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Receives a packet; its length, and whether it was for this card alone.
    ///
    /// # Errors
    /// Those of recvfrom(2).
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        let mut from = address(0, [0; 6]);
        let mut size = length();
        // SAFETY: buffer and address are valid for writes of the lengths given and outlive the call.
        let got = unsafe {
            libc::recvfrom(
                self.fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
                (&raw mut from).cast(),
                &raw mut size,
            )
        };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        Ok((got, from.sll_pkttype == libc::PACKET_HOST))
    }
}

impl AsFd for ArpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn length() -> libc::socklen_t {
    mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t
}

fn address(link: i32, mac: [u8; 6]) -> libc::sockaddr_ll {
    let [a, b, c, d, e, f] = mac;
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: ETH_P_ARP.to_be(),
        sll_ifindex: link,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [a, b, c, d, e, f, 0, 0],
    }
}
