//! Chunks: which logical places are where on the device.

use super::{
    Known,
    superblock::Superblock,
    tree::{Key, Reader},
};
use crate::number;
use std::ops::Range;

const CHUNK_OBJECT: u64 = 256;
const CHUNK_ITEM: u8 = 228;

/// Data, system, metadata; and what is there twice. Others are on several devices.
const KINDS: u64 = 0x7;
const DOUBLED: u64 = 0x20;

const HEADER: usize = 48;
const STRIPE: usize = 32;

/// The most chunks: with the least size that they have, of a file system of 16 TB.
const MOST: usize = 1 << 20;

/// A logical range, and where it begins on the device, once or twice.
#[derive(Debug)]
struct Chunk {
    range: Range<u64>,
    places: Vec<u64>,
}

/// A part of the device that a chunk has.
#[derive(Debug)]
pub(super) struct Stripe {
    pub(super) place: u64,
    pub(super) length: u64,
    /// Which chunk.
    pub(super) chunk: usize,
}

/// All chunks, in logical order.
#[derive(Debug, Default)]
pub(super) struct Chunks(Vec<Chunk>);

impl Chunks {
    /// Those that the superblock names.
    pub(super) fn first(superblock: &Superblock) -> Option<Self> {
        let mut chunks = Self::default();
        let mut rest = superblock.first_chunks.as_slice();
        while !rest.is_empty() {
            let (key, item) = rest.split_at_checked(Key::SIZE)?;
            let length = HEADER + STRIPE * usize::try_from(number(item, 44, 2)).ok()?;
            let (item, after) = item.split_at_checked(length)?;
            rest = after;
            chunks.add(superblock, Key::read(key), item)?;
        }
        Some(chunks)
    }

    /// All that the tree of chunks has.
    pub(super) fn read(superblock: &Superblock, reader: &Reader<'_>) -> Known<Self> {
        let mut chunks = Self::default();
        let whole = reader.items(superblock.chunk_root, &mut |key: Key, item: &[u8]| {
            key.kind != CHUNK_ITEM || chunks.add(superblock, key, item).is_some()
        })?;
        Ok((whole && chunks.are_apart(superblock)).then_some(chunks))
    }

    fn add(&mut self, superblock: &Superblock, key: Key, item: &[u8]) -> Option<()> {
        let field = |at, length| number(item, at, length);
        let (length, kind, count) = (field(0, 8), field(24, 8), field(44, 2));
        let expected = match kind & !KINDS {
            0 => 1_usize,
            DOUBLED => 2,
            _ => return None,
        };
        let end = key.offset.checked_add(length)?;
        let sector = superblock.sector;
        let good = (key.object, key.kind) == (CHUNK_OBJECT, CHUNK_ITEM)
            && usize::try_from(count) == Ok(expected)
            && length > 0
            && length.is_multiple_of(sector)
            && key.offset.is_multiple_of(sector)
            && self.0.len() < MOST
            && self.0.last().is_none_or(|last| last.range.end <= key.offset);
        let mut places = Vec::new();
        for stripe in item.get(HEADER..)?.chunks_exact(STRIPE).take(expected) {
            let (device, place) = (number(stripe, 0, 8), number(stripe, 8, 8));
            let fits = place.checked_add(length)? <= superblock.device_bytes;
            places.push(place);
            if device != superblock.device || !place.is_multiple_of(sector) || !fits {
                return None;
            }
        }
        if !good || places.len() != expected {
            return None;
        }
        self.0.push(Chunk { range: key.offset..end, places });
        Some(())
    }

    /// Whether no part of the device belongs to two, and all have room on it.
    fn are_apart(&self, superblock: &Superblock) -> bool {
        let stripes = self.stripes();
        let pairs = stripes.iter().zip(stripes.iter().skip(1));
        pairs.clone().all(|(a, b)| a.place + a.length <= b.place)
            && stripes.last().is_some_and(|s| s.place + s.length <= superblock.device_bytes)
    }

    /// Parts of the device in their order.
    pub(super) fn stripes(&self) -> Vec<Stripe> {
        let chunks = self.0.iter().enumerate().flat_map(|(nth, chunk)| {
            let length = chunk.range.end - chunk.range.start;
            chunk.places.iter().map(move |place| Stripe { place: *place, length, chunk: nth })
        });
        let mut stripes: Vec<Stripe> = chunks.collect();
        stripes.sort_by_key(|stripe| stripe.place);
        stripes
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The logical range of a chunk.
    pub(super) fn range(&self, nth: usize) -> Option<Range<u64>> {
        self.0.get(nth).map(|chunk| chunk.range.clone())
    }

    /// Where so many bytes at a logical place are; nowhere when no chunk has them all.
    pub(super) fn places(&self, logical: u64, length: u64) -> Vec<u64> {
        let nth = self.0.partition_point(|chunk| chunk.range.end <= logical);
        let chunk = self.0.get(nth).filter(|chunk| {
            chunk.range.start <= logical
                && logical.checked_add(length).is_some_and(|end| end <= chunk.range.end)
        });
        let places = chunk.into_iter().flat_map(|chunk| {
            chunk.places.iter().map(|place| place + (logical - chunk.range.start))
        });
        places.collect()
    }
}
