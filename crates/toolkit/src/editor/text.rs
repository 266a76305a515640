//! The text: lines of any bytes, held in pieces, so that a large file costs little more than its size.

use std::{
    cell::Cell,
    io::{self, Read, Write},
};

/// A piece of the text is about so long.
const PIECE: usize = 16 * 1024;
/// A longer one is cut.
const LONGEST_PIECE: usize = 4 * PIECE;

/// Whole lines, each with its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    count: usize,
}

impl Block {
    /// Adds a line, given without its end.
    pub(crate) fn push(&mut self, line: &[u8]) {
        self.bytes.extend(line);
        self.bytes.push(b'\n');
        self.count += 1;
    }

    /// One line.
    pub(crate) fn of(line: &[u8]) -> Self {
        let mut block = Self::default();
        block.push(line);
        block
    }

    /// The lines of a text, whose last line may lack its end.
    pub(crate) fn of_text(text: &[u8]) -> Self {
        let mut block = Self { bytes: text.to_vec(), count: 0 };
        if !text.is_empty() && !text.ends_with(b"\n") {
            block.bytes.push(b'\n');
        }
        block.count = ends(&block.bytes);
        block
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lines.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// Lines that end in bytes.
pub(crate) fn ends(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    piece: usize,
    /// The number of the piece's first line.
    first: usize,
    /// A line in it, and where that begins.
    line: usize,
    offset: usize,
}

/// The lines of a file, from 0. A text without any line is shown as one empty line.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pieces: Vec<Block>,
    lines: usize,
    /// Where the last look was.
    place: Cell<Place>,
}

impl Text {
    /// Reads to the end. The second value is whether the last line had its end.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn read(mut from: impl Read) -> io::Result<(Self, bool)> {
        let mut text = Self::default();
        let mut rest = Vec::new();
        loop {
            let length = from.by_ref().take(PIECE as u64).read_to_end(&mut rest)?;
            if length == 0 {
                break;
            }
            let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else { continue };
            let after = rest.split_off(end + 1);
            rest.shrink_to_fit();
            text.append(std::mem::replace(&mut rest, after));
        }
        let whole = rest.is_empty();
        if !whole {
            rest.push(b'\n');
            text.append(rest);
        }
        Ok((text, whole))
    }

    fn append(&mut self, bytes: Vec<u8>) {
        let count = ends(&bytes);
        self.lines += count;
        self.pieces.push(Block { bytes, count });
    }

    /// Lines; at least one.
    pub(crate) fn len(&self) -> usize {
        self.lines.max(1)
    }

    /// Lines that there really are.
    pub(crate) fn real_len(&self) -> usize {
        self.lines
    }

    /// The number of the last line.
    pub(crate) fn last(&self) -> usize {
        self.len() - 1
    }

    /// A line without its end; empty where there is none.
    pub(crate) fn line(&self, number: usize) -> &[u8] {
        let place = self.seek(number);
        let piece = self.pieces.get(place.piece).map_or(&[][..], Block::bytes);
        let rest = piece.get(place.offset..).unwrap_or_default();
        rest.split(|byte| *byte == b'\n').next().unwrap_or_default()
    }

    /// Lines from one on to before another.
    pub(crate) fn block(&self, from: usize, to: usize) -> Block {
        let mut block = Block::default();
        for number in from..to.min(self.len()) {
            block.push(self.line(number));
        }
        block
    }

    /// Where a line begins; the end of the text for those behind the last.
    fn seek(&self, number: usize) -> Place {
        let mut place = self.place.get();
        if number < place.first {
            place = Place::default();
        }
        while let Some(piece) = self.pieces.get(place.piece) {
            if number < place.first + piece.count {
                break;
            }
            let first = place.first + piece.count;
            place = Place { piece: place.piece + 1, first, line: first, offset: 0 };
        }
        if number < place.line {
            (place.line, place.offset) = (place.first, 0);
        }
        let bytes = self.pieces.get(place.piece).map_or(&[][..], Block::bytes);
        while place.line < number {
            let rest = bytes.get(place.offset..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { break };
            place.offset += end + 1;
            place.line += 1;
        }
        self.place.set(place);
        place
    }

    /// Puts other lines in the place of `count` lines; returns those.
    pub(crate) fn splice(&mut self, at: usize, count: usize, new: &Block) -> Block {
        let at = at.min(self.lines);
        let count = count.min(self.lines - at);
        let (from, to) = (self.seek(at), self.seek(at + count));
        self.place.set(Place::default());
        self.lines = self.lines - count + new.count;
        if from.piece == to.piece
            && let Some(piece) = self.pieces.get_mut(from.piece)
        {
            let range = from.offset..to.offset;
            let old = piece.bytes.splice(range, new.bytes.iter().copied()).collect();
            piece.count = piece.count - count + new.count;
            if piece.bytes.len() > LONGEST_PIECE || piece.count == 0 {
                let bytes = std::mem::take(&mut piece.bytes);
                self.replace_pieces(from.piece, 1, &bytes);
            }
            return Block { bytes: old, count };
        }
        self.splice_several(from, to, count, new)
    }

    fn splice_several(&mut self, from: Place, to: Place, count: usize, new: &Block) -> Block {
        let mut all = Vec::new();
        for piece in self.pieces.iter().take(to.piece + 1).skip(from.piece) {
            all.extend(piece.bytes());
        }
        let behind = self.pieces.get(to.piece).map_or(0, |piece| piece.bytes.len() - to.offset);
        let after = all.split_off(all.len() - behind.min(all.len()));
        let old = all.split_off(from.offset.min(all.len()));
        all.extend(new.bytes());
        all.extend(after);
        self.replace_pieces(from.piece, to.piece + 1 - from.piece, &all);
        Block { bytes: old, count }
    }

    fn replace_pieces(&mut self, at: usize, count: usize, bytes: &[u8]) {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let least = PIECE.min(rest.len());
            let end = rest.iter().skip(least - 1).position(|byte| *byte == b'\n');
            let (piece, after) = rest.split_at(end.map_or(rest.len(), |end| end + least));
            pieces.push(Block { bytes: piece.to_vec(), count: ends(piece) });
            rest = after;
        }
        let end = (at + count).min(self.pieces.len());
        self.pieces.splice(at.min(end)..end, pieces);
    }

    /// Writes lines; the last one's end only where `whole`.
    ///
    /// # Errors
    /// When writing fails.
    pub(crate) fn write(
        &self,
        out: &mut impl Write,
        from: usize,
        to: usize,
        whole: bool,
    ) -> io::Result<u64> {
        let mut length = 0;
        let to = to.min(self.lines);
        let everything = from == 0 && to == self.lines;
        let mut held = Vec::new();
        let mut put = |bytes: &[u8], is_last: bool| {
            let bytes =
                if is_last && !whole { bytes.strip_suffix(b"\n").unwrap_or(bytes) } else { bytes };
            length += bytes.len() as u64;
            out.write_all(bytes)
        };
        if everything {
            for (n, piece) in self.pieces.iter().enumerate() {
                put(piece.bytes(), n + 1 == self.pieces.len())?;
            }
        } else {
            for number in from..to {
                held.clear();
                held.extend(self.line(number));
                held.push(b'\n');
                put(&held, number + 1 == self.lines)?;
            }
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &Text, whole: bool) -> Vec<u8> {
        let mut out = Vec::new();
        text.write(&mut out, 0, text.real_len(), whole).unwrap();
        out
    }

    proptest! {
        #[test]
        fn any_bytes_survive(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..300)) {
            let (text, whole) = Text::read(&bytes[..]).unwrap();
            prop_assert_eq!(written(&text, whole), bytes);
        }

        #[test]
        fn splices_are_those_of_a_list(
            lines in 0_usize..9000,
            edits in proptest::collection::vec((any::<u16>(), 0_usize..3000, 0_usize..3000), 1..8),
        ) {
            let mut list: Vec<Vec<u8>> = (0..lines).map(|n| format!("{n}").into_bytes()).collect();
            let bytes: Vec<u8> = list.iter().flat_map(|l| [l.as_slice(), b"\n"].concat()).collect();
            let (mut text, _) = Text::read(&bytes[..]).unwrap();
            for (at, count, new) in edits {
                let at = usize::from(at) % (list.len() + 1);
                let count = count.min(list.len() - at);
                let made: Vec<Vec<u8>> = (0..new).map(|n| format!("new {n}").into_bytes()).collect();
                let mut block = Block::default();
                made.iter().for_each(|line| block.push(line));
                let old = text.splice(at, count, &block);
                let expected: Vec<Vec<u8>> = list.splice(at..at + count, made).collect();
                prop_assert_eq!(old.count(), expected.len());
                prop_assert_eq!(text.real_len(), list.len());
                for n in [0, at / 2, at, list.len() / 2, list.len().saturating_sub(1)] {
                    prop_assert_eq!(text.line(n), list.get(n).map_or(&[][..], |l| l));
                }
            }
        }
    }
}
