//! Events that the server has not acknowledged, in files that outlive the agent but not the power.
//!
//! A segment is a file named after the number of its first event; it holds events one after the
//! other, each a length of four bytes, big-endian, and the CBOR of a [`wire::event::Event`]. The newest
//! segment is never removed, so the next number is always known. An event that was being written when
//! the agent was killed is cut off: it had no number that anyone has seen.
//!
//! The spool is bounded. When it is full the newest are refused, lines first, because numbers have no
//! gaps; how many were given up is said as soon as there is room.
//!
//! [`wire::event::Event`]: xenoboot_wire::event::Event

use super::Draft;
use crate::layout;
use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};
use xenoboot_wire::{
    BootId, decode, encode,
    event::{Event, MAX_BATCH, What},
};

/// Where a segment ends and a new one begins, bytes.
const SEGMENT: u64 = 1 << 20;

/// Most bytes of events in one batch.
const BATCH_BYTES: u64 = 512 << 10;

/// How much of the spool each kind of event may fill, bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Lines of output.
    pub lines: u64,
    /// Everything else that can come often: failures, phases, progress.
    pub others: u64,
    /// Beginnings, ends and results of runs, and the note that something was dropped.
    pub results: u64,
}

impl Bounds {
    /// 16 MiB in all.
    pub const DEFAULT: Self = Self { lines: 12 << 20, others: 14 << 20, results: 16 << 20 };

    fn of(&self, what: &What) -> u64 {
        match what {
            What::Line { .. } => self.lines,
            What::RunStarted { .. }
            | What::RunEnded { .. }
            | What::Report { .. }
            | What::Console { .. }
            | What::Dropped { .. } => self.results,
            What::Phase { .. } | What::Progress { .. } | What::Failure { .. } => self.others,
        }
    }
}

/// The spool.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    bounds: Bounds,
    segments: VecDeque<Segment>,
    acked: u64,
    acked_file: File,
    dropped: u64,
}

#[derive(Debug)]
struct Segment {
    /// Number of its first event.
    first: u64,
    file: File,
    /// Where each event ends.
    ends: Vec<u64>,
}

impl Spool {
    /// Opens the spool in `dir`, with what an agent before this one left there on this power-on; what
    /// is from another one is removed.
    ///
    /// # Errors
    /// When a file cannot be made or read.
    pub fn open(dir: &Path, boot: &BootId, bounds: Bounds) -> io::Result<Self> {
        let mark = dir.join("boot");
        if fs::read_to_string(&mark).ok().as_deref() != Some(&boot.to_string()) {
            match fs::remove_dir_all(dir) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => layout::make_private(dir)?,
            }
            fs::write(&mark, boot.to_string())?;
        }
        let acked_file = open(&dir.join("acked"))?;
        let mut number = [0; 8];
        let acked = match acked_file.read_exact_at(&mut number, 0) {
            Ok(()) => u64::from_be_bytes(number),
            Err(_) => 0,
        };
        let segments = load(dir)?;
        let mut spool =
            Self { dir: dir.to_owned(), bounds, segments, acked: 0, acked_file, dropped: 0 };
        if spool.segments.is_empty() {
            spool.begin_segment(1)?;
        }
        spool.acked = acked.min(spool.last()).max(spool.oldest() - 1);
        Ok(spool)
    }

    /// Number of the newest event; zero when there was none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.segments.back().map_or(0, Segment::next).saturating_sub(1)
    }

    /// The server has everything up to this number.
    #[must_use]
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Appends an event and gives its number; `None` when there is no room for it: it is then counted,
    /// and said in a [`What::Dropped`] before the next one that finds room.
    pub fn append(&mut self, draft: Draft) -> Option<u64> {
        if self.dropped > 0 && !self.say_dropped(&draft) && matches!(draft.what, What::Line { .. })
        {
            self.dropped += 1;
            return None;
        }
        match self.write(draft) {
            Ok(number) => Some(number),
            Err(_) => {
                self.dropped += 1;
                None
            }
        }
    }

    /// The oldest events that are not acknowledged, as many as one batch takes.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn batch(&self) -> io::Result<Vec<Event>> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut number = self.acked + 1;
        for segment in &self.segments {
            while let Some((start, end)) = segment.span(number) {
                bytes += end - start;
                if events.len() == MAX_BATCH || (bytes > BATCH_BYTES && !events.is_empty()) {
                    return Ok(events);
                }
                events.push(segment.read(start, end)?);
                number += 1;
            }
        }
        Ok(events)
    }

    /// The server has stored everything up to `through`: it is not sent again, and files that hold
    /// nothing else go. An acknowledgement of what was never sent is cut to what there is.
    pub fn acknowledge(&mut self, through: u64) {
        self.acked = self.acked.max(through.min(self.last()));
        // If this is lost, events are sent once more, and the server stores each once.
        let _ = self.acked_file.write_all_at(&self.acked.to_be_bytes(), 0);
        while self.segments.len() > 1
            && self.segments.front().is_some_and(|s| s.next() <= self.acked + 1)
        {
            if let Some(segment) = self.segments.pop_front() {
                let _ = fs::remove_file(self.dir.join(name(segment.first)));
            }
        }
    }

    /// Says how many were given up, before `draft`, if there is room for more than the two of them:
    /// or else, while the spool stays nearly full, each line that is kept would cost two events.
    fn say_dropped(&mut self, draft: &Draft) -> bool {
        let room = self.bounds.of(&draft.what).saturating_sub(self.bounds.lines / 8);
        let what = What::Dropped { count: self.dropped };
        let said = self.bytes() < room
            && self.write(Draft { at_ms: draft.at_ms, run: None, what }).is_ok();
        if said {
            self.dropped = 0;
        }
        said
    }

    fn oldest(&self) -> u64 {
        self.segments.front().map_or(1, |s| s.first)
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(Segment::len).sum()
    }

    fn write(&mut self, draft: Draft) -> io::Result<u64> {
        let bound = self.bounds.of(&draft.what);
        let number = self.last() + 1;
        let body = encode(&Event { number, at_ms: draft.at_ms, run: draft.run, what: draft.what });
        let mut record =
            u32::try_from(body.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
        record.extend_from_slice(&body);
        if self.bytes() + record.len() as u64 > bound {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.segments.back().is_none_or(|s| s.len() >= SEGMENT) {
            self.begin_segment(number)?;
        }
        let segment = self.segments.back_mut().ok_or(io::ErrorKind::NotFound)?;
        let at = segment.len();
        // A record that was written in part lies past the last end and is written over.
        segment.file.write_all_at(&record, at)?;
        segment.ends.push(at + record.len() as u64);
        Ok(number)
    }

    fn begin_segment(&mut self, first: u64) -> io::Result<()> {
        let file = open(&self.dir.join(name(first)))?;
        self.segments.push_back(Segment { first, file, ends: Vec::new() });
        Ok(())
    }
}

impl Segment {
    /// The number after its last event.
    fn next(&self) -> u64 {
        self.first + self.ends.len() as u64
    }

    fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Where the event `number` lies in the file.
    fn span(&self, number: u64) -> Option<(u64, u64)> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let start = index.checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or(0);
        Some((start, *self.ends.get(index)?))
    }

    fn read(&self, start: u64, end: u64) -> io::Result<Event> {
        let mut body = vec![0; usize::try_from(end - start - 4).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut body, start + 4)?;
        decode(&body).map_err(io::Error::other)
    }

    /// Finds the events in the file; stops at the first that is not whole or has another number.
    fn scan(&mut self) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        loop {
            let at = self.len();
            let mut length = [0; 4];
            if at + 4 > size {
                break;
            }
            self.file.read_exact_at(&mut length, at)?;
            let end = at + 4 + u64::from(u32::from_be_bytes(length));
            if end > size || !self.read(at, end).is_ok_and(|event| event.number == self.next()) {
                break;
            }
            self.ends.push(end);
        }
        self.file.set_len(self.len())
    }
}

/// The segments in `dir`, oldest first, without gaps between them.
fn load(dir: &Path) -> io::Result<VecDeque<Segment>> {
    let mut names: Vec<u64> = fs::read_dir(dir)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".events")?.parse().ok())
        .collect();
    names.sort_unstable();
    let mut segments = VecDeque::<Segment>::new();
    for first in names {
        let mut segment = Segment { first, file: open(&dir.join(name(first)))?, ends: Vec::new() };
        segment.scan()?;
        if segments.back().is_some_and(|before| before.next() != first) {
            fs::remove_file(dir.join(name(first)))?;
            continue;
        }
        segments.push_back(segment);
    }
    Ok(segments)
}

fn name(first: u64) -> String {
    format!("{first:020}.events")
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
