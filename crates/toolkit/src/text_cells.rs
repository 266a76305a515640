//! Bytes of unknown origin as cells of a screen: nothing in them reaches the terminal as a command.
//!
//! Control characters become `^A`, bytes that are no UTF-8 `<FF>`, characters without a picture
//! `<U+200E>`, as `less` shows them. Of escape sequences only SGR (ECMA-48 8.3.117: colours) can
//! pass, where the caller asks for them, in a form made anew from its numbers.

use unicode_width::UnicodeWidthChar as _;

/// How a cell looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// Light on dark the other way round.
    pub(crate) reverse: bool,
    /// Numbers of SGR, separated by semicolons; empty for none.
    pub(crate) sgr: String,
}

/// What stands in one or more columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Printable text only.
    pub(crate) text: String,
    /// Columns.
    pub(crate) width: usize,
    pub(crate) style: Style,
    /// Where in the line its first byte stands.
    pub(crate) at: usize,
}

const TAB: usize = 8;
/// Longer lists of colours begin anew.
const LONGEST_SGR: usize = 64;
/// No sequence for colours is longer.
const LONGEST_SEQUENCE: usize = 48;

/// The cells of a line; with `colours`, SGR sequences set their style.
pub(crate) fn cells(line: &[u8], colours: bool) -> Vec<Cell> {
    // The end of a line as in DOS is not shown.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    cells_of(line, colours, TAB)
}

/// The cells of all bytes of a line, with a stop of tabs every `tab` columns.
pub(crate) fn cells_of(line: &[u8], colours: bool, tab: usize) -> Vec<Cell> {
    let tab = tab.max(1);
    let mut made = Cells { cells: Vec::new(), column: 0, tab, style: Style::default() };
    let mut at = 0;
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        at += match sgr(rest).filter(|_| colours) {
            Some((numbers, length)) => {
                made.restyle(numbers);
                length
            }
            None => made.take(rest, at),
        };
    }
    made.cells
}

struct Cells {
    cells: Vec<Cell>,
    column: usize,
    tab: usize,
    style: Style,
}

impl Cells {
    fn push(&mut self, text: String, width: usize, marked: bool, at: usize) {
        let style = Style { reverse: marked, sgr: self.style.sgr.clone() };
        self.cells.push(Cell { text, width, style, at });
        self.column += width;
    }

    /// Takes the first character; how many bytes it has.
    fn take(&mut self, rest: &[u8], at: usize) -> usize {
        match first_char(rest) {
            None => {
                let byte = rest.first().copied().unwrap_or_default();
                let text = format!("<{byte:02X}>");
                // Parts of one column each, so that a line can be wrapped within.
                self.marked(&text, at);
                1
            }
            Some('\t') => {
                for _ in 0..self.tab - self.column % self.tab {
                    self.push(" ".into(), 1, false, at);
                }
                1
            }
            Some('\x1b') => {
                self.marked("ESC", at);
                1
            }
            Some(c) if c.is_ascii_control() => {
                let shown = format!("^{}", char::from((c as u8) ^ 0x40));
                self.marked(&shown, at);
                1
            }
            Some(c) => {
                self.character(c, at);
                c.len_utf8()
            }
        }
    }

    fn character(&mut self, c: char, at: usize) {
        match c.width() {
            _ if is_hidden(c) => self.marked(&format!("<U+{:04X}>", u32::from(c)), at),
            None => self.marked(&format!("<U+{:04X}>", u32::from(c)), at),
            Some(0) => match self.cells.last_mut().filter(|cell| cell.text.len() < 32) {
                Some(cell) => cell.text.push(c),
                None => self.marked(&format!("<U+{:04X}>", u32::from(c)), at),
            },
            Some(width) => self.push(c.into(), width, false, at),
        }
    }

    fn marked(&mut self, text: &str, at: usize) {
        for c in text.chars() {
            self.push(c.into(), 1, true, at);
        }
    }

    fn restyle(&mut self, numbers: &str) {
        let reset = numbers.is_empty()
            || numbers.split(';').next().is_some_and(|n| n.trim_start_matches('0').is_empty());
        if reset || self.style.sgr.len() + numbers.len() > LONGEST_SGR {
            self.style.sgr.clear();
        }
        if !numbers.trim_matches(['0', ';']).is_empty() {
            if !self.style.sgr.is_empty() {
                self.style.sgr.push(';');
            }
            self.style.sgr.push_str(numbers);
        }
    }
}

/// Characters that change the direction or the shape of others, by which text can lie about itself.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}'
        | '\u{e0000}'..)
}

fn first_char(bytes: &[u8]) -> Option<char> {
    let start = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(start.get(..error.valid_up_to())?).ok()?,
    };
    valid.chars().next()
}

/// The numbers of the SGR sequence that the bytes begin with, and its length.
fn sgr(bytes: &[u8]) -> Option<(&str, usize)> {
    let rest = bytes.strip_prefix(b"\x1b[")?;
    let end =
        rest.iter().take(LONGEST_SEQUENCE).position(|b| !matches!(b, b'0'..=b'9' | b';' | b':'))?;
    let numbers = rest.get(..end).filter(|_| rest.get(end) == Some(&b'm'))?;
    Some((std::str::from_utf8(numbers).ok()?, end + 3))
}

/// A line's cells as rows that are so wide at most; an empty line is one empty row.
pub(crate) fn wrap(cells: &[Cell], width: usize) -> impl Iterator<Item = &[Cell]> {
    let mut rest = Some(cells);
    std::iter::from_fn(move || {
        let cells = rest?;
        let mut used = 0;
        let fits = cells.iter().take_while(|cell| {
            used += cell.width;
            used <= width
        });
        // A cell that is wider than the screen is a row all the same.
        let length = fits.count().max(1).min(cells.len());
        let (row, after) = cells.split_at(length);
        rest = Some(after).filter(|after| !after.is_empty());
        Some(row)
    })
}

/// Writes cells with their styles; plain at the end.
pub(crate) fn write_cells(out: &mut Vec<u8>, cells: impl IntoIterator<Item = Cell>) {
    let mut now = Style::default();
    for cell in cells {
        if cell.style != now {
            out.extend(b"\x1b[m");
            if !cell.style.sgr.is_empty() {
                out.extend(format!("\x1b[{}m", cell.style.sgr).bytes());
            }
            if cell.style.reverse {
                out.extend(b"\x1b[7m");
            }
            now = cell.style;
        }
        out.extend(cell.text.bytes());
    }
    if now != Style::default() {
        out.extend(b"\x1b[m");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(line: &[u8], colours: bool) -> String {
        cells(line, colours).iter().map(|cell| cell.text.as_str()).collect()
    }

    #[test]
    fn bytes_are_shown_as_less_does() {
        assert_eq!(shown(b"a\x01b\x7f\r", false), "a^Ab^?");
        assert_eq!(shown(b"\x1b[31mred\x1b[m", false), "ESC[31mredESC[m");
        assert_eq!(shown(b"\x1b[31mred\x1b[m", true), "red");
        assert_eq!(shown(b"\x1b]0;title\x07\x1b[2J", true), "ESC]0;title^GESC[2J");
        assert_eq!(shown(b"\xff\xc3\xa4\xc3", false), "<FF>\u{e4}<C3>");
        assert_eq!(shown("\u{202e}x\u{9b}".as_bytes(), false), "<U+202E>x<U+009B>");
        assert_eq!(shown(b"a\tb", false), "a       b");
    }

    #[test]
    fn colours_add_up_and_end() {
        let line = cells(b"\x1b[1m\x1b[31ma\x1b[0mb", true);
        assert_eq!(line[0].style.sgr, "1;31");
        assert_eq!(line[1].style.sgr, "");
    }

    #[test]
    fn wide_characters_wrap_whole() {
        let line = cells("a\u{6f22}\u{5b57}".as_bytes(), false);
        let rows: Vec<usize> = wrap(&line, 4).map(<[Cell]>::len).collect();
        assert_eq!(rows, [2, 1]);
        assert_eq!(wrap(&[], 4).count(), 1);
    }

    proptest! {
        #[test]
        fn no_control_character_passes(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            for colours in [false, true] {
                for cell in cells(&line, colours) {
                    prop_assert!(!cell.text.chars().any(char::is_control));
                    prop_assert!(cell.style.sgr.bytes().all(|b| b.is_ascii_digit() || b";:".contains(&b)));
                }
            }
        }
    }
}
