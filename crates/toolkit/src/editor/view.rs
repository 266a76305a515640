//! The screen.

use super::{
    chars,
    model::{Editor, Mode},
    operate::Stretch,
};
use crate::{
    terminal::Size,
    text_cells::{Cell, Style, cells, cells_of, wrap, write_cells},
};

/// Columns of `:set number`.
const NUMBER: usize = 8;
/// Of a longer line only the part around the cursor is looked at.
const LONGEST: usize = 32 * 1024;

/// The rows of one line, and in which of them the cursor is, at which column.
struct Rows {
    rows: Vec<Vec<Cell>>,
    cursor: Option<(usize, usize)>,
}

impl Editor {
    /// Everything, as bytes for the terminal.
    pub(crate) fn draw(&mut self, size: Size) -> Vec<u8> {
        self.rows = size.rows.saturating_sub(1).max(1);
        self.settle_top(size);
        let mut out = b"\x1b[?25l\x1b[m\x1b[H".to_vec();
        let mut cursor = self.draw_text(&mut out, size);
        let status = self.status_line(size);
        if let Mode::Line(_) = self.mode {
            let width: usize = status.iter().map(|cell| cell.width).sum();
            cursor = (self.rows, width.min(size.columns - 1));
        }
        write_cells(&mut out, status);
        out.extend(format!("\x1b[K\x1b[{};{}H\x1b[?25h", cursor.0 + 1, cursor.1 + 1).bytes());
        out
    }

    /// The rows of the text; where the cursor is.
    fn draw_text(&mut self, out: &mut Vec<u8>, size: Size) -> (usize, usize) {
        let (mut row, mut line, mut cursor) = (0, self.top, (0, 0));
        self.shown_to = self.top;
        while row < self.rows && line < self.text.len() {
            let made = self.rows_of(line, size);
            let room = self.rows - row;
            if made.rows.len() > room && row > 0 && made.cursor.is_none() {
                break;
            }
            // Of a line that is longer than the screen the part with the cursor is shown.
            let skip = made.cursor.map_or(0, |(at, _)| (at + 1).saturating_sub(room));
            if let Some((at, column)) = made.cursor {
                cursor = (row + at - skip, column);
            }
            for (n, cells) in made.rows.into_iter().enumerate().skip(skip).take(room) {
                if self.options.number {
                    let number = if n == 0 { (line + 1).to_string() } else { String::new() };
                    out.extend(format!("{number:>7} ").bytes());
                }
                write_cells(out, cells);
                out.extend(b"\x1b[K\r\n");
                row += 1;
            }
            self.shown_to = line;
            line += 1;
        }
        let filler = if line < self.text.len() { "@" } else { "~" };
        for _ in row..self.rows {
            out.extend(format!("{filler}\x1b[K\r\n").bytes());
        }
        cursor
    }

    fn width(&self, size: Size) -> usize {
        size.columns.saturating_sub(if self.options.number { NUMBER } else { 0 }).max(1)
    }

    /// Scrolls so that the cursor is on the screen.
    fn settle_top(&mut self, size: Size) {
        let line = self.cursor.line;
        self.top = self.top.min(self.text.last());
        if line < self.top {
            let far = self.top - line > self.rows;
            self.top = if far { line.saturating_sub(self.rows / 2) } else { line };
        } else if line - self.top > self.rows * 2 {
            let full = self.text.len().saturating_sub(self.rows);
            self.top = line.saturating_sub(self.rows / 2).min(full);
        }
        let (mut least, mut used) = (line, self.rows_of(line, size).rows.len());
        while let Some(above) = least.checked_sub(1).filter(|above| *above >= self.top) {
            used += self.rows_of(above, size).rows.len();
            if used > self.rows {
                break;
            }
            least = above;
        }
        self.top = self.top.max(least);
    }

    fn rows_of(&self, number: usize, size: Size) -> Rows {
        let whole = self.text.line(number);
        let is_here = number == self.cursor.line;
        let col = if is_here { self.cursor.col } else { 0 };
        let start = if col > LONGEST / 2 { (col - LONGEST / 2) & !1023 } else { 0 };
        let part = whole.get(start..whole.len().min(start + LONGEST)).unwrap_or_default();
        let mut made = if self.options.list {
            listed(part, self.options.tabstop)
        } else {
            cells_of(part, false, self.options.tabstop)
        };
        self.highlight(&mut made, number, start, whole);
        let width = self.width(size);
        let rows: Vec<Vec<Cell>> = wrap(&made, width).map(<[Cell]>::to_vec).collect();
        let cursor = is_here.then(|| self.place(&rows, col - start, part, size));
        Rows { rows, cursor }
    }

    /// The row and the column of the byte at `col`.
    fn place(&self, rows: &[Vec<Cell>], col: usize, part: &[u8], size: Size) -> (usize, usize) {
        let left = if self.options.number { NUMBER } else { 0 };
        // A tab's cursor is on its last column, unless one is typing.
        let typing = matches!(self.mode, Mode::Insert(_)) || self.options.list;
        let last = part.get(col) == Some(&b'\t') && !typing;
        let mut found = None;
        for (n, row) in rows.iter().enumerate() {
            let mut column = 0;
            for cell in row {
                if cell.at == col && (found.is_none() || last) {
                    found = Some((n, left + column));
                }
                column += cell.width;
            }
            if n + 1 == rows.len() && found.is_none() {
                found = Some((n, (left + column).min(size.columns - 1)));
            }
        }
        found.unwrap_or((0, left))
    }

    /// Shows what is selected, and what was found.
    fn highlight(&self, made: &mut [Cell], number: usize, start: usize, whole: &[u8]) {
        let turn = |cell: &mut Cell| cell.style.reverse = !cell.style.reverse;
        if let Some(Stretch { from, to, lines }) = self.selection() {
            for cell in made {
                let at = start + cell.at;
                let behind = number > from.line || number == from.line && at >= from.col;
                let before = number < to.line || number == to.line && at < to.col;
                let within = (from.line..=to.line).contains(&number);
                if within && (lines || behind && before) {
                    turn(cell);
                }
            }
            return;
        }
        let Some(pattern) = &self.hits else { return };
        let mut at = start;
        let next = |at| pattern.find(whole, at).filter(|(begin, _)| *begin < start + LONGEST);
        while let Some((begin, end)) = next(at) {
            let hit = begin..end;
            made.iter_mut().filter(|cell| hit.contains(&(start + cell.at))).for_each(turn);
            at = end.max(chars::after(whole, begin)).max(begin + 1);
        }
    }

    /// What the last line says.
    fn said(&self) -> String {
        match (&self.mode, &self.message) {
            (Mode::Line(line), _) => format!("{}{}", line.prompt, line.text),
            (Mode::Insert(insert), _) if insert.is_over() => "-- REPLACE --".into(),
            (Mode::Insert(_), _) => "-- INSERT --".into(),
            (Mode::Visual { lines: true, .. }, _) => "-- VISUAL LINE --".into(),
            (Mode::Visual { .. }, _) => "-- VISUAL --".into(),
            (Mode::Normal, Some(message)) => message.clone(),
            (Mode::Normal, None) => {
                let modified = if self.history.is_modified() { " [+]" } else { "" };
                format!("{}{modified}", self.files.shown())
            }
        }
    }

    /// The last line: what is typed, what was said, and where this is.
    fn status_line(&self, size: Size) -> Vec<Cell> {
        let typing = matches!(self.mode, Mode::Line(_));
        let right = format!("{},{}", self.cursor.line + 1, self.cursor.col + 1);
        let room = size.columns.saturating_sub(if typing { 1 } else { right.len() + 2 });
        let mut made = cells(self.said().as_bytes(), false);
        let width = |cells: &[Cell]| cells.iter().map(|cell| cell.width).sum::<usize>();
        let mut begin = 0;
        while width(made.get(begin..).unwrap_or_default()) > room && !made.is_empty() {
            // The end of what is typed is what one must see.
            if typing { begin += 1 } else { drop(made.pop()) }
        }
        made.drain(..begin.min(made.len()));
        if self.failed && !typing {
            made.iter_mut()
                .for_each(|cell| cell.style = Style { reverse: true, ..Style::default() });
        }
        if !typing && size.columns > 20 {
            let gap = (room + 1).saturating_sub(width(&made));
            made.extend(cells(" ".repeat(gap).as_bytes(), false));
            made.extend(cells(right.as_bytes(), false));
        }
        made
    }
}

/// Cells with tabs as `^I` and a `$` at the end.
fn listed(part: &[u8], tab: usize) -> Vec<Cell> {
    let cell =
        |text: char, at: usize| Cell { text: text.into(), width: 1, style: Style::default(), at };
    let mut made = Vec::new();
    let mut at = 0;
    for (n, piece) in part.split(|byte| *byte == b'\t').enumerate() {
        if n > 0 {
            made.extend([cell('^', at), cell('I', at)]);
            at += 1;
        }
        made.extend(cells_of(piece, false, tab).into_iter().map(|mut cell| {
            cell.at += at;
            cell
        }));
        at += piece.len();
    }
    made.push(cell('$', part.len()));
    made
}
