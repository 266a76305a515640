//! Configurations as installed systems have them, and the entries that they mean.
//!
//! A file of `systems/` has
//!
//! ```text
//! === sda2 gpt=2 kind=ext4 uuid=...     a device
//! --- /boot/vmlinuz-6.1                 a file on it, and its content up to the next such line
//! === expected bios                     and then what is found, a line each:
//! * grub | Debian | sda2:/boot/vmlinuz | sda2:/boot/initrd.img | root=... ro
//! ! sda2:/boot/grub/grub.cfg:12 what is wrong
//! ```
//!
//! `*` is before what is started if nobody asks for another.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use std::{fs, path::Path};
use xenoboot_menu::{
    Device, Entry, Files as _, Firmware, Found, Place, Table, memory::Memory, scan,
};

/// A file of `systems/`.
struct System {
    files: Memory,
    firmware: Firmware,
    expected: String,
}

fn parse(text: &str) -> System {
    let mut files = Memory::new();
    let mut firmware = None;
    let mut expected = String::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        let is_marker = line.starts_with("=== ") || line.starts_with("--- ");
        if let Some((path, content)) = open.take_if(|_| is_marker) {
            files = files.file(&path, content);
        }
        if let Some(words) = line.strip_prefix("=== expected ") {
            firmware = Some(if words == "uefi" { Firmware::Uefi } else { Firmware::Bios });
        } else if let Some(words) = line.strip_prefix("=== ") {
            files = files.device(device(words));
        } else if let Some(path) = line.strip_prefix("--- ") {
            open = Some((path.to_owned(), String::new()));
        } else if let Some((_, content)) = &mut open {
            content.push_str(line);
            content.push('\n');
        } else if firmware.is_some() {
            expected.push_str(line);
            expected.push('\n');
        }
    }
    System { files, firmware: firmware.unwrap(), expected }
}

fn device(words: &str) -> Device {
    let mut words = words.split(' ');
    let mut device = Device { name: words.next().unwrap().to_owned(), ..Device::default() };
    for word in words {
        let (key, value) = word.split_once('=').unwrap();
        let own = value.to_owned();
        match key {
            "disk" => device.disk = Some(value.parse().unwrap()),
            "gpt" => device.part = Some((Table::Gpt, value.parse().unwrap())),
            "msdos" => device.part = Some((Table::Msdos, value.parse().unwrap())),
            "kind" => device.kind = own,
            "uuid" => device.uuid = own,
            "label" => device.label = own,
            "partuuid" => device.part_uuid = own,
            "name" => device.names.push(own),
            _ => panic!("{key}"),
        }
    }
    if device.part.is_some() {
        device.disk = device.disk.or(Some(0));
    }
    device
}

fn shown(files: &Memory, found: &Found) -> String {
    let place = |place: &Place| {
        format!("{}:{}", files.devices().get(place.device).unwrap().name, place.path)
    };
    let entry = |(nth, entry): (usize, &Entry)| {
        let titles = entry.submenu.iter().chain([&entry.title]);
        let titles: Vec<&str> = titles.map(String::as_str).collect();
        let mut parts = vec![
            format!(
                "{} {}",
                if found.default == Some(nth) { "*" } else { " " },
                entry.loader.word()
            ),
            titles.join(" > "),
            match entry.kind {
                xenoboot_menu::Kind::Linux => place(&entry.kernel),
                kind => format!("{} {}", kind.word(), place(&entry.kernel)),
            },
            entry.initrds.iter().map(place).collect::<Vec<_>>().join(" "),
            entry.command_line.clone(),
        ];
        parts.extend(
            entry.modules.iter().map(|m| format!("{} {}", place(&m.place), m.command_line)),
        );
        parts.extend(entry.trouble.as_ref().map(|trouble| format!("! {trouble}")));
        let line = parts.join(" | ");
        format!("{}\n", line.trim_end())
    };
    let mut text: String = found.entries.iter().enumerate().map(entry).collect();
    for fault in &found.faults {
        text.push_str(&format!("! {}:{} {}\n", place(&fault.config), fault.line, fault.what));
    }
    text
}

#[test]
fn each_system_gives_the_entries_that_it_means() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systems");
    let (mut wrong, mut count) = (String::new(), 0);
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let system = parse(&fs::read_to_string(&path).unwrap());
        let found = shown(&system.files, &scan(&system.files, system.firmware));
        count += 1;
        if found.trim() != system.expected.trim() {
            wrong.push_str(&format!("{}:\n{found}\n", path.display()));
        }
    }
    assert!(count > 10, "where are the systems?");
    assert!(wrong.is_empty(), "found something else:\n{wrong}");
}

/// Whatever is lost of a system's files, or put into them, something is said and nothing breaks.
#[test]
fn damaged_systems_are_survived() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systems");
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let (system, expected) = text.split_once("=== expected ").unwrap();
        let mut state = 1_u32;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as usize % below
        };
        for _ in 0..30 {
            let mut bytes = system.as_bytes().to_vec();
            for _ in 0..1 + random(8) {
                let at = random(bytes.len());
                match random(3) {
                    0 => drop(bytes.drain(at..(at + random(40)).min(bytes.len()))),
                    1 => bytes.insert(at, b"{}'\"$\\\n;|=#"[random(11)]),
                    _ => bytes.truncate(at.max(200)),
                }
            }
            let damaged = String::from_utf8_lossy(&bytes).into_owned();
            // The markers of this test's own format may be damaged, too.
            let lines = damaged.lines().filter(|line| !line.starts_with("=== "));
            let head: Vec<&str> =
                system.lines().filter(|line| line.starts_with("=== ")).take(1).collect();
            let body: Vec<&str> = lines.collect();
            let whole =
                format!("{}\n{}\n=== expected {expected}", head.join("\n"), body.join("\n"));
            let system = parse(&whole);
            let _ = shown(&system.files, &scan(&system.files, system.firmware));
        }
    }
}
