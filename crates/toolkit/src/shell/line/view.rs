//! How the prompt and the line lie on the screen's rows.

use unicode_width::UnicodeWidthChar as _;

/// A text in rows, and the cursor's place in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// What is printed. The terminal breaks it into rows by itself.
    pub(super) text: String,
    /// Rows in all, 1 at least.
    pub(super) rows: usize,
    /// The cursor's row, from 0.
    pub(super) row: usize,
    /// The cursor's column, from 0.
    pub(super) column: usize,
    /// Whether the cursor stands behind the text.
    pub(super) ends_at_cursor: bool,
}

impl View {
    /// Whether printing the rest of `next` behind this gives `next`.
    pub(super) fn is_continued_by(&self, next: &Self) -> bool {
        self.ends_at_cursor
            && next.ends_at_cursor
            && self.rows == next.rows
            && next.text.starts_with(&self.text)
    }
}

/// Where the next character goes.
#[derive(Clone, Copy, Debug)]
struct Place {
    row: usize,
    column: usize,
    width: usize,
}

impl Place {
    fn add(&mut self, columns: usize) {
        // What is two columns wide does not begin in the last one.
        if self.column + columns > self.width {
            self.row += 1;
            self.column = 0;
        }
        self.column += columns;
        self.settle();
    }

    /// Behind the last column is before the first one of the next row.
    fn settle(&mut self) {
        if self.column >= self.width {
            self.row += 1;
            self.column = 0;
        }
    }
}

/// Lays out a prompt, which may hold escape sequences, and a line with `front` in front of the
/// cursor, on a screen of `width` columns.
pub(super) fn lay_out(prompt: &str, line: &str, front: &str, width: usize) -> View {
    let mut place = Place { row: 0, column: 0, width: width.max(2) };
    let mut text = String::new();
    let mut rest = prompt.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => {
                text.push(c);
                sequence(&mut rest, &mut text);
            }
            '\n' => {
                text.push_str("\r\n");
                place.row += 1;
                place.column = 0;
            }
            '\x01' | '\x02' => {}
            c => put(c, &mut text, &mut place),
        }
    }
    let in_front = front.chars().count();
    let mut cursor = None;
    for (number, c) in line.chars().enumerate() {
        if number == in_front {
            cursor = Some((place.row, place.column));
        }
        put(c, &mut text, &mut place);
    }
    let (row, column) = cursor.unwrap_or((place.row, place.column));
    if place.column == 0 && place.row > 0 {
        // The terminal waits in the last column until there is more.
        text.push_str(" \r");
    }
    let ends_at_cursor = cursor.is_none();
    View { text, rows: place.row + 1, row, column, ends_at_cursor }
}

fn put(c: char, text: &mut String, place: &mut Place) {
    match c.width() {
        Some(columns) => {
            text.push(c);
            place.add(columns);
        }
        None => {
            // As terminals show it: ^A.
            let shown = char::from_u32(u32::from(c) ^ 0x40).filter(char::is_ascii).unwrap_or('?');
            for c in ['^', shown] {
                text.push(c);
                place.add(1);
            }
        }
    }
}

/// Copies the rest of an escape sequence (ECMA-48, 5.4 and 5.6): it takes no room.
fn sequence(rest: &mut std::str::Chars<'_>, text: &mut String) {
    let Some(kind) = rest.next() else { return };
    text.push(kind);
    let ends: fn(char) -> bool = match kind {
        '[' => |c| ('\x40'..='\x7e').contains(&c),
        ']' => |c| c == '\x07' || c == '\\',
        _ => return,
    };
    for c in rest.by_ref() {
        text.push(c);
        if ends(c) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stands_behind_what_is_in_front() {
        let view = lay_out("\x1b[1m$ \x1b[m", "echo", "ec", 80);
        assert_eq!((view.rows, view.row, view.column), (1, 0, 4));
        assert_eq!(view.text, "\x1b[1m$ \x1b[mecho");
    }

    #[test]
    fn long_lines_have_more_rows() {
        let view = lay_out("$ ", "abcdefgh", "abcdefgh", 5);
        assert_eq!((view.rows, view.row, view.column), (3, 2, 0));
        assert!(view.text.ends_with(" \r"));
        let view = lay_out("a\n$ ", "日本語", "日", 5);
        assert_eq!((view.rows, view.row, view.column), (3, 1, 4));
        assert_eq!(lay_out("", "\u{1}x", "\u{1}", 9).text, "^Ax");
    }
}
