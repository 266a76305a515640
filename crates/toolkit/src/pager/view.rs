//! The rows of a screen: where it stands in the text, and how it moves.

use super::source::Source;
use crate::{
    terminal::Size,
    text_cells::{Cell, Style, cells, wrap, write_cells},
};
use regex::bytes::Regex;
use std::{collections::BTreeMap, io};

/// The first row: a line's offset, and which of its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) row: usize,
}

/// How text is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// Long lines are cut, not wrapped.
    pub(super) chop: bool,
    pub(super) numbers: bool,
    pub(super) colours: bool,
    /// Several empty lines are one.
    pub(super) squeeze: bool,
    /// So many columns at the left are not shown.
    pub(super) left: usize,
    /// What is shown reversed.
    pub(super) pattern: Option<Regex>,
}

/// Columns of `-N`.
const NUMBER: usize = 8;

/// One text on the screen.
pub(super) struct View {
    pub(super) source: Source,
    pub(super) top: Place,
    pub(super) look: Look,
    /// Numbers of lines, from 0, that are known: the offset where each begins.
    lines: BTreeMap<u64, u64>,
}

/// The rows of one line.
struct Rows {
    rows: Vec<Vec<Cell>>,
    next: u64,
}

/// A screen that was made.
pub(super) struct Screen {
    /// What to write, without the last line.
    pub(super) out: Vec<u8>,
    /// Where the text below the screen begins.
    pub(super) end: u64,
    /// Whether there is no more text below.
    pub(super) is_last: bool,
}

impl View {
    pub(super) fn new(source: Source, look: Look) -> Self {
        let lines = BTreeMap::from([(0, 0)]);
        Self { source, top: Place::default(), look, lines }
    }

    fn width(&self, size: Size) -> usize {
        size.columns.saturating_sub(if self.look.numbers { NUMBER } else { 0 }).max(1)
    }

    fn rows(&mut self, line: u64, size: Size) -> io::Result<Option<Rows>> {
        let Some(found) = self.source.line(line)? else { return Ok(None) };
        let mut next = found.next;
        if self.look.squeeze && found.bytes.is_empty() {
            while let Some(after) =
                self.source.line(next)?.filter(|l| l.bytes.is_empty() && l.whole)
            {
                next = after.next;
            }
        }
        let mut made = cells(&found.bytes, self.look.colours);
        if let Some(pattern) = &self.look.pattern {
            let mut hits = pattern.find_iter(&found.bytes).filter(|hit| !hit.is_empty()).peekable();
            for cell in &mut made {
                while hits.next_if(|hit| hit.end() <= cell.at).is_some() {}
                if hits.peek().is_some_and(|hit| hit.start() <= cell.at) {
                    cell.style = Style { reverse: true, ..Style::default() };
                }
            }
        }
        let width = self.width(size);
        let rows = if self.look.chop {
            let (mut column, left) = (0, self.look.left);
            made.retain(|cell| {
                column += cell.width;
                column > left && column <= left + width
            });
            vec![made]
        } else {
            wrap(&made, width).map(<[Cell]>::to_vec).collect()
        };
        Ok(Some(Rows { rows, next }))
    }

    /// Draws so many rows from the top.
    pub(super) fn draw(&mut self, size: Size, rows: usize, filler: &str) -> io::Result<Screen> {
        let mut screen = Screen { out: Vec::new(), end: self.top.line, is_last: false };
        let (mut drawn, mut skip) = (0, self.top.row);
        while drawn < rows {
            let line = screen.end;
            let Some(found) = self.rows(line, size)? else { break };
            let number = if self.look.numbers { self.number(line) } else { None };
            let all = found.rows.len();
            for (n, row) in found.rows.into_iter().enumerate().skip(skip).take(rows - drawn) {
                if self.look.numbers {
                    let shown = number.filter(|_| n == 0).map(|n| (n + 1).to_string());
                    screen.out.extend(format!("{:>7} ", shown.unwrap_or_default()).bytes());
                }
                write_cells(&mut screen.out, row);
                screen.out.extend(b"\x1b[K\r\n");
                drawn += 1;
                screen.is_last = n + 1 == all;
            }
            skip = 0;
            screen.end = found.next;
        }
        screen.is_last = (screen.is_last || drawn == 0)
            && self.source.lacks(screen.end).is_none()
            && self.source.line(screen.end)?.is_none();
        for _ in drawn..rows {
            screen.out.extend(format!("{filler}\x1b[K\r\n").bytes());
        }
        Ok(screen)
    }

    /// The place so many rows below another; not below the end.
    pub(super) fn below(
        &mut self,
        mut place: Place,
        mut count: usize,
        size: Size,
    ) -> io::Result<Place> {
        while count > 0 {
            let Some(found) = self.rows(place.line, size)? else { break };
            let left = found.rows.len().saturating_sub(place.row);
            if count < left {
                place.row += count;
                return Ok(place);
            }
            count -= left;
            place = Place { line: found.next, row: 0 };
        }
        Ok(place)
    }

    /// The place so many rows above another; not above the beginning.
    pub(super) fn above(
        &mut self,
        mut place: Place,
        mut count: usize,
        size: Size,
    ) -> io::Result<Place> {
        while count > 0 {
            if place.row >= count {
                place.row -= count;
                return Ok(place);
            }
            count -= place.row;
            let Some(mut line) = self.source.before(place.line)? else {
                return Ok(Place { line: place.line, row: 0 });
            };
            while self.look.squeeze && self.is_empty(line)? {
                match self.source.before(line)? {
                    Some(before) if self.is_empty(before)? => line = before,
                    _ => break,
                }
            }
            let rows = self.rows(line, size)?.map_or(1, |found| found.rows.len());
            place = Place { line, row: rows };
        }
        Ok(place)
    }

    fn is_empty(&mut self, line: u64) -> io::Result<bool> {
        Ok(self.source.line(line)?.is_some_and(|line| line.bytes.is_empty() && line.whole))
    }

    /// The last place from which the screen is full.
    pub(super) fn last(&mut self, size: Size, rows: usize) -> io::Result<Place> {
        let end = self.source.size().unwrap_or(0);
        self.above(Place { line: end, row: 0 }, rows, size)
    }

    /// The number of a line, from 0, if it can be counted at once.
    fn number(&mut self, offset: u64) -> Option<u64> {
        let (mut at, mut number) =
            self.lines.range(..=offset).next_back().map(|(a, n)| (*a, *n))?;
        while at < offset {
            let (ends, end) = self.source.count(at, offset).ok()??;
            number += ends;
            at = end;
        }
        self.lines.insert(offset, number);
        Some(number)
    }

    /// The number of the line at the top, from 1.
    pub(super) fn top_number(&mut self) -> Option<u64> {
        self.number(self.top.line).map(|number| number + 1)
    }
}
