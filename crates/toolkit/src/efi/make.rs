//! A boot entry for a file on a disk (UEFI Specification 2.10, 3.1.3; device paths: 10.3.5.1, 10.3.5.4).

use super::ACTIVE;
use crate::partitions::{self, Disk, Label, Part};
use anyhow::{Context as _, ensure};
use std::path::Path;

/// What the firmware is to start.
pub(crate) struct Wish<'a> {
    /// The disk.
    pub(crate) disk: &'a Path,
    /// The number of the partition on it, a FAT.
    pub(crate) part: u32,
    /// The file in that; folders may be separated by `/`.
    pub(crate) loader: &'a str,
    /// The entry's name.
    pub(crate) label: &'a str,
    /// What is told to the file.
    pub(crate) options: Vec<u8>,
}

/// The entry's data, for a variable `Boot####`.
pub(crate) fn entry(wish: &Wish<'_>) -> anyhow::Result<Vec<u8>> {
    let disk = Disk::open(wish.disk, false)?;
    let shown = wish.disk.display();
    let table = partitions::read(&disk)?.with_context(|| format!("{shown} has no partitions"))?;
    let part = table.part(wish.part);
    let part = part.with_context(|| format!("{shown} has no partition {}", wish.part))?;
    let path = [drive(&table.label, part), file(wish.loader)?, node(0x7f, 0xff, &[])].concat();
    let length = u16::try_from(path.len()).context("the loader's path is too long")?;
    let name = utf16(wish.label);
    Ok([&ACTIVE.to_le_bytes()[..], &length.to_le_bytes(), &name, &path, &wish.options].concat())
}

/// A partition: number, first sector, size, signature, and what the table and the signature are.
fn drive(label: &Label, part: &Part) -> Vec<u8> {
    let mut signature = [0; 16];
    let kind = match label {
        Label::Gpt(_) => {
            signature = part.uuid.0;
            2
        }
        Label::Mbr(id) => {
            partitions::put(&mut signature, 0, &id.to_le_bytes());
            1
        }
    };
    let numbers = [part.start.to_le_bytes(), part.size.to_le_bytes()].concat();
    node(4, 1, &[&part.number.to_le_bytes()[..], &numbers, &signature, &[kind, kind]].concat())
}

fn file(loader: &str) -> anyhow::Result<Vec<u8>> {
    ensure!(!loader.is_empty() && loader.len() < 1024, "{loader:?} is no path of a loader");
    let path = loader.replace('/', "\\");
    let root = if path.starts_with('\\') { "" } else { "\\" };
    Ok(node(4, 4, &utf16(&format!("{root}{path}"))))
}

/// A node: type, subtype, length, data; the path of a loader is short enough.
fn node(kind: u8, subtype: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 4).unwrap_or(4).to_le_bytes();
    [&[kind, subtype], &length[..], data].concat()
}

/// UTF-16 with its final zero.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}
