//! Where file systems may begin: the partitions of a GPT (UEFI specification 2.10, chapter 5) or an MBR.
//!
//! Only a hint: what is found here is looked at by its own signature, so checksums do not matter.

use crate::{Source, number};
use std::{io, ops::Range};

/// Most entries of a GPT that are looked at, and most logical partitions.
const MAX_ENTRIES: u64 = 1024;
const MAX_LOGICAL: usize = 128;

/// The disk and its partitions, bytes.
pub(crate) fn find(source: &dyn Source, sector: u64) -> io::Result<Vec<Range<u64>>> {
    let whole = 0..source.size();
    let Some(first) = read(source, 0, 512)? else { return Ok(vec![whole]) };
    if number(&first, 510, 2) != 0xaa55 {
        return Ok(vec![whole]);
    }
    let mut found = match read(source, sector, 512)? {
        Some(header) if header.starts_with(b"EFI PART") => gpt(source, &header, sector)?,
        // A boot sector that belongs to a file system has words where a table would be, or nothing.
        _ if !is_table(&first) => return Ok(vec![whole]),
        _ => mbr(source, &first, sector)?,
    };
    found.retain(|part| part.start < part.end && part.end <= whole.end && part.start > 0);
    // Where a damaged table has one inside another, neither can be relied on.
    found.sort_by_key(|part| (part.start, part.end));
    if found.windows(2).any(|pair| matches!(pair, [a, b] if a.end > b.start)) {
        found.clear();
    }
    Ok(found)
}

fn read(source: &dyn Source, at: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
    if at.checked_add(length as u64).is_none_or(|end| end > source.size()) {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    source.read_at(&mut bytes, at)?;
    Ok(Some(bytes))
}

fn gpt(source: &dyn Source, header: &[u8], sector: u64) -> io::Result<Vec<Range<u64>>> {
    let place = number(header, 72, 8).saturating_mul(sector);
    let (count, size) = (number(header, 80, 4).min(MAX_ENTRIES), number(header, 84, 4));
    let mut found = Vec::new();
    if !(128..=4096).contains(&size) {
        return Ok(found);
    }
    for entry in 0..count {
        let Some(entry) = read(source, place.saturating_add(entry * size), 48)? else { break };
        if entry.iter().take(16).any(|byte| *byte != 0) {
            let (first, last) = (number(&entry, 32, 8), number(&entry, 40, 8));
            found.push(first.saturating_mul(sector)..last.saturating_add(1).saturating_mul(sector));
        }
    }
    Ok(found)
}

/// One entry of an MBR: its kind, its start and its size, sectors.
fn entry(table: &[u8], slot: usize) -> (u64, u64, u64) {
    let at = 446 + 16 * slot;
    (number(table, at + 4, 1), number(table, at + 8, 4), number(table, at + 12, 4))
}

/// Whether a boot sector has partitions: each of four entries says that it is active, or is not, and one has a place.
fn is_table(sector: &[u8]) -> bool {
    let active = (0..4).all(|slot| matches!(number(sector, 446 + 16 * slot, 1), 0 | 0x80));
    active && (0..4).any(|slot| matches!(entry(sector, slot), (1.., 1.., 1..)))
}

fn mbr(source: &dyn Source, first: &[u8], sector: u64) -> io::Result<Vec<Range<u64>>> {
    let mut found = Vec::new();
    let mut add = |start: u64, size: u64| found.push(start * sector..(start + size) * sector);
    for slot in 0..4 {
        let (kind, start, size) = entry(first, slot);
        if !matches!(kind, 0x05 | 0x0f | 0x85) {
            if kind != 0 {
                add(start, size);
            }
            continue;
        }
        let mut link = start;
        for _ in 0..MAX_LOGICAL {
            let Some(table) = read(source, link * sector, 512)? else { break };
            if number(&table, 510, 2) != 0xaa55 {
                break;
            }
            let (kind, offset, size) = entry(&table, 0);
            if kind != 0 {
                add(link + offset, size);
            }
            match entry(&table, 1) {
                (0x05 | 0x0f | 0x85, next, _) if next > 0 => link = start + next,
                _ => break,
            }
        }
    }
    Ok(found)
}
