//! Which clusters of an NTFS file system are used ("NTFS On-Disk Structures", Microsoft; the documentation of Linux-NTFS).
//!
//! The file `$Bitmap` has a bit for each cluster. It is believed when the volume is not marked as dirty and its log is
//! closed: a Windows that hibernates, as it does for a quick start, leaves the log open.

mod record;

use crate::{Source, free::Free, number, signatures};
use record::Record;
use std::{io, ops::Range};

/// The files whose numbers are fixed.
const LOG_FILE: u64 = 2;
const VOLUME: u64 = 3;
const BITMAP: u64 = 6;

const DATA: u64 = 0x80;
const VOLUME_INFORMATION: u64 = 0x70;

/// How much of the map is read at once, bytes.
const PIECE: u64 = 1 << 20;

/// A file system that was understood.
#[derive(Debug)]
pub(super) struct Ntfs {
    start: u64,
    cluster: u64,
    clusters: u64,
    /// Bytes of a file's record.
    record: u64,
    /// Where the table of files begins, cluster.
    table: u64,
}

/// Clusters of a file that follow each other on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    /// The first one.
    at: u64,
    count: u64,
}

/// What is free, and the range of which that was found out.
pub(crate) fn open(
    source: &dyn Source,
    head: &[u8],
    range: &Range<u64>,
) -> io::Result<Option<(Free, Range<u64>)>> {
    if head.get(3..11) != Some(b"NTFS    ") || !signatures::only(head, "ntfs") {
        return Ok(None);
    }
    let Some(ntfs) = Ntfs::parse(head, range) else { return Ok(None) };
    if !ntfs.is_clean(source)? {
        return Ok(None);
    }
    let end = ntfs.start + ntfs.clusters * ntfs.cluster;
    Ok(ntfs.free(source)?.map(|free| (free, ntfs.start..end)))
}

impl Ntfs {
    fn parse(head: &[u8], range: &Range<u64>) -> Option<Self> {
        let field = |at, length| number(head, at, length);
        let sector = field(11, 2);
        // More than 128 is written as a power of two, negative; so are records of less than a cluster.
        let power = |value: u64| {
            (value > 0x80).then(|| 1_u64.checked_shl(u32::try_from(256 - value).ok()?)).flatten()
        };
        let per_cluster = power(field(13, 1)).unwrap_or(field(13, 1));
        let cluster = sector.checked_mul(per_cluster)?;
        let record = power(field(64, 1)).unwrap_or(field(64, 1).checked_mul(cluster)?);
        let size = field(40, 8).checked_mul(sector)?;
        let fits =
            |size: u64, least, most| size.is_power_of_two() && (least..=most).contains(&size);
        let good = fits(sector, 256, 4096)
            && fits(cluster, sector, 2 << 20)
            && fits(record, 512, 64 << 10)
            && field(14, 2) == 0
            && field(510, 2) == 0xaa55
            && size <= range.end - range.start;
        let clusters = size.checked_div(cluster)?;
        let ntfs = Self { start: range.start, cluster, clusters, record, table: field(48, 8) };
        (good && ntfs.table < clusters).then_some(ntfs)
    }

    /// Bytes from a file's extents; whether all of them were there.
    fn read(
        &self,
        source: &dyn Source,
        extents: &[Extent],
        mut from: u64,
        mut bytes: &mut [u8],
    ) -> io::Result<bool> {
        for extent in extents {
            let length = extent.count * self.cluster;
            if from >= length {
                from -= length;
                continue;
            }
            let part = usize::try_from(length - from).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at_mut(part);
            source.read_at(now, self.start + extent.at * self.cluster + from)?;
            (from, bytes) = (0, later);
        }
        Ok(bytes.is_empty())
    }

    /// The record of a file with a fixed number.
    fn record(&self, source: &dyn Source, number_of: u64) -> io::Result<Option<Record>> {
        let size = usize::try_from(self.record).unwrap_or(0);
        let first = [Extent { at: self.table, count: self.record.div_ceil(self.cluster) }];
        let mut bytes = vec![0; size];
        if first.iter().any(|extent| extent.at + extent.count > self.clusters)
            || !self.read(source, &first, 0, &mut bytes)?
        {
            return Ok(None);
        }
        let Some(table) = Record::parse(bytes.clone()) else { return Ok(None) };
        let Some((extents, _)) = table.data(self.clusters) else { return Ok(None) };
        let there = self.read(source, &extents, number_of * self.record, &mut bytes)?;
        Ok(if there { Record::parse(bytes) } else { None })
    }

    /// Whether nothing is left to be done at the next mount.
    fn is_clean(&self, source: &dyn Source) -> io::Result<bool> {
        let Some(volume) = self.record(source, VOLUME)? else { return Ok(false) };
        let Some(information) = volume.resident(VOLUME_INFORMATION) else { return Ok(false) };
        let (major, flags) = (number(information, 8, 1), number(information, 10, 2));
        if information.len() < 12 || !(1..=3).contains(&major) || flags != 0 {
            return Ok(false);
        }
        let Some(log) = self.record(source, LOG_FILE)? else { return Ok(false) };
        let Some((extents, _)) = log.data(self.clusters) else { return Ok(false) };
        let mut pages = vec![0; 8192];
        if !self.read(source, &extents, 0, &mut pages)? {
            return Ok(false);
        }
        // New, or made empty by whoever closed it.
        Ok(pages.iter().all(|byte| *byte == 0xff) || pages.chunks(4096).all(is_closed))
    }

    fn free(&self, source: &dyn Source) -> io::Result<Option<Free>> {
        let Some(record) = self.record(source, BITMAP)? else { return Ok(None) };
        let Some((extents, size)) = record.data(self.clusters) else { return Ok(None) };
        let needed = self.clusters.div_ceil(8);
        if size < needed {
            return Ok(None);
        }
        let (mut free, mut at) = (Free::default(), 0);
        while at < needed {
            let mut piece = vec![0; usize::try_from(PIECE.min(needed - at)).unwrap_or(0)];
            if !self.read(source, &extents, at, &mut piece)? {
                return Ok(None);
            }
            for (offset, byte) in piece.iter().enumerate().filter(|(_, byte)| **byte != 0xff) {
                let first = (at + offset as u64) * 8;
                for bit in (0..8).filter(|bit| byte >> bit & 1 == 0 && first + bit < self.clusters)
                {
                    let from = self.start + (first + bit) * self.cluster;
                    free.add(from..from + self.cluster);
                }
            }
            at += piece.len() as u64;
        }
        Ok(Some(free))
    }
}

/// Whether a page at the log's beginning says that nobody has it open.
fn is_closed(page: &[u8]) -> bool {
    const NOBODY: u64 = 0xffff;
    const CLEAN: u64 = 2;
    let at = usize::try_from(number(page, 24, 2)).unwrap_or(0);
    let (users, flags) = (number(page, at + 12, 2), number(page, at + 14, 2));
    // The last two bytes of each sector are elsewhere.
    page.starts_with(b"RSTR")
        && at >= 30
        && at + 16 <= 510
        && (users == NOBODY || flags & CLEAN != 0)
}

#[cfg(test)]
mod tests;
