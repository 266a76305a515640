//! GPT: header, entries and their copies at the end of the disk.

use super::{Disk, Guid, Kind, Part, Table, mbr, number, put};
use std::io;

/// What a table has besides its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// The disk's identifier.
    pub(crate) id: Guid,
    /// The first sector that a partition may have.
    pub(crate) first: u64,
    /// The last one.
    pub(crate) last: u64,
    /// How many partitions there is room for.
    pub(crate) slots: u32,
    /// Whether the copy at the start could be used.
    pub(crate) primary: bool,
    /// Where the other copy's header is; `None` when there is no good one.
    pub(crate) backup: Option<u64>,
}

const SIGNATURE: &[u8] = b"EFI PART";
const REVISION: u64 = 0x0001_0000;
const HEADER: usize = 92;
const ENTRY: usize = 128;
/// Usual is 128; the kernel takes as many as fit into its buffer.
const MOST_SLOTS: u64 = 1024;

struct Header {
    alternate: u64,
    first: u64,
    last: u64,
    id: Guid,
    entries: u64,
    slots: u32,
    entry: usize,
    entries_crc: u32,
}

impl Header {
    /// A header that stands at `lba` and is good for a disk of this size.
    fn parse(sector: &[u8], lba: u64, disk: &Disk) -> Option<Self> {
        let length = usize::try_from(number(sector, 12, 4)).ok()?;
        if sector.get(..8)? != SIGNATURE || number(sector, 8, 4) != REVISION || length < HEADER {
            return None;
        }
        let mut covered = sector.get(..length)?.to_vec();
        put(&mut covered, 16, &[0; 4]);
        let slots = number(sector, 80, 4);
        let entry = number(sector, 84, 4);
        let good = u64::from(crc32fast::hash(&covered)) == number(sector, 16, 4)
            && number(sector, 24, 8) == lba
            && (1..=MOST_SLOTS).contains(&slots)
            && (128..=4096).contains(&entry)
            && entry.is_power_of_two();
        let header = Self {
            alternate: number(sector, 32, 8),
            first: number(sector, 40, 8),
            last: number(sector, 48, 8),
            id: Guid(sector.get(56..72)?.try_into().ok()?),
            entries: number(sector, 72, 8),
            slots: u32::try_from(slots).ok()?,
            entry: usize::try_from(entry).ok()?,
            entries_crc: u32::try_from(number(sector, 88, 4)).ok()?,
        };
        let space = header.first <= header.last && header.last < disk.sectors && header.first > 1;
        (good && space && header.entries > 0).then_some(header)
    }

    fn entries(&self, disk: &Disk) -> Option<Vec<u8>> {
        let bytes = disk.read(self.entries, self.entry * self.slots as usize).ok()?;
        (crc32fast::hash(&bytes) == self.entries_crc).then_some(bytes)
    }
}

/// A header with its entries, both good.
fn copy(disk: &Disk, lba: u64) -> Option<(Header, Vec<u8>)> {
    let sector = disk.read(lba, usize::try_from(disk.sector).ok()?).ok()?;
    let header = Header::parse(&sector, lba, disk)?;
    let entries = header.entries(disk)?;
    Some((header, entries))
}

/// Reads a table: the copy at the start, else the one at the end.
pub(crate) fn read(disk: &Disk) -> Option<Table> {
    let primary = copy(disk, 1);
    let end = disk.sectors.checked_sub(1)?;
    let mut at = primary.as_ref().map_or(end, |(header, _)| header.alternate);
    let mut backup = copy(disk, at);
    if backup.is_none() && at != end {
        at = end;
        backup = copy(disk, at);
    }
    let mut warnings = Vec::new();
    if primary.is_some() && at != end {
        warnings.push("The backup GPT table is not on the end of the device.".to_owned());
    }
    let backup_at = backup.is_some().then_some(at);
    let is_primary = primary.is_some();
    match (&primary, &backup) {
        (None, Some(_)) => warnings.push(
            "The primary GPT table is corrupt, but the backup appears OK, so that will be used."
                .to_owned(),
        ),
        (Some(_), None) => warnings.push(
            "The backup GPT table is corrupt, but the primary appears OK, so that will be used."
                .to_owned(),
        ),
        _ => {}
    }
    let (header, entries) = primary.or(backup)?;
    let label = Label {
        id: header.id,
        first: header.first,
        last: header.last,
        slots: header.slots,
        primary: is_primary,
        backup: backup_at,
    };
    let parts = entries.chunks_exact(header.entry).zip(1..);
    let parts = parts.filter_map(|(entry, number)| part(entry, number, disk.sectors)).collect();
    Some(Table { label: super::Label::Gpt(label), parts, warnings })
}

fn part(entry: &[u8], slot: u32, sectors: u64) -> Option<Part> {
    let guid = |at: usize| Some(Guid(entry.get(at..at + 16)?.try_into().ok()?));
    let (kind, uuid) = (guid(0)?, guid(16)?);
    let (start, end) = (number(entry, 32, 8), number(entry, 40, 8));
    if kind.is_nil() || start > end || start == 0 || end >= sectors {
        return None;
    }
    let units = entry.get(56..128)?.chunks_exact(2).map(|pair| number(pair, 0, 2) as u16);
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    Some(Part {
        number: slot,
        start,
        size: end - start + 1,
        kind: Kind::Gpt(kind),
        uuid,
        name: String::from_utf16_lossy(&units),
        attributes: number(entry, 48, 8),
        bootable: false,
    })
}

impl Label {
    /// That of a new table over the whole disk; `None` when the disk is too small.
    pub(crate) fn new(disk: &Disk, id: Guid, slots: u32) -> Option<Self> {
        let room = entries_sectors(slots, disk.sector);
        let last = disk.sectors.checked_sub(room + 2)?;
        let grain = (1 << 20) / disk.sector;
        let lowest = room + 2;
        let first = if disk.sectors > 8 * grain { grain.max(lowest) } else { lowest };
        (first <= last).then_some(Self { id, first, last, slots, primary: true, backup: None })
    }

    /// Follows the disk's end, after the disk grew.
    pub(crate) fn stretch(&mut self, disk: &Disk) {
        let room = entries_sectors(self.slots, disk.sector);
        self.last = disk.sectors.saturating_sub(room + 2);
    }
}

/// How many sectors the entries take.
fn entries_sectors(slots: u32, sector: u64) -> u64 {
    (u64::from(slots) * ENTRY as u64).div_ceil(sector)
}

/// Writes both copies, the one at the end first: at every moment one of them is whole.
pub(crate) fn write(disk: &Disk, label: &Label, parts: &[Part]) -> io::Result<()> {
    let room = entries_sectors(label.slots, disk.sector);
    let end = disk.sectors.checked_sub(1).ok_or(io::ErrorKind::InvalidInput)?;
    let backup = end.checked_sub(room).ok_or(io::ErrorKind::InvalidInput)?;
    let mut entries = vec![0; label.slots as usize * ENTRY];
    for part in parts {
        let at = (part.number as usize).saturating_sub(1) * ENTRY;
        put(&mut entries, at, &entry(part));
    }
    let crc = crc32fast::hash(&entries);
    disk.write(backup, &entries)?;
    disk.write(end, &header(disk, label, [end, 1, backup], crc))?;
    disk.file.sync_data()?;
    disk.write(2, &entries)?;
    disk.write(1, &header(disk, label, [1, end, 2], crc))?;
    mbr::protect(disk)
}

fn entry(part: &Part) -> Vec<u8> {
    let mut bytes = vec![0; ENTRY];
    if let Kind::Gpt(kind) = part.kind {
        put(&mut bytes, 0, &kind.0);
    }
    put(&mut bytes, 16, &part.uuid.0);
    put(&mut bytes, 32, &part.start.to_le_bytes());
    put(&mut bytes, 40, &part.end().to_le_bytes());
    put(&mut bytes, 48, &part.attributes.to_le_bytes());
    for (n, unit) in part.name.encode_utf16().take(36).enumerate() {
        put(&mut bytes, 56 + 2 * n, &unit.to_le_bytes());
    }
    bytes
}

/// A header's sector. `places` are its own, the other header's, and its entries'.
fn header(disk: &Disk, label: &Label, places: [u64; 3], entries_crc: u32) -> Vec<u8> {
    let [own, other, entries] = places;
    let mut bytes = vec![0; usize::try_from(disk.sector).unwrap_or(512)];
    put(&mut bytes, 0, SIGNATURE);
    put(&mut bytes, 8, &0x0001_0000_u32.to_le_bytes());
    put(&mut bytes, 12, &(HEADER as u32).to_le_bytes());
    for (at, value) in [(24, own), (32, other), (40, label.first), (48, label.last), (72, entries)]
    {
        put(&mut bytes, at, &value.to_le_bytes());
    }
    put(&mut bytes, 56, &label.id.0);
    put(&mut bytes, 80, &label.slots.to_le_bytes());
    put(&mut bytes, 84, &(ENTRY as u32).to_le_bytes());
    put(&mut bytes, 88, &entries_crc.to_le_bytes());
    let crc = crc32fast::hash(bytes.get(..HEADER).unwrap_or(&[]));
    put(&mut bytes, 16, &crc.to_le_bytes());
    bytes
}
