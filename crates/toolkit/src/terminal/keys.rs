//! Bytes of a terminal as keys (ECMA-48 with the sequences of VT220, xterm and the Linux console).

use std::collections::VecDeque;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A printable character.
    Char(char),
    /// A letter (small) or one of `@[\]^_` with Ctrl; those with a key of their own are below.
    Ctrl(char),
    /// A character after ESC, which is what Alt sends.
    Alt(char),
    Enter,
    Tab,
    Backspace,
    Escape,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Insert,
    Delete,
    /// F1 to F12.
    Function(u8),
    /// Pasted text begins, or ends ([`super::Terminal::mark_pastes`]).
    Paste(bool),
    /// A sequence that nobody knows, or bytes that are no character.
    Unknown,
}

/// No sequence of a keyboard is longer.
const LONGEST: usize = 32;

/// Makes keys of bytes. Holds at most one unfinished sequence beside what was just read.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    bytes: VecDeque<u8>,
    /// No more bytes belong to what is here.
    finished: bool,
}

/// How the bytes begin.
enum Begin {
    /// A key of so many bytes.
    Key(Key, usize),
    /// A key that is not complete.
    Part,
}

impl Decoder {
    /// Takes bytes that were read.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.finished = false;
    }

    /// No bytes came for a while: what is here is all.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }

    /// Whether a sequence has begun. Asked when there is no next key.
    pub(crate) fn is_amid(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The next whole key.
    pub(crate) fn next(&mut self) -> Option<Key> {
        if self.bytes.is_empty() {
            return None;
        }
        let bytes: Vec<u8> = self.bytes.iter().copied().take(LONGEST + 1).collect();
        let (key, length) = match begin(&bytes) {
            Begin::Key(key, length) => (key, length),
            Begin::Part if bytes.len() > LONGEST => (Key::Unknown, LONGEST),
            Begin::Part if !self.finished => return None,
            Begin::Part if bytes == [0x1b] => (Key::Escape, 1),
            Begin::Part => (Key::Unknown, bytes.len()),
        };
        self.bytes.drain(..length.clamp(1, self.bytes.len()));
        Some(key)
    }
}

fn begin(bytes: &[u8]) -> Begin {
    match bytes {
        [0x1b] | [0x1b, 0x1b] => Begin::Part,
        // The Linux console's F1 to F5.
        [0x1b, b'[', b'[', last, ..] => Begin::Key(linux_function(*last), 4),
        [0x1b, b'[', b'['] | [0x1b, b'O'] => Begin::Part,
        [0x1b, b'[', rest @ ..] => control(rest),
        [0x1b, b'O', last, ..] => Begin::Key(cursor(*last), 3),
        [0x1b, 0x1b, ..] => Begin::Key(Key::Escape, 1),
        [0x1b, rest @ ..] => match character(rest) {
            Begin::Key(Key::Char(typed), length) => Begin::Key(Key::Alt(typed), length + 1),
            Begin::Key(_, _) => Begin::Key(Key::Escape, 1),
            Begin::Part => Begin::Part,
        },
        _ => character(bytes),
    }
}

/// What follows `ESC [`: numbers, then one letter.
fn control(rest: &[u8]) -> Begin {
    let Some(end) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return Begin::Part;
    };
    let (numbers, last) = rest.split_at(end);
    let length = end + 3;
    let first = numbers.split(|byte| *byte == b';').next().unwrap_or_default();
    let number = std::str::from_utf8(first).ok().and_then(|text| text.parse::<u8>().ok());
    let key = match last.first() {
        Some(b'~') => match number {
            Some(1 | 7) => Key::Home,
            Some(2) => Key::Insert,
            Some(3) => Key::Delete,
            Some(4 | 8) => Key::End,
            Some(5) => Key::PageUp,
            Some(6) => Key::PageDown,
            Some(number @ 200..=201) => Key::Paste(number == 200),
            Some(number @ 11..=15) => Key::Function(number - 10),
            Some(number @ 17..=21) => Key::Function(number - 11),
            Some(number @ 23..=24) => Key::Function(number - 12),
            _ => Key::Unknown,
        },
        // Not the end of a sequence: the byte is a key of its own.
        Some(0..=0x1f | 0x7f..) => return Begin::Key(Key::Unknown, length - 1),
        Some(last) => cursor(*last),
        None => Key::Unknown,
    };
    Begin::Key(key, length)
}

fn cursor(last: u8) -> Key {
    match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        b'P'..=b'S' => Key::Function(last - b'P' + 1),
        _ => Key::Unknown,
    }
}

fn linux_function(last: u8) -> Key {
    match last {
        b'A'..=b'E' => Key::Function(last - b'A' + 1),
        _ => Key::Unknown,
    }
}

/// One character of UTF-8, or a control character.
fn character(bytes: &[u8]) -> Begin {
    let Some(first) = bytes.first().copied() else { return Begin::Part };
    let key = match first {
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x08 | 0x7f => Key::Backspace,
        0x1b => Key::Escape,
        0..=0x1f => Key::Ctrl(char::from(first | 0x40).to_ascii_lowercase()),
        0x20..=0x7e => Key::Char(char::from(first)),
        _ => return long_character(bytes, first),
    };
    Begin::Key(key, 1)
}

fn long_character(bytes: &[u8], first: u8) -> Begin {
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Begin::Key(Key::Unknown, 1),
    };
    let typed = bytes.get(..length.min(bytes.len())).unwrap_or_default();
    match std::str::from_utf8(typed) {
        Ok(text) => Begin::Key(text.chars().next().map_or(Key::Unknown, Key::Char), length),
        Err(error) if error.error_len().is_none() => Begin::Part,
        Err(_) => Begin::Key(Key::Unknown, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::default();
        decoder.add(bytes);
        let mut keys: Vec<Key> = std::iter::from_fn(|| decoder.next()).collect();
        decoder.finish();
        keys.extend(std::iter::from_fn(|| decoder.next()));
        assert!(!decoder.is_amid());
        keys
    }

    #[test]
    fn keys_have_their_names() {
        assert_eq!(
            keys(b"a\r\x03\x7f"),
            [Key::Char('a'), Key::Enter, Key::Ctrl('c'), Key::Backspace]
        );
        assert_eq!(
            keys(b"\x1b[A\x1bOB\x1b[1;5C\x1b[5~"),
            [Key::Up, Key::Down, Key::Right, Key::PageUp]
        );
        assert_eq!(
            keys(b"\x1b[24~\x1b[[A\x1bOQ"),
            [Key::Function(12), Key::Function(1), Key::Function(2)]
        );
        assert_eq!(keys(b"\x1b[200~\x1b[201~"), [Key::Paste(true), Key::Paste(false)]);
        assert_eq!(keys(b"\x1b"), [Key::Escape]);
        assert_eq!(keys(b"\x1bv"), [Key::Alt('v')]);
        assert_eq!(keys("äx".as_bytes()), [Key::Char('ä'), Key::Char('x')]);
        assert_eq!(keys(b"\xffx"), [Key::Unknown, Key::Char('x')]);
    }

    #[test]
    fn a_key_may_come_in_parts() {
        let mut decoder = Decoder::default();
        for byte in b"\x1b[5" {
            decoder.add(&[*byte]);
            assert_eq!(decoder.next(), None);
            assert!(decoder.is_amid());
        }
        decoder.add(b"~");
        assert_eq!(decoder.next(), Some(Key::PageUp));
    }

    #[test]
    fn a_sequence_without_end_is_cut() {
        let mut endless = b"\x1b[".to_vec();
        endless.extend([b'1'; 100]);
        let mut decoder = Decoder::default();
        decoder.add(&endless);
        assert_eq!(decoder.next(), Some(Key::Unknown));
        assert!(decoder.bytes.len() <= 102 - LONGEST);
    }

    proptest! {
        #[test]
        fn any_bytes_are_keys(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(keys(&bytes).len() <= bytes.len());
        }
    }
}
