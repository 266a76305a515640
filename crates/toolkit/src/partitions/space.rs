//! What of a disk belongs to no partition.

use super::{Disk, Label, Part, Table};

/// Sectors from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The first.
    pub(crate) start: u64,
    /// The last.
    pub(crate) end: u64,
    /// Whether it is in an extended partition.
    pub(crate) logical: bool,
}

impl Gap {
    /// Sectors.
    pub(crate) fn size(self) -> u64 {
        self.end - self.start + 1
    }
}

/// One MiB.
pub(crate) fn grain(disk: &Disk) -> u64 {
    (1 << 20) / disk.sector
}

/// The sectors that partitions of a table may have; an MBR reaches 2^32 of them.
pub(crate) fn limits(disk: &Disk, table: &Table) -> (u64, u64) {
    match &table.label {
        Label::Gpt(label) => (label.first, label.last),
        Label::Mbr(_) => {
            let first = if disk.sectors > 8 * grain(disk) { grain(disk) } else { 1 };
            (first, disk.sectors.saturating_sub(1).min(u64::from(u32::MAX)))
        }
    }
}

/// The gaps between partitions, in order; `without` is a partition that shall not count.
pub(crate) fn gaps(disk: &Disk, table: &Table, without: Option<u32>) -> Vec<Gap> {
    let counted = |part: &&Part| Some(part.number) != without;
    let (first, last) = limits(disk, table);
    let is_logical = |part: &&Part| matches!(table.label, Label::Mbr(_)) && part.number > 4;
    let primary = table.parts.iter().filter(counted).filter(|part| !is_logical(part));
    let mut gaps = between(first, last, primary, false);
    if let Some(extended) = table.parts.iter().find(|part| part.is_extended()) {
        let logical = table.parts.iter().filter(counted).filter(is_logical);
        let first = extended.start + grain(disk);
        // Each needs a sector of the chain, a grain before it.
        let inner = between(first, extended.end(), logical, true);
        let inner = inner.into_iter().filter_map(|gap| {
            let start = if gap.start == first { first } else { gap.start + grain(disk) };
            (start <= gap.end).then_some(Gap { start, ..gap })
        });
        gaps.extend(inner);
    }
    gaps
}

fn between<'a>(
    first: u64,
    last: u64,
    parts: impl Iterator<Item = &'a Part>,
    logical: bool,
) -> Vec<Gap> {
    let mut taken: Vec<(u64, u64)> = parts.map(|part| (part.start, part.end())).collect();
    taken.sort_unstable();
    let mut gaps = Vec::new();
    let mut next = first;
    for (start, end) in taken {
        if start > next && next <= last {
            gaps.push(Gap { start: next, end: (start - 1).min(last), logical });
        }
        next = next.max(end.saturating_add(1));
    }
    if next <= last {
        gaps.push(Gap { start: next, end: last, logical });
    }
    gaps
}
