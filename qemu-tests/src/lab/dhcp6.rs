//! The DHCPv6 server (RFC 8415): one address, and the name server.

use super::{Advertisement, Behaviour, Shared, stack::router6};
use dhcproto::{
    Decodable, Decoder, Encodable,
    v6::{DhcpOption, IAAddr, IANA, Message, MessageType, OptionCode},
};
use smoltcp::{socket::udp, wire::Ipv6Address};
use std::sync::atomic::Ordering::Relaxed;

/// All servers and relay agents.
pub(super) const ALL_SERVERS: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// A DUID-LL.
const SERVER: [u8; 10] = [0, 3, 0, 1, 2, 0, 0, 0x99, 0, 1];

/// Answers what has come.
pub(super) fn serve(socket: &mut udp::Socket<'_>, behaviour: &Behaviour, shared: &Shared) {
    while let Ok((bytes, from)) = socket.recv() {
        shared.counters.dhcp6.fetch_add(1, Relaxed);
        if let Some(answer) = answer(bytes, behaviour, shared.network) {
            let _ = socket.send_slice(&answer, from.endpoint);
        }
    }
}

fn answer(bytes: &[u8], behaviour: &Behaviour, network: u8) -> Option<Vec<u8>> {
    let asked = Message::decode(&mut Decoder::new(bytes)).ok()?;
    let managed = behaviour.ipv6? == Advertisement::Managed;
    let kind = match asked.msg_type() {
        MessageType::Solicit if managed => MessageType::Advertise,
        MessageType::Request | MessageType::Renew | MessageType::Rebind if managed => {
            MessageType::Reply
        }
        MessageType::InformationRequest => MessageType::Reply,
        _ => return None,
    };
    let mut answer = Message::new_with_id(kind, asked.xid());
    let options = answer.opts_mut();
    options.insert(asked.opts().get(OptionCode::ClientId)?.clone());
    options.insert(DhcpOption::ServerId(SERVER.to_vec()));
    options.insert(DhcpOption::DomainNameServers(vec![router6(network)]));
    if let Some(DhcpOption::IANA(set)) = asked.opts().get(OptionCode::IANA) {
        let address = IAAddr {
            addr: Ipv6Address::new(0xfd99, network.into(), 0, 0, 0, 0, 0, 0x50),
            preferred_life: behaviour.lease,
            valid_life: behaviour.lease,
            opts: [].into_iter().collect(),
        };
        let opts = [DhcpOption::IAAddr(address)].into_iter().collect();
        options.insert(DhcpOption::IANA(IANA { id: set.id, t1: 0, t2: 0, opts }));
    }
    answer.to_vec().ok()
}
