use super::{
    client::{Action, Client},
    lease::Lease,
};
use crate::config::Mac;
use dhcproto::{
    Decodable, Decoder, Encodable,
    v4::{DhcpOption, Message, MessageType, Opcode, OptionCode},
};
use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);

struct Bench {
    client: Client,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self { client: Client::new(MAC, "xenoboot".into(), now), now }
    }

    /// What the client sends next, and when, in seconds from now.
    fn sent(&mut self) -> (Message, f64) {
        let start = self.now;
        loop {
            match self.client.poll(self.now) {
                Action::Wait(until) => self.now = until,
                Action::Broadcast(bytes) | Action::FromLease(bytes, _) => {
                    let message = Message::decode(&mut Decoder::new(&bytes)).unwrap();
                    return (message, (self.now - start).as_secs_f64());
                }
                Action::Lost => panic!("lost"),
            }
        }
    }

    fn answer(
        &mut self,
        to: &Message,
        kind: MessageType,
        change: impl FnOnce(&mut Message),
    ) -> Option<Lease> {
        let mut message = Message::default();
        message
            .set_opcode(Opcode::BootReply)
            .set_xid(to.xid())
            .set_chaddr(&MAC.0)
            .set_yiaddr(ADDRESS);
        for option in [
            DhcpOption::MessageType(kind),
            DhcpOption::ServerIdentifier(SERVER),
            DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)),
            DhcpOption::Router(vec![SERVER]),
            DhcpOption::AddressLeaseTime(1000),
        ] {
            message.opts_mut().insert(option);
        }
        change(&mut message);
        self.client.receive(&message.to_vec().unwrap(), self.now)
    }

    fn bound() -> Self {
        let mut bench = Self::new();
        let (discover, _) = bench.sent();
        assert_eq!(bench.answer(&discover, MessageType::Offer, |_| {}), None);
        let (request, after) = bench.sent();
        assert!(after < 0.01, "the request follows at once");
        assert_eq!(kind(&request), MessageType::Request);
        let lease = bench.answer(&request, MessageType::Ack, |_| {}).unwrap();
        assert_eq!((lease.address, lease.prefix, lease.gateway), (ADDRESS, 24, Some(SERVER)));
        bench
    }
}

fn kind(message: &Message) -> MessageType {
    match message.opts().get(OptionCode::MessageType) {
        Some(DhcpOption::MessageType(kind)) => *kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_silent_server_is_asked_for_ever_and_ever_less_often() {
    let mut bench = Bench::new();
    assert!(bench.sent().1 < 0.01);
    let waits: Vec<_> = (0..9).map(|_| bench.sent().1).collect();
    for (wait, middle) in waits.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 64.0, 64.0]) {
        assert!((middle * 0.7..middle * 1.3).contains(wait), "{waits:?}");
    }
}

#[test]
fn rapid_commit_saves_a_round_trip() {
    let mut bench = Bench::new();
    let (discover, _) = bench.sent();
    assert!(discover.opts().get(OptionCode::RapidCommit).is_some());
    let rapid = |message: &mut Message| {
        let _ = message.opts_mut().insert(DhcpOption::RapidCommit);
    };
    assert!(bench.answer(&discover, MessageType::Ack, |_| {}).is_none(), "not unless it says so");
    assert!(bench.answer(&discover, MessageType::Ack, rapid).is_some());
}

#[test]
fn a_lease_is_renewed_then_rebound_then_lost() {
    let mut bench = Bench::bound();
    let start = bench.now;
    let (renewal, after) = bench.sent();
    assert_eq!((renewal.ciaddr(), after.round()), (ADDRESS, 500.0));
    let mut rebound = false;
    let lost = loop {
        match bench.client.poll(bench.now) {
            Action::FromLease(_, to) => {
                let at = (bench.now - start).as_secs();
                assert_eq!(to == Ipv4Addr::BROADCAST, at >= 875, "at {at} s");
                rebound |= to == Ipv4Addr::BROADCAST;
            }
            Action::Wait(until) => bench.now = until,
            Action::Lost => break bench.now - start,
            Action::Broadcast(_) => panic!("asked as if without an address"),
        }
    };
    assert!(rebound);
    assert_eq!(lost, Duration::from_secs(1000));
    assert_eq!(kind(&bench.sent().0), MessageType::Discover);
}

#[test]
fn a_renewal_that_is_acknowledged_starts_the_lease_anew() {
    let mut bench = Bench::bound();
    let (renewal, _) = bench.sent();
    assert!(bench.answer(&renewal, MessageType::Ack, |_| {}).is_some());
    assert_eq!(bench.sent().1.round(), 500.0);
    // An answer to an older transaction counts for nothing.
    assert!(bench.answer(&renewal, MessageType::Ack, |_| {}).is_none());
}

#[test]
fn a_refused_renewal_loses_the_address_at_once() {
    let mut bench = Bench::bound();
    let (renewal, _) = bench.sent();
    bench.answer(&renewal, MessageType::Nak, |_| {});
    assert_eq!(bench.client.poll(bench.now), Action::Lost);
}

#[test]
fn useless_leases_are_not_taken() {
    let spoil: [fn(&mut Message); 6] = [
        |m| {
            let _ = m.set_yiaddr(Ipv4Addr::UNSPECIFIED);
        },
        |m| {
            let _ = m.set_yiaddr(Ipv4Addr::BROADCAST);
        },
        |m| {
            let _ = m.set_yiaddr(Ipv4Addr::LOCALHOST);
        },
        |m| {
            let _ = m.set_chaddr(&[9; 6]);
        },
        |m| {
            let _ = m.set_xid(1);
        },
        |m| {
            let _ = m.opts_mut().insert(DhcpOption::SubnetMask(Ipv4Addr::new(255, 0, 255, 0)));
        },
    ];
    for (nth, spoil) in spoil.into_iter().enumerate() {
        let mut bench = Bench::new();
        let (discover, _) = bench.sent();
        bench.answer(&discover, MessageType::Offer, spoil);
        assert!(bench.sent().1 > 0.5, "offer {nth} was taken");
    }
}

#[test]
fn absurd_times_are_bounded() {
    let mut bench = Bench::new();
    let (discover, _) = bench.sent();
    bench.answer(&discover, MessageType::Offer, |_| {});
    let (request, _) = bench.sent();
    let absurd = |m: &mut Message| {
        m.opts_mut().insert(DhcpOption::AddressLeaseTime(0));
        m.opts_mut().insert(DhcpOption::Renewal(u32::MAX));
        m.opts_mut().insert(DhcpOption::Rebinding(0));
    };
    let lease = bench.answer(&request, MessageType::Ack, absurd).unwrap();
    assert!(lease.renew >= Duration::from_secs(10));
    assert!(lease.renew <= lease.rebind && lease.rebind <= lease.expire);
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
        let mut bench = Bench::new();
        bench.sent();
        proptest::prop_assert!(bench.client.receive(&bytes, bench.now).is_none());
    }

    #[test]
    fn damaged_answers_do_no_harm(at in 0usize..300, value: u8) {
        let mut bench = Bench::new();
        let (discover, _) = bench.sent();
        let mut bytes = discover.to_vec().unwrap();
        // As an answer it gets further.
        bytes[0] = 2;
        let at = at % bytes.len();
        bytes[at] = value;
        bench.client.receive(&bytes, bench.now);
    }
}
