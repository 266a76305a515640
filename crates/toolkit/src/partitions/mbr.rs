//! The MBR: four entries in the first sector, and a chain of such sectors in an extended partition.

use super::{Disk, Guid, Kind, Label, Part, Table, number, put};
use std::io;

/// A sector with entries.
#[derive(Debug)]
pub(crate) struct Sector {
    id: u32,
    entries: [Entry; 4],
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    active: u8,
    kind: u8,
    start: u32,
    size: u32,
}

/// The kernel's own limit is 255 partitions; nobody has as many.
const MOST_LOGICAL: usize = 60;
const PROTECTIVE: u8 = 0xee;

impl Sector {
    /// Entries, when the sector ends with the signature and is not a file system's boot sector.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.get(510..512)? != [0x55, 0xaa] {
            return None;
        }
        let mut entries = [Entry::default(); 4];
        for (n, entry) in entries.iter_mut().enumerate() {
            let at = 446 + 16 * n;
            entry.active = *bytes.get(at)?;
            entry.kind = *bytes.get(at + 4)?;
            entry.start = number(bytes, at + 8, 4) as u32;
            entry.size = number(bytes, at + 12, 4) as u32;
        }
        // A boot sector has code where an MBR has this flag.
        let plausible = entries.iter().all(|entry| entry.active & 0x7f == 0);
        plausible.then(|| Self { id: number(bytes, 440, 4) as u32, entries })
    }

    /// Whether it only says that there is a GPT.
    pub(crate) fn is_protective(&self) -> bool {
        self.entries.iter().any(|entry| entry.kind == PROTECTIVE)
    }

    /// The table; `None` when it is a file system's boot sector without any partition.
    pub(crate) fn table(&self, disk: &Disk) -> Option<Table> {
        let mut warnings = Vec::new();
        let mut parts = Vec::new();
        for (entry, slot) in self.entries.iter().zip(1..) {
            let part = part(*entry, slot, 0);
            if part.as_ref().is_some_and(Part::is_extended) && parts.iter().any(Part::is_extended) {
                warnings.push(format!("Ignoring extra extended partition {slot}"));
                continue;
            }
            parts.extend(part);
        }
        let first = disk.read(0, 512).ok()?;
        let file_system = [&b"FAT"[..], b"NTFS"]
            .iter()
            .any(|name| first.get(..90).is_some_and(|b| b.windows(name.len()).any(|w| w == *name)));
        if parts.is_empty() && file_system {
            return None;
        }
        if let Some(extended) = parts.iter().find(|part| part.is_extended()).cloned() {
            parts.extend(logical(disk, &extended, &mut warnings));
        }
        Some(Table { label: Label::Mbr(self.id), parts, warnings })
    }
}

fn part(entry: Entry, slot: u32, base: u64) -> Option<Part> {
    if entry.kind == 0 || entry.size == 0 {
        return None;
    }
    Some(Part {
        number: slot,
        start: base + u64::from(entry.start),
        size: entry.size.into(),
        kind: Kind::Mbr(entry.kind),
        uuid: Guid::default(),
        name: String::new(),
        attributes: 0,
        bootable: entry.active == 0x80,
    })
}

/// The partitions in an extended one: each sector of the chain has one and the way to the next.
fn logical(disk: &Disk, extended: &Part, warnings: &mut Vec<String>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut visited = Vec::new();
    let mut at = extended.start;
    while visited.len() < MOST_LOGICAL {
        visited.push(at);
        let Some(sector) = disk.read(at, 512).ok().and_then(|bytes| Sector::parse(&bytes)) else {
            warnings.push(format!("Invalid signature of the partition table in sector {at}"));
            break;
        };
        let is_link = |entry: &&Entry| matches!(entry.kind, 0x05 | 0x0f | 0x85);
        let data = sector.entries.iter().find(|entry| !is_link(entry) && entry.kind != 0);
        let slot = 5 + u32::try_from(parts.len()).unwrap_or(u32::MAX - 5);
        parts.extend(data.and_then(|entry| part(*entry, slot, at)));
        let Some(link) = sector.entries.iter().find(is_link) else { break };
        at = extended.start + u64::from(link.start);
        if visited.contains(&at) || at > extended.end() {
            warnings
                .push("The chain of logical partitions runs in a circle or out of bounds.".into());
            break;
        }
    }
    parts
}

/// The bytes of an entry. Cylinders, heads and sectors are those of 255 heads and 63 sectors.
fn entry(part: &Part, kind: u8, base: u64) -> io::Result<[u8; 16]> {
    let too_far = || io::Error::other("an MBR cannot hold a partition beyond 2^32 sectors");
    let start = u32::try_from(part.start - base.min(part.start)).map_err(|_| too_far())?;
    let size = u32::try_from(part.size).map_err(|_| too_far())?;
    let mut bytes = [0; 16];
    put(&mut bytes, 0, &[if part.bootable { 0x80 } else { 0 }]);
    put(&mut bytes, 1, &geometry(part.start));
    put(&mut bytes, 4, &[kind]);
    put(&mut bytes, 5, &geometry(part.end()));
    put(&mut bytes, 8, &start.to_le_bytes());
    put(&mut bytes, 12, &size.to_le_bytes());
    Ok(bytes)
}

fn geometry(sector: u64) -> [u8; 3] {
    let (cylinder, head, number) = (sector / (255 * 63), sector / 63 % 255, sector % 63 + 1);
    if cylinder > 1023 {
        return [0xfe, 0xff, 0xff];
    }
    [head as u8, (number | (cylinder >> 2 & 0xc0)) as u8, (cylinder & 0xff) as u8]
}

/// Writes the first sector, keeping its code, and the chain.
pub(crate) fn write(disk: &Disk, id: u32, parts: &[Part]) -> io::Result<()> {
    let mut first = disk.read(0, 512)?;
    put(&mut first, 440, &id.to_le_bytes());
    put(&mut first, 446, &[0; 64]);
    put(&mut first, 510, &[0x55, 0xaa]);
    for part in parts.iter().filter(|part| part.number <= 4) {
        if let Kind::Mbr(kind) = part.kind {
            put(&mut first, 430 + 16 * part.number as usize, &entry(part, kind, 0)?);
        }
    }
    if let Some(extended) = parts.iter().find(|part| part.is_extended()) {
        write_logical(disk, extended, parts)?;
    }
    disk.write(0, &first)
}

/// Where the sectors of the chain stand: the first at the start of the extended partition, each
/// other a grain before its partition where there is room, else right before it.
fn chain(extended: &Part, logical: &[&Part]) -> io::Result<Vec<u64>> {
    const GRAIN: u64 = 2048;
    let taken = |at: u64| logical.iter().any(|part| (part.start..=part.end()).contains(&at));
    let mut places = Vec::new();
    for (n, part) in logical.iter().enumerate() {
        let wanted = [part.start.saturating_sub(GRAIN), part.start.saturating_sub(1)];
        let place = if n == 0 {
            Some(extended.start)
        } else {
            let free = |at: &u64| *at > extended.start && !taken(*at) && !places.contains(at);
            wanted.into_iter().find(free)
        };
        match place {
            Some(at) if !taken(at) => places.push(at),
            _ => {
                return Err(io::Error::other("there is no sector free before a logical partition"));
            }
        }
    }
    Ok(places)
}

fn write_logical(disk: &Disk, extended: &Part, parts: &[Part]) -> io::Result<()> {
    let mut logical: Vec<&Part> = parts.iter().filter(|part| part.number > 4).collect();
    logical.sort_by_key(|part| part.number);
    let places = chain(extended, &logical)?;
    if logical.is_empty() {
        let mut empty = vec![0; 512];
        put(&mut empty, 510, &[0x55, 0xaa]);
        return disk.write(extended.start, &empty);
    }
    for (n, (part, at)) in logical.iter().zip(&places).enumerate() {
        let mut sector = vec![0; 512];
        put(&mut sector, 510, &[0x55, 0xaa]);
        if let Kind::Mbr(kind) = part.kind {
            put(&mut sector, 446, &entry(part, kind, *at)?);
        }
        if let (Some(next), Some(place)) = (logical.get(n + 1), places.get(n + 1)) {
            let link = Part {
                start: *place,
                size: next.end() + 1 - place,
                bootable: false,
                ..(*next).clone()
            };
            put(&mut sector, 462, &entry(&link, 0x05, extended.start)?);
        }
        disk.write(*at, &sector)?;
    }
    Ok(())
}

/// Writes the protective MBR, keeping the code before it.
pub(crate) fn protect(disk: &Disk) -> io::Result<()> {
    let mut first = disk.read(0, 512)?;
    let hybrid = Sector::parse(&first).is_some_and(|s| {
        s.is_protective() && s.entries.iter().any(|e| e.kind != 0 && e.kind != PROTECTIVE)
    });
    if hybrid {
        return Ok(());
    }
    let size = u32::try_from(disk.sectors - 1).unwrap_or(u32::MAX);
    put(&mut first, 446, &[0; 64]);
    put(&mut first, 446, &[0, 0, 2, 0, PROTECTIVE]);
    put(&mut first, 451, &[0xff; 3]);
    put(&mut first, 454, &1_u32.to_le_bytes());
    put(&mut first, 458, &size.to_le_bytes());
    put(&mut first, 510, &[0x55, 0xaa]);
    disk.write(0, &first)
}
