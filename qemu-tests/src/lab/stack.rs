//! The network's own TCP/IP stack and the services on it.

use super::{SERVER, Shared, dhcp, dns, port::Port, relay::Relay};
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    socket::udp,
    time::Instant,
    wire::{EthernetAddress, IpCidr, Ipv4Address},
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
    let router = Ipv4Address::new(10, 99, network, 1);
    let mac = EthernetAddress([0x02, 0, 0, 0x99, network, 1]);
    let mut interface = Interface::new(Config::new(mac.into()), &mut port, now());
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::new(router.into(), 24));
        let _ = addresses.push(IpCidr::new((*SERVER.ip()).into(), 32));
    });
    let mut sockets = SocketSet::new(Vec::new());
    let dhcp = bound(&mut sockets, 67);
    let dns = bound(&mut sockets, 53);
    let mut relays: Vec<_> = (0..CONNECTIONS).map(|_| Relay::new(&mut sockets)).collect();

    while !shared.stop.load(Relaxed) {
        port.wait(TICK);
        let behaviour = shared.behaviour().clone();
        (port.delay, port.lose_one_of) = (behaviour.delay, behaviour.lose_one_of);
        interface.poll(now(), &mut port, &mut sockets);
        dhcp::serve(sockets.get_mut(dhcp), &behaviour, shared);
        dns::serve(sockets.get_mut(dns), &behaviour, shared);
        for relay in &mut relays {
            relay.turn(&mut sockets, &behaviour, shared);
        }
        interface.poll(now(), &mut port, &mut sockets);
        port.flush();
        shared.counters.from_machine.store(port.received, Relaxed);
        shared.counters.to_machine.store(port.sent, Relaxed);
    }
}

fn bound(sockets: &mut SocketSet<'_>, port: u16) -> SocketHandle {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 16], vec![0; 16 << 10]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    // Fails only for a port of zero or a socket in use.
    let _ = socket.bind(port);
    sockets.add(socket)
}
