//! The client's state machine (RFC 2131, figure 5). Time and packets are given to it.

use super::{
    lease::{Lease, server},
    message::{self, Answer},
};
use crate::{config::Mac, random};
use dhcproto::v4::{DhcpOption, Message, MessageType};
use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

/// Waits between retransmissions, seconds; the last one is repeated. RFC 2131 (section 4.1) begins with 4 s;
/// a switch port that forwards only after a moment is no reason to wait so long.
const WAITS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// How often a REQUEST for an offered lease is sent before other servers are asked again.
const REQUESTS: usize = 4;

/// As long as a DISCOVER was sent less often, a server that refused what it had offered is not listened to.
const AVOIDED: usize = 3;

/// The option's code (RFC 4039).
const RAPID_COMMIT: u16 = 80;

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Send to everybody, from no address.
    Broadcast(Vec<u8>),
    /// Send from the leased address, to its server or to everybody.
    FromLease(Vec<u8>, Ipv4Addr),
    /// Give the lease's address up.
    Lost,
    /// Nothing before this moment.
    Wait(Instant),
}

enum State {
    Selecting,
    Requesting { offer: Lease },
    Bound { lease: Lease, since: Instant },
}

pub(super) struct Client {
    mac: Mac,
    hostname: String,
    state: State,
    xid: u32,
    /// When this transaction began.
    began: Instant,
    /// When to send next, and how often it was sent.
    next: Instant,
    sent: usize,
    /// A server that refused, or never confirmed, what it had offered.
    avoid: Option<Ipv4Addr>,
}

impl Client {
    pub(super) fn new(mac: Mac, hostname: String, now: Instant) -> Self {
        let xid = u32::from_ne_bytes(random::bytes());
        let state = State::Selecting;
        Self { mac, hostname, state, xid, began: now, next: now, sent: 0, avoid: None }
    }

    /// Whether answers are waited for without an address.
    pub(super) fn unbound(&self) -> bool {
        !matches!(self.state, State::Bound { .. })
    }

    /// What to do at `now`. To be asked again until it says to wait.
    pub(super) fn poll(&mut self, now: Instant) -> Action {
        if now < self.next {
            return Action::Wait(self.next);
        }
        match &self.state {
            State::Requesting { offer } if self.sent >= REQUESTS => {
                self.avoid = Some(offer.server);
                self.begin(State::Selecting, now);
                self.poll(now)
            }
            State::Selecting => {
                let mut discover = self.message(MessageType::Discover, now, None);
                discover.opts_mut().insert(DhcpOption::RapidCommit);
                self.retransmitted(now);
                self.broadcast(&discover)
            }
            State::Requesting { offer } => {
                let (address, server) = (offer.address, offer.server);
                let mut request = self.message(MessageType::Request, now, None);
                request.opts_mut().insert(DhcpOption::RequestedIpAddress(address));
                request.opts_mut().insert(DhcpOption::ServerIdentifier(server));
                self.retransmitted(now);
                self.broadcast(&request)
            }
            State::Bound { lease, since } => {
                let (lease, since) = (lease.clone(), *since);
                self.renew(&lease, since, now)
            }
        }
    }

    /// Takes a message; the lease, if it brought one.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Option<Lease> {
        let message = Answer::parse(bytes, self.xid, self.mac)?;
        match (&self.state, message.kind) {
            (State::Selecting, MessageType::Offer) => {
                let offer = Lease::of(&message)?;
                if self.avoid == Some(offer.server) && self.sent < AVOIDED {
                    return None;
                }
                self.next = now;
                self.sent = 0;
                self.state = State::Requesting { offer };
                None
            }
            (State::Selecting, MessageType::Ack) => {
                // RFC 4039: only as an answer to our offer to take the short way.
                message.options.get(RAPID_COMMIT)?;
                Some(self.bind(Lease::of(&message)?, now))
            }
            (State::Requesting { offer }, MessageType::Ack)
                if server(&message) == Some(offer.server) =>
            {
                Some(self.bind(Lease::of(&message)?, now))
            }
            (State::Requesting { offer }, MessageType::Nak)
                if server(&message) == Some(offer.server) =>
            {
                self.avoid = server(&message);
                // At once would be a loop with a server that offers what it then refuses.
                self.begin(State::Selecting, now + Duration::from_secs(1));
                None
            }
            (State::Bound { lease, .. }, MessageType::Ack) => {
                let new = Lease::of(&message).filter(|new| new.address == lease.address)?;
                Some(self.bind(new, now))
            }
            (State::Bound { lease, since }, MessageType::Nak)
                if server(&message) == Some(lease.server) =>
            {
                // The address is lost; said at the next poll by an expiry that lies in the past.
                let since = since.checked_sub(lease.expire).unwrap_or(*since);
                let lease = Lease { expire: Duration::ZERO, ..lease.clone() };
                self.state = State::Bound { lease, since };
                self.next = now;
                None
            }
            _ => None,
        }
    }

    fn bind(&mut self, lease: Lease, now: Instant) -> Lease {
        self.next = now + lease.renew;
        (self.sent, self.avoid) = (0, None);
        self.state = State::Bound { lease: lease.clone(), since: now };
        lease
    }

    /// RENEWING and REBINDING (section 4.4.5): half of the time that is left, but not less than a minute
    /// where so much is left.
    fn renew(&mut self, lease: &Lease, since: Instant, now: Instant) -> Action {
        let (rebind, expire) = (since + lease.rebind, since + lease.expire);
        if now >= expire {
            self.begin(State::Selecting, now);
            return Action::Lost;
        }
        if self.sent == 0 {
            self.xid = u32::from_ne_bytes(random::bytes());
            self.began = now;
        }
        let (until, to) =
            if now < rebind { (rebind, lease.server) } else { (expire, Ipv4Addr::BROADCAST) };
        let pause = (until - now) / 2;
        self.next = (now + pause.max(Duration::from_secs(60))).min(until);
        self.sent += 1;
        let request = self.message(MessageType::Request, now, Some(lease.address));
        match message::encode(&request) {
            Some(bytes) => Action::FromLease(bytes, to),
            None => Action::Wait(self.next),
        }
    }

    fn begin(&mut self, state: State, at: Instant) {
        self.xid = u32::from_ne_bytes(random::bytes());
        (self.state, self.began, self.next, self.sent) = (state, at, at, 0);
    }

    fn retransmitted(&mut self, now: Instant) {
        let wait = WAITS.get(self.sent).or(WAITS.last()).copied().unwrap_or(64);
        // Up to a second more or less, so that machines switched on together do not ask in step.
        let wait = Duration::from_secs(wait).mul_f64(0.75 + random::fraction() / 2.0);
        self.next = now + wait;
        self.sent += 1;
    }

    fn message(&self, kind: MessageType, now: Instant, address: Option<Ipv4Addr>) -> Message {
        let secs = now.saturating_duration_since(self.began).as_secs();
        let secs = u16::try_from(secs).unwrap_or(u16::MAX);
        message::new(kind, self.xid, secs, self.mac, &self.hostname, address)
    }

    fn broadcast(&self, message: &Message) -> Action {
        message::encode(message).map_or(Action::Wait(self.next), Action::Broadcast)
    }
}
