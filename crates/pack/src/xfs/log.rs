//! Whether the log of an XFS file system needs no replay.

use super::big;
use crate::Source;
use std::{io, ops::Range};

/// Everything in the log comes in blocks of so many bytes.
const BLOCK: usize = 512;

/// How much is read at once, bytes.
const PIECE: u64 = 1 << 20;

/// What a record begins with. Blocks that go on with one begin with the number of the log's turn in place of their own bytes.
const MAGIC: u64 = 0xfeed_babe;

/// What the last operation of a clean unmount has among its flags.
const UNMOUNT: u64 = 0x20;

/// Whether the latest record is the one that says that the file system was unmounted.
pub(super) fn is_clean(source: &dyn Source, log: Range<u64>) -> io::Result<bool> {
    let mut latest = None;
    let mut at = log.start;
    while at < log.end {
        let mut piece = vec![0; usize::try_from(PIECE.min(log.end - at)).unwrap_or(0)];
        source.read_at(&mut piece, at)?;
        for (number, block) in piece.chunks_exact(BLOCK).enumerate() {
            if big(block, 0, 4) == MAGIC {
                let found = (big(block, 16, 8), at + (number * BLOCK) as u64, big(block, 40, 4));
                latest = latest.max(Some(found));
            }
        }
        at += piece.len() as u64;
    }
    let Some((_, at, operations)) = latest else { return Ok(false) };
    let mut block = [0; BLOCK];
    source.read_at(&mut block, at)?;
    // The longer a record may be, the more blocks its header has.
    let headers = big(&block, 320, 4).div_ceil(32 << 10).clamp(1, 8);
    let offset = at - log.start + headers * BLOCK as u64;
    source.read_at(&mut block, log.start + offset % (log.end - log.start))?;
    Ok(operations == 1 && big(&block, 9, 1) & UNMOUNT != 0)
}
