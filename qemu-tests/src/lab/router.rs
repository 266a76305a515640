//! Router advertisements (RFC 4861, section 4.2), twice a second.

use super::{Advertisement, Behaviour, stack::router6};
use smoltcp::{
    iface::{SocketHandle, SocketSet},
    socket::raw,
    wire::{
        EthernetAddress, Icmpv6Packet, IpProtocol, IpVersion, Ipv6Address, Ipv6Packet, Ipv6Repr,
    },
};
use std::time::{Duration, Instant};

/// The router's address on the link.
pub(super) const LINK_LOCAL: Ipv6Address = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// All machines on the link.
const ALL_NODES: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const EVERY: Duration = Duration::from_millis(500);

/// Sends what the network's behaviour asks for.
pub(super) struct Router {
    mac: EthernetAddress,
    network: u8,
    socket: SocketHandle,
    next: Instant,
}

impl Router {
    pub(super) fn new(mac: EthernetAddress, network: u8, sockets: &mut SocketSet<'_>) -> Self {
        let buffer = || raw::PacketBuffer::new(vec![raw::PacketMetadata::EMPTY; 4], vec![0; 4096]);
        let (version, protocol) = (Some(IpVersion::Ipv6), Some(IpProtocol::Icmpv6));
        let socket = sockets.add(raw::Socket::new(version, protocol, buffer(), buffer()));
        Self { mac, network, socket, next: Instant::now() }
    }

    pub(super) fn turn(&mut self, sockets: &mut SocketSet<'_>, behaviour: &Behaviour) {
        let socket = sockets.get_mut::<raw::Socket<'_>>(self.socket);
        // What machines ask is answered in time anyway.
        while socket.recv().is_ok() {}
        let Some(kind) = behaviour.ipv6.filter(|_| self.next <= Instant::now()) else { return };
        self.next = Instant::now() + EVERY;
        let _ = socket.send_slice(&self.packet(kind));
    }

    fn packet(&self, kind: Advertisement) -> Vec<u8> {
        let (managed, other, autonomous) = match kind {
            Advertisement::Autonomous => (0, 0, 0x40),
            Advertisement::Other => (0, 0x40, 0x40),
            Advertisement::Managed => (0x80, 0x40, 0),
        };
        // Type, code, checksum, hop limit, flags, lifetime of the router; reachable and retransmission time.
        let mut message = vec![134, 0, 0, 0, 64, managed | other, 0x07, 0x08];
        message.extend([0; 8]);
        // The router's link-layer address.
        message.extend([1, 1]);
        message.extend(self.mac.as_bytes());
        // The prefix: on the link, 64 bits, an hour.
        message.extend([3, 4, 64, 0x80 | autonomous]);
        message.extend([3600_u32.to_be_bytes(), 3600_u32.to_be_bytes(), [0; 4]].concat());
        message.extend(Ipv6Address::new(0xfd99, self.network.into(), 0, 0, 0, 0, 0, 0).octets());
        if kind == Advertisement::Autonomous {
            message.extend([25, 3, 0, 0, 0, 0, 0x0e, 0x10]);
            message.extend(router6(self.network).octets());
        }
        Icmpv6Packet::new_unchecked(&mut message[..]).fill_checksum(&LINK_LOCAL, &ALL_NODES);
        let header = Ipv6Repr {
            src_addr: LINK_LOCAL,
            dst_addr: ALL_NODES,
            next_header: IpProtocol::Icmpv6,
            payload_len: message.len(),
            hop_limit: 255,
        };
        let mut packet = vec![0; header.buffer_len()];
        header.emit(&mut Ipv6Packet::new_unchecked(&mut packet[..]));
        packet.extend(message);
        packet
    }
}
