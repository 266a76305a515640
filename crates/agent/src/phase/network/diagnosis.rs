//! What the state of the network, and the end of a race, mean for a person.

use crate::{failure::Failure, status::Card};
use xenoboot_net::{Cause, Lease, LinkStatus, Status, Trouble};
use xenoboot_site::Proxy;
use xenoboot_wire::Code;

/// Most ways to a server that are named in one failure.
const NAMED: usize = 3;

/// Why no link can be used.
pub(super) fn diagnose(status: &Status) -> Failure {
    let used: Vec<&LinkStatus> = status.links.iter().filter(|link| link.used).collect();
    let names = |links: &[&LinkStatus]| {
        links.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    if status.links.is_empty() {
        return Failure::new(Code::NoCard, "no driver has found a network card");
    }
    if let Some(missing) = status.missing.first().filter(|_| used.is_empty()) {
        let cause = format!(
            "no card with {missing}; there are {}",
            names(&status.links.iter().collect::<Vec<_>>())
        );
        return Failure::new(Code::CardMissing, cause);
    }
    let linked: Vec<&LinkStatus> = used.iter().copied().filter(|link| link.carrier).collect();
    if linked.is_empty() {
        return Failure::new(Code::NoLink, format!("is the cable plugged in? {}", names(&used)));
    }
    if let Some((link, trouble)) = linked.iter().find_map(|l| Some((l, l.trouble.as_ref()?))) {
        return Failure::new(Code::NoAddress, format!("{}: {trouble}", link.name));
    }
    let asking: Vec<&LinkStatus> =
        linked.iter().copied().filter(|link| link.lease == Lease::Asking).collect();
    if asking.is_empty() {
        return Failure::new(
            Code::NoAddress,
            format!("no router told an address on {}", names(&linked)),
        );
    }
    Failure::new(Code::NoLease, format!("asked on {}", names(&asking)))
}

/// The cards for the screen: those that work first.
pub(super) fn cards(status: &Status) -> Vec<Card> {
    let mut links: Vec<&LinkStatus> = status.links.iter().collect();
    links.sort_by_key(|link| (!link.usable(), !link.carrier, link.index));
    let mut cards: Vec<Card> = links.into_iter().map(card).collect();
    cards.extend(status.missing.iter().map(|missing| Card {
        name: "missing".to_owned(),
        link: false,
        addresses: vec![format!("configured, not there: {missing}")],
    }));
    cards
}

fn card(link: &LinkStatus) -> Card {
    let mut addresses: Vec<String> =
        link.addresses.iter().map(|(a, prefix)| format!("{a}/{prefix}")).collect();
    if addresses.is_empty() {
        let state = match link {
            _ if !link.used => "not used by the site file",
            LinkStatus { trouble: Some(trouble), .. } => trouble,
            _ if !link.carrier => "is the cable plugged in?",
            LinkStatus { lease: Lease::Asking, .. } => "asking for an address by DHCP",
            _ => "waiting for an address",
        };
        addresses.push(state.to_owned());
    }
    Card { name: link.name.clone(), link: link.carrier, addresses }
}

/// What a race that nobody won means: the candidate that got furthest is the most telling.
pub(super) fn explain(
    troubles: &[Trouble<Failure>],
    status: &Status,
    proxy: Option<&Proxy>,
) -> Failure {
    let furthest = troubles.iter().map(|t| rank(&t.cause)).max().unwrap_or(0);
    let mut telling = troubles.iter().filter(|t| rank(&t.cause) == furthest);
    let Some(first) = telling.next() else {
        return Failure::new(Code::NoRoute, "the image names no server");
    };
    let code = match &first.cause {
        Cause::Rejected(failure) => return failure.clone(),
        Cause::NoLink => return diagnose(status),
        _ if proxy.is_some() => Code::ProxyFailed,
        Cause::Unresolved(_) => Code::NameUnresolved,
        Cause::Unreachable(_) | Cause::Io(_) => Code::NoRoute,
        Cause::Refused => Code::ConnectRefused,
        Cause::TimedOut => Code::ConnectTimeout,
    };
    let mut told: Vec<String> =
        std::iter::once(first).chain(telling).take(NAMED).map(tell).collect();
    told.dedup();
    Failure::new(code, told.join("; "))
}

/// How far a candidate got.
fn rank(cause: &Cause<Failure>) -> u8 {
    match cause {
        Cause::NoLink => 1,
        Cause::Unresolved(_) => 2,
        Cause::Io(_) => 3,
        Cause::Unreachable(_) => 4,
        Cause::TimedOut => 5,
        Cause::Refused => 6,
        Cause::Rejected(failure) if failure.code == Code::WrongPin => 8,
        Cause::Rejected(_) => 7,
    }
}

fn tell(trouble: &Trouble<Failure>) -> String {
    let what = &trouble.what;
    match &trouble.cause {
        Cause::Unresolved(why) => format!("{what}: {why}"),
        Cause::Unreachable(e) | Cause::Io(e) => format!("{what}: {e}"),
        Cause::Refused => format!("{what}: nothing listens there"),
        Cause::TimedOut => format!("{what}: no answer"),
        Cause::NoLink | Cause::Rejected(_) => what.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use xenoboot_net::Mac;

    fn link(name: &str, carrier: bool, lease: Lease) -> LinkStatus {
        LinkStatus {
            index: 2,
            name: name.into(),
            mac: Mac([2; 6]),
            driver: "e1000".into(),
            used: true,
            carrier,
            addresses: Vec::new(),
            gateways: Vec::new(),
            dns: Vec::new(),
            lease,
            trouble: None,
        }
    }

    fn status(links: Vec<LinkStatus>, missing: &[&str]) -> Status {
        Status { links, missing: missing.iter().map(|&m| m.to_owned()).collect() }
    }

    #[test]
    fn each_state_has_its_code() {
        let unused = LinkStatus { used: false, ..link("eth0", true, Lease::None) };
        let odd = LinkStatus {
            trouble: Some("MTU 9000: not supported".into()),
            ..link("eth0", true, Lease::Asking)
        };
        for (status, code) in [
            (status(vec![], &["MAC 02:00:00:00:00:01"]), Code::NoCard),
            (status(vec![unused], &["MAC 02:00:00:00:00:01"]), Code::CardMissing),
            (status(vec![link("eth0", false, Lease::None)], &[]), Code::NoLink),
            (
                status(
                    vec![link("eth0", true, Lease::Asking), link("eth1", false, Lease::None)],
                    &[],
                ),
                Code::NoLease,
            ),
            (status(vec![link("eth0", true, Lease::None)], &[]), Code::NoAddress),
            (status(vec![odd], &[]), Code::NoAddress),
        ] {
            let failure = diagnose(&status);
            assert_eq!(failure.code, code, "{failure}");
        }
    }

    #[test]
    fn cards_that_work_come_first() {
        let mut works = LinkStatus { index: 9, ..link("eth9", true, Lease::Bound) };
        works.addresses = vec![("192.0.2.7".parse().unwrap(), 24)];
        let shown = cards(&status(vec![link("eth0", false, Lease::None), works], &["name x*"]));
        let names: Vec<_> = shown.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["eth9", "eth0", "missing"]);
        assert_eq!(shown[0].addresses, ["192.0.2.7/24"]);
        assert_eq!(shown[1].addresses, ["is the cable plugged in?"]);
    }

    fn trouble(what: &str, cause: Cause<Failure>) -> Trouble<Failure> {
        Trouble { target: 0, what: what.into(), cause }
    }

    #[test]
    fn the_candidate_that_got_furthest_is_told() {
        let empty = Status::default();
        let far = Failure::new(Code::WrongPin, "its key is another");
        let all = vec![
            trouble("a over eth0", Cause::Unresolved("no such name".into())),
            trouble("192.0.2.1:1 over eth0", Cause::TimedOut),
            trouble("192.0.2.1:1 over eth1", Cause::TimedOut),
            trouble("192.0.2.2:1 over eth1", Cause::Rejected(far.clone())),
        ];
        assert_eq!(explain(&all, &empty, None), far);
        let failure = explain(&all[..3], &empty, None);
        assert_eq!(failure.code, Code::ConnectTimeout);
        assert!(failure.cause.contains("eth0") && failure.cause.contains("eth1"), "{failure}");
        assert_eq!(explain(&all[..1], &empty, None).code, Code::NameUnresolved);
        let proxy = Proxy { host: xenoboot_site::Host::Name("p".into()), port: 1 };
        assert_eq!(explain(&all[..1], &empty, Some(&proxy)).code, Code::ProxyFailed);
        let unreachable =
            vec![trouble("x", Cause::Unreachable(io::ErrorKind::HostUnreachable.into()))];
        assert_eq!(explain(&unreachable, &empty, None).code, Code::NoRoute);
        assert_eq!(explain(&[trouble("network", Cause::NoLink)], &empty, None).code, Code::NoCard);
    }
}
