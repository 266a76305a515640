//! The three files: what is read, and what is refused where and with which words.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

use proptest::prelude::*;
use xenoboot_site::{Host, Ipv4, Ipv6, Machine, Select, Signer, Site, Trust, show_key};
use xenoboot_wire::FleetId;

const PIN: &str = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const PIN2: &str = "sha256//LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=";
const KEY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn server() -> String {
    format!("[[server]]\nurl = \"https://boot.example.org\"\npins = [\"{PIN}\"]\n")
}

fn full() -> String {
    format!(
        r#"
[[server]]
url = "https://boot.example.org:443"
pins = ["{PIN}", "{PIN2}"]
[[server]]
url = "https://[2001:db8::1]"
pins = ["{PIN}"]

[network]
proxy = "http://192.0.2.8:3128"
dns = ["192.0.2.53", "2001:db8::53"]

[[network.link]]
mac = "52:54:00:12:34:56"
vlan = 12
mtu = 1400
ipv4 = {{ address = "192.0.2.7/24", gateway = "192.0.2.1" }}
ipv6 = {{ address = "2001:db8::7/64", gateway = "fe80::1" }}
dns = ["192.0.2.54"]

[[network.link]]
mac = "52:54:00:12:34:56"
ipv4 = "off"
ipv6 = "auto"

[[network.link]]
name = "en*"

[[network.link]]
driver = "e1000"
ipv6 = "off"
mtu = 576
"#
    )
}

#[test]
fn a_site_file_with_everything() {
    let site = Site::parse(&full()).unwrap();
    assert_eq!(site.servers.len(), 2);
    assert_eq!(site.servers[0].pins.len(), 2);
    assert_eq!(site.servers[0].url.host, Host::Name("boot.example.org".to_owned()));
    assert_eq!(site.servers[1].url.port, 7443);
    let network = site.network;
    assert_eq!(network.proxy.unwrap().port, 3128);
    assert_eq!(network.dns.len(), 2);
    let link = &network.links[0];
    assert_eq!((link.vlan, link.mtu, link.dns.len()), (Some(12), Some(1400), 1));
    let gateway = Some("192.0.2.1".parse().unwrap());
    assert_eq!(
        link.ipv4,
        Ipv4::Static { address: "192.0.2.7".parse().unwrap(), prefix: 24, gateway }
    );
    assert!(matches!(link.ipv6, Ipv6::Static { prefix: 64, .. }));
    assert_eq!((network.links[1].ipv4, network.links[1].ipv6), (Ipv4::Off, Ipv6::Auto));
    assert_eq!((network.links[2].ipv4, network.links[2].ipv6), (Ipv4::Dhcp, Ipv6::Auto));
    assert_eq!(network.links[3].select, Select::Driver("e1000".to_owned()));
}

#[test]
fn the_shortest_site_file() {
    let site = Site::parse(&server()).unwrap();
    assert!(site.network.links.is_empty() && site.network.dns.is_empty());
}

/// What is wrong with `server()` and these lines after it: line, column and a part of the message.
fn after_server(lines: &str) -> (usize, usize, String) {
    let error = Site::parse(&format!("{}{lines}", server())).expect_err(lines);
    (error.line, error.column, error.problem)
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let link = "[[network.link]]\nname = \"en*\"\n";
    for (lines, line, column, words) in [
        ("pin = []", 4, 1, "unknown field `pin`, expected `url` or `pins`"),
        ("[network]\nproxi = \"x\"", 5, 1, "unknown field `proxi`"),
        ("[network]\nproxy = \"192.0.2.8\"", 5, 9, "expected http://HOST:PORT"),
        ("[network]\ndns = [\"192.0.2.53\", \"192.0.2.300\"]", 5, 22, "expected IPv4 or IPv6"),
        ("[network]\ndns = [\"192.0.2.53\", \"192.0.2.53\"]", 5, 22, "there already"),
        ("[network]\ndns = [\"127.0.0.53\"]", 5, 8, "expected a unicast address"),
        ("[[network.link]]\nvlan = 1", 4, 1, "expected `mac`, `name` or `driver`"),
        ("[[network.link]]\nmac = \"52:54:00:12:34\"", 5, 7, "six pairs"),
        (&format!("{link}driver = \"e1000\""), 4, 1, "chosen by one key"),
        (&format!("{link}vlan = 4095"), 6, 8, "expected 1 to 4094"),
        (&format!("{link}vlan = -1"), 6, 8, "expected u16"),
        (&format!("{link}mtu = 1279"), 6, 7, "IPv6 needs 1280"),
        (&format!("{link}ipv4 = \"DHCP\""), 6, 8, r#"expected "dhcp", "off" or {"#),
        (&format!("{link}ipv4 = 4"), 6, 8, r#"expected "dhcp", "off" or {"#),
        (&format!("{link}ipv4 = \"off\"\nipv6 = \"off\""), 4, 1, "at least one"),
        (&format!("{link}ipv4 = {{ address = \"192.0.2.7\" }}"), 6, 8, "prefix length"),
        (&format!("{link}ipv4 = {{ address = \"192.0.2.7/33\" }}"), 6, 8, "expected 1 to 32"),
        (&format!("{link}ipv4 = {{ address = \"192.0.2.0/24\" }}"), 6, 8, "not a host's address"),
        (&format!("{link}ipv4 = {{ address = \"192.0.2.255/24\" }}"), 6, 8, "not a host's address"),
        (
            &format!("{link}ipv4 = {{ address = \"2001:db8::1/24\" }}"),
            6,
            8,
            "the like of 192.0.2.7/24",
        ),
        (
            &format!("{link}ipv4 = {{ address = \"192.0.2.7/24\", gateway = \"192.0.3.1\" }}"),
            6,
            8,
            "inside 192.0.2.7/24",
        ),
        (
            &format!("{link}ipv4 = {{ address = \"192.0.2.7/24\", gateway = \"192.0.2.7\" }}"),
            6,
            8,
            "another host",
        ),
        (
            &format!("{link}ipv4 = {{ address = \"192.0.2.7/24\", gw = \"192.0.2.1\" }}"),
            6,
            36,
            "unknown field `gw`, expected `address` or `gateway`",
        ),
        (&format!("{link}ipv6 = {{ address = \"2001:db8::7/129\" }}"), 6, 8, "expected 1 to 128"),
        (
            &format!("{link}ipv6 = {{ address = \"2001:db8::7/64\", gateway = \"2001:db9::1\" }}"),
            6,
            8,
            "neither link-local nor",
        ),
        (
            &format!("{link}[[network.link]]\nname = \"eno?\""),
            6,
            1,
            "name eno? overlaps with name en* above",
        ),
        (&format!("{link}vlan = 3\n[[network.link]]\nname = \"eno1\"\nvlan = 3"), 7, 1, "overlaps"),
        ("[[network.link]]\nname = \"a b\"", 5, 8, "not an interface name"),
        ("[[network.link]]\nname = \"en0\"\nname = \"en1\"", 6, 1, "duplicate key"),
        ("x = ", 4, 5, "expected"),
        ("[[server]]\nurl = \"https://b\"", 4, 1, "missing field `pins`"),
        ("[[server]]\nurl = \"https://b\"\npins = []", 6, 8, "expected 1 to 16"),
        (
            "[[server]]\nurl = \"https://b\"\npins = [\"sha256//x\"]",
            6,
            9,
            "44 characters of base 64",
        ),
        (
            &format!("[[server]]\nurl = \"https://b\"\npins = [\"{PIN}\",\n\"{PIN}\"]"),
            7,
            1,
            "there already",
        ),
        (
            &format!("[[server]]\nurl = \"https://BOOT.example.org:7443\"\npins = [\"{PIN}\"]"),
            4,
            1,
            "there already",
        ),
        (&format!("[[server]]\nurl = \"http://b\"\npins = [\"{PIN}\"]"), 5, 7, "is not https"),
    ] {
        let found = after_server(lines);
        assert_eq!((found.0, found.1), (line, column), "{lines}: {}", found.2);
        assert!(found.2.contains(words), "{lines}: {}", found.2);
    }
}

#[test]
fn columns_count_characters() {
    for (lines, line, column) in [
        ("network = { 'ää' = 1 }", 1, 13),
        ("# ä\nnetwork = { dns = ['192.0.2.1', 'ää', 'x'] }", 2, 33),
        ("network = { link = [{ name = 'e*' , 'ä' = 1 }] }", 1, 37),
        ("network.link = [{ name = 'e*' , dns = [ '192.0.2.1', 'ä' ]}]", 1, 54),
    ] {
        let error = Site::parse(&format!("{lines}\n{}", server())).expect_err(lines);
        assert_eq!((error.line, error.column), (line, column), "{lines}: {error}");
    }
    // Behind two-byte characters on the same line: 12 characters, 14 bytes.
    let error = Site::parse("'ä' = { }\n").unwrap_err();
    assert_eq!((error.line, error.column), (1, 1));
    let error = Trust::parse("fleet = 'ää' ; x").unwrap_err();
    assert_eq!((error.line, error.column), (1, 14), "{error}");
}

#[test]
fn a_site_without_server_and_one_too_large() {
    let error = Site::parse("[network]\n").unwrap_err();
    assert!(error.problem.contains("expected `[[server]]`"), "{error}");
    let error = Site::parse(&format!("{}#{}", server(), "x".repeat(65_536))).unwrap_err();
    assert!(error.problem.contains("65536"), "{error}");
    let many: String = (0..17)
        .map(|i| format!("[[server]]\nurl = \"https://h{i}\"\npins = [\"{PIN}\"]\n"))
        .collect();
    assert_eq!(Site::parse(&many).unwrap_err().line, 16 * 3 + 1);
}

fn trust(signers: &str, threshold: usize) -> Result<Trust, String> {
    let fleet = "00112233445566778899aabbccddeeff";
    Trust::parse(&format!(
        "fleet = \"{fleet}\"\nname = \"example\"\nthreshold = {threshold}\n{signers}"
    ))
    .map_err(|e| e.to_string())
}

#[test]
fn trust_files() {
    let one = format!("[[signer]]\nname = \"alice\"\nkey = \"{KEY}\"\n");
    assert_eq!(show_key(trust(&one, 1).unwrap().signers[0].key), KEY);
    for (signers, threshold, words) in [
        (String::new(), 1, "line 1, column 1: no signer"),
        (one.clone(), 0, "line 3, column 13: a threshold of 0"),
        (one.clone(), 2, "expected 1 to 1"),
        (format!("{one}{one}"), 1, "line 7, column 1: signer alice or its key is there already"),
        (one.replace(KEY, "AAAA"), 1, "line 6, column 7: `AAAA` is not a key"),
        (one.replace(KEY, &show_key([0; 32])), 1, "small order"),
        (one.replace("alice", "../x"), 1, "line 5, column 8: `../x` is not a name"),
        (one.replace("key", "kee"), 1, "unknown field `kee`"),
    ] {
        let problem = trust(&signers, threshold).expect_err(words);
        assert!(problem.contains(words), "{problem}");
    }
}

#[test]
fn machine_files() {
    let machine = Machine::parse("name = \"web-1\"\ngroups = [\"web\", \"eu\"]\n").unwrap();
    assert_eq!(machine.name.as_deref(), Some("web-1"));
    assert_eq!(Machine::parse(&machine.to_toml()).unwrap(), machine);
    assert_eq!(Machine::parse("").unwrap(), Machine::default());
    for (text, words) in [
        ("groups = [\"a\", \"b c\"]", "line 1, column 16: `b c` is not a name"),
        ("groups = [\"a\", \"a\"]", "line 1, column 16: group a is there already"),
        ("name = \"a b\"", "line 1, column 8: `a b` is not a name"),
        ("group = []", "unknown field `group`, expected `name` or `groups`"),
    ] {
        let problem = Machine::parse(text).expect_err(words).to_string();
        assert!(problem.contains(words), "{problem}");
    }
}

prop_compose! {
    fn name()(name in "[A-Za-z0-9][A-Za-z0-9._-]{0,20}") -> String { name }
}

proptest! {
    #[test]
    fn no_text_does_harm(text in any::<String>()) {
        let _ = (Site::parse(&text), Trust::parse(&text), Machine::parse(&text));
    }

    /// A whole site file with a piece of it replaced comes closer to the parser's corners.
    #[test]
    fn no_damage_does_harm(at in 0usize..600, cut in 0usize..20, new in "[\"'\\[\\]{}=\n.a1ä/:\\\\-]{0,6}") {
        let text = full();
        let start = at.min(text.len());
        let damaged = format!("{}{new}{}", &text[..start], &text[(start + cut).min(text.len())..]);
        if let Err(error) = Site::parse(&damaged) {
            prop_assert!(error.line <= damaged.matches('\n').count() + 1);
            prop_assert!(!error.problem.is_empty() && !error.problem.contains('\n'));
        }
    }

    #[test]
    fn a_trust_file_is_read_as_it_was_written(
        fleet in any::<[u8; 16]>(), fleet_name in name(),
        signers in prop::collection::btree_map(name(), any::<[u8; 32]>(), 1..8), at in any::<prop::sample::Index>()
    ) {
        let signers: Vec<Signer> =
            signers.into_iter().map(|(name, key)| Signer { name, key }).collect();
        let threshold = at.index(signers.len()) + 1;
        let trust = Trust { fleet: FleetId(fleet), name: fleet_name, threshold, signers, operators: vec![] };
        prop_assert_eq!(Trust::parse(&trust.to_toml()).unwrap(), trust);
    }
}
