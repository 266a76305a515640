//! Trees: blocks of items in the order of their keys, and blocks that lead to them.

use super::{
    Known,
    chunks::Chunks,
    superblock::{Checksum, Superblock},
};
use crate::{Source, number};
use crc::{CRC_32_ISCSI, Crc};
use ring::digest;
use std::io;

/// Where a tree begins, logical, and what its first block says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    pub(super) place: u64,
    pub(super) generation: u64,
    pub(super) level: u64,
}

/// What an item is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) object: u64,
    pub(super) kind: u8,
    pub(super) offset: u64,
}

impl Key {
    pub(super) const SIZE: usize = 17;

    pub(super) fn read(bytes: &[u8]) -> Self {
        Self {
            object: number(bytes, 0, 8),
            kind: bytes.get(8).copied().unwrap_or_default(),
            offset: number(bytes, 9, 8),
        }
    }
}

const HEADER: usize = 101;
const ITEM: usize = Key::SIZE + 8;
const POINTER: usize = Key::SIZE + 16;
const MAX_LEVEL: u64 = 7;

/// Reads trees.
pub(super) struct Reader<'a> {
    source: &'a dyn Source,
    superblock: &'a Superblock,
    /// Where the device begins.
    start: u64,
    chunks: &'a Chunks,
}

/// Is given each item, and says whether it is as it must be.
type Visit<'a> = &'a mut dyn FnMut(Key, &[u8]) -> bool;

impl<'a> Reader<'a> {
    pub(super) fn new(
        source: &'a dyn Source,
        superblock: &'a Superblock,
        start: u64,
        chunks: &'a Chunks,
    ) -> Self {
        Self { source, superblock, start, chunks }
    }

    /// Every item of a tree, in order. Whether all was as it must be; otherwise it ends early.
    ///
    /// Keys only rise, so no block is visited twice, whatever is written in it.
    pub(super) fn items(&self, root: Root, visit: Visit<'_>) -> io::Result<bool> {
        let mut last = None;
        Ok(root.level <= MAX_LEVEL && self.walk(root, None, &mut last, visit)?)
    }

    fn walk(
        &self,
        at: Root,
        first: Option<Key>,
        last: &mut Option<Key>,
        visit: Visit<'_>,
    ) -> io::Result<bool> {
        let Some(block) = self.block(at)? else { return Ok(false) };
        let count = usize::try_from(number(&block, 0x60, 4)).unwrap_or(usize::MAX);
        let body = block.get(HEADER..).unwrap_or_default();
        let width = if at.level == 0 { ITEM } else { POINTER };
        // Only a tree without anything in it has a block without anything.
        if count.saturating_mul(width) > body.len()
            || (count == 0 && (at.level > 0 || first.is_some()))
        {
            return Ok(false);
        }
        for (nth, entry) in body.chunks_exact(width).take(count).enumerate() {
            let key = Key::read(entry);
            if nth == 0 && first.is_some_and(|first| first != key) {
                return Ok(false);
            }
            if at.level > 0 {
                let (place, generation) = (number(entry, 17, 8), number(entry, 25, 8));
                let child = Root { place, generation, level: at.level - 1 };
                if !self.walk(child, Some(key), last, visit)? {
                    return Ok(false);
                }
                continue;
            }
            let (offset, size) = (number(entry, 17, 4), number(entry, 21, 4));
            let place = usize::try_from(offset).ok().zip(usize::try_from(offset + size).ok());
            let item = place.and_then(|(from, to)| body.get(from..to));
            let rises = last.is_none_or(|last| last < key);
            *last = Some(key);
            match item {
                Some(item) if rises && visit(key, item) => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// A block, from whichever of its places has it whole.
    fn block(&self, at: Root) -> Known<Vec<u8>> {
        let node = self.superblock.node;
        let mut bytes = vec![0; usize::try_from(node).unwrap_or(0)];
        for place in self.chunks.places(at.place, node) {
            self.source.read_at(&mut bytes, self.start + place)?;
            let right = has_sum(&bytes, self.superblock.checksum)
                && bytes.get(0x20..0x30) == Some(&self.superblock.id)
                && number(&bytes, 0x30, 8) == at.place
                && number(&bytes, 0x50, 8) == at.generation
                && number(&bytes, 0x64, 1) == at.level;
            if right {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

/// Whether a block's sum, which its beginning has room for, is that of the rest.
pub(super) fn has_sum(block: &[u8], checksum: Checksum) -> bool {
    let Some((sum, rest)) = block.split_at_checked(32) else { return false };
    match checksum {
        Checksum::Crc32c => sum.starts_with(&crc32c(rest).to_le_bytes()),
        Checksum::Sha256 => digest::digest(&digest::SHA256, rest).as_ref() == sum,
    }
}

/// Castagnoli's polynomial (RFC 3720, appendix B.4).
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
    CRC.checksum(bytes)
}
