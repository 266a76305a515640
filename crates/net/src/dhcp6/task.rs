//! Runs a client on a link: socket and time.

use super::{
    client::{Action, Client, Mode, News},
    message::MAX_SIZE,
};
use crate::config::Mac;
use std::{
    io,
    net::{Ipv6Addr, SocketAddr, SocketAddrV6},
    time::Instant,
};
use tokio::{net::UdpSocket, sync::mpsc};
use xenoboot_sys::packet::udp_on;

const CLIENT: u16 = 546;
const SERVER: u16 = 547;

/// All servers and relay agents of the link (section 7.1).
const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// On which link, and as whom.
pub(crate) struct Identity {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: Mac,
}

/// Gets what `mode` says and keeps it, for ever; hands all news to `changed`.
///
/// # Errors
/// When the socket cannot be had, or fails; the caller tries again.
pub(crate) async fn run(
    identity: &Identity,
    mode: Mode,
    changed: mpsc::Sender<News>,
) -> io::Result<()> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, CLIENT));
    let socket = UdpSocket::from_std(udp_on(&identity.name, any)?)?;
    let servers = SocketAddrV6::new(ALL_SERVERS, SERVER, 0, identity.index);
    let mut client = Client::new(mode, identity.mac, Instant::now());
    let mut buffer = [0; MAX_SIZE + 1];
    loop {
        match client.poll(Instant::now()) {
            Action::Send(message) => {
                // A link that has just gone: retransmission repairs it.
                if let Err(error) = socket.send_to(&message, servers).await {
                    log::debug!("{}: DHCPv6: {error}", identity.name);
                }
            }
            Action::Lost => {
                let _ = changed.send(News::Lease(None)).await;
            }
            Action::Wait(until) => {
                let got = tokio::select! {
                    () = tokio::time::sleep_until(until.into()) => continue,
                    got = socket.recv_from(&mut buffer) => got?.0,
                };
                let message = buffer.get(..got).unwrap_or_default();
                if let Some(news) = client.receive(message, Instant::now()) {
                    let _ = changed.send(news).await;
                }
            }
        }
    }
}
