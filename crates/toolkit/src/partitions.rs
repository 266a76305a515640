//! Partition tables: GPT (UEFI specification 2.10, chapter 5) and MBR with its extended partitions.
//!
//! Whatever is read is hostile: lengths are bounded before anything is allocated, checksums are
//! verified, chains end.

pub(crate) mod edit;
pub(crate) mod gpt;
pub(crate) mod guid;
pub(crate) mod listing;
pub(crate) mod mbr;
pub(crate) mod script;
pub(crate) mod search;
pub(crate) mod space;
pub(crate) mod types;

pub(crate) use guid::Guid;

use anyhow::Context as _;
use rustix::fs::FileType;
use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, SeekFrom},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

/// A disk or an image of one.
#[derive(Debug)]
pub(crate) struct Disk {
    /// Its path as it was given.
    pub(crate) path: PathBuf,
    /// It, open.
    pub(crate) file: File,
    /// Its size in sectors.
    pub(crate) sectors: u64,
    /// Bytes a logical sector.
    pub(crate) sector: u64,
    /// Whether it is a block device.
    pub(crate) device: bool,
}

impl Disk {
    /// Opens a disk; with `write` for writing, too.
    pub(crate) fn open(path: &Path, write: bool) -> anyhow::Result<Self> {
        let file = OpenOptions::new().read(true).write(write).open(path).map_err(|error| {
            anyhow::anyhow!("cannot open {}: {}", path.display(), plain(&error))
        })?;
        Self::of_file(file, path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn of_file(mut file: File, path: &Path) -> io::Result<Self> {
        let mode = file.metadata()?.mode();
        let device = FileType::from_raw_mode(mode) == FileType::BlockDevice;
        let sector = if device { u64::from(rustix::fs::ioctl_blksszget(&file)?) } else { 512 };
        if !(512..=65536).contains(&sector) || !sector.is_power_of_two() {
            return Err(io::Error::other("its sectors have no usual size"));
        }
        let bytes = file.seek(SeekFrom::End(0))?;
        Ok(Self { path: path.to_owned(), file, sectors: bytes / sector, sector, device })
    }

    /// Its size, bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.sectors * self.sector
    }

    /// `length` bytes from a sector on.
    ///
    /// # Errors
    /// When they are not all there.
    pub(crate) fn read(&self, sector: u64, length: usize) -> io::Result<Vec<u8>> {
        let at = sector.checked_mul(self.sector).ok_or(io::ErrorKind::InvalidInput)?;
        let end = u64::try_from(length).ok().and_then(|length| at.checked_add(length));
        if end.is_none_or(|end| end > self.bytes()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// Writes from a sector on, within the disk.
    pub(crate) fn write(&self, sector: u64, bytes: &[u8]) -> io::Result<()> {
        let at = sector.checked_mul(self.sector).ok_or(io::ErrorKind::InvalidInput)?;
        let end = at.checked_add(bytes.len() as u64);
        if end.is_none_or(|end| end > self.bytes()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.file.write_all_at(bytes, at)
    }

    /// The path of a partition: `/dev/sda1`, `/dev/nvme0n1p1`.
    pub(crate) fn node(&self, number: u32) -> String {
        let path = self.path.to_string_lossy();
        let p = if path.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
        format!("{path}{p}{number}")
    }
}

/// An error of the system without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(text, _)| text.to_owned())
}

/// What a partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By GUID.
    Gpt(Guid),
    /// By the byte in an MBR.
    Mbr(u8),
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// From 1; in an MBR those from 5 on are logical.
    pub(crate) number: u32,
    /// Its first sector.
    pub(crate) start: u64,
    /// Its size, sectors; never 0.
    pub(crate) size: u64,
    /// What it is for.
    pub(crate) kind: Kind,
    /// Its own identifier, in a GPT.
    pub(crate) uuid: Guid,
    /// Its name, in a GPT.
    pub(crate) name: String,
    /// Its attributes, in a GPT.
    pub(crate) attributes: u64,
    /// Whether a BIOS boots from it, in an MBR.
    pub(crate) bootable: bool,
}

impl Part {
    /// Its last sector.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.size).saturating_sub(1)
    }

    /// Whether it is an MBR's extended partition.
    pub(crate) fn is_extended(&self) -> bool {
        matches!(self.kind, Kind::Mbr(0x05 | 0x0f | 0x85))
    }
}

/// What sort of table it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// GPT.
    Gpt(gpt::Label),
    /// MBR, and its number.
    Mbr(u32),
}

/// A partition table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its sort.
    pub(crate) label: Label,
    /// By number.
    pub(crate) parts: Vec<Part>,
    /// What was wrong with it but could be helped, a line each.
    pub(crate) warnings: Vec<String>,
}

impl Table {
    /// Its name for sfdisk.
    pub(crate) fn label_name(&self) -> &'static str {
        match self.label {
            Label::Gpt(_) => "gpt",
            Label::Mbr(_) => "dos",
        }
    }

    /// Its identifier.
    pub(crate) fn id(&self) -> String {
        match &self.label {
            Label::Gpt(label) => label.id.to_string(),
            Label::Mbr(id) => format!("{id:#010x}"),
        }
    }

    /// What PARTUUID means: a partition's own GUID, or an MBR's number and the partition's.
    pub(crate) fn part_uuid(&self, part: &Part) -> String {
        match part.kind {
            Kind::Gpt(_) => part.uuid.to_string().to_lowercase(),
            Kind::Mbr(_) => format!("{}-{:02x}", self.id().trim_start_matches("0x"), part.number),
        }
    }

    /// The partition with a number.
    pub(crate) fn part(&self, number: u32) -> Option<&Part> {
        self.parts.iter().find(|part| part.number == number)
    }
}

/// Reads a disk's table; `None` when it has none.
///
/// # Errors
/// When the disk cannot be read.
pub(crate) fn read(disk: &Disk) -> anyhow::Result<Option<Table>> {
    if disk.sectors == 0 {
        return Ok(None);
    }
    let first = disk
        .read(0, 512)
        .map_err(|e| anyhow::anyhow!("cannot read {}: {}", disk.path.display(), plain(&e)))?;
    let Some(mbr) = mbr::Sector::parse(&first) else { return Ok(None) };
    if mbr.is_protective()
        && let Some(table) = gpt::read(disk)
    {
        return Ok(Some(table));
    }
    Ok(mbr.table(disk))
}

/// Writes a table, and makes it last.
pub(crate) fn write(disk: &Disk, table: &Table) -> anyhow::Result<()> {
    let written = match &table.label {
        Label::Gpt(label) => gpt::write(disk, label, &table.parts),
        Label::Mbr(id) => mbr::write(disk, *id, &table.parts),
    };
    written
        .and_then(|()| disk.file.sync_all())
        .map_err(|e| anyhow::anyhow!("cannot write {}: {}", disk.path.display(), plain(&e)))
}

/// A little-endian number of up to 8 bytes; 0 when it is not all there.
pub(crate) fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let field = bytes.get(at..).and_then(|b| b.get(..length)).unwrap_or(&[]);
    field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Puts bytes into a buffer that has room for them.
pub(crate) fn put(buffer: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(room) = buffer.get_mut(at..).and_then(|b| b.get_mut(..bytes.len())) {
        room.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{edit, script::Script, *};
    use proptest::prelude::*;

    fn disk(bytes: u64) -> Disk {
        let file = tempfile::tempfile().unwrap();
        file.set_len(bytes).unwrap();
        Disk::of_file(file, Path::new("disk")).unwrap()
    }

    fn filled(kind: &str, lines: &str) -> (Disk, Table) {
        let disk = disk(16 << 20);
        let script = Script::parse(lines, &disk).unwrap();
        let mut table = edit::create(&disk, kind, &script).unwrap();
        for wish in &script.wishes {
            edit::add(&disk, &mut table, wish).unwrap();
        }
        write(&disk, &table).unwrap();
        (disk, table)
    }

    const GPT: &str = ",1M\n,2M,S\n,1M,U,\n";
    const MBR: &str = ",1M\n,8M,E\nstart=6144,size=2048\nstart=12288,size=100\n,1M\n";

    #[test]
    fn what_was_written_is_read() {
        for (kind, lines) in [("gpt", GPT), ("dos", MBR)] {
            let (disk, table) = filled(kind, lines);
            let again = read(&disk).unwrap().unwrap();
            assert_eq!(again.parts, table.parts);
            assert_eq!(again.id(), table.id());
            assert!(again.warnings.is_empty(), "{:?}", again.warnings);
        }
    }

    #[test]
    fn either_copy_of_a_gpt_serves() {
        for damaged in [0, 1, 2] {
            let (disk, table) = filled("gpt", GPT);
            let places = [1, disk.sectors - 1, 2];
            disk.write(places[damaged], &[1; 20]).unwrap();
            let again = read(&disk).unwrap().unwrap();
            assert_eq!(again.parts, table.parts);
            assert_eq!(again.warnings.len(), 1);
            write(&disk, &again).unwrap();
            assert!(read(&disk).unwrap().unwrap().warnings.is_empty());
        }
        let (disk, _) = filled("gpt", GPT);
        disk.write(1, &[1; 20]).unwrap();
        disk.write(disk.sectors - 1, &[1; 20]).unwrap();
        let left = read(&disk).unwrap().unwrap();
        assert_eq!(left.label_name(), "dos");
    }

    #[test]
    fn a_chain_of_logical_partitions_ends() {
        let (disk, _) = filled("dos", MBR);
        // The link of the chain's second sector leads back to the first.
        let mut sector = disk.read(12288 - 2048, 512).unwrap();
        put(&mut sector, 462, &[0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        disk.write(12288 - 2048, &sector).unwrap();
        let table = read(&disk).unwrap().unwrap();
        assert_eq!(table.warnings.len(), 1);
        assert!(table.parts.len() < 10);
    }

    proptest! {
        #[test]
        fn damage_is_survived(
            gpt: bool,
            hits in proptest::collection::vec((0_usize..40, 0_usize..512, any::<u8>()), 1..30),
            fixed: bool,
        ) {
            let (disk, table) = if gpt { filled("gpt", GPT) } else { filled("dos", MBR) };
            for (sector, at, byte) in hits {
                // Both ends of the disk, and the chain.
                let sector = match sector {
                    0..=2 => sector as u64,
                    3 => 4096,
                    4 => 10240,
                    5 => 12287,
                    n => disk.sectors - 1 - (n as u64 - 6),
                };
                let mut bytes = disk.read(sector, 512).unwrap();
                bytes[at] ^= byte;
                if fixed && matches!(sector, 1) {
                    // A header that somebody made on purpose has a good checksum.
                    put(&mut bytes, 16, &[0; 4]);
                    let crc = crc32fast::hash(&bytes[..92]);
                    put(&mut bytes, 16, &crc.to_le_bytes());
                }
                disk.write(sector, &bytes).unwrap();
            }
            if let Some(again) = read(&disk).unwrap() {
                let _ = (listing::dump(&disk, &again), listing::json(&disk, &again));
                let _ = (listing::free(&disk, &again), listing::partitions(&disk, &again, None, false));
                if again.label_name() == "gpt" && !fixed {
                    prop_assert!(again.parts == table.parts);
                }
            }
        }

        #[test]
        fn any_script_is_done_or_refused(lines in "[ -~\n]{0,80}", kind in "gpt|dos") {
            let disk = disk(16 << 20);
            if let Ok(script) = Script::parse(&lines, &disk)
                && let Ok(mut table) = edit::create(&disk, &kind, &script)
            {
                for wish in &script.wishes {
                    let _ = edit::add(&disk, &mut table, wish);
                    let _ = edit::modify(&disk, &mut table, 1, wish);
                }
                for (n, part) in table.parts.iter().enumerate() {
                    for other in &table.parts[n + 1..] {
                        let nested = part.is_extended() && other.number > 4;
                        prop_assert!(nested || part.end() < other.start || other.end() < part.start);
                    }
                    prop_assert!(part.end() < disk.sectors);
                }
            }
        }
    }
}
