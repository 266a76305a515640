//! The line that is being edited: its characters, the cursor, and what was cut out of it.

/// A line and a place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Buffer {
    text: Vec<char>,
    cursor: usize,
    /// What was cut last.
    cut: Vec<char>,
    /// The states before, the oldest first, for `undo`.
    before: Vec<(Vec<char>, usize)>,
}

/// More changes than anyone takes back.
const UNDONE: usize = 200;

impl Buffer {
    /// What stands in the line.
    pub(super) fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// What stands in front of the cursor.
    pub(super) fn front(&self) -> String {
        self.text.iter().take(self.cursor).collect()
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Puts another text into the line; the cursor stands behind it.
    pub(super) fn set(&mut self, text: &str) {
        self.keep();
        self.text = text.chars().collect();
        self.cursor = self.text.len();
    }

    fn keep(&mut self) {
        if self.before.len() == UNDONE {
            self.before.remove(0);
        }
        self.before.push((self.text.clone(), self.cursor));
    }

    /// Takes the last change back.
    pub(super) fn undo(&mut self) {
        if let Some((text, cursor)) = self.before.pop() {
            (self.text, self.cursor) = (text, cursor);
        }
    }

    pub(super) fn insert(&mut self, text: impl IntoIterator<Item = char>) {
        self.keep();
        let mut text: Vec<char> = text.into_iter().collect();
        let length = text.len();
        let mut back = self.text.split_off(self.cursor);
        self.text.append(&mut text);
        self.text.append(&mut back);
        self.cursor += length;
    }

    /// Replaces so many bytes from byte `from` on, both on boundaries of characters.
    pub(super) fn replace(&mut self, from: usize, bytes: usize, with: &str) {
        let text = self.text();
        let (Some(front), Some(back)) = (text.get(..from), text.get(from + bytes..)) else {
            return;
        };
        self.keep();
        let cursor = front.chars().count() + with.chars().count();
        self.text = front.chars().chain(with.chars()).chain(back.chars()).collect();
        self.cursor = cursor;
    }

    fn remove(&mut self, from: usize, to: usize) -> Vec<char> {
        let (from, to) = (from.min(self.text.len()), to.min(self.text.len()));
        if from >= to {
            return Vec::new();
        }
        self.keep();
        self.cursor = from;
        self.text.drain(from..to).collect()
    }

    pub(super) fn backspace(&mut self) {
        self.remove(self.cursor.saturating_sub(1), self.cursor);
    }

    pub(super) fn delete(&mut self) {
        self.remove(self.cursor, self.cursor + 1);
    }

    /// Cuts what is between the cursor and another place.
    pub(super) fn cut_to(&mut self, place: usize) {
        let cut = self.remove(place.min(self.cursor), place.max(self.cursor));
        if !cut.is_empty() {
            self.cut = cut;
        }
    }

    /// Inserts what was cut last.
    pub(super) fn paste(&mut self) {
        let cut = self.cut.clone();
        self.insert(cut);
    }

    /// Exchanges the characters around the cursor.
    pub(super) fn transpose(&mut self) {
        let second = self.cursor.min(self.text.len().saturating_sub(1));
        if let Some(first) = second.checked_sub(1) {
            self.keep();
            self.text.swap(first, second);
            self.cursor = second + 1;
        }
    }

    pub(super) fn go(&mut self, place: usize) {
        self.cursor = place.min(self.text.len());
    }

    pub(super) fn left(&self) -> usize {
        self.cursor.saturating_sub(1)
    }

    pub(super) fn right(&self) -> usize {
        self.cursor + 1
    }

    pub(super) fn end(&self) -> usize {
        self.text.len()
    }

    fn is_at(&self, place: usize, what: fn(char) -> bool) -> bool {
        self.text.get(place).is_some_and(|c| what(*c))
    }

    /// Where the word in front begins; a word ends at what `what` denies.
    pub(super) fn word_left(&self, what: fn(char) -> bool) -> usize {
        let mut place = self.cursor;
        while place > 0 && !self.is_at(place - 1, what) {
            place -= 1;
        }
        while place > 0 && self.is_at(place - 1, what) {
            place -= 1;
        }
        place
    }

    /// Where the word behind ends.
    pub(super) fn word_right(&self, what: fn(char) -> bool) -> usize {
        let mut place = self.cursor;
        while place < self.text.len() && !self.is_at(place, what) {
            place += 1;
        }
        while place < self.text.len() && self.is_at(place, what) {
            place += 1;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str, cursor: usize) -> Buffer {
        let mut buffer = Buffer::default();
        buffer.set(text);
        buffer.go(cursor);
        buffer
    }

    #[test]
    fn words() {
        let buffer = at("cp /etc/fstab  /mnt", 14);
        assert_eq!(buffer.word_left(char::is_alphanumeric), 8);
        assert_eq!(buffer.word_left(|c| !c.is_whitespace()), 3);
        assert_eq!(buffer.word_right(char::is_alphanumeric), 19);
        assert_eq!(at("  ", 2).word_left(char::is_alphanumeric), 0);
    }

    #[test]
    fn cut_paste_and_undo() {
        let mut buffer = at("rm -rf /", 2);
        buffer.cut_to(buffer.end());
        assert_eq!(buffer.text(), "rm");
        buffer.insert("dir".chars());
        buffer.paste();
        assert_eq!((buffer.text().as_str(), buffer.cursor), ("rmdir -rf /", 11));
        buffer.undo();
        buffer.undo();
        buffer.undo();
        assert_eq!((buffer.text().as_str(), buffer.cursor), ("rm -rf /", 2));
        let mut buffer = at("sl", 2);
        buffer.transpose();
        assert_eq!(buffer.text(), "ls");
        let mut buffer = at("ls /ét", 6);
        buffer.replace(4, 3, "étage/");
        assert_eq!((buffer.text().as_str(), buffer.cursor), ("ls /étage/", 10));
    }

    proptest! {
        #[test]
        fn the_cursor_stays_in_the_line(text: String, moves: Vec<(u8, usize)>) {
            let mut buffer = at(&text, 0);
            for (what, place) in moves {
                match what % 9 {
                    0 => buffer.go(place),
                    1 => buffer.cut_to(place),
                    2 => buffer.paste(),
                    3 => buffer.undo(),
                    4 => buffer.transpose(),
                    5 => buffer.backspace(),
                    6 => buffer.delete(),
                    7 => buffer.go(buffer.word_left(char::is_alphanumeric)),
                    _ => buffer.replace(place % 9, place % 3, "x"),
                }
                prop_assert!(buffer.cursor <= buffer.text.len());
            }
        }
    }
}
