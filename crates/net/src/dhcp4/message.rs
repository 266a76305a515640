//! DHCP messages that the client sends, and the reading of answers.

use crate::{config::Mac, pdu::options::Options};
use dhcproto::{
    Encodable,
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

/// What a server says, as far as it matters to us.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Option 53 (RFC 2132, section 9.6).
    pub(crate) kind: MessageType,
    /// The address that is offered.
    pub(crate) address: Ipv4Addr,
    pub(crate) options: Options,
}

impl Answer {
    /// Reads an answer to the transaction `xid` of the client `mac` (RFC 2131, section 2).
    pub(crate) fn parse(bytes: &[u8], xid: u32, mac: Mac) -> Option<Self> {
        const REPLY: u8 = 2;
        const COOKIE: [u8; 4] = [99, 130, 83, 99];
        if bytes.len() > usize::from(MAX_SIZE) {
            return None;
        }
        let field = |at: usize, length: usize| bytes.get(at..at + length);
        let ours = field(0, 3)? == [REPLY, 1, 6]
            && field(4, 4)? == xid.to_be_bytes()
            && field(28, 6)? == mac.0
            && field(236, 4)? == COOKIE;
        let address: [u8; 4] = field(16, 4)?.try_into().ok()?;
        let options = Options::v4(bytes.get(240..)?)?;
        let [kind] = options.array(53)?;
        ours.then(|| Self { kind: kind.into(), address: address.into(), options })
    }
}
