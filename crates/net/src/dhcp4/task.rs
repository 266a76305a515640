//! Runs a client on a link: sockets and time.

use super::{
    client::{Action, Client},
    lease::Lease,
    message::MAX_SIZE,
};
use crate::{
    config::Mac,
    pdu::{ipv4::Datagram, udp::Udp},
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Instant,
};
use tokio::{net::UdpSocket, sync::mpsc};
use xenoboot_sys::packet::{PacketSocket, udp_on};

const CLIENT: u16 = 68;
const SERVER: u16 = 67;

/// On which link, and as whom.
pub(crate) struct Identity {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: Mac,
    pub(crate) hostname: String,
}

/// Gets leases and keeps them, for ever; hands each to `changed`, and `None` when one is lost.
///
/// # Errors
/// When a socket cannot be had; the caller tries again.
pub(crate) async fn run(
    identity: &Identity,
    changed: mpsc::Sender<Option<Lease>>,
) -> io::Result<()> {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, CLIENT));
    let mut client = Client::new(identity.mac, identity.hostname.clone(), Instant::now());
    let mut raw = None;
    let mut bound: Option<UdpSocket> = None;
    loop {
        match client.poll(Instant::now()) {
            Action::Broadcast(message) => {
                let socket = match raw.take() {
                    Some(socket) => socket,
                    None => Raw::open(identity.index)?,
                };
                let message = Udp { source: CLIENT, destination: SERVER, payload: &message };
                let datagram = message.datagram(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
                // A full queue or a link that has just gone: retransmission repairs it.
                if let Err(error) = socket.sender.broadcast(&datagram) {
                    log::debug!("{}: DHCP: {error}", identity.name);
                }
                raw = Some(socket);
            }
            Action::FromLease(message, to) => {
                let socket = match bound.take() {
                    Some(socket) => socket,
                    None => UdpSocket::from_std(udp_on(&identity.name, any)?)?,
                };
                if let Err(error) = socket.send_to(&message, SocketAddr::from((to, SERVER))).await {
                    log::debug!("{}: DHCP to {to}: {error}", identity.name);
                }
                bound = Some(socket);
            }
            Action::Lost => {
                bound = None;
                let _ = changed.send(None).await;
            }
            Action::Wait(until) => {
                let got = tokio::select! {
                    () = tokio::time::sleep_until(until.into()) => None,
                    got = from_packets(raw.as_ref()), if client.unbound() => Some(got?),
                    got = from_lease(bound.as_ref()) => Some(got?),
                };
                let lease = got.and_then(|message| client.receive(&message, Instant::now()));
                if lease.is_some() {
                    // The packet socket sees every datagram of the link: not longer than needed.
                    raw = None;
                    bound = None;
                    let _ = changed.send(lease).await;
                }
            }
        }
    }
}

/// A packet socket, and the same for reading: tokio reads datagrams of all kinds alike.
struct Raw {
    sender: PacketSocket,
    reader: UdpSocket,
}

impl Raw {
    fn open(index: u32) -> io::Result<Self> {
        let sender = PacketSocket::open(index)?;
        let reader = UdpSocket::from_std(sender.reader()?.into())?;
        Ok(Self { sender, reader })
    }
}

/// The next DHCP message among a link's datagrams.
async fn from_packets(socket: Option<&Raw>) -> io::Result<Vec<u8>> {
    let Some(socket) = socket else { return std::future::pending().await };
    let mut buffer = vec![0; 2048];
    loop {
        let got = socket.reader.recv(&mut buffer).await?;
        let datagram = buffer.get(..got).and_then(Datagram::parse);
        let message = datagram.and_then(|datagram| Udp::parse(datagram.payload));
        if let Some(message) = message.filter(|m| (m.source, m.destination) == (SERVER, CLIENT)) {
            return Ok(message.payload.to_vec());
        }
    }
}

async fn from_lease(socket: Option<&UdpSocket>) -> io::Result<Vec<u8>> {
    let Some(socket) = socket else { return std::future::pending().await };
    let mut buffer = vec![0; usize::from(MAX_SIZE) + 1];
    let (got, _) = socket.recv_from(&mut buffer).await?;
    buffer.truncate(got);
    Ok(buffer)
}
