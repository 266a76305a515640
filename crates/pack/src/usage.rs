//! Which parts of a disk hold anything.

use crate::{Source, btrfs, ext::Ext, fat, free::Free, ntfs, partitions, signatures, xfs};
use std::{io, ops::Range};

/// The file systems of a disk whose own maps say what they use.
#[derive(Debug, Default)]
pub struct Usage {
    systems: Vec<System>,
}

/// One of them.
#[derive(Debug)]
enum System {
    /// The map is looked at when it is needed.
    Ext(Ext),
    /// What is free within a range.
    Other(Free, Range<u64>),
}

impl System {
    /// Looks at a range of a disk.
    fn open(source: &dyn Source, range: &Range<u64>) -> io::Result<Option<Self>> {
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut head = vec![0; signatures::HEAD.min(length)];
        source.read_at(&mut head, range.start)?;
        if let Some(ext) = Ext::open(source, &head, range)? {
            return Ok(Some(Self::Ext(ext)));
        }
        for open in [fat::open, ntfs::open, xfs::open, btrfs::open] {
            if let Some((free, range)) = open(source, &head, range)? {
                return Ok(Some(Self::Other(free, range)));
            }
        }
        Ok(None)
    }

    fn range(&self) -> Range<u64> {
        match self {
            Self::Ext(ext) => ext.range(),
            Self::Other(_, range) => range.clone(),
        }
    }

    fn clear(&self, source: &dyn Source, at: u64, bytes: &mut [u8]) -> io::Result<bool> {
        match self {
            Self::Ext(ext) => ext.clear(source, at, bytes),
            Self::Other(free, _) => Ok(free.clear(at, bytes)),
        }
    }
}

impl Usage {
    /// Looks for file systems on a disk of sectors of `sector` bytes, and in its partitions.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn find(source: &dyn Source, sector: u64) -> io::Result<Self> {
        let mut systems = Vec::new();
        for range in partitions::find(source, sector)? {
            systems.extend(System::open(source, &range)?);
        }
        Ok(Self { systems })
    }

    /// The places of those file systems, bytes.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        self.systems.iter().map(System::range)
    }

    /// Whether any of a range belongs to one of those file systems.
    pub(crate) fn knows(&self, range: Range<u64>) -> bool {
        self.ranges().any(|other| other.start < range.end && range.start < other.end)
    }

    /// Makes zeros of what no file system uses in `bytes`, which begin at `at`. Returns whether
    /// anything of it is used.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn clear(&self, source: &dyn Source, at: u64, bytes: &mut [u8]) -> io::Result<bool> {
        let end = at + bytes.len() as u64;
        let (mut used, mut covered) = (false, 0);
        for system in &self.systems {
            let range = system.range();
            let (from, to) = (range.start.max(at), range.end.min(end));
            if from >= to {
                continue;
            }
            covered += to - from;
            let part = usize::try_from(from - at)
                .ok()
                .zip(usize::try_from(to - at).ok())
                .and_then(|(from, to)| bytes.get_mut(from..to));
            used |= system.clear(source, from, part.unwrap_or_default())?;
        }
        // What is in no file system that we know is used.
        Ok(used || covered < end - at)
    }
}
