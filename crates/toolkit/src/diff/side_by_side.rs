//! The form in two columns.

use super::{
    Change,
    look::Part,
    print::{Printer, Span, some},
};
use std::io::{self, Write};
use unicode_width::UnicodeWidthChar as _;

/// What of both files is shown.
pub(crate) struct Columns {
    /// Of both columns together.
    pub(crate) width: usize,
    /// Common lines stand on the left only.
    pub(crate) left: bool,
    /// They are not shown at all.
    pub(crate) differing: bool,
}

/// Columns of text between the two halves, at least.
const GUTTER: usize = 3;

/// Where things stand on a line.
struct Places {
    /// How wide each half is.
    half: usize,
    /// Where the second one begins.
    second: usize,
    tab: usize,
    spaces: bool,
}

impl Places {
    /// The second half begins at the last tab's place that leaves room for both.
    fn new(width: usize, tab: usize, spaces: bool) -> Self {
        let step = if spaces { 1 } else { tab };
        let middle = (width + step + GUTTER) / 2;
        let second = middle - middle % step;
        let half = second.saturating_sub(GUTTER).min(width.saturating_sub(second));
        Self { half, second: if half == 0 { width } else { second }, tab, spaces }
    }

    /// Goes from one column to another, with tabs where they are wanted.
    fn fill(&self, out: &mut dyn Write, from: usize, to: usize) -> io::Result<()> {
        let mut at = from;
        while !self.spaces && at - at % self.tab + self.tab <= to {
            out.write_all(b"\t")?;
            at += self.tab - at % self.tab;
        }
        write!(out, "{:width$}", "", width = to.saturating_sub(at))
    }

    /// As much of a line as has room in a half that begins at `indent`; where it ended.
    fn half(&self, out: &mut dyn Write, line: &[u8], indent: usize) -> io::Result<usize> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        // What comes in, and what has been written of it.
        let (mut at, mut written) = (0, 0);
        for (text, width) in characters(line) {
            match text {
                b"\t" => {
                    let to = at + self.tab - at % self.tab;
                    if written == at {
                        let end = to.min(self.half);
                        if self.spaces {
                            write!(out, "{:width$}", "", width = end.saturating_sub(at))?;
                        } else if to < self.half {
                            out.write_all(b"\t")?;
                        } else {
                            at = to;
                            continue;
                        }
                        written = end;
                    }
                    at = to;
                }
                b"\r" => {
                    out.write_all(b"\r")?;
                    self.fill(out, 0, indent)?;
                    (at, written) = (0, 0);
                }
                b"\x08" => {
                    at = at.saturating_sub(1);
                    if at < self.half {
                        written = at;
                        out.write_all(text)?;
                    }
                }
                _ => {
                    at += width;
                    if at <= self.half {
                        written = at;
                        out.write_all(text)?;
                    }
                }
            }
        }
        Ok(written)
    }
}

/// A line's characters and how many columns each has: none if it cannot be seen.
fn characters(line: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    line.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        let good = valid.char_indices().map(|(at, c)| {
            let text = valid.as_bytes().get(at..at + c.len_utf8()).unwrap_or_default();
            (text, c.width().unwrap_or(0))
        });
        let bad = Some((chunk.invalid(), 0)).filter(|(text, _)| !text.is_empty());
        good.chain(bad)
    })
}

impl Printer<'_> {
    /// All lines, or those that differ, in two columns.
    pub(crate) fn side_by_side(&mut self, columns: &Columns, changes: &[Change]) -> io::Result<()> {
        let places = Places::new(columns.width, self.look.tab, self.look.expand_tabs);
        let (mut left, mut right) = (0, 0);
        for change in changes.iter().filter(|change| !change.ignored) {
            let before = ((left, change.old.0), (right, change.new.0));
            self.common(&places, columns, before)?;
            let mut old = some(self.old, change.old).iter();
            let mut new = some(self.new, change.new).iter();
            loop {
                match (old.next(), new.next()) {
                    (Some(a), Some(b)) => self.row(&places, Some(a), b'|', Some(b))?,
                    (Some(a), None) => self.row(&places, Some(a), b'<', None)?,
                    (None, Some(b)) => self.row(&places, None, b'>', Some(b))?,
                    (None, None) => break,
                }
            }
            (left, right) = (change.old.1, change.new.1);
        }
        let rest = ((left, self.old.len()), (right, self.new.len()));
        self.common(&places, columns, rest)
    }

    /// Lines that are the same; where changes do not count, one side may have more of them.
    fn common(
        &mut self,
        places: &Places,
        columns: &Columns,
        (old, new): (Span, Span),
    ) -> io::Result<()> {
        if columns.differing {
            return Ok(());
        }
        let mut old = some(self.old, old).iter();
        let mut new = some(self.new, new).iter();
        loop {
            match (old.next(), new.next()) {
                (Some(a), Some(_)) if columns.left => self.row(places, Some(a), b'(', None)?,
                (Some(a), Some(b)) => self.row(places, Some(a), b' ', Some(b))?,
                (Some(a), None) => self.row(places, Some(a), b'(', None)?,
                (None, Some(b)) => self.row(places, None, b')', Some(b))?,
                (None, None) => return Ok(()),
            }
        }
    }

    fn row(
        &mut self,
        places: &Places,
        left: Option<&&[u8]>,
        mark: u8,
        right: Option<&&[u8]>,
    ) -> io::Result<()> {
        let part = match mark {
            b'<' => Part::Removed,
            b'>' => Part::Added,
            _ => Part::Plain,
        };
        let ended = |line: Option<&&[u8]>| line.is_some_and(|line| line.ends_with(b"\n"));
        self.look.begin(self.out, part)?;
        let mut column = match left {
            Some(line) => places.half(self.out, line, 0)?,
            None => 0,
        };
        if mark != b' ' {
            let to = (places.half + places.second - 1) / 2;
            places.fill(self.out, column, to)?;
            column = to + 1;
            // Lines that differ by their end as well.
            let mark = match (mark, ended(left), ended(right)) {
                (b'|', true, false) => b'/',
                (b'|', false, true) => b'\\',
                _ => mark,
            };
            self.out.write_all(&[mark])?;
        }
        if let Some(line) = right.filter(|line| **line != b"\n") {
            places.fill(self.out, column, places.second)?;
            places.half(self.out, line, places.second)?;
        }
        if ended(left) || ended(right) {
            self.out.write_all(b"\n")?;
        }
        self.look.end(self.out, part)
    }
}
