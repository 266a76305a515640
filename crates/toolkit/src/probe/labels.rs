//! Labels that stand deeper in a file system than its first blocks.

use super::{Device, Signature, text};
use std::os::unix::fs::FileExt as _;

/// So much of a folder is searched for a label, bytes: more than any that has one in practice.
const FOLDER: u64 = 1 << 18;

/// Text in UTF-16, little-endian, up to the first zero.
pub(super) fn utf16(bytes: &[u8]) -> String {
    decoded(bytes, u16::from_le_bytes)
}

fn decoded(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks().0.iter().map(|pair| unit(*pair)).take_while(|unit| *unit != 0);
    let text: String =
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.trim_end().chars().filter(|c| !c.is_control()).collect()
}

/// The entry of a FAT's root folder that is the label; what the boot sector says may be older.
pub(super) fn fat(device: &Device) -> String {
    let (sector, cluster) =
        (device.u16(11), u64::from(device.bytes(13, 1).first().copied().unwrap_or(0)));
    let (reserved, copies) =
        (device.u16(14), u64::from(device.bytes(16, 1).first().copied().unwrap_or(0)));
    let (entries, short) = (device.u16(17), device.u16(22));
    if short != 0 {
        let start = (reserved + copies * short) * sector;
        return fat_entry(&read(device, start, entries * 32));
    }
    // FAT32: the folder's clusters are a chain.
    let table = reserved * sector;
    let data = table + copies * u64::from(device.u32(36)) * sector;
    let (size, mut number) = (cluster * sector, u64::from(device.u32(44)));
    let mut left = FOLDER;
    while (2..0x0fff_fff0).contains(&number) && size > 0 {
        let bytes = read(device, data.saturating_add((number - 2) * size), size);
        let label = fat_entry(&bytes);
        if !label.is_empty() || bytes.is_empty() || left < size {
            return label;
        }
        left -= size;
        let next = device.read_at(table + number * 4, 4);
        number = next.try_into().map_or(0, u32::from_le_bytes).into();
        number &= 0x0fff_ffff;
    }
    String::new()
}

/// At most so many bytes as a folder is searched for.
fn read(device: &Device, at: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(length.min(FOLDER)).unwrap_or(0)];
    let got = device.file.read_at(&mut bytes, at).unwrap_or(0);
    bytes.truncate(got);
    bytes
}

fn fat_entry(folder: &[u8]) -> String {
    const LABEL: u8 = 0x08;
    const FOLDER_OR_LABEL: u8 = 0x18;
    const LONG_NAME: u8 = 0x0f;
    let kind = |entry: &[u8; 32]| entry.get(11).copied().unwrap_or(0);
    let entries = folder.as_chunks::<32>().0.iter().take_while(|entry| entry.first() != Some(&0));
    let found = entries
        .filter(|entry| entry.first() != Some(&0xe5) && kind(entry) & 0x3f != LONG_NAME)
        .find(|entry| kind(entry) & FOLDER_OR_LABEL == LABEL);
    found.map_or(String::new(), |entry| text(entry.get(..11).unwrap_or_default()))
}

/// The entry of an exFAT's root folder that is the label.
pub(super) fn exfat(device: &Device) -> String {
    let shift = |at: usize| u32::from(device.bytes(at, 1).first().copied().unwrap_or(0)).min(25);
    let (sector, cluster) = (1_u64 << shift(108), 1_u64 << shift(109));
    let (heap, root) = (u64::from(device.u32(88)), u64::from(device.u32(96)));
    let start = (heap + root.saturating_sub(2).saturating_mul(cluster)).saturating_mul(sector);
    let folder = read(device, start, sector * cluster);
    let entry = folder.as_chunks::<32>().0.iter().find(|entry| entry.first() == Some(&0x83));
    entry.map_or(String::new(), |entry| {
        let length = 2 * usize::from(entry.get(1).copied().unwrap_or(0).min(11));
        utf16(entry.get(2..2 + length).unwrap_or_default())
    })
}

/// The name in NTFS' file 3, `$Volume`.
pub(super) fn ntfs(device: &Device) -> String {
    let sector = device.u16(11);
    let part = |at: usize| device.bytes(at, 1).first().copied().unwrap_or(0).cast_signed();
    // A negative number is a power of two.
    let count = |raw: i8, unit: u64| match raw {
        0.. => u64::from(raw.unsigned_abs()) * unit,
        _ => 1 << raw.unsigned_abs().min(31),
    };
    let clusters = match part(13) {
        0.. => u64::from(part(13).unsigned_abs()) * sector,
        _ => sector << part(13).unsigned_abs().min(16),
    };
    let record = count(part(64), clusters);
    let start = device.u64(48).saturating_mul(clusters).saturating_add(record.saturating_mul(3));
    let record = read(device, start, record);
    let number = |at: usize, length: usize| {
        let bytes = record.get(at..at + length).unwrap_or_default();
        bytes.iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    if record.get(..4) != Some(b"FILE") {
        return String::new();
    }
    let mut at = number(20, 2);
    loop {
        let (kind, length) = (number(at, 4), number(at + 4, 4));
        if kind == 0x60 {
            let name = at + number(at + 20, 2);
            return utf16(record.get(name..name + number(at + 16, 4)).unwrap_or_default());
        }
        if length == 0 || kind == 0xffff_ffff || at + length >= record.len() {
            return String::new();
        }
        at += length;
    }
}

/// HFS, or HFS+ wrapped in it.
pub(super) fn hfs(device: &Device) -> Signature {
    if device.has(0x47c, b"H+") {
        return Signature { kind: "hfsplus", ..Signature::default() };
    }
    let length = usize::from(device.bytes(0x424, 1).first().copied().unwrap_or(0)).min(27);
    Signature { kind: "hfs", label: device.text(0x425, length), ..Signature::default() }
}

const BLOCK: usize = 2048;

/// A disc: UDF, if it is that too, else ISO 9660 with Joliet's label before its own.
pub(super) fn disc(device: &Device) -> Signature {
    if let Some(found) = udf(device) {
        return found;
    }
    let volumes = (0x8000..0x1_0000).step_by(BLOCK).take_while(|at| device.has(at + 1, b"CD001"));
    let joliet = volumes.into_iter().find(|at| {
        let escapes = [b"%/@", b"%/C", b"%/E"];
        device.has(*at, &[2]) && escapes.iter().any(|escape| device.has(at + 88, *escape))
    });
    let long = joliet.map(|at| decoded(device.bytes(at + 40, 32), u16::from_be_bytes));
    let own = device.text(0x8028, 32);
    let label = match long.filter(|long| !long.is_empty()) {
        Some(long) => merged(&long, &own).unwrap_or(long),
        None => own,
    };
    // A disc has no identifier; the date of its last change (ECMA-119, 8.4.27), or of its creation, serves as one.
    let dates = [0x833e, 0x832d].into_iter().map(|at| date(device, at));
    let uuid = dates.into_iter().find(|date| !date.is_empty()).unwrap_or_default();
    Signature { kind: "iso9660", uuid, label }
}

/// Joliet's label, which has room for sixteen characters, with what the other has of the same behind it.
fn merged(long: &str, own: &str) -> Option<String> {
    let mut rest = own.chars();
    for c in long.chars() {
        // What is not in the other's alphabet is a line there.
        let same = rest.next().is_some_and(|own| own == '_' || own.eq_ignore_ascii_case(&c));
        if !same {
            return None;
        }
    }
    Some(long.chars().chain(rest).collect())
}

fn date(device: &Device, at: usize) -> String {
    let digits = device.text(at, 16);
    if digits.bytes().all(|digit| digit == b'0') {
        return String::new();
    }
    let mut parts = Vec::new();
    let mut rest = digits.as_str();
    for length in [4, 2, 2, 2, 2, 2, 2] {
        let Some((part, after)) = rest.split_at_checked(length) else { return String::new() };
        parts.push(part);
        rest = after;
    }
    parts.join("-")
}

/// UDF (ECMA-167): the name of its logical volume.
pub(super) fn udf(device: &Device) -> Option<Signature> {
    let mut marks = (0x8000..0x1_0000).step_by(BLOCK);
    marks.find(|at| device.has(at + 1, b"NSR02") || device.has(at + 1, b"NSR03"))?;
    let label = [2048, 512, 1024, 4096].into_iter().find_map(|block| udf_label(device, block));
    Some(Signature { kind: "udf", uuid: String::new(), label: label.unwrap_or_default() })
}

/// The label, if blocks are of this size.
fn udf_label(device: &Device, block: u64) -> Option<String> {
    let tag = |bytes: &[u8]| bytes.first_chunk().map(|tag| u16::from_le_bytes(*tag));
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes)
    };
    let anchor = device.read_at(256 * block, 512);
    if tag(&anchor) != Some(2) || word(&anchor, 12) != Some(256) {
        return None;
    }
    let (length, start) = (u64::from(word(&anchor, 16)?), u64::from(word(&anchor, 20)?));
    for number in 0..(length / block).min(64) {
        let descriptor = device.read_at((start + number) * block, 512);
        match tag(&descriptor) {
            // The logical volume's descriptor, and the one that ends them.
            Some(6) => return Some(dstring(descriptor.get(84..212)?)),
            Some(8) | None => return None,
            _ => {}
        }
    }
    None
}

/// A field of text: its form, the text, and in the last byte how long both are.
fn dstring(field: &[u8]) -> String {
    let length = usize::from(field.last().copied().unwrap_or(0));
    let used = field.get(..length.min(field.len() - 1)).unwrap_or_default();
    match used {
        [16, rest @ ..] => decoded(rest, u16::from_be_bytes),
        [8, rest @ ..] => {
            let latin: String = rest.iter().map(|byte| char::from(*byte)).collect();
            latin.trim_end().chars().filter(|c| !c.is_control()).collect()
        }
        _ => String::new(),
    }
}
