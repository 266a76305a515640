//! How hunks change the lines of a file.

use super::{
    Hunk, Side,
    place::{Field, Likeness},
};

/// A hunk that is to be before what is done already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misordered;

/// A file that is being changed, from its beginning to its end.
pub(crate) struct Editing<'a> {
    pub(crate) lines: Vec<&'a [u8]>,
    out: Vec<u8>,
    /// How many lines are done.
    frozen: usize,
    /// How far the last hunk was from where it was expected.
    pub(crate) moved: isize,
    /// How many lines the hunks so far have added.
    pub(crate) added: isize,
    likeness: Likeness,
    /// Keep both sides of what is changed, for the C preprocessor to choose by this name.
    ifdef: Option<&'a str>,
}

/// Which of the lines for the preprocessor was the last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Outside,
    Old,
    New,
    Else,
}

impl<'a> Editing<'a> {
    pub(crate) fn new(data: &'a [u8], blanks: bool, ifdef: Option<&'a str>) -> Self {
        Self {
            lines: data.split_inclusive(|byte| *byte == b'\n').collect(),
            out: Vec::new(),
            frozen: 0,
            moved: 0,
            added: 0,
            likeness: Likeness { blanks },
            ifdef,
        }
    }

    /// Where a hunk fits with so much fuzz.
    pub(crate) fn place(&self, hunk: &Hunk, fuzz: usize) -> Option<usize> {
        let field = Field { lines: &self.lines, frozen: self.frozen, likeness: self.likeness };
        field.place(hunk, signed(hunk.old_at) - 1 + self.moved, fuzz)
    }

    /// Applies a hunk at a line, from 0.
    pub(crate) fn apply(&mut self, hunk: &Hunk, at: usize) -> Result<(), Misordered> {
        let (mut old, mut block) = (at, Block::Outside);
        for line in &hunk.lines {
            if line.side == Side::Both {
                self.close(&mut block);
                old += 1;
                continue;
            }
            self.copy(old)?;
            if line.side == Side::Old {
                self.frozen += 1;
                old += 1;
            }
            let kept = self.open(&mut block, line.side);
            if kept || line.side == Side::New {
                self.push(&line.text);
            }
        }
        self.close(&mut block);
        self.added += signed(hunk.new_lines().count()) - signed(hunk.old_lines().count());
        Ok(())
    }

    /// The whole file.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        // What is done is never behind the last line but after hunks that add there.
        let _ = self.copy(self.lines.len().max(self.frozen));
        self.out
    }

    /// Whether the first line of a hunk ends otherwise than the line it was expected at.
    pub(crate) fn ends_differ(&self, hunk: &Hunk, at: usize) -> bool {
        let cr = |line: &[u8]| line.ends_with(b"\n").then(|| line.ends_with(b"\r\n"));
        let there = at.checked_sub(1).and_then(|at| self.lines.get(at));
        let (ours, theirs) =
            (hunk.old_lines().next().and_then(cr), there.and_then(|line| cr(line)));
        ours.zip(theirs).is_some_and(|(ours, theirs)| ours != theirs)
    }

    /// Copies the lines before one.
    fn copy(&mut self, end: usize) -> Result<(), Misordered> {
        if end < self.frozen {
            return Err(Misordered);
        }
        while self.frozen < end {
            if let Some(line) = self.lines.get(self.frozen).copied() {
                self.push(line);
            }
            self.frozen += 1;
        }
        Ok(())
    }

    /// Adds a line; one without an end stays so only at the end of the file.
    fn push(&mut self, line: &[u8]) {
        if self.out.last().is_some_and(|byte| *byte != b'\n') {
            self.out.push(b'\n');
        }
        self.out.extend_from_slice(line);
    }

    /// Begins a side of a change for the preprocessor, if one is to choose.
    fn open(&mut self, block: &mut Block, side: Side) -> bool {
        let Some(name) = self.ifdef else { return false };
        let (next, text) = match (*block, side) {
            (Block::Outside, Side::Old) => (Block::Old, format!("#ifndef {name}\n")),
            (Block::Outside, _) => (Block::New, format!("#ifdef {name}\n")),
            (Block::Old, Side::New) => (Block::Else, "#else\n".to_owned()),
            _ => return true,
        };
        self.push(text.as_bytes());
        *block = next;
        true
    }

    fn close(&mut self, block: &mut Block) {
        if std::mem::replace(block, Block::Outside) != Block::Outside {
            self.push(b"#endif\n");
        }
    }
}

pub(crate) fn signed(number: usize) -> isize {
    isize::try_from(number).unwrap_or(isize::MAX)
}
