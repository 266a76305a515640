//! `ethtool`: what a network card says of itself.

use crate::{
    applet::{Applet, Args, Opt, reason, usage_error},
    netlink::{Attributes, Socket, push, push_text},
};
use anyhow::Context as _;
use std::io;

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "ethtool",
    summary: "Prints what a network card says of itself: its link, speed and modes.",
    usage: "LINK\n-i LINK\n-P LINK",
    options: &[
        flag('i', "driver", "print its driver"),
        flag('P', "show-permaddr", "print its own address"),
    ],
    notes: "Nothing is changed.",
    example: "ethtool eth0 | grep Speed",
    run,
};

/// What the original gives when the kernel refuses, and when it knows nothing.
const REFUSED: u8 = 71;
const NOTHING: u8 = 75;

fn run(args: &Args) -> anyhow::Result<u8> {
    let [link] = args.words()?[..] else { return usage_error("which LINK?") };
    match (args.has("driver"), args.has("show-permaddr")) {
        (true, true) => usage_error("-i or -P, not both"),
        (true, false) => Ok(driver(link)),
        (false, true) => permanent(link),
        (false, false) => settings(link),
    }
}

fn driver(link: &str) -> u8 {
    let driver = match xenoboot_sys::ethtool::driver(link) {
        Ok(driver) => driver,
        Err(error) => {
            eprintln!("Cannot get driver information: {}", reason(&error));
            return REFUSED;
        }
    };
    println!("driver: {}\nversion: {}", driver.name, driver.version);
    println!("firmware-version: {}\nexpansion-rom-version: {}", driver.firmware, driver.rom);
    println!("bus-info: {}", driver.bus);
    let names = ["statistics", "test", "eeprom-access", "register-dump", "priv-flags"];
    for (name, has) in names.iter().zip(driver.has) {
        println!("supports-{name}: {}", if has { "yes" } else { "no" });
    }
    0
}

/// `IFLA_PERM_ADDRESS`
const PERMANENT: u16 = 54;

fn permanent(link: &str) -> anyhow::Result<u8> {
    let devices = crate::ip::Devices::read(&mut Socket::route()?)?;
    let Some(device) = devices.named(link) else {
        eprintln!("netlink error: No such device");
        return Ok(NOTHING);
    };
    let address = device
        .attributes
        .get(PERMANENT)
        .map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"));
    println!("Permanent address: {}", address.unwrap_or_else(|| "not set".into()));
    Ok(0)
}

/// The family `ethtool` of generic netlink (Documentation/networking/ethtool-netlink.rst).
struct Ethtool {
    socket: Socket,
    family: u16,
}

const CONTROLLER: u16 = 0x10;
const LINKINFO_GET: u8 = 2;
const LINKMODES_GET: u8 = 4;
const LINKSTATE_GET: u8 = 6;

impl Ethtool {
    fn open() -> io::Result<Self> {
        let mut socket = Socket::generic()?;
        // CTRL_CMD_GETFAMILY; its name.
        let mut body = vec![3, 1, 0, 0];
        push_text(&mut body, 2, "ethtool");
        let answer = socket.ask(CONTROLLER, 0, &body)?;
        let family = answer
            .first()
            .and_then(|message| u16::try_from(Attributes::parse(&message.body, 4).number(1)?).ok());
        Ok(Self { socket, family: family.ok_or(io::ErrorKind::Unsupported)? })
    }

    fn ask(&mut self, what: u8, link: &str) -> io::Result<Attributes> {
        let mut name = Vec::new();
        push_text(&mut name, 2, link);
        let mut body = vec![what, 1, 0, 0];
        const NESTED: u16 = 0x8000;
        push(&mut body, 1 | NESTED, &name);
        let answer = self.socket.ask(self.family, 0, &body)?;
        Ok(answer.first().map_or_else(Attributes::default, |m| Attributes::parse(&m.body, 4)))
    }
}

fn settings(link: &str) -> anyhow::Result<u8> {
    let mut ethtool = Ethtool::open().context("the kernel has no ethtool netlink")?;
    let state = match ethtool.ask(LINKSTATE_GET, link) {
        Ok(state) => state,
        Err(error) => {
            eprintln!("netlink error: {}", reason(&error));
            println!("No data available");
            return Ok(NOTHING);
        }
    };
    println!("Settings for {link}:");
    let modes = ethtool.ask(LINKMODES_GET, link);
    if let Ok(modes) = &modes {
        print_modes(modes);
    }
    if let (Ok(info), Ok(_)) = (ethtool.ask(LINKINFO_GET, link), &modes) {
        print_info(&info);
    }
    if let Some(up) = state.number(2) {
        println!("\tLink detected: {}", if up == 1 { "yes" } else { "no" });
    }
    Ok(0)
}

/// The bits of a set: name, and whether it is on.
fn bits(set: &Attributes) -> Vec<(String, bool)> {
    let each = set.nested(3);
    let bit = |(_, value): (u16, &[u8])| {
        let bit = Attributes::parse(value, 0);
        Some((bit.text(2)?, bit.get(3).is_some()))
    };
    each.iter().filter_map(bit).collect()
}

const PORTS: [&str; 6] = ["TP", "AUI", "MII", "FIBRE", "BNC", "Backplane"];
const FEC: [&str; 4] = ["None", "RS", "BASER", "LLRS"];

fn print_modes(modes: &Attributes) {
    let ours = bits(&modes.nested(3));
    let supported: Vec<&str> = ours.iter().map(|(name, _)| name.as_str()).collect();
    let on = ours.iter().filter(|(_, on)| *on).map(|(name, _)| name.as_str());
    let ports = supported.iter().filter(|name| PORTS.contains(name)).map(|name| format!("{name} "));
    println!("\tSupported ports: [ {} ]", ports.collect::<String>().replace("  ", " "));
    // Whose, and the words that differ between the three.
    section("Supported", "Supports auto-negotiation", &supported);
    section("Advertised", "Advertised auto-negotiation", &on.collect::<Vec<_>>());
    let peer = bits(&modes.nested(4));
    let peer: Vec<&str> = peer.iter().map(|(name, _)| name.as_str()).collect();
    if !peer.is_empty() {
        section("Link partner advertised", "Link partner advertised auto-negotiation", &peer);
    }
    match modes.number(5) {
        None | Some(0 | 0xffff | u32::MAX) => println!("\tSpeed: Unknown!"),
        Some(speed) => println!("\tSpeed: {speed}Mb/s"),
    }
    match modes.number(6) {
        Some(0) => println!("\tDuplex: Half"),
        Some(1) => println!("\tDuplex: Full"),
        other => println!("\tDuplex: Unknown! ({})", other.unwrap_or(255)),
    }
    println!("\tAuto-negotiation: {}", if modes.number(2) == Some(1) { "on" } else { "off" });
}

fn section(whose: &str, negotiation: &str, names: &[&str]) {
    let title = format!("{whose} link modes:");
    let title = format!("{title:<22} ");
    println!("\t{}", mode_lines(&title, names));
    let pause = match (names.contains(&"Pause"), names.contains(&"Asym_Pause")) {
        (true, true) => "Symmetric Receive-only",
        (true, false) => "Symmetric",
        (false, true) => "Transmit-only",
        (false, false) => "No",
    };
    println!("\t{whose} pause frame use: {pause}");
    println!("\t{negotiation}: {}", if names.contains(&"Autoneg") { "Yes" } else { "No" });
    let fec: Vec<&str> = names.iter().copied().filter(|name| FEC.contains(name)).collect();
    let fec = if fec.is_empty() { "Not reported".to_owned() } else { fec.join(" ") };
    println!("\t{whose} FEC modes: {fec}");
}

/// Modes one a line, half and full duplex of the same together.
fn mode_lines(title: &str, names: &[&str]) -> String {
    let mut text = title.to_owned();
    let mut before: Option<&str> = None;
    for name in names.iter().filter(|name| name.contains("base")) {
        let pair = before.and_then(|before| before.strip_suffix("/Half"));
        let same = pair.is_some_and(|speed| name.strip_suffix("/Full") == Some(speed));
        match before {
            None => text.push(' '),
            Some(_) if same => text.push(' '),
            Some(_) => text.push_str(&format!("\n\t{:width$}", "", width = title.len() + 1)),
        }
        text.push_str(name);
        before = Some(name);
    }
    if before.is_none() { text + " Not reported" } else { text }
}

fn print_info(info: &Attributes) {
    let port = info.number(2);
    let name = match port {
        Some(0) => "Twisted Pair",
        Some(1) => "AUI",
        Some(2) => "MII",
        Some(3) => "FIBRE",
        Some(4) => "BNC",
        Some(5) => "Direct Attach Copper",
        Some(0xef) => "None",
        Some(0xff) => "Other",
        _ => "Unknown!",
    };
    println!("\tPort: {name}\n\tPHYAD: {}", info.number(3).unwrap_or(0));
    let transceiver = match info.number(6) {
        Some(0) => "internal",
        Some(1) => "external",
        _ => "Unknown!",
    };
    println!("\tTransceiver: {transceiver}");
    if port == Some(0) {
        let how = match info.number(5) {
            Some(1 | 2) => " (forced)",
            Some(3) => " (auto)",
            _ => "",
        };
        match info.number(4) {
            Some(1) => println!("\tMDI-X: off{how}"),
            Some(2) => println!("\tMDI-X: on{how}"),
            _ => println!("\tMDI-X: Unknown{how}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn modes_are_in_pairs() {
        let names = ["10baseT/Half", "10baseT/Full", "100baseT/Full", "Autoneg", "1000baseT/Full"];
        let lines = mode_lines("Supported link modes:  ", &names);
        let between = "\n\t                        ";
        let right = [
            "Supported link modes:   10baseT/Half 10baseT/Full",
            "100baseT/Full",
            "1000baseT/Full",
        ];
        assert_eq!(lines, right.join(between));
        assert_eq!(
            mode_lines("Advertised link modes: ", &[]),
            "Advertised link modes:  Not reported"
        );
    }

    proptest! {
        #[test]
        fn any_set_is_read(bytes: Vec<u8>) {
            let set = Attributes::parse(&bytes, 0);
            prop_assert!(bits(&set).len() <= bytes.len());
        }
    }
}
