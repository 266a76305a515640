//! DHCP messages that the client sends, and the reading of answers.

use crate::config::Mac;
use dhcproto::{
    Decodable, Decoder, Encodable,
    v4::{DhcpOption, Flags, Message, MessageType, OptionCode},
};
use std::net::Ipv4Addr;

/// Largest message that we take, as we tell servers.
pub(crate) const MAX_SIZE: u16 = 1500;

const REQUESTED: [OptionCode; 10] = [
    OptionCode::SubnetMask,
    OptionCode::Router,
    OptionCode::DomainNameServer,
    OptionCode::Hostname,
    OptionCode::DomainName,
    OptionCode::InterfaceMtu,
    OptionCode::AddressLeaseTime,
    OptionCode::Renewal,
    OptionCode::Rebinding,
    OptionCode::ClasslessStaticRoute,
];

/// A message of type `kind`. `address` is one that the client has and may be reached at.
pub(crate) fn new(
    kind: MessageType,
    xid: u32,
    secs: u16,
    mac: Mac,
    hostname: &str,
    address: Option<Ipv4Addr>,
) -> Message {
    let mut message = Message::default();
    message.set_xid(xid).set_secs(secs).set_chaddr(&mac.0);
    match address {
        Some(address) => drop(message.set_ciaddr(address)),
        // Without an address we could not be reached: answers shall be broadcast.
        None => drop(message.set_flags(Flags::default().set_broadcast())),
    }
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    // Hardware type 1, Ethernet, and the address: the same identity that firmware uses.
    let id = [&[1][..], &mac.0].concat();
    options.insert(DhcpOption::ClientIdentifier(id));
    options.insert(DhcpOption::ParameterRequestList(REQUESTED.to_vec()));
    options.insert(DhcpOption::MaxMessageSize(MAX_SIZE));
    if !hostname.is_empty() {
        options.insert(DhcpOption::Hostname(hostname.to_owned()));
    }
    message
}

/// The message's bytes. `None` only for a message that cannot be encoded, which ours can.
pub(crate) fn encode(message: &Message) -> Option<Vec<u8>> {
    let mut bytes = message.to_vec().ok()?;
    // BOOTP's shortest message (RFC 1542, section 2.1), which some relays insist on.
    bytes.resize(bytes.len().max(300), 0);
    Some(bytes)
}

/// Reads an answer to the transaction `xid` of the client `mac`.
pub(crate) fn answer(bytes: &[u8], xid: u32, mac: Mac) -> Option<(MessageType, Message)> {
    if bytes.len() > usize::from(MAX_SIZE) {
        return None;
    }
    let message = Message::decode(&mut Decoder::new(bytes)).ok()?;
    let ours = message.xid() == xid && message.hlen() == 6 && message.chaddr() == mac.0;
    let kind = match message.opts().get(OptionCode::MessageType) {
        Some(DhcpOption::MessageType(kind)) => *kind,
        _ => return None,
    };
    ours.then_some((kind, message))
}
