//! Characters in lines of bytes: a byte that is no UTF-8 is a character of its own.

use unicode_width::UnicodeWidthChar as _;

/// The character that begins at `at`: its length in bytes (0 at the end), and what it is.
pub(crate) fn char_at(line: &[u8], at: usize) -> (usize, Option<char>) {
    let rest = line.get(at..).unwrap_or_default();
    let start = rest.get(..rest.len().min(4)).unwrap_or_default();
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => start
            .get(..error.valid_up_to())
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default(),
    };
    match valid.chars().next() {
        Some(c) => (c.len_utf8(), Some(c)),
        None => (usize::from(!rest.is_empty()), None),
    }
}

/// Where the character after the one at `at` begins.
pub(crate) fn after(line: &[u8], at: usize) -> usize {
    at + char_at(line, at).0
}

/// Where the character before `at` begins.
pub(crate) fn before(line: &[u8], at: usize) -> usize {
    let at = at.min(line.len());
    (1..=4.min(at))
        .map(|back| at - back)
        .find(|begin| char_at(line, *begin).0 == at - begin && char_at(line, *begin).1.is_some())
        .unwrap_or(at.saturating_sub(1))
}

/// Where the last character begins.
pub(crate) fn last(line: &[u8]) -> usize {
    before(line, line.len())
}

/// Where the first character is that is no blank; the end of a line of blanks.
pub(crate) fn first_filled(line: &[u8]) -> usize {
    line.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(line.len())
}

/// Blanks and the end of a line, punctuation, words; with `big` only the first two differ.
pub(crate) fn class(line: &[u8], at: usize, big: bool) -> u8 {
    match char_at(line, at) {
        (0, _) | (_, Some(' ' | '\t')) => 0,
        _ if big => 1,
        (_, Some(c)) if c == '_' || c.is_alphanumeric() => 2,
        _ => 1,
    }
}

/// Columns that the character at `at` fills, when it begins in `column`.
fn width(line: &[u8], at: usize, column: usize, tab: usize) -> usize {
    match char_at(line, at).1 {
        Some('\t') => tab - column % tab.max(1),
        Some(c) if c.is_ascii_control() => 2,
        Some(c) => c.width().unwrap_or(1),
        None => 4,
    }
}

/// The column in which the character at `at` begins.
pub(crate) fn column(line: &[u8], at: usize, tab: usize) -> usize {
    let (mut now, mut column) = (0, 0);
    while now < at.min(line.len()) {
        column += width(line, now, column, tab);
        now = after(line, now);
    }
    column
}

/// The column in which the cursor is shown on the character at `at`: the last one of a tab.
pub(crate) fn cursor_column(line: &[u8], at: usize, tab: usize) -> usize {
    let begin = column(line, at, tab);
    match line.get(at) {
        Some(b'\t') => begin + width(line, at, begin, tab).max(1) - 1,
        _ => begin,
    }
}

/// The character that fills a column; the end of the line behind it.
pub(crate) fn at_column(line: &[u8], wanted: usize, tab: usize) -> usize {
    let (mut now, mut column) = (0, 0);
    while now < line.len() {
        column += width(line, now, column, tab);
        if column > wanted {
            break;
        }
        now = after(line, now);
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_characters() {
        let line = "a\u{e4}\u{6f22}".as_bytes();
        assert_eq!([after(line, 0), after(line, 1), after(line, 3), after(line, 6)], [1, 3, 6, 6]);
        assert_eq!(
            [before(line, 6), before(line, 3), before(line, 1), before(line, 0)],
            [3, 1, 0, 0]
        );
        assert_eq!((before(b"a\xff\xfe", 3), after(b"a\xff", 1)), (2, 2));
        assert_eq!(column(b"a\tb", 2, 8), 8);
        assert_eq!(at_column(b"a\tb", 5, 8), 1);
        assert_eq!(at_column(b"a\tb", 50, 8), 3);
    }
}
