//! Which clusters of a FAT file system are used (Microsoft's FAT specification, 1.03; ECMA-107).

use crate::{Source, free::Free, number, signatures};
use std::{io, ops::Range};

/// How much of the table is read at once: whole entries of each width, and whole sectors.
const PIECE: u64 = 3 << 18;

/// A file system that was understood.
#[derive(Debug, PartialEq, Eq)]
struct Fat {
    start: u64,
    sector: u64,
    cluster: u64,
    /// Of one copy of the table.
    table: u64,
    table_size: u64,
    copies: u64,
    /// Where cluster 2 begins, and how many clusters there are.
    data: u64,
    clusters: u64,
    /// Bits an entry of the table has.
    bits: u64,
    media: u64,
    end: u64,
}

/// What is free, and the range of which that was found out.
pub(crate) fn open(
    source: &dyn Source,
    head: &[u8],
    range: &Range<u64>,
) -> io::Result<Option<(Free, Range<u64>)>> {
    if !signatures::only(head, "fat") {
        return Ok(None);
    }
    let Some(fat) = Fat::parse(head, range) else { return Ok(None) };
    Ok(fat.free(source)?.map(|free| (free, fat.start..fat.end)))
}

impl Fat {
    fn parse(head: &[u8], range: &Range<u64>) -> Option<Self> {
        let field = |at, length| number(head, at, length);
        let either = |short, long| if short == 0 { long } else { short };
        let (sector, per_cluster) = (field(11, 2), field(13, 1));
        let (reserved, copies, entries) = (field(14, 2), field(16, 1), field(17, 2));
        let sectors = either(field(19, 2), field(32, 4));
        let table_sectors = either(field(22, 2), field(36, 4));
        let jumps = field(0, 1) == 0xe9 || field(0, 1) == 0xeb && field(2, 1) == 0x90;
        let good = jumps
            && field(510, 2) == 0xaa55
            && (512..=4096).contains(&sector)
            && sector.is_power_of_two()
            && per_cluster.is_power_of_two()
            && per_cluster * sector <= 64 << 10
            && reserved > 0
            && (1..=2).contains(&copies)
            && field(21, 1) >= 0xf0;
        if !good {
            return None;
        }
        let root = (entries * 32).div_ceil(sector);
        let before = reserved + copies * table_sectors + root;
        let clusters = sectors.checked_sub(before)? / per_cluster;
        let bits = match clusters {
            0 => return None,
            1..4085 => 12,
            4085..65525 => 16,
            65525..0x0fff_fff5 => 32,
            _ => return None,
        };
        // What belongs to the one sort and not to the other.
        let is_wide = entries == 0 && field(22, 2) == 0;
        let mirrored = field(40, 2) & 0x80 == 0 && field(42, 2) == 0;
        if (bits == 32) != is_wide || is_wide && !mirrored {
            return None;
        }
        let fat = Self {
            start: range.start,
            sector,
            cluster: per_cluster * sector,
            table: range.start + reserved * sector,
            table_size: table_sectors * sector,
            copies,
            data: range.start + before * sector,
            clusters,
            bits,
            media: field(21, 1),
            end: range.start + sectors * sector,
        };
        let fits = fat.end <= range.end && fat.needed() <= fat.table_size;
        fits.then_some(fat)
    }

    /// Bytes of the table that are in use.
    fn needed(&self) -> u64 {
        ((self.clusters + 2) * self.bits).div_ceil(8)
    }

    /// Goes through all copies of the table, which must be the same.
    fn free(&self, source: &dyn Source) -> io::Result<Option<Free>> {
        let mut free = Free::default();
        let (mut at, mut next) = (0, 0);
        while at < self.needed() {
            let length = PIECE.min(self.table_size - at);
            let mut piece = vec![0; usize::try_from(length).unwrap_or(0)];
            source.read_at(&mut piece, self.table + at)?;
            if self.copies > 1 {
                let mut copy = vec![0; piece.len()];
                source.read_at(&mut copy, self.table + self.table_size + at)?;
                if copy != piece {
                    return Ok(None);
                }
            }
            if at == 0 && !self.is_clean(&piece) {
                return Ok(None);
            }
            let last = (self.clusters + 2).min(next + length * 8 / self.bits);
            for entry in next..last {
                if entry >= 2 && self.entry(&piece, entry - next) == 0 {
                    let from = self.data + (entry - 2) * self.cluster;
                    free.add(from..from + self.cluster);
                }
            }
            (at, next) = (at + length, last);
        }
        Ok(Some(free))
    }

    /// An entry of a piece of the table.
    fn entry(&self, piece: &[u8], index: u64) -> u64 {
        let at = usize::try_from(index * self.bits / 8).unwrap_or(usize::MAX);
        match self.bits {
            12 => number(piece, at, 2) >> (4 * (index % 2)) & 0xfff,
            16 => number(piece, at, 2),
            _ => number(piece, at, 4) & 0x0fff_ffff,
        }
    }

    /// The first entry has the medium's sort; the second says whether it was unmounted and without faults.
    fn is_clean(&self, piece: &[u8]) -> bool {
        let (first, second) = (self.entry(piece, 0), self.entry(piece, 1));
        let good = match self.bits {
            12 => 0,
            16 => 0xc000,
            _ => 0x0c00_0000,
        };
        first & 0xff == self.media && second & good == good
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{fs, process::Command};

    fn run(program: &str, args: &[&str]) -> String {
        let out =
            Command::new(program).args(args).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
        let out = out.unwrap();
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(out.status.success(), "{program} {args:?}: {text}");
        text
    }

    /// A new file system on a disk full of other bytes, with files of which some were removed again.
    fn made(options: &[&str], size: usize) -> (tempfile::TempDir, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let disk = path("disk");
        fs::write(&disk, vec![0xa5; size]).unwrap();
        run("mkfs.fat", &[options, &[&disk]].concat());
        fs::write(path("file"), vec![b'x'; size / 20]).unwrap();
        for number in 0..6 {
            run("mcopy", &["-i", &disk, &path("file"), &format!("::file{number}")]);
        }
        for number in [1, 3] {
            run("mdel", &["-i", &disk, &format!("::file{number}")]);
        }
        let bytes = fs::read(&disk).unwrap();
        (folder, bytes)
    }

    fn opened(disk: &Vec<u8>) -> Option<(Free, Range<u64>)> {
        let head = &disk[..signatures::HEAD.min(disk.len())];
        open(disk, head, &(0..disk.len() as u64)).unwrap()
    }

    #[test]
    fn the_free_clusters_are_those_that_dosfstools_counts() {
        let sorts: [(&[&str], usize); 4] = [
            (&["-F", "12", "-s", "4"], 4 << 20),
            (&["-F", "16", "-s", "4"], 40 << 20),
            (&["-F", "32", "-s", "1"], 48 << 20),
            (&["-F", "32", "-S", "4096", "-s", "1"], 300 << 20),
        ];
        for (options, size) in sorts {
            let (folder, mut disk) = made(options, size);
            let (free, range) = opened(&disk).unwrap();
            assert_eq!(range, 0..size as u64);
            assert!(free.clear(0, &mut disk));
            let path = folder.path().join("disk").display().to_string();
            fs::write(&path, &disk).unwrap();
            // `DISK: 5 files, 1000/2000 clusters`
            let said = run("fsck.fat", &["-nv", &path]);
            let counts = said.lines().last().unwrap().rsplit(' ').nth(1).unwrap();
            let (used, all) = counts.split_once('/').unwrap();
            let numbers = [used, all].map(|text| text.parse::<u64>().unwrap());
            let cluster = said.lines().find_map(|line| line.strip_suffix(" bytes per cluster"));
            let cluster: u64 = cluster.unwrap().trim().parse().unwrap();
            assert_eq!(free.bytes(), (numbers[1] - numbers[0]) * cluster, "{options:?}: {said}");
            let file = folder.path().join("file").display().to_string();
            for number in [0, 2, 4, 5] {
                let out = folder.path().join(number.to_string()).display().to_string();
                run("mcopy", &["-i", &path, &format!("::file{number}"), &out]);
                assert!(fs::read(&out).unwrap() == fs::read(&file).unwrap());
            }
        }
    }

    #[test]
    fn what_is_not_clean_counts_as_used() {
        let (_folder, disk) = made(&["-F", "32", "-s", "1"], 48 << 20);
        let table = 32 * 512;
        let opened = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut disk = disk.clone();
            change(&mut disk);
            opened(&disk).is_some()
        };
        assert!(opened(&|_| ()));
        assert!(!opened(&|disk| disk[table + 7] &= 0xf7), "mounted");
        assert!(!opened(&|disk| disk[table + 7] &= 0xfb), "with errors");
        assert!(!opened(&|disk| disk[table + 4000] ^= 1), "with tables that differ");
        assert!(!opened(&|disk| disk[40] = 0x80), "with one table in use");
        assert!(
            !opened(&|disk| disk[1080..1082].copy_from_slice(&[0x53, 0xef])),
            "something else too"
        );
        assert!(!opened(&|disk| disk.truncate(47 << 20)), "cut");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn damage_is_survived(hits in proptest::collection::vec((0_usize..600, any::<u8>()), 1..12)) {
            let mut disk = vec![0; 1 << 20];
            disk[..62].copy_from_slice(b"\xeb\x3c\x90mkfs.fat\0\x02\x04\x01\0\x02\0\x02\0\x08\xf8\x02\0\x20\0\x02\0\0\0\0\0\0\0\0\0\x80\0\x29abcdNO NAME    FAT12   ");
            disk[510..515].copy_from_slice(&[0x55, 0xaa, 0xf8, 0xff, 0xff]);
            disk[1536..1539].copy_from_slice(&[0xf8, 0xff, 0xff]);
            for (at, byte) in hits {
                disk[at] = byte;
            }
            let _ = opened(&disk);
        }
    }
}
