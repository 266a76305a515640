//! Writes a packed image to a disk.

use super::{
    marker::{END, Marker},
    mirrors::Mirrors,
    progress::Progress,
    target::Target,
    walk::{self, Piece, Sort, Worker},
};
use anyhow::Context as _;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use xenoboot_pack::{Chunk, Index, Run, Sum, index::PAGE, is_zero, store::Kind};
use xenoboot_wire::Digest;

/// How many pages, and chunks of each, are looked at to guess whether the disk has most of the image.
const SAMPLE: usize = 4;

/// What was done, chunks.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Written.
    pub(crate) written: AtomicU64,
    /// Right already.
    pub(crate) kept: AtomicU64,
    /// Whether an earlier try was gone on with.
    pub(crate) resumed: bool,
}

/// An image on its way to a disk.
pub(crate) struct Job<'a> {
    /// The image.
    pub(crate) index: &'a Index,
    /// The digest of its root index.
    pub(crate) digest: Digest,
    /// Where its files are.
    pub(crate) mirrors: &'a Mirrors,
    /// The disk.
    pub(crate) target: &'a Target,
    /// What is there is not looked at.
    pub(crate) fresh: bool,
}

impl Job<'_> {
    /// Does it. When it fails, the disk is as it was or marked as unfinished.
    pub(crate) fn run(&self, progress: &Progress) -> anyhow::Result<Report> {
        let marker = Marker::new(self.target, self.digest);
        let mut workers = walk::workers(self.index, self.mirrors)?;
        let mut report = Report { resumed: marker.is_there(), ..Report::default() };
        let compare = !self.fresh
            && (report.resumed || self.resembles(workers.first_mut().context("none")?)?);
        if !compare {
            marker.set()?;
            let middle = self.target.size.saturating_sub(2 * END);
            self.target.discard(END, middle);
        }
        let step = Step { job: self, marker: &marker, compare, report: &report };
        let held = Mutex::new(Vec::new());
        walk::walk(self.index, self.mirrors, &mut workers, progress, &|worker, piece| {
            for part in parts(piece, self.target.size) {
                if marker.holds(part.at, part.length) {
                    held.lock().unwrap_or_else(PoisonError::into_inner).push(part);
                } else {
                    step.put(worker, &part)?;
                }
            }
            Ok(())
        })?;
        let held = held.into_inner().unwrap_or_else(PoisonError::into_inner);
        step.finish(workers.first_mut().context("none")?, held)?;
        report.resumed &= compare;
        Ok(report)
    }

    /// Whether any of some chunks is on the disk already, so that comparing is worth its time.
    fn resembles(&self, worker: &mut Worker) -> anyhow::Result<bool> {
        let pages = self.index.pages.len();
        for page in (0..pages).step_by(pages.div_ceil(SAMPLE)) {
            let content = self.mirrors.page(&mut worker.client, self.index, page as u64)?;
            let mut chunks = Vec::new();
            let mut number = page as u64 * PAGE;
            for run in content.runs() {
                if let Run::Data(chunk) = run {
                    chunks.push((number * self.index.chunk, *chunk));
                }
                number += run.count();
            }
            for (at, chunk) in chunks.iter().step_by(chunks.len().div_ceil(SAMPLE).max(1)) {
                let length = self.index.length(at / self.index.chunk);
                if self.is_there(worker, *at, length, chunk) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a chunk is on the disk. What cannot be read is not.
    fn is_there(&self, worker: &mut Worker, at: u64, length: u64, chunk: &Chunk) -> bool {
        let plain = worker.buffer.first(usize::try_from(length).unwrap_or(usize::MAX));
        self.target.read(plain, at).is_ok() && Sum::of(plain) == chunk.plain
    }
}

/// A piece, cut where the ends of the disk begin: of a long run only they have to wait.
fn parts(piece: &Piece, size: u64) -> Vec<Piece> {
    let end = piece.at + piece.length;
    let mut places = vec![piece.at, end];
    if !matches!(piece.sort, Sort::Data(_)) {
        let cuts = [END, size.saturating_sub(END)];
        places.extend(cuts.into_iter().filter(|cut| (piece.at..end).contains(cut)));
        places.sort_unstable();
        places.dedup();
    }
    let pairs = places.windows(2).filter_map(|pair| match pair {
        [at, next] => Some(Piece { at: *at, length: next - at, sort: piece.sort }),
        _ => None,
    });
    pairs.collect()
}

/// What each piece needs.
struct Step<'a> {
    job: &'a Job<'a>,
    marker: &'a Marker<'a>,
    compare: bool,
    report: &'a Report,
}

impl Step<'_> {
    fn put(&self, worker: &mut Worker, piece: &Piece) -> anyhow::Result<()> {
        match piece.sort {
            Sort::Unused => Ok(()),
            Sort::Zeros => self.zero(worker, piece),
            Sort::Data(chunk) => {
                if self.compare && self.job.is_there(worker, piece.at, piece.length, &chunk) {
                    self.report.kept.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                self.write(worker, piece, &chunk)
            }
        }
    }

    fn write(&self, worker: &mut Worker, piece: &Piece, chunk: &Chunk) -> anyhow::Result<()> {
        let mirrors = self.job.mirrors;
        let packed = mirrors.file(&mut worker.client, Kind::Chunk, &chunk.packed, chunk.size)?;
        let plain = worker.buffer.first(usize::try_from(piece.length)?);
        let place = || format!("the chunk at byte {}", piece.at);
        worker.unpacker.unpack(chunk, &packed, plain).with_context(place)?;
        self.marker.set()?;
        self.job.target.write(plain, piece.at).with_context(|| self.wrong(piece))?;
        self.report.written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Where a disk is looked at, only what is not zero is written.
    fn zero(&self, worker: &mut Worker, piece: &Piece) -> anyhow::Result<()> {
        let target = self.job.target;
        if !self.compare {
            return target.zero(piece.at, piece.length).with_context(|| self.wrong(piece));
        }
        let (mut at, end) = (piece.at, piece.at + piece.length);
        while at < end {
            let length = (end - at).min(self.job.index.chunk);
            let plain = worker.buffer.first(usize::try_from(length)?);
            if target.read(plain, at).is_err() || !is_zero(plain) {
                self.marker.set()?;
                target.zero(at, length).with_context(|| self.wrong(piece))?;
            }
            at += length;
        }
        Ok(())
    }

    fn wrong(&self, piece: &Piece) -> String {
        format!("cannot write {} at byte {}", self.job.target.path.display(), piece.at)
    }

    /// Writes both ends when everything between is on the disk for good; the boot sector last.
    fn finish(&self, worker: &mut Worker, mut held: Vec<Piece>) -> anyhow::Result<()> {
        let target = self.job.target;
        if !self.marker.is_there() {
            let mut right = true;
            for piece in &held {
                right &= match piece.sort {
                    Sort::Data(chunk) => self.job.is_there(worker, piece.at, piece.length, &chunk),
                    Sort::Unused => true,
                    // Sets the mark if it has to write.
                    Sort::Zeros => self.zero(worker, piece).map(|()| !self.marker.is_there())?,
                };
            }
            if right {
                let count = held.iter().filter(|piece| matches!(piece.sort, Sort::Data(_))).count();
                self.report.kept.fetch_add(count as u64, Ordering::Relaxed);
                return Ok(());
            }
        }
        self.marker.set()?;
        target.sync()?;
        held.sort_by_key(|piece| std::cmp::Reverse(piece.at));
        for piece in &held {
            if piece.at == 0 {
                target.sync()?;
            }
            match piece.sort {
                Sort::Data(chunk) => self.write(worker, piece, &chunk)?,
                Sort::Zeros => target.zero(piece.at, piece.length).context("zeros")?,
                // The mark has to go.
                Sort::Unused if piece.at == 0 => {
                    target.zero(0, END.min(piece.length)).context("zeros")?;
                }
                Sort::Unused => {}
            }
        }
        target.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_cut_at_the_ends() {
        let cut = |at, length, sort| {
            let parts = parts(&Piece { at, length, sort }, 10 * END);
            parts.iter().map(|part| (part.at / END, part.length / END)).collect::<Vec<_>>()
        };
        assert_eq!(cut(0, 10 * END, Sort::Zeros), [(0, 1), (1, 8), (9, 1)]);
        assert_eq!(cut(0, END, Sort::Unused), [(0, 1)]);
        assert_eq!(cut(2 * END, 3 * END, Sort::Zeros), [(2, 3)]);
        assert_eq!(cut(8 * END, 2 * END, Sort::Unused), [(8, 1), (9, 1)]);
        let digest = Sum::of(b"");
        let chunk = Chunk { plain: digest, packed: digest, size: 1 };
        assert_eq!(cut(0, 2 * END, Sort::Data(chunk)), [(0, 2)]);
    }
}
