//! Partitions of a disk whose table is lost, found by what they hold.
//!
//! Partitioning programs let partitions begin at whole MiB, older ones the first at sector 63. There it is looked for
//! superblocks that say how long their file system is; after its end the search goes on. Offsets are those of
//! the formats' own documents, as in `probe.rs`.

use super::{Disk, number};
use std::{io, os::unix::fs::FileExt as _};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it begins, bytes.
    pub(crate) start: u64,
    /// How long it is, bytes; to the next one where its format does not say.
    pub(crate) size: u64,
    /// What it is.
    pub(crate) kind: &'static str,
    /// Whether the first superblock is lost, and it was found by a copy.
    pub(crate) by_copy: bool,
}

const MIB: u64 = 1 << 20;
/// Where programs of old let the first partition begin.
const SECTOR_63: u64 = 63 * 512;
/// As far as a superblock of btrfs.
const HEAD: usize = 0x1_1000;
/// What a GPT keeps at the disk's end, sectors.
const BACKUP: u64 = 33;
/// More partitions than anybody has.
const MOST: usize = 128;

/// Looks through the disk.
///
/// # Errors
/// When it cannot be read; a place that cannot be read is passed over.
pub(crate) fn search(disk: &Disk) -> io::Result<Vec<Found>> {
    let end = disk.bytes().saturating_sub(BACKUP * disk.sector);
    let mut found: Vec<(Found, bool)> = Vec::new();
    let mut at = SECTOR_63;
    while at < end && found.len() < MOST {
        let begin =
            found.last().map_or(
                0,
                |(last, open)| {
                    if *open { last.start + MIB } else { last.start + last.size }
                },
            );
        let next = match look(disk, at) {
            Some((start, size, kind)) if start >= begin => {
                let longest = end - start.min(end);
                let open = size.is_none();
                let size = size.unwrap_or(longest);
                if size == 0 || size > longest {
                    at / MIB * MIB + MIB
                } else {
                    found.push((Found { start, size, kind, by_copy: start != at }, open));
                    if open { at / MIB * MIB + MIB } else { (start + size).next_multiple_of(MIB) }
                }
            }
            _ => at / MIB * MIB + MIB,
        };
        at = next.max(at + 1);
    }
    let starts: Vec<u64> = found.iter().skip(1).map(|(next, _)| next.start).collect();
    for ((found, open), next) in found.iter_mut().zip(starts) {
        if *open {
            found.size = next - found.start;
        }
    }
    Ok(found.into_iter().map(|(found, _)| found).collect())
}

/// What begins at a place, or is told of by a copy that stands there.
fn look(disk: &Disk, at: u64) -> Option<(u64, Option<u64>, &'static str)> {
    let mut head = vec![0; HEAD];
    let room = usize::try_from(disk.bytes().checked_sub(at)?).unwrap_or(HEAD).min(HEAD);
    disk.file.read_exact_at(head.get_mut(..room)?, at).ok()?;
    let head = Head(&head);
    if let Some((size, kind)) = head.whole() {
        return Some((at, size, kind));
    }
    // A copy of ext's superblock begins a group of blocks, and knows which. Where blocks have 1 KiB, all groups begin
    // a block later.
    let ext = [0, 1024].into_iter().find_map(|at| head.ext(at).filter(|ext| ext.group > 0))?;
    let start = at.checked_sub(ext.group.checked_mul(ext.per_group)?)?;
    Some((start, Some(ext.size), "ext"))
}

struct Ext {
    group: u64,
    per_group: u64,
    size: u64,
}

/// The first bytes of what may be a partition.
struct Head<'a>(&'a [u8]);

impl Head<'_> {
    fn has(&self, at: usize, magic: &[u8]) -> bool {
        self.0.get(at..).is_some_and(|rest| rest.starts_with(magic))
    }

    fn le(&self, at: usize, length: usize) -> u64 {
        number(self.0, at, length)
    }

    fn be(&self, at: usize, length: usize) -> u64 {
        let bytes = self.0.get(at..at + length).unwrap_or_default();
        bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    /// Size, if the format says, and name of what begins here.
    fn whole(&self) -> Option<(Option<u64>, &'static str)> {
        let known = |size: Option<u64>, kind| size.map(|size| (Some(size), kind));
        if let Some(ext) = self.ext(1024).filter(|ext| ext.group == 0) {
            return Some((Some(ext.size), "ext"));
        }
        if self.has(0, b"XFSB") {
            return known(self.be(8, 8).checked_mul(self.be(4, 4)), "xfs");
        }
        if self.has(0x1_0040, b"_BHRfS_M") {
            // Of this device: the file system may have several.
            return known(Some(self.le(0x1_00d1, 8)), "btrfs");
        }
        if self.has(4086, b"SWAPSPACE2") {
            return known(Some((self.le(1028, 4) + 1) * 4096), "swap");
        }
        if self.has(1024, &0xf2f5_2010_u32.to_le_bytes()) {
            let shift = u32::try_from(self.le(1040, 4)).ok()?;
            return known(self.le(1060, 8).checked_mul(1_u64.checked_shl(shift)?), "f2fs");
        }
        if self.has(0x8000, b"JFS1") {
            return Some((None, "jfs"));
        }
        if self.has(0, b"LUKS\xba\xbe") {
            return Some((None, "crypto_LUKS"));
        }
        self.volume().or_else(|| self.raid()).or_else(|| self.boot_sector())
    }

    /// A superblock of ext2, ext3 or ext4.
    fn ext(&self, at: usize) -> Option<Ext> {
        if !self.has(at + 56, &[0x53, 0xef]) {
            return None;
        }
        let block = 1024_u64.checked_shl(u32::try_from(self.le(at + 24, 4)).ok()?)?;
        let high = if self.le(at + 96, 4) & 0x80 == 0 { 0 } else { self.le(at + 336, 4) };
        let size = (high << 32 | self.le(at + 4, 4)).checked_mul(block)?;
        let per_group = self.le(at + 32, 4).checked_mul(block)?;
        Some(Ext { group: self.le(at + 90, 2), per_group, size })
    }

    /// A physical volume of LVM.
    fn volume(&self) -> Option<(Option<u64>, &'static str)> {
        let label = (0..4).map(|sector| sector * 512).find(|at| self.has(*at, b"LABELONE"))?;
        let header = label + usize::try_from(self.le(label + 20, 4)).ok()?;
        Some((Some(self.le(header + 32, 8)), "LVM2_member"))
    }

    /// A member of an array whose superblock is at its start or 4 KiB after it.
    fn raid(&self) -> Option<(Option<u64>, &'static str)> {
        let at = [0, 4096].into_iter().find(|at| self.has(*at, &0xa92b_4efc_u32.to_le_bytes()))?;
        let sectors = self.le(at + 128, 8).checked_add(self.le(at + 136, 8))?;
        Some((Some(sectors.checked_mul(512)?), "linux_raid_member"))
    }

    fn boot_sector(&self) -> Option<(Option<u64>, &'static str)> {
        let sector = self.le(11, 2);
        if !self.has(510, &[0x55, 0xaa]) {
            return None;
        }
        if self.has(3, b"NTFS    ") {
            // Behind the last sector that it counts stands a copy of the first.
            return Some((Some(self.le(40, 8).checked_add(1)?.checked_mul(sector)?), "ntfs"));
        }
        if self.has(3, b"EXFAT   ") {
            let shift = u32::try_from(self.le(108, 1)).ok()?;
            return Some((Some(self.le(72, 8).checked_mul(1_u64.checked_shl(shift)?)?), "exfat"));
        }
        if self.has(54, b"FAT") || self.has(82, b"FAT") {
            let few = self.le(19, 2);
            let sectors = if few == 0 { self.le(32, 4) } else { few };
            return Some((Some(sectors.checked_mul(sector)?), "vfat"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{fs::File, io::Write as _, process::Command};

    fn disk(mib: u64) -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        File::create(&path).unwrap().set_len(mib * MIB).unwrap();
        let disk = Disk::open(&path, true).unwrap();
        (dir, disk)
    }

    fn ext4(disk: &Disk, at: u64, kib: u64) {
        let path = disk.path.to_string_lossy();
        let options = format!("offset={}", at * MIB);
        let mut mke2fs = Command::new("mke2fs");
        mke2fs.args(["-q", "-F", "-b", "1024", "-E", &options, &path, &kib.to_string()]);
        assert!(mke2fs.status().unwrap().success());
    }

    #[test]
    fn file_systems_are_found_with_their_sizes() {
        let (_dir, disk) = disk(64);
        ext4(&disk, 1, 20 * 1024 - 7);
        ext4(&disk, 40, 16 * 1024);
        let mut luks = disk.file.try_clone().unwrap();
        io::Seek::seek(&mut luks, io::SeekFrom::Start(30 * MIB)).unwrap();
        luks.write_all(b"LUKS\xba\xbe\0\x02").unwrap();
        let found = |start, size, kind, by_copy| Found { start: start * MIB, size, kind, by_copy };
        let first = (20 * 1024 - 7) * 1024;
        let expected = [
            found(1, first, "ext", false),
            found(30, 10 * MIB, "crypto_LUKS", false),
            found(40, 16 * MIB, "ext", false),
        ];
        assert_eq!(search(&disk).unwrap(), expected);
        // By the copies in the second groups.
        disk.file.write_all_at(&[0; 1024], MIB + 1024).unwrap();
        disk.file.write_all_at(&[0; 1024], 40 * MIB + 1024).unwrap();
        let expected = expected.map(|f| Found { by_copy: f.kind == "ext", ..f });
        assert_eq!(search(&disk).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..3000), magic in 0..9_usize) {
            let (_dir, disk) = disk(3);
            let magics: [(u64, &[u8]); 9] = [
                (1080, &[0x53, 0xef]), (56, &[0x53, 0xef]), (0, b"XFSB"), (0x1_0040, b"_BHRfS_M"), (4086, b"SWAPSPACE2"),
                (1024, &[0x10, 0x20, 0xf5, 0xf2]), (512, b"LABELONE"), (0, &[0xfc, 0x4e, 0x2b, 0xa9]), (510, &[0x55, 0xaa]),
            ];
            let (at, magic) = magics[magic];
            disk.file.write_all_at(&bytes, MIB).unwrap();
            disk.file.write_all_at(magic, MIB + at).unwrap();
            for found in search(&disk).unwrap() {
                prop_assert!(found.start + found.size <= disk.bytes() && found.size > 0);
            }
        }
    }
}
