//! The root index and its pages: types, strict reading, and the one way to write them.

use crate::Sum;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeTuple as _};
use std::fmt;
use xenoboot_wire::{DecodeError, decode, encode};

/// The first field of every root index.
const MAGIC: &str = "xenoboot image";

/// The version of the format.
const VERSION: u16 = 2;

/// The usual chunk, bytes.
pub const CHUNK: u64 = 1 << 20;

/// The smallest and the largest chunk, bytes.
pub const CHUNKS: std::ops::RangeInclusive<u64> = 64 << 10..=16 << 20;

/// How many chunks a page describes; the last page of an image may have fewer.
pub const PAGE: u64 = 2048;

/// Largest root index or page, bytes.
pub const MAX_FILE: usize = xenoboot_wire::MAX_MESSAGE;

/// How much longer a chunk may become when it is packed: zstd's own bound is 1/256 and some bytes.
#[must_use]
pub const fn max_packed(chunk: u64) -> u64 {
    chunk + chunk / 128 + 1024
}

/// Why bytes are no index or no page.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Not even the right shape.
    #[error("no packed image: {0}")]
    Shape(#[from] DecodeError),
    /// The first field is another.
    #[error("no packed image: its first field is another")]
    Magic,
    /// Made by a later version.
    #[error("a packed image of version {0}; this program knows version {VERSION}")]
    Version(u16),
    /// A field that cannot be.
    #[error("a packed image with an impossible {0}")]
    Field(&'static str),
    /// There is another way to write the same.
    #[error("a packed image that is not written in the one right way")]
    NotCanonical,
    /// Bytes that are not those that were asked for.
    #[error("its SHA-512/256 is {found}, not {wanted}")]
    Digest {
        /// What was asked for.
        wanted: Sum,
        /// What came.
        found: Sum,
    },
}

/// The root index: a disk, and the digests of the pages that say what is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The disk's size, bytes; a multiple of `sector`.
    pub size: u64,
    /// Bytes a chunk; a power of two. The last one may be shorter.
    pub chunk: u64,
    /// Bytes a logical sector of the disk.
    pub sector: u32,
    /// How many chunks hold data.
    pub data: u64,
    /// The bytes of those chunks when packed.
    pub packed: u64,
    /// The pages, in order.
    pub pages: Vec<Sum>,
}

type Fields = (String, u16, u64, u64, u32, u64, u64, Vec<Sum>);

impl Index {
    /// Whether a file that begins with these bytes, at least 16, is meant to be a root index.
    #[must_use]
    pub fn is_one(head: &[u8]) -> bool {
        // An array of eight, and a text of 14 bytes.
        head.strip_prefix(&[0x88, 0x6e]).is_some_and(|rest| rest.starts_with(MAGIC.as_bytes()))
    }

    /// How many chunks the disk has.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(self.chunk)
    }

    /// How long chunk `number` is, bytes; 0 behind the end.
    #[must_use]
    pub fn length(&self, number: u64) -> u64 {
        self.size.saturating_sub(number.saturating_mul(self.chunk)).min(self.chunk)
    }

    /// How many chunks page `number` describes.
    #[must_use]
    pub fn page_chunks(&self, number: u64) -> u64 {
        self.chunks().saturating_sub(number.saturating_mul(PAGE)).min(PAGE)
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let pages: &[Sum] = &self.pages;
        let Self { size, chunk, sector, data, packed, .. } = self;
        encode(&(MAGIC, VERSION, size, chunk, sector, data, packed, pages))
    }

    /// Reads a root index.
    ///
    /// # Errors
    /// When the bytes are not exactly one, with every field possible.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let fields: Fields = decode(bytes)?;
        let (magic, version, size, chunk, sector, data, packed, pages) = fields;
        if magic != MAGIC {
            return Err(Error::Magic);
        }
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let index = Self { size, chunk, sector, data, packed, pages };
        index.check()?;
        if index.encode() == bytes { Ok(index) } else { Err(Error::NotCanonical) }
    }

    fn check(&self) -> Result<(), Error> {
        let sector = u64::from(self.sector);
        if !CHUNKS.contains(&self.chunk) || !self.chunk.is_power_of_two() {
            return Err(Error::Field("size of chunks"));
        }
        if !(512..=65536).contains(&sector) || !sector.is_power_of_two() {
            return Err(Error::Field("size of sectors"));
        }
        // What the kernel can address: off_t.
        if self.size == 0 || self.size > i64::MAX as u64 || !self.size.is_multiple_of(sector) {
            return Err(Error::Field("size"));
        }
        if self.pages.len() as u64 != self.chunks().div_ceil(PAGE) {
            return Err(Error::Field("number of pages"));
        }
        if self.data > self.chunks()
            || self.packed > self.data.saturating_mul(max_packed(self.chunk))
        {
            return Err(Error::Field("number of data chunks"));
        }
        Ok(())
    }

    /// Reads page `number`.
    ///
    /// # Errors
    /// When the file is another, or describes anything but that page's chunks.
    pub fn page(&self, number: u64, file: &File) -> Result<Page, Error> {
        let wanted = usize::try_from(number).ok().and_then(|number| self.pages.get(number));
        let wanted = *wanted.ok_or(Error::Field("page"))?;
        if file.sum != wanted {
            return Err(Error::Digest { wanted, found: file.sum });
        }
        let bytes = file.bytes.as_slice();
        let runs: Vec<Run> = decode(bytes)?;
        let page = Page { runs };
        if page.encode() != bytes {
            return Err(Error::NotCanonical);
        }
        page.check(self, self.page_chunks(number))?;
        Ok(page)
    }
}

/// A page or a chunk's file that has its digest.
#[derive(Clone, Debug)]
pub struct File {
    bytes: Vec<u8>,
    sum: Sum,
}

impl File {
    /// Takes bytes that came from anywhere.
    ///
    /// # Errors
    /// When they are not those that `wanted` names.
    pub fn verify(bytes: Vec<u8>, wanted: Sum) -> Result<Self, Error> {
        verify(&bytes, wanted)?;
        Ok(Self { bytes, sum: wanted })
    }

    /// Its digest.
    #[must_use]
    pub fn sum(&self) -> Sum {
        self.sum
    }

    /// Its content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Whether bytes are those that a digest names.
///
/// # Errors
/// When they are others.
pub(crate) fn verify(bytes: &[u8], wanted: Sum) -> Result<(), Error> {
    let found = Sum::of(bytes);
    if found == wanted { Ok(()) } else { Err(Error::Digest { wanted, found }) }
}

/// A chunk with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chunk {
    /// Of what is on the disk.
    pub plain: Sum,
    /// Of the file that holds it.
    pub packed: Sum,
    /// That file's size, bytes.
    pub size: u64,
}

/// Chunks of one sort, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// So many chunks that hold nothing; whatever is there may stay.
    Unused(u64),
    /// So many chunks of zeros.
    Zeros(u64),
    /// One chunk with data.
    Data(Chunk),
}

impl Run {
    /// How many chunks these are.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::Unused(count) | Self::Zeros(count) => *count,
            Self::Data(_) => 1,
        }
    }
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, count) = match self {
            Self::Unused(count) => (0_u8, count),
            Self::Zeros(count) => (1, count),
            Self::Data(chunk) => {
                let mut tuple = serializer.serialize_tuple(4)?;
                tuple.serialize_element(&2_u8)?;
                tuple.serialize_element(&chunk.plain)?;
                tuple.serialize_element(&chunk.packed)?;
                tuple.serialize_element(&chunk.size)?;
                return tuple.end();
            }
        };
        let mut tuple = serializer.serialize_tuple(2)?;
        tuple.serialize_element(&kind)?;
        tuple.serialize_element(count)?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Run;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a run of chunks")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Run, A::Error> {
                fn next<'de, T: Deserialize<'de>, A: de::SeqAccess<'de>>(
                    seq: &mut A,
                ) -> Result<T, A::Error> {
                    seq.next_element()?.ok_or_else(|| de::Error::custom("a run that is too short"))
                }
                let run = match next::<u8, A>(&mut seq)? {
                    0 => Run::Unused(next(&mut seq)?),
                    1 => Run::Zeros(next(&mut seq)?),
                    2 => Run::Data(Chunk {
                        plain: next(&mut seq)?,
                        packed: next(&mut seq)?,
                        size: next(&mut seq)?,
                    }),
                    _ => return Err(de::Error::custom("a run of an unknown sort")),
                };
                match seq.next_element::<de::IgnoredAny>()? {
                    None => Ok(run),
                    Some(_) => Err(de::Error::custom("a run that is too long")),
                }
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}

/// What [`PAGE`] chunks are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    runs: Vec<Run>,
}

impl Page {
    /// Adds one chunk or several; runs of the same sort become one.
    pub fn push(&mut self, run: Run) {
        match (self.runs.last_mut(), run) {
            (Some(Run::Unused(before)), Run::Unused(count))
            | (Some(Run::Zeros(before)), Run::Zeros(count)) => *before += count,
            _ => self.runs.push(run),
        }
    }

    /// Its runs, in order.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&self.runs)
    }

    fn check(&self, index: &Index, chunks: u64) -> Result<(), Error> {
        let mut count = 0_u64;
        let mut before = None;
        for run in &self.runs {
            let sort = match run {
                Run::Unused(_) => Some(0),
                Run::Zeros(_) => Some(1),
                Run::Data(_) => None,
            };
            if run.count() == 0 || (sort.is_some() && sort == before) {
                return Err(Error::NotCanonical);
            }
            if let Run::Data(chunk) = run
                && !(1..=max_packed(index.chunk)).contains(&chunk.size)
            {
                return Err(Error::Field("size of a packed chunk"));
            }
            before = sort;
            count = count.saturating_add(run.count());
        }
        if count == chunks { Ok(()) } else { Err(Error::Field("number of chunks in a page")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(pages: &[&Page], chunks: u64) -> Index {
        let pages = pages.iter().map(|page| Sum::of(&page.encode())).collect();
        Index { size: chunks * CHUNK, chunk: CHUNK, sector: 512, data: 0, packed: 0, pages }
    }

    fn runs() -> impl Strategy<Value = Vec<Run>> {
        let run = prop_oneof![
            (1_u64..50).prop_map(Run::Unused),
            (1_u64..50).prop_map(Run::Zeros),
            (any::<u8>(), any::<u8>(), 1..CHUNK).prop_map(|(plain, packed, size)| {
                Run::Data(Chunk { plain: Sum::of(&[plain]), packed: Sum::of(&[packed]), size })
            }),
        ];
        proptest::collection::vec(run, 1..40)
    }

    fn read(index: &Index, bytes: Vec<u8>) -> Result<Page, Error> {
        index.page(0, &File::verify(bytes, index.pages[0])?)
    }

    fn page(runs: &[Run]) -> Page {
        let mut page = Page::default();
        runs.iter().for_each(|run| page.push(*run));
        page
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(runs in runs(), last in 1_u64..CHUNK / 512) {
            let page = page(&runs);
            let chunks: u64 = runs.iter().map(Run::count).sum();
            let mut index = index(&[&page], chunks);
            index.size = index.size - CHUNK + last * 512;
            prop_assert_eq!(&Index::decode(&index.encode()).unwrap(), &index);
            prop_assert!(Index::is_one(&index.encode()[..16]));
            prop_assert_eq!(index.length(chunks - 1), last * 512);
            prop_assert_eq!(read(&index, page.encode()).unwrap(), page);
        }

        #[test]
        fn a_page_with_another_byte_is_refused(runs in runs(), at: prop::sample::Index, flip in 1_u8..) {
            let page = page(&runs);
            let index = index(&[&page], runs.iter().map(Run::count).sum());
            let mut bytes = page.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(read(&index, bytes).is_err());
        }

        #[test]
        fn whatever_is_read_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(index) = Index::decode(&bytes) {
                prop_assert_eq!(index.encode(), bytes);
            }
        }

        #[test]
        fn a_damaged_index_is_refused_or_possible(at: prop::sample::Index, byte: u8) {
            let mut bytes = index(&[&page(&[Run::Zeros(7)])], 7).encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(index) = Index::decode(&bytes) {
                prop_assert_eq!(index.pages.len() as u64, index.chunks().div_ceil(PAGE));
                prop_assert!((0..index.chunks()).all(|n| index.length(n) > 0));
            }
        }
    }

    #[test]
    fn impossible_pages_are_refused() {
        let refused = |runs: &[Run], chunks: u64| {
            let page = Page { runs: runs.to_vec() };
            read(&index(&[&page], chunks), page.encode()).unwrap_err()
        };
        assert_eq!(refused(&[Run::Zeros(3)], 4), Error::Field("number of chunks in a page"));
        assert_eq!(refused(&[Run::Zeros(1), Run::Zeros(3)], 4), Error::NotCanonical);
        assert_eq!(refused(&[Run::Zeros(4), Run::Unused(0)], 4), Error::NotCanonical);
        let digest = Sum::of(b"");
        let chunk = Chunk { plain: digest, packed: digest, size: max_packed(CHUNK) + 1 };
        assert_eq!(refused(&[Run::Data(chunk)], 1), Error::Field("size of a packed chunk"));
        let huge = [Run::Zeros(u64::MAX), Run::Unused(u64::MAX)];
        assert_eq!(refused(&huge, 4), Error::Field("number of chunks in a page"));
    }

    #[test]
    fn impossible_indexes_are_refused() {
        let good = index(&[&page(&[Run::Zeros(7)])], 7);
        let refused = |change: fn(&mut Index)| {
            let mut index = good.clone();
            change(&mut index);
            Index::decode(&index.encode()).unwrap_err()
        };
        assert_eq!(refused(|i| i.chunk = 3 << 20), Error::Field("size of chunks"));
        assert_eq!(refused(|i| i.chunk = 32 << 20), Error::Field("size of chunks"));
        assert_eq!(refused(|i| i.sector = 513), Error::Field("size of sectors"));
        assert_eq!(refused(|i| i.size -= 1), Error::Field("size"));
        assert_eq!(refused(|i| i.size = u64::MAX - 511), Error::Field("size"));
        assert_eq!(refused(|i| i.pages.clear()), Error::Field("number of pages"));
        assert_eq!(refused(|i| i.data = 8), Error::Field("number of data chunks"));
        let later = encode(&(MAGIC, 3, 1, 1, 1, 1, 1, [0; 0]));
        assert_eq!(Index::decode(&later), Err(Error::Version(3)));
        let mut long = good.encode();
        long.push(0);
        assert_eq!(Index::decode(&long), Err(Error::Shape(DecodeError::Trailing(1))));
    }
}
