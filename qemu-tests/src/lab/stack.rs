//! The network's own TCP/IP stack and the services on it.

use super::{
    SERVER, SERVER6, Shared, dhcp, dhcp6, dns,
    port::Port,
    relay::{Kind, Relay},
    router::{self, Router},
};
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    socket::udp,
    time::Instant,
    wire::{EthernetAddress, IpCidr, Ipv4Address, Ipv6Address},
};
use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant as Clock},
};

/// How often sockets of the host are looked at.
const TICK: Duration = Duration::from_millis(2);

/// Connections to the server at a time.
const CONNECTIONS: usize = 8;

/// Serves the network until told to stop.
pub(super) fn run(mut port: Port, shared: &Shared) {
    let start = Clock::now();
    let now = || Instant::from_micros(i64::try_from(start.elapsed().as_micros()).unwrap_or(0));
    let network = shared.network;
    let router4 = Ipv4Address::new(10, 99, network, 1);
    let mac = EthernetAddress([0x02, 0, 0, 0x99, network, 1]);
    let mut interface = Interface::new(Config::new(mac.into()), &mut port, now());
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::new(router4.into(), 24));
        let _ = addresses.push(IpCidr::new((*SERVER.ip()).into(), 32));
        let _ = addresses.push(IpCidr::new(router::LINK_LOCAL.into(), 64));
        let _ = addresses.push(IpCidr::new(router6(network).into(), 64));
        let _ = addresses.push(IpCidr::new(SERVER6.into(), 128));
    });
    // Fails only when there are too many.
    let _ = interface.join_multicast_group(dhcp6::ALL_SERVERS);
    let mut sockets = SocketSet::new(Vec::new());
    let dhcp = bound(&mut sockets, 67);
    let dhcp6 = bound(&mut sockets, 547);
    let dns = bound(&mut sockets, 53);
    let mut advertiser = Router::new(mac, network, &mut sockets);
    let direct = (0..CONNECTIONS).map(|_| Kind::Direct);
    let kinds = direct.chain((0..CONNECTIONS).map(|_| Kind::Proxy));
    let mut relays: Vec<_> = kinds.map(|kind| Relay::new(kind, &mut sockets)).collect();

    while !shared.stop.load(Relaxed) {
        port.wait(TICK);
        let behaviour = shared.behaviour().clone();
        (port.delay, port.lose_one_of) = (behaviour.delay, behaviour.lose_one_of);
        port.vlan = behaviour.vlan;
        interface.poll(now(), &mut port, &mut sockets);
        dhcp::serve(sockets.get_mut(dhcp), &behaviour, shared);
        dhcp6::serve(sockets.get_mut(dhcp6), &behaviour, shared);
        dns::serve(sockets.get_mut(dns), &behaviour, shared);
        advertiser.turn(&mut sockets, &behaviour);
        for relay in &mut relays {
            relay.turn(&mut sockets, &behaviour, shared);
        }
        interface.poll(now(), &mut port, &mut sockets);
        port.flush();
        shared.counters.from_machine.store(port.received, Relaxed);
        shared.counters.to_machine.store(port.sent, Relaxed);
    }
}

/// The router's and name server's address.
pub(super) fn router6(network: u8) -> Ipv6Address {
    Ipv6Address::new(0xfd99, network.into(), 0, 0, 0, 0, 0, 1)
}

fn bound(sockets: &mut SocketSet<'_>, port: u16) -> SocketHandle {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 16], vec![0; 16 << 10]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    // Fails only for a port of zero or a socket in use.
    let _ = socket.bind(port);
    sockets.add(socket)
}
