//! Goes through all chunks of an image with several threads.

use super::{client::Client, mirrors::Mirrors, progress::Progress, target::Buffer};
use anyhow::Context as _;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use xenoboot_pack::{Chunk, Index, Run, chunk::Unpacker, index::PAGE};

/// What all buffers together may have, bytes.
const MEMORY: u64 = 72 << 20;

/// Most connections.
const WORKERS: u64 = 8;

/// Some chunks of one sort, at a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// Where they begin on the disk, bytes.
    pub(crate) at: u64,
    /// How long they are, bytes.
    pub(crate) length: u64,
    /// What they are.
    pub(crate) sort: Sort,
}

/// What chunks are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sort {
    /// Nothing uses them.
    Unused,
    /// Zeros.
    Zeros,
    /// One with data.
    Data(Chunk),
}

/// What each thread has for itself.
pub(crate) struct Worker {
    /// Its connection.
    pub(crate) client: Client,
    /// Its decompressor.
    pub(crate) unpacker: Unpacker,
    /// Room for a chunk.
    pub(crate) buffer: Buffer,
}

/// As many threads' things as memory allows.
pub(crate) fn workers(index: &Index, mirrors: &Mirrors) -> anyhow::Result<Vec<Worker>> {
    // A packed and an unpacked chunk; and what zstd needs.
    let each = 2 * index.chunk + (1 << 20);
    let count = (MEMORY / each).clamp(1, WORKERS);
    let worker = |_| {
        let buffer = Buffer::new(usize::try_from(index.chunk)?);
        Ok(Worker { client: mirrors.client(), unpacker: Unpacker::new()?, buffer })
    };
    (0..count).map(worker).collect()
}

/// Calls `work` for every piece, in about the disk's order; the first error ends it.
pub(crate) fn walk(
    index: &Index,
    mirrors: &Mirrors,
    workers: &mut [Worker],
    progress: &Progress,
    work: &(dyn Fn(&mut Worker, &Piece) -> anyhow::Result<()> + Sync),
) -> anyhow::Result<()> {
    for page in 0..index.pages.len() as u64 {
        let first = workers.first_mut().context("no threads")?;
        let pieces = pieces(index, page, &mirrors.page(&mut first.client, index, page)?);
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        let run = |worker: &mut Worker| {
            while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                if mirrors.is_stopped() {
                    return;
                }
                match work(worker, piece) {
                    // The others take next to no time.
                    Ok(()) if matches!(piece.sort, Sort::Data(_)) => progress.add(piece.length),
                    Ok(()) => {}
                    Err(error) => {
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.get_or_insert(error);
                        mirrors.stop();
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for worker in &mut *workers {
                scope.spawn(|| run(worker));
            }
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
    }
    Ok(())
}

fn pieces(index: &Index, page: u64, content: &xenoboot_pack::Page) -> Vec<Piece> {
    let mut number = page * PAGE;
    let mut pieces = Vec::with_capacity(content.runs().len());
    for run in content.runs() {
        let at = number * index.chunk;
        number += run.count();
        let length = (number * index.chunk).min(index.size) - at;
        let sort = match run {
            Run::Unused(_) => Sort::Unused,
            Run::Zeros(_) => Sort::Zeros,
            Run::Data(chunk) => Sort::Data(*chunk),
        };
        pieces.push(Piece { at, length, sort });
    }
    pieces
}
