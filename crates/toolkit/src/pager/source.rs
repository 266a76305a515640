//! What is paged: a file that is read where it is looked at, or a stream that is read as far.

use std::{
    fs::File,
    io::{self, Read as _},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::fs::FileExt as _,
    },
};

/// A line that is longer is shown as several, bytes.
const LONGEST: usize = 64 * 1024;
/// So much is read at once, bytes.
const BLOCK: usize = 256 * 1024;

/// Bytes of a file by offset.
pub(super) struct Source {
    file: File,
    /// Of a stream, all that came.
    stream: Option<Stream>,
    /// Of a file, the bytes last read, and where they stand.
    block: (u64, Vec<u8>),
}

#[derive(Default)]
struct Stream {
    held: Vec<u8>,
    ended: bool,
}

/// A line without its end, and where the next one begins.
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    pub(super) next: u64,
    /// Whether the line ends here, and does not go on.
    pub(super) whole: bool,
}

impl Source {
    /// A regular file is sought in; anything else is a stream.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let stream = if file.metadata()?.is_file() { None } else { Some(Stream::default()) };
        Ok(Self { file, stream, block: (0, Vec::new()) })
    }

    /// How many bytes there are, as far as that is known.
    pub(super) fn size(&self) -> Option<u64> {
        match &self.stream {
            None => self.file.metadata().ok().map(|data| data.len()),
            Some(stream) => stream.ended.then_some(stream.held.len() as u64),
        }
    }

    /// How many bytes there are by now.
    pub(super) fn held(&self) -> u64 {
        match &self.stream {
            None => self.size().unwrap_or(0),
            Some(stream) => stream.held.len() as u64,
        }
    }

    /// The stream to wait for before there are bytes at `offset`, or none when nothing need be
    /// waited for.
    pub(super) fn lacks(&self, offset: u64) -> Option<BorrowedFd<'_>> {
        let stream = self.stream.as_ref()?;
        (!stream.ended && stream.held.len() as u64 <= offset).then(|| self.file.as_fd())
    }

    /// Reads the stream once; may wait.
    pub(super) fn receive(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let mut bytes = vec![0; 64 * 1024];
        match self.file.read(&mut bytes) {
            Ok(0) => stream.ended = true,
            Ok(length) => stream.held.extend(bytes.iter().take(length)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A terminal or a device whose other side is gone.
            Err(_) => stream.ended = true,
        }
        Ok(())
    }

    /// Forgets what was read, so that what was appended is seen.
    pub(super) fn refresh(&mut self) {
        self.block = (0, Vec::new());
    }

    /// Some bytes from `offset` on, as many as are there at once; none at the end.
    fn from(&mut self, offset: u64) -> io::Result<&[u8]> {
        if let Some(stream) = &self.stream {
            let at = usize::try_from(offset).unwrap_or(usize::MAX);
            return Ok(stream.held.get(at..).unwrap_or_default());
        }
        let (begin, bytes) = &self.block;
        if !(*begin..*begin + bytes.len() as u64).contains(&offset) {
            // Some before it too: one who goes backwards will need it.
            let begin = offset.saturating_sub(BLOCK as u64 / 4) & !4095;
            let mut bytes = vec![0; BLOCK];
            let mut length = 0;
            while let Some(room) = bytes.get_mut(length..).filter(|room| !room.is_empty()) {
                match self.file.read_at(room, begin + length as u64) {
                    Ok(0) => break,
                    Ok(more) => length += more,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            bytes.truncate(length);
            self.block = (begin, bytes);
        }
        let (begin, bytes) = &self.block;
        let at = usize::try_from(offset.saturating_sub(*begin)).unwrap_or(usize::MAX);
        Ok(bytes.get(at..).unwrap_or_default())
    }

    /// The line that begins at `offset`, as far as it is there; none at the end.
    pub(super) fn line(&mut self, offset: u64) -> io::Result<Option<Line>> {
        let mut line = Line { bytes: Vec::new(), next: offset, whole: false };
        while line.bytes.len() < LONGEST {
            let room = LONGEST - line.bytes.len();
            let bytes = self.from(line.next)?;
            let bytes = bytes.get(..bytes.len().min(room)).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                line.bytes.extend(bytes.iter().take(end));
                line.next += end as u64 + 1;
                line.whole = true;
                return Ok(Some(line));
            }
            line.bytes.extend(bytes);
            line.next += bytes.len() as u64;
        }
        Ok((line.next > offset).then_some(line))
    }

    /// Where the line before the one at `offset` begins.
    pub(super) fn before(&mut self, offset: u64) -> io::Result<Option<u64>> {
        let Some(last) = offset.checked_sub(1) else { return Ok(None) };
        let least = last.saturating_sub(LONGEST as u64);
        // The end of that line itself is no beginning.
        let mut begin = last;
        while begin > least {
            let chunk = begin.saturating_sub(4096).max(least);
            let length = usize::try_from(begin - chunk).unwrap_or(0);
            let bytes = self.from(chunk)?;
            let bytes = bytes.get(..length.min(bytes.len())).unwrap_or_default();
            if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
                return Ok(Some(chunk + end as u64 + 1));
            }
            begin = chunk;
        }
        Ok(Some(if least == 0 { 0 } else { offset - LONGEST as u64 }))
    }

    /// How many lines end in the block at `offset`, which has an end at `limit`; where it ends.
    pub(super) fn count(&mut self, offset: u64, limit: u64) -> io::Result<Option<(u64, u64)>> {
        let bytes = self.from(offset)?;
        let room = usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..bytes.len().min(room)).unwrap_or_default();
        let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
        Ok((!bytes.is_empty()).then(|| (ends as u64, offset + bytes.len() as u64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn source(bytes: &[u8]) -> Source {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Source::new(file).unwrap()
    }

    /// Where lines begin, going forwards and going backwards.
    fn both_ways(bytes: &[u8]) -> (Vec<u64>, Vec<u64>) {
        let mut source = source(bytes);
        let (mut forwards, mut at) = (Vec::new(), 0);
        while let Some(line) = source.line(at).unwrap() {
            forwards.push(at);
            at = line.next;
        }
        let mut backwards = Vec::new();
        while let Some(begin) = source.before(at).unwrap() {
            backwards.insert(0, begin);
            at = begin;
        }
        (forwards, backwards)
    }

    #[test]
    fn lines_are_the_same_from_both_ends() {
        for text in [&b""[..], b"a", b"a\n", b"\n\n\nx", b"one\ntwo\nthree\n"] {
            let (forwards, backwards) = both_ways(text);
            assert_eq!(forwards, backwards, "{text:?}");
        }
        let many: Vec<u8> = (0..100_000).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        let (forwards, backwards) = both_ways(&many);
        assert_eq!(forwards.len(), 100_000);
        assert_eq!(forwards, backwards);
    }

    #[test]
    fn a_long_line_is_several() {
        let (forwards, backwards) = both_ways(&vec![b'x'; 3 * LONGEST]);
        assert_eq!(forwards, [0, LONGEST as u64, 2 * LONGEST as u64]);
        assert_eq!(forwards, backwards);
    }
}
