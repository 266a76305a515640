use super::{
    client::{Action, Client, Mode, News},
    lease::Lease,
};
use crate::config::Mac;
use dhcproto::{
    Decodable, Decoder, Encodable,
    v6::{DhcpOption, IAAddr, IANA, Message, MessageType, OptionCode, Status, StatusCode},
};
use proptest::prelude::*;
use std::{
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x15);
const DNS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53);
const SERVER: &[u8] = &[0, 3, 0, 1, 2, 0, 0, 0, 0, 9];
const OTHER: &[u8] = &[0, 3, 0, 1, 2, 0, 0, 0, 0, 8];

struct Bench {
    client: Client,
    now: Instant,
}

impl Bench {
    fn new(mode: Mode) -> Self {
        let now = Instant::now();
        Self { client: Client::new(mode, MAC, now), now }
    }

    /// What the client sends next, and when, in seconds from now.
    fn sent(&mut self) -> (Message, f64) {
        let start = self.now;
        loop {
            match self.client.poll(self.now) {
                Action::Wait(until) => self.now = until,
                Action::Send(bytes) => {
                    let message = Message::decode(&mut Decoder::new(&bytes)).unwrap();
                    return (message, (self.now - start).as_secs_f64());
                }
                Action::Lost => panic!("lost"),
            }
        }
    }

    fn receive(&mut self, message: &Message) -> Option<News> {
        self.client.receive(&message.to_vec().unwrap(), self.now)
    }

    fn answer(&mut self, to: &Message, kind: MessageType, server: &[u8]) -> Option<News> {
        self.receive(&answer(to, kind, server, 1000))
    }

    /// One with a lease of 1000 s.
    fn bound() -> Self {
        let mut bench = Self::new(Mode::Addresses);
        let (solicit, _) = bench.sent();
        assert_eq!(solicit.msg_type(), MessageType::Solicit);
        assert_eq!(bench.answer(&solicit, MessageType::Advertise, SERVER), None);
        let (request, after) = bench.sent();
        assert!(after < 0.01, "the request follows at once");
        assert_eq!(request.msg_type(), MessageType::Request);
        assert_eq!(server_of(&request), Some(SERVER.to_vec()));
        assert_eq!(addresses_in(&request), [ADDRESS]);
        let lease = lease(bench.answer(&request, MessageType::Reply, SERVER));
        assert_eq!((lease.address, lease.dns), (ADDRESS, vec![IpAddr::V6(DNS)]));
        bench
    }
}

fn lease(news: Option<News>) -> Lease {
    match news {
        Some(News::Lease(Some(lease))) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

fn set_of(message: &Message) -> Option<&IANA> {
    match message.opts().get(OptionCode::IANA) {
        Some(DhcpOption::IANA(set)) => Some(set),
        _ => None,
    }
}

fn addresses_in(message: &Message) -> Vec<Ipv6Addr> {
    let address = |option: &DhcpOption| match option {
        DhcpOption::IAAddr(given) => Some(given.addr),
        _ => None,
    };
    set_of(message).into_iter().flat_map(|set| set.opts.iter().filter_map(address)).collect()
}

fn server_of(message: &Message) -> Option<Vec<u8>> {
    match message.opts().get(OptionCode::ServerId) {
        Some(DhcpOption::ServerId(id)) => Some(id.clone()),
        _ => None,
    }
}

/// What a server answers to `to`, with one address for `seconds`.
fn answer(to: &Message, kind: MessageType, server: &[u8], seconds: u32) -> Message {
    let mut message = Message::new_with_id(kind, to.xid());
    let options = message.opts_mut();
    options.insert(to.opts().get(OptionCode::ClientId).unwrap().clone());
    options.insert(DhcpOption::ServerId(server.to_vec()));
    options.insert(DhcpOption::DomainNameServers(vec![DNS, Ipv6Addr::LOCALHOST]));
    if let Some(set) = set_of(to) {
        let address = IAAddr {
            addr: ADDRESS,
            preferred_life: seconds,
            valid_life: seconds,
            opts: Default::default(),
        };
        let opts = [DhcpOption::IAAddr(address)].into_iter().collect();
        options.insert(DhcpOption::IANA(IANA { id: set.id, t1: 0, t2: 0, opts }));
    }
    message
}

fn refused(to: &Message, server: &[u8], status: Status) -> Message {
    let mut message = answer(to, MessageType::Reply, server, 1000);
    let code = DhcpOption::StatusCode(StatusCode { status, msg: "no".into() });
    let id = set_of(to).unwrap().id;
    message.opts_mut().remove(OptionCode::IANA);
    let opts = [code].into_iter().collect();
    message.opts_mut().insert(DhcpOption::IANA(IANA { id, t1: 0, t2: 0, opts }));
    message
}

#[test]
fn a_lease_is_renewed_then_asked_of_all_then_lost() {
    let mut bench = Bench::bound();
    let (renew, after) = bench.sent();
    assert_eq!(renew.msg_type(), MessageType::Renew);
    assert!((499.0..501.0).contains(&after), "half of the lease, not {after}");
    assert_eq!(server_of(&renew), Some(SERVER.to_vec()));
    lease(bench.answer(&renew, MessageType::Reply, SERVER));
    let (_, after) = bench.sent();
    assert!((499.0..501.0).contains(&after), "from the renewal on, not {after}");
    let rebind = loop {
        let (message, _) = bench.sent();
        if message.msg_type() == MessageType::Rebind {
            break message;
        }
    };
    assert_eq!(server_of(&rebind), None);
    let end = loop {
        match bench.client.poll(bench.now) {
            Action::Wait(until) => bench.now = until,
            Action::Send(_) => {}
            Action::Lost => break bench.now,
        }
    };
    assert!(end > Instant::now() + Duration::from_secs(1000));
    assert_eq!(bench.sent().0.msg_type(), MessageType::Solicit);
}

#[test]
fn the_short_way_only_when_the_server_agrees_to_it() {
    let mut bench = Bench::new(Mode::Addresses);
    let (solicit, _) = bench.sent();
    assert!(solicit.opts().get(OptionCode::RapidCommit).is_some());
    assert_eq!(bench.answer(&solicit, MessageType::Reply, SERVER), None);
    let mut reply = answer(&solicit, MessageType::Reply, SERVER, 1000);
    reply.opts_mut().insert(DhcpOption::RapidCommit);
    assert_eq!(lease(bench.receive(&reply)).address, ADDRESS);
}

#[test]
fn retransmissions_double_up_to_two_minutes() {
    let mut bench = Bench::new(Mode::Addresses);
    assert!(bench.sent().1 < 0.01);
    let waits: Vec<f64> = (0..12).map(|_| bench.sent().1).collect();
    assert!((0.9..1.1).contains(&waits[0]), "{waits:?}");
    assert!(waits[..6].windows(2).all(|pair| (1.8..2.2).contains(&(pair[1] / pair[0]))));
    assert!(waits.iter().all(|wait| *wait <= 120.0));
}

#[test]
fn a_server_that_refuses_what_it_offers_gives_way_to_another() {
    let mut bench = Bench::new(Mode::Addresses);
    let (solicit, _) = bench.sent();
    bench.answer(&solicit, MessageType::Advertise, SERVER);
    let (request, _) = bench.sent();
    assert_eq!(bench.receive(&refused(&request, SERVER, Status::NoAddrsAvail)), None);
    let (solicit, _) = bench.sent();
    assert_eq!(solicit.msg_type(), MessageType::Solicit);
    bench.answer(&solicit, MessageType::Advertise, SERVER);
    bench.answer(&solicit, MessageType::Advertise, OTHER);
    let (request, _) = bench.sent();
    assert_eq!(server_of(&request), Some(OTHER.to_vec()));
    // One that does not confirm at all is left as well.
    let next = (0..5).map(|_| bench.sent().0).find(|m| m.msg_type() == MessageType::Solicit);
    assert!(next.is_some());
}

#[test]
fn a_lease_that_is_taken_back_is_lost() {
    for take in [
        |to: &Message| refused(to, SERVER, Status::NoBinding),
        |to: &Message| answer(to, MessageType::Reply, SERVER, 0),
    ] {
        let mut bench = Bench::bound();
        let (renew, _) = bench.sent();
        assert_eq!(bench.receive(&refused(&renew, SERVER, Status::UnspecFail)), None);
        assert_eq!(bench.receive(&take(&renew)), Some(News::Lease(None)));
        assert_eq!(bench.sent().0.msg_type(), MessageType::Solicit);
    }
}

#[test]
fn settings_without_an_address() {
    let mut bench = Bench::new(Mode::Settings);
    let (ask, _) = bench.sent();
    assert_eq!(ask.msg_type(), MessageType::InformationRequest);
    assert_eq!(set_of(&ask), None);
    let news = bench.answer(&ask, MessageType::Reply, SERVER);
    assert_eq!(news, Some(News::Settings(vec![IpAddr::V6(DNS)])));
    let (again, after) = bench.sent();
    assert_eq!(again.msg_type(), MessageType::InformationRequest);
    assert!((86_399.0..86_401.0).contains(&after), "a day, not {after}");
}

#[test]
fn what_is_for_others_or_useless_is_not_taken() {
    let mut bench = Bench::new(Mode::Addresses);
    let (solicit, _) = bench.sent();
    let good = answer(&solicit, MessageType::Advertise, SERVER, 1000);
    let mut bad = vec![good.clone(); 4];
    bad[0].set_xid([1, 2, 3]);
    bad[1].opts_mut().remove(OptionCode::ClientId);
    bad[2].opts_mut().remove(OptionCode::ServerId);
    if let Some(DhcpOption::IANA(set)) = bad[3].opts_mut().get_mut(OptionCode::IANA) {
        (set.t1, set.t2) = (20, 10);
    }
    for message in &bad {
        bench.receive(message);
        assert!(bench.sent().0.msg_type() == MessageType::Solicit, "{message:?}");
    }
    bench.receive(&good);
    assert_eq!(bench.sent().0.msg_type(), MessageType::Request);
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
        let mut bench = Bench::new(Mode::Addresses);
        let (solicit, _) = bench.sent();
        prop_assert_eq!(bench.client.receive(&bytes, bench.now), None);
        let head = [&[2][..], &solicit.xid(), &bytes].concat();
        let _ = bench.client.receive(&head, bench.now);
    }

    #[test]
    fn a_damaged_answer_does_no_harm(at in 0usize..120, with: u8) {
        let mut bench = Bench::bound();
        let (renew, _) = bench.sent();
        let mut bytes = answer(&renew, MessageType::Reply, SERVER, 1000).to_vec().unwrap();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        if let Some(News::Lease(Some(lease))) = bench.client.receive(&bytes, bench.now) {
            prop_assert!(lease.expire >= Duration::from_secs(30));
            prop_assert!(!lease.address.is_multicast());
        }
        // Whatever came, it goes on.
        let _ = bench.client.poll(bench.now);
    }
}
