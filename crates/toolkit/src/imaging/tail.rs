//! The end of the disk as a place to keep a file in until its digest is known to be right.

use super::{
    marker::END,
    target::{Buffer, Target},
};
use anyhow::{Context as _, ensure};
use std::io::{self, Read};
use xenoboot_pack::Source;

/// How much is written at once, bytes.
const BLOCK: usize = 1 << 20;

/// A file at a disk's end.
pub(crate) struct Tail<'a> {
    target: &'a Target,
    /// Where it begins, and how long it is, bytes.
    at: u64,
    length: u64,
}

impl<'a> Tail<'a> {
    /// Writes a file of `length` bytes as near to the end of a disk as it fits.
    pub(crate) fn fill(
        target: &'a Target,
        length: u64,
        from: &mut dyn Read,
    ) -> anyhow::Result<Self> {
        let shown = target.path.display();
        let room = target.size.saturating_sub(2 * END);
        ensure!(length <= room, "{shown} has no room for the file of {length} bytes");
        let at = (target.size - END - length) / BLOCK as u64 * BLOCK as u64;
        let tail = Self { target, at: at.max(END), length };
        let (mut buffer, mut done) = (Buffer::new(BLOCK), 0);
        while done < length {
            let part = usize::try_from(length - done).unwrap_or(BLOCK).min(BLOCK);
            let whole = part.next_multiple_of(usize::try_from(target.sector)?);
            let block = buffer.first(whole);
            block.fill(0);
            from.read_exact(block.get_mut(..part).unwrap_or_default())
                .context("cannot read the image")?;
            let place = tail.at + done;
            target
                .write(block, place)
                .with_context(|| format!("cannot write {shown} at byte {place}"))?;
            done += part as u64;
        }
        Ok(tail)
    }

    /// Where it begins: before it there is room for what is made of it.
    pub(crate) fn begin(&self) -> u64 {
        self.at
    }

    /// Nothing needs it any more.
    pub(crate) fn forget(self) {
        self.target.discard(self.at, self.target.size - END - self.at);
    }
}

impl Source for Tail<'_> {
    fn size(&self) -> u64 {
        self.length
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        if at.checked_add(bytes.len() as u64).is_none_or(|end| end > self.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.target.read(bytes, self.at + at)
    }
}
