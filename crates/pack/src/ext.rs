//! Which blocks of an ext2, ext3 or ext4 file system are used (Linux Documentation/filesystems/ext4).
//!
//! A block that is used but taken for unused would be lost. So whatever is not plainly understood, not
//! cleanly unmounted, or looks like something else too, counts as used altogether.

use crate::{Source, number, signatures};
use std::{io, ops::Range};

/// Features that do not change where the bitmaps are and what they mean.
const COMPAT: u64 = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x400 | 0x800 | 0x1000;
const INCOMPAT: u64 =
    0x2 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000 | 0x1_0000 | 0x2_0000;
const RO_COMPAT: u64 = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x400 | 0x2000 | 0x8000;

const SPARSE_SUPER: u64 = 0x1;
const WITH_CHECKSUMS: u64 = 0x10 | 0x400;
const WIDE: u64 = 0x80;

/// Of a group: its bitmap of blocks was never written.
const BLOCK_UNINIT: u64 = 2;

/// A file system that was understood.
#[derive(Debug)]
pub(crate) struct Ext {
    /// Where it begins, bytes.
    start: u64,
    block: u64,
    blocks: u64,
    first: u64,
    group: u64,
    /// Blocks of a group's inode table.
    table: u64,
    /// Bytes of a group's descriptor.
    descriptor: u64,
    /// Blocks that are reserved for more descriptors.
    reserved: u64,
    ro_compat: u64,
    wide: bool,
}

/// What a group's descriptor says.
struct Group {
    bitmap: u64,
    inodes: u64,
    table: u64,
    never_written: bool,
}

impl Ext {
    /// Looks at a range of a disk that begins with `head`.
    pub(crate) fn open(
        source: &dyn Source,
        head: &[u8],
        range: &Range<u64>,
    ) -> io::Result<Option<Self>> {
        if !signatures::only(head, "ext") {
            return Ok(None);
        }
        let Some(ext) = Self::parse(head.get(1024..2048).unwrap_or_default(), range) else {
            return Ok(None);
        };
        Ok(ext.has_root(source)?.then_some(ext))
    }

    fn parse(sb: &[u8], range: &Range<u64>) -> Option<Self> {
        let field = |at, length| number(sb, at, length);
        let (compat, incompat, ro_compat) = (field(92, 4), field(96, 4), field(100, 4));
        let good = field(56, 2) == 0xef53
            && field(58, 2) & 3 == 1
            && compat & !COMPAT == 0
            && incompat & !INCOMPAT == 0
            && ro_compat & !RO_COMPAT == 0
            && field(24, 4) <= 6
            && field(24, 4) == field(28, 4);
        if !good {
            return None;
        }
        let block = 1024_u64 << field(24, 4);
        let wide = incompat & WIDE != 0;
        let blocks = field(4, 4) | if wide { field(0x150, 4) << 32 } else { 0 };
        let descriptor = if wide { field(254, 2) } else { 32 };
        let (group, inodes) = (field(32, 4), field(40, 4));
        let inode = if field(76, 4) == 0 { 128 } else { field(88, 2) };
        let first = field(20, 4);
        let fits = blocks.checked_mul(block).is_some_and(|size| size <= range.end - range.start)
            && first == u64::from(block == 1024)
            && blocks > first
            && group > 0
            && group <= block * 8
            && group.is_multiple_of(8)
            && inodes > 0
            && inode >= 128
            && inode <= block
            && matches!(descriptor, 32 | 64);
        if !fits {
            return None;
        }
        let ext = Self {
            start: range.start,
            block,
            blocks,
            first,
            group,
            table: (inodes * inode).div_ceil(block),
            descriptor,
            reserved: if compat & 0x10 != 0 { field(206, 2) } else { 0 },
            ro_compat,
            wide,
        };
        (ext.descriptors_end() <= blocks).then_some(ext)
    }

    /// The block behind the descriptors of all groups.
    fn descriptors_end(&self) -> u64 {
        self.first + 1 + (self.groups() * self.descriptor).div_ceil(self.block)
    }

    /// The bytes that it describes.
    pub(crate) fn range(&self) -> Range<u64> {
        // The first block of those of 1 KiB belongs to a boot loader.
        self.start + self.first * self.block..self.start + self.blocks * self.block
    }

    fn groups(&self) -> u64 {
        (self.blocks - self.first).div_ceil(self.group)
    }

    fn group(&self, source: &dyn Source, number_of: u64) -> io::Result<Group> {
        let at = self.start + (self.first + 1) * self.block + number_of * self.descriptor;
        let mut bytes = [0; 64];
        let length = usize::try_from(self.descriptor).unwrap_or(32);
        source.read_at(bytes.get_mut(..length).unwrap_or_default(), at)?;
        let place = |low, high| {
            number(&bytes, low, 4) | if self.wide { number(&bytes, high, 4) << 32 } else { 0 }
        };
        let flags = if self.ro_compat & WITH_CHECKSUMS != 0 { number(&bytes, 18, 2) } else { 0 };
        Ok(Group {
            bitmap: place(0, 32),
            inodes: place(4, 36),
            table: place(8, 40),
            never_written: flags & BLOCK_UNINIT != 0,
        })
    }

    /// Whether inode 2 is a folder, as in every file system that is one.
    fn has_root(&self, source: &dyn Source) -> io::Result<bool> {
        let table = self.group(source, 0)?.table;
        let mut inodes = [0; 2048];
        if table <= self.first || table.saturating_add(2) > self.blocks {
            return Ok(false);
        }
        source.read_at(&mut inodes, self.start + table * self.block)?;
        // The second inode; inodes have 128 bytes or a power of two more.
        let folder = |at: usize| number(&inodes, at, 2) & 0xf000 == 0x4000;
        Ok([128, 256, 512, 1024].into_iter().any(folder))
    }

    /// Makes zeros of what is in `bytes`, which begin at `at` of the disk and are within
    /// [`range`](Self::range), and belongs to no used block. Returns whether any block is used.
    pub(crate) fn clear(&self, source: &dyn Source, at: u64, bytes: &mut [u8]) -> io::Result<bool> {
        let mut used = false;
        let mut rest = bytes;
        let mut place = at - self.start;
        while !rest.is_empty() {
            let block = place / self.block;
            let group = (block - self.first) / self.group;
            let end = (self.first + (group + 1) * self.group).min(self.blocks) * self.block;
            let length = usize::try_from(end - place).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(length);
            used |= self.clear_in_group(source, group, place, now)?;
            (rest, place) = (later, end);
        }
        Ok(used)
    }

    fn clear_in_group(
        &self,
        source: &dyn Source,
        number_of: u64,
        place: u64,
        bytes: &mut [u8],
    ) -> io::Result<bool> {
        let group = self.group(source, number_of)?;
        let first = self.first + number_of * self.group;
        let mut bitmap = vec![0; usize::try_from(self.group / 8).unwrap_or(0)];
        if !group.never_written {
            if group.bitmap <= self.first || group.bitmap >= self.blocks {
                // Damaged: nothing is known.
                return Ok(true);
            }
            source.read_at(&mut bitmap, self.start + group.bitmap * self.block)?;
        }
        let is_used = |block: u64| {
            if group.never_written {
                return self.is_own(&group, number_of, block - first, block);
            }
            let bit = block - first;
            let byte = usize::try_from(bit / 8).ok().and_then(|byte| bitmap.get(byte));
            byte.is_none_or(|byte| byte >> (bit % 8) & 1 == 1)
        };
        let (mut used, mut place, mut rest) = (false, place, bytes);
        while !rest.is_empty() {
            let block = place / self.block;
            let end = (block + 1) * self.block;
            let length = usize::try_from(end - place).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(length);
            if is_used(block) {
                used = true
            } else {
                now.fill(0)
            }
            (rest, place) = (later, end);
        }
        Ok(used)
    }

    /// Whether a block of a group without a bitmap holds what describes the file system.
    fn is_own(&self, group: &Group, number_of: u64, offset: u64, block: u64) -> bool {
        let descriptors = (self.groups() * self.descriptor).div_ceil(self.block) + self.reserved;
        self.has_super(number_of) && offset <= descriptors
            || block == group.bitmap
            || block == group.inodes
            || (group.table..group.table.saturating_add(self.table)).contains(&block)
    }

    /// Whether a group begins with a copy of the superblock.
    fn has_super(&self, group: u64) -> bool {
        let power = |base: u64| {
            let mut power = base;
            while power < group {
                power *= base;
            }
            power == group
        };
        self.ro_compat & SPARSE_SUPER == 0 || group <= 1 || [3, 5, 7].into_iter().any(power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{collections::BTreeSet, fs, process::Command};

    /// A new file system on a disk full of other bytes, with a file in it.
    fn made(options: &[&str], size: usize) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let (disk, root) = (folder.path().join("disk"), folder.path().join("root"));
        fs::create_dir(&root).unwrap();
        fs::write(root.join("file"), vec![b'x'; 300_000]).unwrap();
        fs::write(&disk, vec![0xa5; size]).unwrap();
        let mut command = Command::new("/usr/sbin/mke2fs");
        command.args(["-q", "-F", "-E", "nodiscard"]).args(options).arg("-d").arg(&root).arg(&disk);
        assert!(command.status().unwrap().success());
        fs::read(disk).unwrap()
    }

    /// What dumpe2fs says is free.
    fn free(disk: &[u8]) -> BTreeSet<u64> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        fs::write(&path, disk).unwrap();
        let said = Command::new("/usr/sbin/dumpe2fs").arg(path).output().unwrap().stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        let lines = said.lines().filter_map(|line| line.strip_prefix("  Free blocks: "));
        let ranges = lines.flat_map(|line| line.split(", ")).filter(|range| !range.is_empty());
        let number = |text: &str| text.trim().parse::<u64>().unwrap();
        ranges
            .flat_map(|range| match range.split_once('-') {
                Some((from, to)) => number(from)..=number(to),
                None => number(range)..=number(range),
            })
            .collect()
    }

    fn opened(disk: &Vec<u8>) -> Option<Ext> {
        let head = &disk[..signatures::HEAD.min(disk.len())];
        Ext::open(disk, head, &(0..disk.len() as u64)).unwrap()
    }

    #[test]
    fn the_used_blocks_are_those_that_dumpe2fs_counts() {
        let sorts: [(&[&str], usize); 6] = [
            (&["-t", "ext2", "-b", "1024"], 40 << 20),
            (&["-t", "ext3", "-b", "2048"], 80 << 20),
            (&["-t", "ext4", "-b", "4096"], 400 << 20),
            (&["-t", "ext4", "-b", "1024", "-O", "64bit"], 100 << 20),
            (&["-t", "ext4", "-b", "1024", "-O", "^flex_bg,^64bit"], 70 << 20),
            (
                &["-t", "ext4", "-b", "1024", "-O", "^resize_inode,^metadata_csum,uninit_bg"],
                70 << 20,
            ),
        ];
        for (options, size) in sorts {
            let disk = made(options, size);
            let ext = opened(&disk).unwrap();
            let (range, free) = (ext.range(), free(&disk));
            assert!(!free.is_empty());
            let mut cleared = disk.clone();
            let whole = &mut cleared[range.start as usize..range.end as usize];
            assert!(ext.clear(&disk, range.start, whole).unwrap());
            let block = ext.block as usize;
            for number in ext.first..ext.blocks {
                let at = number as usize * block;
                let [now, before] = [&cleared, &disk].map(|disk| &disk[at..at + block]);
                if free.contains(&number) {
                    assert!(crate::is_zero(now), "{options:?}: block {number} is free");
                } else {
                    assert_eq!(now, before, "{options:?}: block {number} is used");
                }
            }
        }
    }

    #[test]
    fn what_is_not_clean_counts_as_used() {
        let disk = made(&["-t", "ext4"], 20 << 20);
        let opened = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut disk = disk.clone();
            change(&mut disk);
            super::tests::opened(&disk).is_some()
        };
        assert!(opened(&|_| ()));
        assert!(!opened(&|disk| disk[1024 + 58] = 0), "mounted");
        assert!(!opened(&|disk| disk[1024 + 58] = 3), "with errors");
        assert!(!opened(&|disk| disk[1024 + 96] |= 4), "with a journal to replay");
        assert!(!opened(&|disk| disk[1024 + 96] |= 0x10), "with another layout");
        assert!(!opened(&|disk| disk[1024 + 101] |= 2), "with clusters");
        assert!(!opened(&|disk| disk[..6].copy_from_slice(b"LUKS\xba\xbe")), "encrypted since");
        assert!(!opened(&|disk| disk.truncate(19 << 20)), "cut");
    }

    #[test]
    fn damage_is_survived() {
        let disk = made(&["-t", "ext4", "-b", "1024"], 3 << 20);
        let hits = proptest::collection::vec((0_usize..1200, any::<u8>()), 1..12);
        let mut runner = proptest::test_runner::TestRunner::default();
        let survived = |(hits, at): (Vec<(usize, u8)>, u64)| {
            let mut disk = disk.clone();
            for (at, byte) in hits {
                // The superblock, and behind it the descriptors.
                disk[1024 + at] = byte;
            }
            let found = opened(&disk);
            if let Some(ext) = found {
                let range = ext.range();
                let at = at.clamp(range.start, range.end);
                let mut bytes = vec![1; (range.end - at).min(1 << 20) as usize];
                ext.clear(&disk, at, &mut bytes).unwrap();
            }
            Ok(())
        };
        runner.run(&(hits, 0_u64..2 << 20), survived).unwrap();
    }
}
