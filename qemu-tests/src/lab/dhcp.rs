//! The DHCP server (RFC 2131): one address, and whatever it is told to say about the network.

use super::{Behaviour, Shared};
use smoltcp::{
    socket::udp,
    wire::{DhcpMessageType, DhcpPacket, DhcpRepr, IpEndpoint, Ipv4Address},
};
use std::sync::atomic::Ordering::Relaxed;

/// Answers what has come.
pub(super) fn serve(socket: &mut udp::Socket<'_>, behaviour: &Behaviour, shared: &Shared) {
    while let Ok((bytes, from)) = socket.recv() {
        shared.counters.dhcp.fetch_add(1, Relaxed);
        let Some(answer) = answer(bytes, behaviour, shared.network) else { continue };
        // A machine that has an address already (RENEWING) is answered there, all others by broadcast.
        let unicast = matches!(from.endpoint.addr,
            smoltcp::wire::IpAddress::Ipv4(address) if !address.is_unspecified());
        let to = IpEndpoint::new(Ipv4Address::BROADCAST.into(), 68);
        let _ = socket.send_slice(&answer, if unicast { from.endpoint } else { to });
    }
}

fn answer(bytes: &[u8], behaviour: &Behaviour, network: u8) -> Option<Vec<u8>> {
    let packet = DhcpPacket::new_checked(bytes).ok()?;
    let asked = DhcpRepr::parse(&packet).ok()?;
    let message_type = match asked.message_type {
        DhcpMessageType::Discover => DhcpMessageType::Offer,
        DhcpMessageType::Request if behaviour.nak => DhcpMessageType::Nak,
        DhcpMessageType::Request => DhcpMessageType::Ack,
        _ => return None,
    };
    if !behaviour.dhcp {
        return None;
    }
    let host = |number| Ipv4Address::new(10, 99, network, number);
    let granted = message_type != DhcpMessageType::Nak;
    let repr = DhcpRepr {
        message_type,
        your_ip: if granted { host(50) } else { Ipv4Address::UNSPECIFIED },
        server_ip: host(1),
        server_identifier: Some(host(1)),
        router: granted.then_some(behaviour.gateway),
        subnet_mask: granted.then_some(Ipv4Address::new(255, 255, 255, 0)),
        lease_duration: granted.then_some(behaviour.lease),
        dns_servers: granted.then(|| [behaviour.dns].into_iter().collect()),
        requested_ip: None,
        client_identifier: None,
        parameter_request_list: None,
        max_size: None,
        additional_options: &[],
        ..asked
    };
    let mut out = vec![0; repr.buffer_len()];
    repr.emit(&mut DhcpPacket::new_unchecked(&mut out[..])).ok()?;
    Some(out)
}
