//! DHCPv6 messages that the client sends, and the reading of answers.

use crate::{config::Mac, pdu::options::Options};
use dhcproto::v6::{DhcpOption, IAAddr, IANA, Message, MessageType, ORO, OptionCode};
use std::{net::Ipv6Addr, time::Duration};

/// Largest message that we take, bytes.
pub(super) const MAX_SIZE: usize = 1500;

/// Longest identifier of a server (section 11.1).
const MAX_DUID: usize = 130;

/// Options' codes (RFC 8415, section 21).
const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const ADDRESSES: u16 = 3;
const ADDRESS: u16 = 5;

/// Who we are to servers.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// DUID-LL: type 3, hardware type 1, the address (section 11.4). It needs no memory to stay the same.
    duid: Vec<u8>,
    /// Identifies our one set of addresses among others of the same client.
    iaid: u32,
}

impl Client {
    pub(super) fn new(mac: Mac) -> Self {
        let [_, _, a, b, c, d] = mac.0;
        let duid = [&[0, 3, 0, 1][..], &mac.0].concat();
        Self { duid, iaid: u32::from_be_bytes([a, b, c, d]) }
    }

    /// A message of type `kind` in the transaction `xid` that began `elapsed` ago.
    pub(super) fn message(&self, kind: MessageType, xid: [u8; 3], elapsed: Duration) -> Message {
        let mut message = Message::new_with_id(kind, xid);
        let hundredths = u16::try_from(elapsed.as_millis() / 10).unwrap_or(u16::MAX);
        let options = message.opts_mut();
        options.insert(DhcpOption::ClientId(self.duid.clone()));
        options.insert(DhcpOption::ElapsedTime(hundredths));
        options.insert(DhcpOption::ORO(ORO { opts: vec![OptionCode::DomainNameServers] }));
        message
    }

    /// The option that asks for an address: for any, or for this one.
    pub(super) fn addresses(&self, wanted: Option<Ipv6Addr>) -> DhcpOption {
        let address = |addr| {
            let opts = Default::default();
            DhcpOption::IAAddr(IAAddr { addr, preferred_life: 0, valid_life: 0, opts })
        };
        let opts = wanted.map(address).into_iter().collect();
        DhcpOption::IANA(IANA { id: self.iaid, t1: 0, t2: 0, opts })
    }

    /// Reads an answer to us in the transaction `xid` (sections 8 and 16).
    pub(super) fn answer(&self, bytes: &[u8], xid: [u8; 3]) -> Option<Answer> {
        if bytes.len() > MAX_SIZE {
            return None;
        }
        let ([kind, head @ ..], rest) = bytes.split_first_chunk::<4>()?;
        let options = Options::v6(rest)?;
        let server = options.get(SERVER_ID).filter(|id| (1..=MAX_DUID).contains(&id.len()))?;
        let ours = *head == xid && options.get(CLIENT_ID) == Some(&self.duid);
        let set = options.all(ADDRESSES).filter_map(Set::parse).find(|set| set.id == self.iaid);
        ours.then(|| Answer {
            kind: (*kind).into(),
            server: server.to_vec(),
            set,
            options: options.clone(),
        })
    }
}

/// What a server says, as far as it matters to us.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) kind: MessageType,
    /// The server's identifier.
    pub(super) server: Vec<u8>,
    /// Our set of addresses.
    pub(super) set: Option<Set>,
    pub(super) options: Options,
}

/// A set of addresses, IA_NA (section 21.4).
#[derive(Clone, Debug)]
pub(super) struct Set {
    id: u32,
    /// Seconds until it is to be renewed with its server, and with any.
    pub(super) t1: u32,
    pub(super) t2: u32,
    pub(super) addresses: Vec<Address>,
    pub(super) options: Options,
}

/// An address in a set (section 21.6).
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) address: Ipv6Addr,
    /// Seconds.
    pub(super) preferred: u32,
    pub(super) valid: u32,
    pub(super) options: Options,
}

impl Set {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = number(bytes)?;
        let (t1, rest) = number(rest)?;
        let (t2, rest) = number(rest)?;
        let options = Options::v6(rest)?;
        let addresses = options.all(ADDRESS).map(Address::parse).collect::<Option<_>>()?;
        Some(Self { id, t1, t2, addresses, options })
    }
}

impl Address {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (address, rest) = bytes.split_first_chunk::<16>()?;
        let (preferred, rest) = number(rest)?;
        let (valid, rest) = number(rest)?;
        Some(Self { address: (*address).into(), preferred, valid, options: Options::v6(rest)? })
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk::<4>().map(|(number, rest)| (u32::from_be_bytes(*number), rest))
}
