//! Which parts of a disk hold anything.

use crate::{Source, ext::Ext, partitions};
use std::{io, ops::Range};

/// The file systems of a disk whose own maps say what they use.
#[derive(Debug, Default)]
pub struct Usage {
    systems: Vec<Ext>,
}

impl Usage {
    /// Looks for file systems on a disk of sectors of `sector` bytes, and in its partitions.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn find(source: &dyn Source, sector: u64) -> io::Result<Self> {
        let mut systems = Vec::new();
        for range in partitions::find(source, sector)? {
            systems.extend(Ext::open(source, range)?);
        }
        Ok(Self { systems })
    }

    /// The places of those file systems, bytes.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        self.systems.iter().map(Ext::range)
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
