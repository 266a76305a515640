//! Compares a disk with an image.

use super::{
    mirrors::Mirrors,
    progress::Progress,
    target::Target,
    walk::{self, Sort, Worker},
};
use std::sync::{Mutex, PoisonError};
use xenoboot_pack::{Index, Sum, is_zero};

/// From one byte to before another.
pub(crate) type Range = (u64, u64);

/// The ranges of a disk that are not as the image has them, or cannot be read; in order.
pub(crate) fn differences(
    index: &Index,
    mirrors: &Mirrors,
    target: &Target,
    progress: &Progress,
) -> anyhow::Result<Vec<Range>> {
    let mut workers = walk::workers(index, mirrors)?;
    let found = Mutex::new(Vec::new());
    walk::walk(index, mirrors, &mut workers, progress, &|worker, piece| {
        let (mut at, end) = (piece.at, piece.at + piece.length);
        while at < end && !matches!(piece.sort, Sort::Unused) {
            let next = end.min(at + index.chunk);
            if !is_right(worker, target, (at, next), piece.sort)? {
                found.lock().unwrap_or_else(PoisonError::into_inner).push((at, next));
            }
            at = next;
        }
        Ok(())
    })?;
    Ok(merged(found.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

fn is_right(
    worker: &mut Worker,
    target: &Target,
    range: Range,
    sort: Sort,
) -> anyhow::Result<bool> {
    let plain = worker.buffer.first(usize::try_from(range.1 - range.0)?);
    if target.read(plain, range.0).is_err() {
        return Ok(false);
    }
    Ok(match sort {
        Sort::Data(chunk) => Sum::of(plain) == chunk.plain,
        Sort::Zeros => is_zero(plain),
        Sort::Unused => true,
    })
}

/// In order, neighbours as one.
fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut out: Vec<Range> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if last.1 == range.0 => last.1 = range.1,
            _ => out.push(range),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one() {
        let ranges = vec![(4, 6), (0, 2), (8, 9), (2, 4)];
        assert_eq!(merged(ranges), [(0, 6), (8, 9)]);
    }
}
