//! Listens to a link's router advertisements for name servers. Addresses and routes from them are made
//! by the kernel.

use crate::pdu::router_advertisement::RouterAdvertisement;
use std::{
    io,
    net::{Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::OwnedFd,
};
use tokio::net::UdpSocket;
use xenoboot_sys::icmp6;

/// All routers on the link (RFC 4291, section 2.7.1).
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// A router solicitation (RFC 4861, section 4.1); the kernel fills in the checksum.
const SOLICITATION: [u8; 8] = [133, 0, 0, 0, 0, 0, 0, 0];

/// Hands every advertisement to `heard`, with the router that sent it, for ever. Asks for one first: the kernel's own question may
/// have been answered before we listened.
///
/// # Errors
/// When the socket cannot be had, or fails.
pub(crate) async fn listen(
    name: &str,
    index: u32,
    mut heard: impl FnMut(Ipv6Addr, RouterAdvertisement),
) -> io::Result<()> {
    let socket: OwnedFd = icmp6::router_advertisements()?;
    // tokio has no raw sockets; reading and writing datagrams is the same for all kinds.
    let socket = UdpSocket::from_std(socket.into())?;
    socket.bind_device(Some(name.as_bytes()))?;
    let to = SocketAddr::V6(SocketAddrV6::new(ALL_ROUTERS, 0, 0, index));
    // Without a link-local address yet this fails; the kernel will ask when it has one.
    if let Err(error) = socket.send_to(&SOLICITATION, to).await {
        log::debug!("{name}: router solicitation: {error}");
    }
    let mut buffer = [0; 1500];
    loop {
        let (got, from) = socket.recv_from(&mut buffer).await?;
        let SocketAddr::V6(from) = from else { continue };
        // Routers speak from their link-local address (section 6.1.2).
        if !from.ip().is_unicast_link_local() {
            continue;
        }
        if let Some(found) = buffer.get(..got).and_then(RouterAdvertisement::parse) {
            heard(*from.ip(), found);
        }
    }
}
