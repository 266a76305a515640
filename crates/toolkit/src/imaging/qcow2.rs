//! Disk images of QEMU, versions 2 and 3 (QEMU's docs/interop/qcow2), read from their beginning to their end.
//!
//! What is not in the image itself, or cannot be read without a key, is refused; snapshots are not looked at.

use std::io::{self, Read};
use xenoboot_pack::Source;

/// What an image begins with.
pub(crate) const MAGIC: &[u8] = b"QFI\xfb";

/// Where a table or a cluster begins, in an entry of a table.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;

/// Of a cluster's entry: packed; zeros, whatever else it says (version 3).
const PACKED: u64 = 1 << 62;
const ZEROS: u64 = 1;

/// Whether somebody else uses it too, which does not matter to whoever only reads.
const OWNED: u64 = 1 << 63;

/// Most entries of the first table: as many as QEMU takes.
const MOST: u64 = 4 << 20;

/// Why an image is not read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Error {
    /// No header, or one of which a field cannot be.
    #[error("no qcow2 image: its {0} is impossible")]
    Field(&'static str),
    /// Of another format.
    #[error("a qcow2 image of version {0}; 2 and 3 are known")]
    Version(u64),
    /// It says only what differs from another file.
    #[error("a qcow2 image with a backing file: qemu-img convert -O qcow2 makes a whole one")]
    Backing,
    /// Its content is encrypted.
    #[error("an encrypted qcow2 image: qemu-img convert makes one that is not")]
    Encrypted,
    /// QEMU found it damaged.
    #[error("a qcow2 image that is marked as corrupt: qemu-img check -r all repairs it, maybe")]
    Corrupt,
    /// Its content is elsewhere.
    #[error("a qcow2 image with an external data file: qemu-img convert makes a whole one")]
    External,
    /// A feature that changes what the tables mean.
    #[error(
        "a qcow2 image with features that are not known ({0:#x}): qemu-img convert -o compat=1.1 makes one without"
    )]
    Feature(u64),
    /// An entry of a table that leads out of the file.
    #[error("a damaged qcow2 image: the entry for byte {0} is impossible")]
    Entry(u64),
    /// A cluster that cannot be unpacked.
    #[error("a damaged qcow2 image: what is packed for byte {0} cannot be unpacked")]
    Packed(u64),
}

/// What is known of an image.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    version: u64,
    cluster_bits: u32,
    size: u64,
    first_table: u64,
    zstd: bool,
}

/// An image whose content is read in order.
pub(crate) struct Qcow2<'a> {
    from: &'a dyn Source,
    header: Header,
    /// The second tables.
    tables: Vec<u64>,
    /// The one that is in use: its number, and its entries.
    table: Option<(u64, Vec<u8>)>,
    cluster: Vec<u8>,
    /// How much of the cluster is left, and where the next one is.
    left: usize,
    at: u64,
}

/// A big-endian number; 0 when it is not all there.
fn big(bytes: &[u8], at: usize, length: usize) -> u64 {
    let field = bytes.get(at..).and_then(|b| b.get(..length)).unwrap_or(&[]);
    field.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl Header {
    fn parse(head: &[u8]) -> Result<Self, Error> {
        let field = |at, length| big(head, at, length);
        let version = field(4, 4);
        if !head.starts_with(MAGIC) {
            return Err(Error::Field("beginning"));
        }
        if !(2..=3).contains(&version) {
            return Err(Error::Version(version));
        }
        if field(8, 8) != 0 {
            return Err(Error::Backing);
        }
        if field(32, 4) != 0 {
            return Err(Error::Encrypted);
        }
        let (features, length) = if version == 3 { (field(72, 8), field(100, 4)) } else { (0, 72) };
        if features & 2 != 0 {
            return Err(Error::Corrupt);
        }
        if features & 4 != 0 {
            return Err(Error::External);
        }
        // Counts that were not kept up to date are of no interest here.
        if features & !(1 | 8) != 0 {
            return Err(Error::Feature(features));
        }
        if version == 3 && length < 104 {
            return Err(Error::Field("header"));
        }
        let zstd = match (features & 8 != 0, if length > 104 { field(104, 1) } else { 0 }) {
            (false, 0) => false,
            (true, 1) => true,
            _ => return Err(Error::Field("compression")),
        };
        let bits = u32::try_from(field(20, 4)).unwrap_or(0);
        let (size, first_table) = (field(24, 8), field(40, 8));
        if !(9..=21).contains(&bits) {
            return Err(Error::Field("size of clusters"));
        }
        if size == 0 || size > i64::MAX as u64 || !size.is_multiple_of(512) {
            return Err(Error::Field("size"));
        }
        let header = Self { version, cluster_bits: bits, size, first_table, zstd };
        let needed = header.tables();
        if needed > MOST || field(36, 4) < needed || !first_table.is_multiple_of(header.cluster()) {
            return Err(Error::Field("first table"));
        }
        Ok(header)
    }

    fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// How many second tables there are; each has one cluster.
    fn tables(&self) -> u64 {
        self.size.div_ceil(self.cluster()).div_ceil(self.cluster() / 8)
    }
}

impl<'a> Qcow2<'a> {
    /// Reads the header and the first table.
    pub(crate) fn open(from: &'a dyn Source) -> anyhow::Result<Self> {
        let mut head = [0; 112];
        let there = usize::try_from(from.size()).unwrap_or(usize::MAX).min(head.len());
        from.read_at(head.get_mut(..there).unwrap_or_default(), 0)?;
        let header = Header::parse(&head)?;
        let mut bytes = vec![0; usize::try_from(header.tables() * 8)?];
        within(from, header.first_table, bytes.len() as u64).ok_or(Error::Field("first table"))?;
        from.read_at(&mut bytes, header.first_table)?;
        let tables = bytes.chunks_exact(8).map(|entry| big(entry, 0, 8)).collect();
        let cluster = vec![0; usize::try_from(header.cluster())?];
        Ok(Self { from, header, tables, table: None, cluster, left: 0, at: 0 })
    }

    /// How large the disk is, bytes.
    pub(crate) fn size(&self) -> u64 {
        self.header.size
    }

    /// The entry for the cluster at `at`; 0 for one without a place.
    fn entry(&mut self) -> anyhow::Result<u64> {
        let number = self.at >> self.header.cluster_bits;
        let each = self.header.cluster() / 8;
        let (table, index) = (number / each, usize::try_from(number % each)?);
        if self.table.as_ref().is_none_or(|(loaded, _)| *loaded != table) {
            let entry = self.tables.get(usize::try_from(table)?).copied().unwrap_or(0);
            let place = entry & OFFSET;
            let mut bytes = match self.table.take() {
                Some((_, bytes)) => bytes,
                None => vec![0; self.cluster.len()],
            };
            if entry & !(OFFSET | OWNED) != 0 || !place.is_multiple_of(self.header.cluster()) {
                return Err(Error::Entry(self.at).into());
            }
            if place == 0 {
                bytes.fill(0);
            } else {
                within(self.from, place, bytes.len() as u64).ok_or(Error::Entry(self.at))?;
                self.from.read_at(&mut bytes, place)?;
            }
            self.table = Some((table, bytes));
        }
        Ok(self.table.as_ref().map_or(0, |(_, bytes)| big(bytes, index * 8, 8)))
    }

    /// Brings the next cluster.
    fn load(&mut self) -> anyhow::Result<()> {
        let entry = self.entry()?;
        let (zeros, place) = (entry & ZEROS != 0, entry & OFFSET);
        if entry & PACKED != 0 {
            self.unpack(entry)?;
        } else if entry & !(OFFSET | OWNED | ZEROS) != 0 || zeros && self.header.version < 3 {
            return Err(Error::Entry(self.at).into());
        } else if zeros || place == 0 {
            self.cluster.fill(0);
        } else {
            // The last cluster of the file may have no end.
            let there = self.from.size().saturating_sub(place).min(self.header.cluster());
            if there == 0 || !place.is_multiple_of(self.header.cluster()) {
                return Err(Error::Entry(self.at).into());
            }
            let (data, rest) = self.cluster.split_at_mut(usize::try_from(there)?);
            self.from.read_at(data, place)?;
            rest.fill(0);
        }
        let last = self.header.size - self.at;
        self.left = usize::try_from(last.min(self.header.cluster()))?;
        self.at += self.left as u64;
        Ok(())
    }

    /// A packed cluster: from any byte on, so many sectors of 512 bytes beyond the one where it begins.
    fn unpack(&mut self, entry: u64) -> anyhow::Result<()> {
        let split = 62 - (self.header.cluster_bits - 8);
        let place = entry & ((1 << split) - 1);
        let sectors = (entry & (PACKED - 1)) >> split;
        let end = (place & !511) + (sectors + 1) * 512;
        let length = end.min(self.from.size()).checked_sub(place);
        let length = length.filter(|length| *length > 0 && entry & OWNED == 0);
        let mut packed = vec![0; usize::try_from(length.ok_or(Error::Entry(self.at))?)?];
        self.from.read_at(&mut packed, place)?;
        let done = if self.header.zstd { self.by_zstd(&packed) } else { self.by_deflate(&packed) };
        done.ok_or_else(|| Error::Packed(self.at).into())
    }

    fn by_zstd(&mut self, packed: &[u8]) -> Option<()> {
        let mut decoder = zstd::Decoder::with_buffer(packed).ok()?.single_frame();
        decoder.window_log_max(self.header.cluster_bits.max(10)).ok()?;
        decoder.read_exact(&mut self.cluster).ok()
    }

    fn by_deflate(&mut self, packed: &[u8]) -> Option<()> {
        let mut decoder = flate2::Decompress::new(false);
        let how = flate2::FlushDecompress::Finish;
        let _ = decoder.decompress(packed, &mut self.cluster, how).ok()?;
        (decoder.total_out() == self.cluster.len() as u64).then_some(())
    }
}

/// Whether a range is in the file.
fn within(from: &dyn Source, at: u64, length: u64) -> Option<()> {
    at.checked_add(length).filter(|end| *end <= from.size()).map(|_| ())
}

impl Read for Qcow2<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.at < self.header.size {
            self.load().map_err(io::Error::other)?;
        }
        // What is left of the cluster ends where the next one begins, or where the disk does.
        let mut end = usize::try_from(self.at % self.header.cluster()).map_err(io::Error::other)?;
        if end == 0 {
            end = self.cluster.len();
        }
        let length = self.left.min(out.len());
        let from = self.cluster.get(end - self.left..end - self.left + length).unwrap_or_default();
        out.get_mut(..length).unwrap_or_default().copy_from_slice(from);
        self.left -= length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
