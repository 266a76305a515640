//! The systems of this folder: a file of text has
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

use std::{fs, path::Path};
use xenoboot_menu::{Device, Firmware, Table, memory::Memory};

/// A system.
#[derive(Clone, Debug)]
pub(crate) struct System {
    /// What the file is called.
    pub(crate) name: String,
    pub(crate) devices: Vec<Device>,
    /// Each with the number of its device, its path and its content.
    pub(crate) files: Vec<(usize, String, Vec<u8>)>,
    pub(crate) firmware: Firmware,
    /// What is found, as text.
    pub(crate) expected: String,
}

/// All systems, in the order of their names.
pub(crate) fn systems() -> Vec<System> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systems");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "txt"));
    let systems = files.map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        parse(name, &fs::read_to_string(&path).unwrap())
    });
    let mut systems: Vec<System> = systems.collect();
    systems.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(systems.len() > 10, "where are the systems?");
    systems
}

impl System {
    pub(crate) fn memory(&self) -> Memory {
        let devices = self.devices.iter().enumerate();
        devices.fold(Memory::new(), |memory, (number, device)| {
            let own = self.files.iter().filter(|(on, ..)| *on == number);
            own.fold(memory.device(device.clone()), |memory, (_, path, content)| {
                memory.file(path, content.clone())
            })
        })
    }
}

fn parse(name: String, text: &str) -> System {
    let (mut devices, mut files) = (Vec::new(), Vec::new());
    let mut firmware = None;
    let mut expected = String::new();
    let mut open: Option<(usize, String, Vec<u8>)> = None;
    for line in text.lines() {
        let is_marker = line.starts_with("=== ") || line.starts_with("--- ");
        files.extend(open.take_if(|_| is_marker));
        if let Some(words) = line.strip_prefix("=== expected ") {
            firmware = Some(if words == "uefi" { Firmware::Uefi } else { Firmware::Bios });
        } else if let Some(words) = line.strip_prefix("=== ") {
            devices.push(device(words));
        } else if let Some(path) = line.strip_prefix("--- ") {
            open = Some((devices.len() - 1, path.to_owned(), Vec::new()));
        } else if let Some((.., content)) = &mut open {
            content.extend_from_slice(line.as_bytes());
            content.push(b'\n');
        } else if firmware.is_some() {
            expected.push_str(line);
            expected.push('\n');
        }
    }
    System { name, devices, files, firmware: firmware.unwrap(), expected }
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
