//! Which blocks of a btrfs file system are used ("On-disk Format" in the documentation of btrfs).
//!
//! What is used stands in the extent tree, in logical places; where those are on the device, in the chunk tree. Nothing is
//! written in place, so the trees that the superblock names are right as they are, unless a log waits to be replayed.

mod chunks;
mod superblock;
mod tree;

use crate::{Source, free::Free, number, signatures};
use chunks::Chunks;
use std::{io, ops::Range};
use superblock::Superblock;
use tree::{Key, Reader, Root};

/// What is known of a file system, or why nothing is: then all of it counts as used.
type Known<T> = io::Result<Option<T>>;

/// Objects and kinds of items.
const EXTENT_TREE: u64 = 2;
const ROOT_ITEM: u8 = 132;
const EXTENT_ITEM: u8 = 168;
const METADATA_ITEM: u8 = 169;

/// What else is in the extent tree: references to extents, and the groups that they are in.
const OTHERS: [u8; 8] = [172, 176, 178, 180, 182, 184, 188, 192];

/// Belongs to boot loaders and the first superblock, whatever the chunks say.
const FIRST_MIB: u64 = 1 << 20;

/// The other superblocks, and how much is theirs.
const COPIES: [u64; 2] = [64 << 20, 256 << 30];
const COPY: u64 = 64 << 10;

/// What is free, and the range of which that was found out.
pub(crate) fn open(
    source: &dyn Source,
    head: &[u8],
    range: &Range<u64>,
) -> Known<(Free, Range<u64>)> {
    if !signatures::only(head, "btrfs") {
        return Ok(None);
    }
    let Some(superblock) = Superblock::parse(head, range) else { return Ok(None) };
    let Some(first) = Chunks::first(&superblock) else { return Ok(None) };
    let reader = |chunks| Reader::new(source, &superblock, range.start, chunks);
    let Some(chunks) = Chunks::read(&superblock, &reader(&first))? else { return Ok(None) };
    let reader = reader(&chunks);
    let Some(root) = extent_tree(&superblock, &reader)? else { return Ok(None) };
    let Some(gaps) = gaps(&superblock, &reader, &chunks, root)? else { return Ok(None) };
    let free = on_device(&chunks, gaps, superblock.device_bytes, range.start);
    Ok(Some((free, range.start..range.start + superblock.device_bytes)))
}

/// Where the extent tree begins.
fn extent_tree(superblock: &Superblock, reader: &Reader<'_>) -> Known<Root> {
    let mut root = None;
    let whole = reader.items(superblock.root, &mut |key: Key, item: &[u8]| {
        if (key.object, key.kind) == (EXTENT_TREE, ROOT_ITEM) && item.len() >= 239 {
            root = Some(Root {
                generation: number(item, 160, 8),
                place: number(item, 176, 8),
                level: number(item, 238, 1),
            });
        }
        true
    })?;
    Ok(root.filter(|_| whole))
}

/// What no extent takes of each chunk, logical, in the chunks' order. The extents together are what the superblock says,
/// and none is outside of the chunks.
fn gaps(
    superblock: &Superblock,
    reader: &Reader<'_>,
    chunks: &Chunks,
    root: Root,
) -> Known<Vec<Vec<Range<u64>>>> {
    let mut gaps =
        Gaps { chunks, all: vec![Vec::new(); chunks.len()], nth: 0, end: 0, room: MOST_GAPS };
    let mut used = 0_u64;
    let node = superblock.node;
    let whole = reader.items(root, &mut |key: Key, _: &[u8]| {
        let length = match key.kind {
            EXTENT_ITEM => key.offset,
            METADATA_ITEM => node,
            kind => return OTHERS.contains(&kind),
        };
        used = used.saturating_add(length);
        gaps.extent(key.object, length)
    })?;
    Ok((whole && used == superblock.bytes_used).then(|| gaps.finish()))
}

/// More gaps than can be told apart count as used.
const MOST_GAPS: usize = 1 << 20;

/// Collects what lies between extents, which come in order.
struct Gaps<'a> {
    chunks: &'a Chunks,
    all: Vec<Vec<Range<u64>>>,
    /// The chunk that is looked at, and where its last extent ended.
    nth: usize,
    end: u64,
    room: usize,
}

impl Gaps<'_> {
    /// One more extent; false when it is not where one may be.
    fn extent(&mut self, start: u64, length: u64) -> bool {
        let Some(end) = start.checked_add(length) else { return false };
        loop {
            let Some(chunk) = self.chunks.range(self.nth) else { return false };
            self.end = self.end.max(chunk.start);
            if start < chunk.end {
                if start < self.end || end > chunk.end {
                    return false;
                }
                self.add(start);
                self.end = end;
                return true;
            }
            self.add(chunk.end);
            self.nth += 1;
        }
    }

    /// What is between the last extent and `to`.
    fn add(&mut self, to: u64) {
        if self.end < to && self.room > 0 {
            self.room -= 1;
            self.all.get_mut(self.nth).into_iter().for_each(|gaps| gaps.push(self.end..to));
        }
        self.end = to;
    }

    fn finish(mut self) -> Vec<Vec<Range<u64>>> {
        while let Some(chunk) = self.chunks.range(self.nth) {
            self.end = self.end.max(chunk.start);
            self.add(chunk.end);
            self.nth += 1;
        }
        self.all
    }
}

/// The gaps where they are on the device, and what no chunk has; without what is the superblocks'.
fn on_device(chunks: &Chunks, gaps: Vec<Vec<Range<u64>>>, size: u64, start: u64) -> Free {
    let mut free = Free::default();
    let mut add = |range: Range<u64>| {
        let mut from = range.start.max(FIRST_MIB);
        for copy in COPIES.map(|at| at..at + COPY) {
            if copy.start < range.end && from < copy.end {
                if from < copy.start {
                    free.add(start + from..start + copy.start);
                }
                from = copy.end;
            }
        }
        if from < range.end {
            free.add(start + from..start + range.end);
        }
    };
    let mut end = 0;
    for stripe in chunks.stripes() {
        add(end..stripe.place);
        let logical = chunks.range(stripe.chunk).map_or(0, |range| range.start);
        for gap in gaps.get(stripe.chunk).into_iter().flatten() {
            add(stripe.place + (gap.start - logical)..stripe.place + (gap.end - logical));
        }
        end = stripe.place + stripe.length;
    }
    add(end..size);
    free
}

#[cfg(test)]
mod tests;
