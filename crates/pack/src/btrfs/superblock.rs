//! The superblock: what the file system is made of, and where its trees begin.

use super::tree::{self, Root};
use crate::number;
use std::ops::Range;

/// Where it is.
const PLACE: usize = 64 << 10;
const SIZE: usize = 4096;

/// Features that do not change what the extent tree and single or doubled chunks mean: mixed back references, a default
/// subvolume, mixed groups, compression, large nodes, extended references, small metadata items, no holes, an
/// identifier of its own for metadata, simple quotas.
const INCOMPAT: u64 = 0x7f | 0x700 | 0x1_0000;

/// The tree of free space, whether it is right, checksums of files, a tree of groups.
const RO_COMPAT: u64 = 0xf;

/// It was written, and relocation is known.
const FLAGS: u64 = 0x3;

const METADATA_ID: u64 = 1 << 10;

/// Which sum blocks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    Crc32c,
    Sha256,
}

/// One that was understood.
#[derive(Debug)]
pub(super) struct Superblock {
    /// The identifier that every block of a tree has.
    pub(super) id: Vec<u8>,
    pub(super) checksum: Checksum,
    pub(super) sector: u64,
    /// Bytes of a block of a tree.
    pub(super) node: u64,
    pub(super) root: Root,
    pub(super) chunk_root: Root,
    pub(super) bytes_used: u64,
    pub(super) device: u64,
    pub(super) device_bytes: u64,
    /// Chunks by which the tree of chunks is found.
    pub(super) first_chunks: Vec<u8>,
}

impl Superblock {
    /// From the beginning of a partition.
    pub(super) fn parse(head: &[u8], range: &Range<u64>) -> Option<Self> {
        let bytes = head.get(PLACE..PLACE + SIZE)?;
        let field = |at, length| number(bytes, at, length);
        if bytes.get(0x40..0x48)? != b"_BHRfS_M" || field(0x30, 8) != PLACE as u64 {
            return None;
        }
        let checksum = match field(0xc4, 2) {
            0 => Checksum::Crc32c,
            2 => Checksum::Sha256,
            _ => return None,
        };
        let (sector, node, incompat) = (field(0x90, 4), field(0x94, 4), field(0xbc, 8));
        let known = field(0x38, 8) & !FLAGS == 0
            && field(0xac, 8) == 0
            && field(0xb4, 8) & !RO_COMPAT == 0
            && incompat & !INCOMPAT == 0;
        let sound = tree::has_sum(bytes, checksum)
            && sector.is_power_of_two()
            && node.is_power_of_two()
            && (512..=65536).contains(&sector)
            && (sector.max(4096)..=65536).contains(&node);
        let device_bytes = field(0xd1, 8);
        // One device, and no log to replay.
        let alone =
            field(0x88, 8) == 1 && field(0x60, 8) == 0 && device_bytes <= range.end - range.start;
        let id = if incompat & METADATA_ID != 0 { 0x23b } else { 0x20 };
        let first = usize::try_from(field(0xa0, 4)).ok().filter(|length| *length <= 2048)?;
        let root = |place, generation, level| Root {
            place: field(place, 8),
            generation: field(generation, 8),
            level: field(level, 1),
        };
        (known && sound && alone).then_some(Self {
            id: bytes.get(id..id + 16)?.to_vec(),
            checksum,
            sector,
            node,
            root: root(0x50, 0x48, 0xc6),
            chunk_root: root(0x58, 0xa4, 0xc7),
            bytes_used: field(0x78, 8),
            device: field(0xc9, 8),
            device_bytes,
            first_chunks: bytes.get(0x32b..0x32b + first)?.to_vec(),
        })
    }
}
