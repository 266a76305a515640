//! What GRUB calls a device.

use crate::files::{Device, Files, Table};

/// `(device)/path` in its two parts; `None` for what is no path. Without parentheses it is on `$root`.
pub(super) fn split(text: &str) -> Option<(Option<&str>, &str)> {
    match text.strip_prefix('(') {
        Some(rest) => {
            let (name, path) = rest.split_once(')')?;
            Some((Some(name), path))
        }
        None => text.starts_with('/').then_some((None, text)),
    }
}

/// The device of this name. What a BIOS calls `hd0` is the disk that it booted from: that of `home`.
pub(super) fn find(files: &dyn Files, name: &str, home: usize) -> Option<usize> {
    let devices = files.devices();
    let own = devices.iter().position(|device| {
        device.name == name || device.names.iter().any(|other| same_name(other, name))
    });
    if own.is_some() {
        return own;
    }
    let by_uuid = by(files, |device| &device.uuid, name.trim_start_matches("UUID="));
    if by_uuid.is_some() {
        return by_uuid;
    }
    let place = parse(name)?;
    let home_disk = devices.get(home).map(|device| device.disk);
    match home_disk {
        Some(Some(home_disk)) => {
            let disk = number(devices, home_disk, place.disk)?;
            devices.iter().position(|device| device.disk == Some(disk) && place.fits(device))
        }
        // A folder in place of a disk: there is nothing else that could be meant.
        _ => Some(home),
    }
}

/// The device with this identifier, however its letters are written.
pub(super) fn by(files: &dyn Files, what: fn(&Device) -> &String, wanted: &str) -> Option<usize> {
    let fits = |device: &Device| {
        let found = what(device);
        !found.is_empty() && found.eq_ignore_ascii_case(wanted)
    };
    files.devices().iter().position(fits)
}

/// `mduuid/` and `cryptouuid/` are followed by digits with or without dashes.
fn same_name(known: &str, asked: &str) -> bool {
    let plain = |text: &str| match text.split_once('/') {
        Some((kind @ ("mduuid" | "cryptouuid"), id)) => {
            let id = id.replace(['-', ':'], "");
            format!("{kind}/{}", id.to_ascii_lowercase())
        }
        _ => text.to_owned(),
    };
    known == asked || plain(known) == plain(asked)
}

/// A disk by its number, and the partition on it.
struct Named {
    disk: usize,
    part: Option<(Option<Table>, u32)>,
}

impl Named {
    fn fits(&self, device: &Device) -> bool {
        match (self.part, device.part) {
            (None, None) => true,
            (Some((table, number)), Some((its_table, its_number))) => {
                number == its_number && table.is_none_or(|table| table == its_table)
            }
            _ => false,
        }
    }
}

/// `hd0,gpt2`, `ahci1,msdos5`, `hd0,1`, `hd0`
fn parse(name: &str) -> Option<Named> {
    let (disk, part) = match name.split_once(',') {
        Some((disk, part)) => (disk, Some(part)),
        None => (name, None),
    };
    let digits = disk.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let kind = disk.strip_suffix(digits)?;
    if !matches!(kind, "hd" | "ahci" | "ata" | "usb" | "ieee1275" | "nvme") {
        return None;
    }
    let part = match part {
        None => None,
        Some(part) => {
            // Some tables are in partitions of others: the innermost counts.
            let last = part.rsplit(',').next()?;
            let number = last.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            let table = match last.strip_suffix(number)? {
                "gpt" => Some(Table::Gpt),
                "msdos" => Some(Table::Msdos),
                _ => None,
            };
            Some((table, number.parse().ok()?))
        }
    };
    Some(Named { disk: digits.parse().ok()?, part })
}

/// The disk that a BIOS that booted from `home` gives this number.
fn number(devices: &[Device], home: usize, asked: usize) -> Option<usize> {
    let mut disks: Vec<usize> = devices.iter().filter_map(|device| device.disk).collect();
    disks.sort_unstable();
    disks.dedup();
    let others = disks.into_iter().filter(|disk| *disk != home);
    std::iter::once(home).chain(others).nth(asked)
}
