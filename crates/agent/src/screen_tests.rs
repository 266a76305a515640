use super::*;
use crate::status::Next;
use proptest::prelude::*;
use xenoboot_wire::Code;

fn shown(status: &Status, now_ms: u64) -> String {
    let lines = render(status, now_ms);
    assert!(lines.iter().all(|l| l.len() == WIDTH && l.bytes().all(|b| matches!(b, b' '..=b'~'))));
    lines.map(|l| l.trim_end().to_owned()).join("\n")
}

fn card(name: &str, link: bool, addresses: &[&str]) -> Card {
    Card { name: name.into(), link, addresses: addresses.iter().map(|&a| a.to_owned()).collect() }
}

fn machine() -> Status {
    Status {
        version: "0.1.0".into(),
        machine: Some("rescue-01".into()),
        fingerprint: Some("7ZQ4-0M3K-V9RB-22TC-HX5E".into()),
        ..Status::default()
    }
}

#[test]
fn at_first() {
    let status = Status { version: "0.1.0".into(), phase: ("network", 900), ..Status::default() };
    insta::assert_snapshot!(shown(&status, 1000));
}

#[test]
fn a_script_runs() {
    let mut status = Status {
        cards: vec![
            card("eth0", true, &["192.0.2.7/24", "2001:db8:1234:5678:9abc:def0:1234:5678/64"]),
            card("enp130s0f1np1", false, &[]),
        ],
        phase: ("run", 10_000),
        server: Some("https://boot.example.org:7443 at 203.0.113.5".into()),
        connected: true,
        bundle: Some("repair, serial 3".into()),
        progress: Some((42, "checking /dev/sda1".into())),
        ..machine()
    };
    (1..=30).for_each(|i| status.push_output(&format!("line {i}")));
    status.push_output(&"\x1b[1mlong ".repeat(40));
    insta::assert_snapshot!(shown(&status, 85_000));
}

#[test]
fn something_failed() {
    let status = Status {
        cards: vec![card("eth0", true, &["asking for an address by DHCP"])],
        phase: ("contact", 10_000),
        server: Some("https://boot.example.org:7443".into()),
        trouble: Some(Trouble {
            code: Code::WrongPin,
            cause: "203.0.113.5:7443 has the key sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=, \
                    and the image has another one pinned for boot.example.org"
                .into(),
            next: Next::Retry { at_ms: 22_300 },
        }),
        ..machine()
    };
    insta::assert_snapshot!(shown(&status, 15_400));
}

#[test]
fn many_cards_leave_room_for_the_rest() {
    let cards = (0..12).map(|i| card(&format!("eth{i}"), i % 2 == 0, &["192.0.2.7/24"])).collect();
    let status = Status { cards, phase: ("network", 0), ..machine() };
    insta::assert_snapshot!(shown(&status, 90_061_000));
}

proptest! {
    #[test]
    fn every_status_fits(
        machine in ".{0,200}", server: String, cause in ".{0,500}", percent: u8, text: String, n in 0usize..9,
        output in proptest::collection::vec(".{0,300}", 0..60), now_ms: u64,
    ) {
        let mut status = Status {
            machine: Some(machine),
            server: Some(server),
            cards: vec![card(&text, true, &[&cause]); n],
            progress: Some((percent, text)),
            trouble: Some(Trouble { code: Code::NoLease, cause, next: Next::Retry { at_ms: 5 } }),
            ..Status::default()
        };
        output.iter().for_each(|line| status.push_output(line));
        shown(&status, now_ms);
    }

    #[test]
    fn wrapping_loses_nothing_that_fits(words in proptest::collection::vec("[a-z]{1,30}", 1..8)) {
        let text = words.join(" ");
        let lines = wrap(&text, 20, 99);
        prop_assert!(lines.iter().all(|l| l.len() <= 20));
        prop_assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        prop_assert!(wrap(&text, 20, 2).len() <= 2);
    }
}
