//! The client's state machine (RFC 8415, section 18.2). Time and packets are given to it.

use super::{
    lease::{Lease, name_servers, taken_back},
    message,
};
use crate::{config::Mac, random};
use dhcproto::{
    Encodable,
    v6::{DhcpOption, Message, MessageType},
};
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// First and longest wait between retransmissions, seconds (section 7.6). What asks for the first time
/// waits at most two minutes instead of an hour: a machine that has no address has nothing else to do.
const ASK: (u64, u64) = (1, 120);
const RENEW: (u64, u64) = (10, 600);

/// How often a REQUEST for an offered lease is sent before other servers are asked again.
const REQUESTS: u32 = 5;

/// As long as a SOLICIT was sent less often, a server that refused what it had offered is not listened to.
const AVOIDED: u32 = 3;

/// How long settings hold (section 21.23), seconds: unless the server says, and bounds on what it says.
const REFRESH: u32 = 86_400;
const SHORTEST_REFRESH: u32 = 600;

/// Options' codes (sections 21.14 and 21.23).
const RAPID_COMMIT: u16 = 14;
const REFRESH_TIME: u16 = 32;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// Name servers only: a router's O flag.
    Settings,
    /// An address too: a router's M flag.
    Addresses,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Send to all servers and relay agents.
    Send(Vec<u8>),
    /// Give the lease's address up.
    Lost,
    /// Nothing before this moment.
    Wait(Instant),
}

/// What an answer brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A lease, new or renewed; `None`: it is lost.
    Lease(Option<Lease>),
    /// Name servers, without a lease.
    Settings(Vec<IpAddr>),
}

enum State {
    Soliciting,
    Requesting { offer: Lease },
    Bound { lease: Lease, since: Instant },
    Informing,
    Informed,
}

pub(super) struct Client {
    identity: message::Client,
    state: State,
    xid: [u8; 3],
    /// When this transaction began.
    began: Instant,
    /// When to send next, how often it was sent, and the last wait.
    next: Instant,
    sent: u32,
    wait: Duration,
    /// A server that refused what it had offered.
    avoid: Option<Vec<u8>>,
}

impl Client {
    pub(super) fn new(mode: Mode, mac: Mac, now: Instant) -> Self {
        let state = match mode {
            Mode::Settings => State::Informing,
            Mode::Addresses => State::Soliciting,
        };
        Self {
            identity: message::Client::new(mac),
            state,
            xid: random::bytes(),
            began: now,
            next: now,
            sent: 0,
            wait: Duration::ZERO,
            avoid: None,
        }
    }

    /// What to do at `now`. To be asked again until it says to wait.
    pub(super) fn poll(&mut self, now: Instant) -> Action {
        if now < self.next {
            return Action::Wait(self.next);
        }
        match &self.state {
            State::Requesting { offer } if self.sent >= REQUESTS => {
                self.avoid = Some(offer.server.clone());
                self.begin(State::Soliciting, now);
                self.poll(now)
            }
            State::Informed => {
                self.begin(State::Informing, now);
                self.poll(now)
            }
            State::Soliciting => {
                let options = [self.identity.addresses(None), DhcpOption::RapidCommit];
                self.send(MessageType::Solicit, options, ASK, now)
            }
            State::Requesting { offer } => {
                let server = DhcpOption::ServerId(offer.server.clone());
                let options = [self.identity.addresses(Some(offer.address)), server];
                self.send(MessageType::Request, options, ASK, now)
            }
            State::Informing => self.send(MessageType::InformationRequest, [], ASK, now),
            State::Bound { lease, since } => {
                let (lease, since) = (lease.clone(), *since);
                self.renew(&lease, since, now)
            }
        }
    }

    /// Takes a message; what it brought, if anything.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Option<News> {
        let answer = self.identity.answer(bytes, self.xid)?;
        match (&self.state, answer.kind) {
            (State::Soliciting, MessageType::Advertise) => {
                if self.avoid.as_ref() == Some(&answer.server) && self.sent < AVOIDED {
                    return None;
                }
                let offer = Lease::of(&answer)?;
                self.begin(State::Requesting { offer }, now);
                None
            }
            (State::Soliciting, MessageType::Reply) => {
                // Section 18.2.10: only as an answer to our offer to take the short way.
                answer.options.get(RAPID_COMMIT)?;
                Some(self.bind(Lease::of(&answer)?, now))
            }
            (State::Requesting { offer }, MessageType::Reply) if offer.server == answer.server => {
                if let Some(lease) = Lease::of(&answer) {
                    return Some(self.bind(lease, now));
                }
                // At once would be a loop with a server that offers what it then refuses.
                self.avoid = Some(answer.server);
                self.begin(State::Soliciting, now + Duration::from_secs(1));
                None
            }
            (State::Bound { .. }, MessageType::Reply) => {
                if let Some(lease) = Lease::of(&answer) {
                    return Some(self.bind(lease, now));
                }
                if !taken_back(&answer) {
                    return None;
                }
                self.begin(State::Soliciting, now);
                Some(News::Lease(None))
            }
            (State::Informing, MessageType::Reply) => {
                let refresh = answer.options.number(REFRESH_TIME).unwrap_or(REFRESH);
                let refresh = refresh.clamp(SHORTEST_REFRESH, REFRESH);
                self.begin(State::Informed, now + Duration::from_secs(refresh.into()));
                Some(News::Settings(name_servers(&answer.options)))
            }
            _ => None,
        }
    }

    fn bind(&mut self, lease: Lease, now: Instant) -> News {
        self.avoid = None;
        self.begin(State::Bound { lease: lease.clone(), since: now }, now + lease.renew);
        News::Lease(Some(lease))
    }

    /// RENEW to the lease's own server, then REBIND to any (sections 18.2.4 and 18.2.5).
    fn renew(&mut self, lease: &Lease, since: Instant, now: Instant) -> Action {
        let (rebind, expire) = (since + lease.rebind, since + lease.expire);
        if now >= expire {
            self.begin(State::Soliciting, now);
            return Action::Lost;
        }
        let addresses = self.identity.addresses(Some(lease.address));
        let action = if now < rebind {
            let server = DhcpOption::ServerId(lease.server.clone());
            self.send(MessageType::Renew, [addresses, server], RENEW, now)
        } else {
            self.send(MessageType::Rebind, [addresses], RENEW, now)
        };
        self.next = self.next.min(if now < rebind { rebind } else { expire });
        action
    }

    fn begin(&mut self, state: State, at: Instant) {
        self.xid = random::bytes();
        (self.state, self.began, self.next, self.sent) = (state, at, at, 0);
    }

    fn send<const N: usize>(
        &mut self,
        kind: MessageType,
        options: [DhcpOption; N],
        (first, longest): (u64, u64),
        now: Instant,
    ) -> Action {
        let elapsed = now.saturating_duration_since(self.began);
        let mut message: Message = self.identity.message(kind, self.xid, elapsed);
        for option in options {
            message.opts_mut().insert(option);
        }
        // Section 15: double, a tenth more or less, so that machines switched on together do not ask in step.
        let before = if self.sent == 0 { Duration::from_secs(first) / 2 } else { self.wait };
        let wait = before.mul_f64(1.9 + random::fraction() / 5.0);
        self.wait = wait.min(Duration::from_secs(longest));
        self.next = now + self.wait;
        self.sent = self.sent.saturating_add(1);
        message.to_vec().map_or(Action::Wait(self.next), Action::Send)
    }
}
