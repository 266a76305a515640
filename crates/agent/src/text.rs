//! Bytes of unknown origin made into lines that are safe to show and to send.

use std::borrow::Cow;
use xenoboot_wire::event::MAX_TEXT;

/// What stands at the end of a line that was cut.
pub const CUT: &str = " [cut]";

/// `text`, at most `max` bytes of it with [`CUT`] at its end, never within a character.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max.saturating_sub(CUT.len()));
    format!("{}{CUT}", text.get(..end).unwrap_or_default())
}

/// `text` in printable ASCII: a tab is a space, other control characters are written `^X`, and what is
/// not ASCII `?`, since neither a serial console nor a BMC's can be trusted with more.
#[must_use]
pub fn ascii(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\t' => out.push(' '),
            ' '..='~' => out.push(c),
            '\0'..='\x1f' => out.extend(['^', char::from(c as u8 + b'@')]),
            '\x7f' => out.push_str("^?"),
            _ => out.push('?'),
        }
    }
    Cow::Owned(out)
}

/// Cuts a stream of bytes into lines.
///
/// A line ends at a newline, or at a carriage return that no newline follows (progress displays).
/// What is past [`MAX_TEXT`] bytes of a line is skipped; invalid UTF-8 is replaced.
#[derive(Debug, Default)]
pub struct Lines {
    held: Vec<u8>,
    skipped: bool,
    after_return: bool,
}

impl Lines {
    /// Takes bytes, hands each line that is complete to `line`, without its end.
    pub fn push(&mut self, bytes: &[u8], mut line: impl FnMut(String)) {
        for &byte in bytes {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => line(self.take()),
                _ if self.held.len() < MAX_TEXT => self.held.push(byte),
                _ => self.skipped = true,
            }
            self.after_return = byte == b'\r';
        }
    }

    /// What is left at the end of the stream, if it did not end with a newline.
    pub fn finish(mut self) -> Option<String> {
        (!self.held.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.held);
        // A replacement character is longer than what it replaces.
        let line = if self.skipped {
            cut(&format!("{text}{CUT}"), MAX_TEXT)
        } else {
            cut(&text, MAX_TEXT)
        };
        self.held.clear();
        self.skipped = false;
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(bytes: &[u8], step: usize) -> Vec<String> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        bytes.chunks(step.max(1)).for_each(|chunk| lines.push(chunk, |l| out.push(l)));
        out.extend(lines.finish());
        out
    }

    #[test]
    fn lines_end_at_newlines_and_lone_returns() {
        assert_eq!(lines(b"a\r\nb\n\n 10%\r 20%\rend", 1), ["a", "b", "", " 10%", " 20%", "end"]);
        assert_eq!(lines(b"x\xff\n", 9), ["x\u{fffd}"]);
        assert!(lines(b"", 1).is_empty());
    }

    #[test]
    fn a_long_line_is_cut_with_a_mark() {
        let long = lines(&[vec![b'a'; MAX_TEXT + 1], b"\nnext\n".to_vec()].concat(), 100);
        assert_eq!(long.len(), 2);
        assert_eq!(long[0].len(), MAX_TEXT);
        assert!(long[0].ends_with("aaa [cut]"));
        assert_eq!(lines(&vec![b'a'; MAX_TEXT], 7)[0].len(), MAX_TEXT);
        assert!(!lines(&vec![b'a'; MAX_TEXT], 7)[0].ends_with(CUT));
    }

    #[test]
    fn consoles_get_ascii() {
        assert_eq!(ascii("plain"), "plain");
        assert_eq!(ascii("\x1b[31mrot\t\u{fc}\x7f\0"), "^[[31mrot ?^?^@");
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter(bytes: Vec<u8>, step in 1usize..50) {
            prop_assert_eq!(lines(&bytes, step), lines(&bytes, usize::MAX));
        }

        #[test]
        fn what_comes_out_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..9000)) {
            for line in lines(&bytes, 512) {
                prop_assert!(line.len() <= MAX_TEXT);
                prop_assert!(ascii(&line).bytes().all(|b| matches!(b, b' '..=b'~')));
            }
        }
    }
}
