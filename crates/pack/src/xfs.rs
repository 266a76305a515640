//! Which blocks of an XFS file system are used ("XFS Algorithms & Data Structures", 3rd edition).
//!
//! Each allocation group has its free space in a tree by block number. It is right only when the log needs no replay.

mod log;

use crate::{Source, free::Free, signatures};
use std::{io, ops::Range};

/// Features that do not change what the trees of free space mean.
const RO_COMPAT: u64 = 0xf;
const INCOMPAT: u64 = 0x1 | 0x2 | 0x4 | 0x8 | 0x20 | 0x40 | 0x80;

const MAX_LEVELS: u64 = 16;

/// A big-endian number; 0 when it is not all there.
fn big(bytes: &[u8], at: usize, length: usize) -> u64 {
    let field = bytes.get(at..).and_then(|b| b.get(..length)).unwrap_or(&[]);
    field.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A file system that was understood.
#[derive(Debug)]
struct Xfs {
    start: u64,
    block: u64,
    blocks: u64,
    /// Blocks of a group, and how many groups.
    group: u64,
    groups: u64,
    /// Its binary logarithm, rounded up: block numbers have the group above it.
    group_log: u64,
    sector: u64,
    /// With checksums and longer headers.
    v5: bool,
    log_start: u64,
    log_blocks: u64,
}

/// What is free, and the range of which that was found out.
pub(crate) fn open(
    source: &dyn Source,
    head: &[u8],
    range: &Range<u64>,
) -> io::Result<Option<(Free, Range<u64>)>> {
    if !head.starts_with(b"XFSB") || !signatures::only(head, "xfs") {
        return Ok(None);
    }
    let Some(xfs) = Xfs::parse(head, range) else { return Ok(None) };
    let (at, blocks) = (xfs.place(xfs.log_start), xfs.log_blocks);
    if !log::is_clean(source, at..at + blocks * xfs.block)? {
        return Ok(None);
    }
    let mut free = Free::default();
    for group in 0..xfs.groups {
        if xfs.add_group(source, group, &mut free)?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some((free, xfs.start..xfs.start + xfs.blocks * xfs.block)))
}

impl Xfs {
    fn parse(head: &[u8], range: &Range<u64>) -> Option<Self> {
        let field = |at, length| big(head, at, length);
        let version = field(100, 2);
        let v5 = version & 0xf == 5;
        let understood = match version & 0xf {
            4 => true,
            5 => {
                field(212, 4) & !RO_COMPAT == 0
                    && field(216, 4) & !INCOMPAT == 0
                    && field(220, 4) == 0
            }
            _ => false,
        };
        let (block, sector) = (field(4, 4), field(102, 2));
        let xfs = Self {
            start: range.start,
            block,
            blocks: field(8, 8),
            group: field(84, 4),
            groups: field(88, 4),
            group_log: field(124, 1),
            sector,
            v5,
            log_start: field(48, 8),
            log_blocks: field(96, 4),
        };
        let power =
            |size: u64, least, most| size.is_power_of_two() && (least..=most).contains(&size);
        let good = understood
            && power(block, 512, 65536)
            && power(sector, 512, 32768)
            && field(126, 1) == 0
            && xfs.group_log < 32
            && xfs.group > 0
            && xfs.group <= 1 << xfs.group_log
            && xfs.groups == xfs.blocks.div_ceil(xfs.group)
            && xfs.blocks.checked_mul(block)? <= range.end - range.start
            // A log elsewhere cannot be looked at.
            && xfs.log_start > 0
            && xfs.log_blocks > 0;
        let log_end = xfs.index(xfs.log_start).checked_add(xfs.log_blocks)?;
        (good && log_end <= xfs.blocks).then_some(xfs)
    }

    /// Which block a number means that has the group in its upper bits.
    fn index(&self, number: u64) -> u64 {
        (number >> self.group_log)
            .saturating_mul(self.group)
            .saturating_add(number & ((1 << self.group_log) - 1))
    }

    fn place(&self, number: u64) -> u64 {
        self.start + self.index(number) * self.block
    }

    /// How many blocks a group has.
    fn length(&self, group: u64) -> u64 {
        self.group.min(self.blocks - group * self.group)
    }

    /// Adds a group's free blocks; `None` when anything is not as it must be.
    fn add_group(
        &self,
        source: &dyn Source,
        group: u64,
        free: &mut Free,
    ) -> io::Result<Option<()>> {
        let at = self.start + group * self.group * self.block;
        let mut header = vec![0; usize::try_from(self.sector).unwrap_or(512)];
        source.read_at(&mut header, at + self.sector)?;
        let (root, levels, count) = (big(&header, 16, 4), big(&header, 28, 4), big(&header, 52, 4));
        let good = header.starts_with(b"XAGF")
            && big(&header, 4, 4) == 1
            && big(&header, 8, 4) == group
            && big(&header, 12, 4) == self.length(group)
            && (1..=MAX_LEVELS).contains(&levels);
        if !good {
            return Ok(None);
        }
        let Some(mut leaf) = self.first_leaf(source, group, root, levels)? else { return Ok(None) };
        let (mut sum, mut end, mut leaves) = (0, 0, 0);
        loop {
            for record in leaf.records(8) {
                let (from, length) = (big(record, 0, 4), big(record, 4, 4));
                if from < end || length == 0 || from + length > self.length(group) {
                    return Ok(None);
                }
                (sum, end) = (sum + length, from + length);
                free.add(at + from * self.block..at + end * self.block);
            }
            leaves += 1;
            if leaf.right == 0xffff_ffff {
                break;
            }
            let next =
                self.node(source, group, leaf.right, 0)?.filter(|_| leaves <= self.length(group));
            let Some(next) = next else { return Ok(None) };
            leaf = next;
        }
        Ok((sum == count).then_some(()))
    }

    /// The leaf with the lowest numbers.
    fn first_leaf(
        &self,
        source: &dyn Source,
        group: u64,
        root: u64,
        levels: u64,
    ) -> io::Result<Option<Node>> {
        let mut number = root;
        for level in (0..levels).rev() {
            let Some(node) = self.node(source, group, number, level)? else { return Ok(None) };
            if level == 0 {
                return Ok(Some(node));
            }
            // Behind the room for all keys are the children.
            let most = (node.bytes.len() - node.header) / 12;
            number = big(&node.bytes, node.header + most * 8, 4);
        }
        Ok(None)
    }

    fn node(
        &self,
        source: &dyn Source,
        group: u64,
        number: u64,
        level: u64,
    ) -> io::Result<Option<Node>> {
        if number >= self.length(group) {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(self.block).unwrap_or(0)];
        source.read_at(&mut bytes, self.start + (group * self.group + number) * self.block)?;
        let (magic, header) = if self.v5 { (b"AB3B", 56) } else { (b"ABTB", 16) };
        let count = usize::try_from(big(&bytes, 6, 2)).unwrap_or(0);
        let width = if level == 0 { 8 } else { 12 };
        let good = bytes.starts_with(magic)
            && big(&bytes, 4, 2) == level
            && header + count * width <= bytes.len()
            && (level == 0 || count > 0);
        let right = big(&bytes, 12, 4);
        Ok(good.then_some(Node { bytes, header, count, right }))
    }
}

/// A block of a tree.
struct Node {
    bytes: Vec<u8>,
    header: usize,
    count: usize,
    right: u64,
}

impl Node {
    fn records(&self, width: usize) -> impl Iterator<Item = &[u8]> {
        self.bytes.get(self.header..).unwrap_or_default().chunks_exact(width).take(self.count)
    }
}

#[cfg(test)]
mod tests;
