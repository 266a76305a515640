//! Words, paragraphs and sentences: motions that go on at the next line.

use super::{
    chars::{self, class},
    history::Pos,
    text::Text,
};

/// A place that moves through a text.
#[derive(Clone, Copy)]
pub(super) struct Walker<'a> {
    pub(super) text: &'a Text,
    pub(super) at: Pos,
    pub(super) big: bool,
}

/// What a step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Another character of the line.
    Within,
    /// The end of the line, or another line.
    Across,
    /// There is nothing more.
    None,
}

impl Walker<'_> {
    fn line(&self) -> &[u8] {
        self.text.line(self.at.line)
    }

    fn class(&self) -> u8 {
        class(self.line(), self.at.col, self.big)
    }

    fn on_empty_line(&self) -> bool {
        self.at.col == 0 && self.line().is_empty()
    }

    pub(super) fn forward(&mut self) -> Step {
        let length = self.line().len();
        if self.at.col < length {
            self.at.col = chars::after(self.line(), self.at.col);
            return if self.at.col < length { Step::Within } else { Step::Across };
        }
        if self.at.line >= self.text.last() {
            return Step::None;
        }
        self.at = Pos::new(self.at.line + 1, 0);
        Step::Across
    }

    pub(super) fn back(&mut self) -> Step {
        if self.at.col > 0 {
            self.at.col = chars::before(self.line(), self.at.col);
            return Step::Within;
        }
        let Some(line) = self.at.line.checked_sub(1) else { return Step::None };
        self.at = Pos::new(line, self.text.line(line).len());
        Step::Across
    }

    /// Over characters of a class; false at the end of the text.
    fn skip(&mut self, class: u8, forward: bool) -> bool {
        while self.class() == class {
            let step = if forward { self.forward() } else { self.back() };
            if step == Step::None {
                return false;
            }
        }
        true
    }

    /// `w`; `stay` where the end of the line is the end of the last word, as after an operator.
    pub(super) fn word(&mut self, count: usize, stay: bool) -> bool {
        for n in (0..count).rev() {
            let start = self.class();
            let on_last = self.at.line >= self.text.last();
            let stop = stay && n == 0;
            match self.forward() {
                Step::None => return false,
                Step::Across if on_last => return false,
                Step::Across if stop => return true,
                _ => {}
            }
            while start != 0 && self.class() == start {
                match self.forward() {
                    Step::None => return true,
                    Step::Across if stop => return true,
                    _ => {}
                }
            }
            while self.class() == 0 && !self.on_empty_line() {
                match self.forward() {
                    Step::None => return true,
                    Step::Across if on_last => return true,
                    _ => {}
                }
            }
        }
        true
    }

    /// `b`.
    pub(super) fn word_back(&mut self, count: usize) -> bool {
        for _ in 0..count {
            if self.back() == Step::None {
                return false;
            }
            let mut found = false;
            while self.class() == 0 && !found {
                found = self.on_empty_line();
                if !found && self.back() == Step::None {
                    return true;
                }
            }
            if !found {
                let class = self.class();
                if !self.skip(class, false) {
                    return true;
                }
                self.forward();
            }
        }
        true
    }

    /// `e`; with `stop`, the end of the word that it is at already is one.
    pub(super) fn word_end(&mut self, count: usize, mut stop: bool) -> bool {
        for _ in 0..count {
            let start = self.class();
            if self.forward() == Step::None {
                return false;
            }
            if self.class() == start && start != 0 {
                if !self.skip(start, true) {
                    return false;
                }
            } else if !stop || start == 0 {
                if !self.skip(0, true) {
                    return false;
                }
                let class = self.class();
                if !self.skip(class, true) {
                    return false;
                }
            }
            self.back();
            stop = false;
        }
        true
    }

    /// `ge`.
    pub(super) fn word_end_back(&mut self, count: usize) -> bool {
        for _ in 0..count {
            let class = self.class();
            if self.back() == Step::None {
                return false;
            }
            if class != 0 && !self.skip(class, false) {
                return true;
            }
            while self.class() == 0 && !self.on_empty_line() {
                if self.back() == Step::None {
                    return true;
                }
            }
        }
        true
    }

    /// `}` and `{`: the next empty line. The second value: the place is the text's last character.
    pub(super) fn paragraph(&self, count: usize, forward: bool) -> Option<(Pos, bool)> {
        let mut line = self.at.line;
        for left in (0..count).rev() {
            let (mut skipped, mut first) = (false, true);
            loop {
                let empty = self.text.line(line).is_empty();
                skipped |= !empty;
                if !first && skipped && empty {
                    break;
                }
                first = false;
                let next = if forward { Some(line + 1) } else { line.checked_sub(1) };
                match next.filter(|next| *next <= self.text.last()) {
                    Some(next) => line = next,
                    None if left > 0 => return None,
                    None => break,
                }
            }
        }
        let bytes = self.text.line(line);
        if forward && line == self.text.last() && !bytes.is_empty() {
            return Some((Pos::new(line, chars::last(bytes)), true));
        }
        Some((Pos::new(line, 0), false))
    }

    /// Whether a sentence begins here.
    fn is_sentence(&self) -> bool {
        let line = self.line();
        let Some(before) = line.get(..self.at.col) else { return false };
        if line.is_empty() {
            let above = self.at.line.checked_sub(1).map(|n| self.text.line(n));
            return above.is_none_or(|above| !above.is_empty());
        }
        if self.class() == 0 {
            return false;
        }
        let trimmed = before.trim_ascii_end();
        let above;
        let end = if trimmed.is_empty() {
            let Some(number) = self.at.line.checked_sub(1) else { return true };
            above = self.text.line(number).trim_ascii_end();
            above
        } else if trimmed.len() == before.len() {
            return false;
        } else {
            trimmed
        };
        let closers: &[u8] = b")]\"'";
        let end = end.iter().rev().find(|byte| !closers.contains(byte));
        end.is_none_or(|byte| b".!?".contains(byte))
    }

    /// `)` and `(`.
    pub(super) fn sentence(&mut self, count: usize, forward: bool) -> bool {
        for _ in 0..count {
            loop {
                let step = if forward { self.forward() } else { self.back() };
                if step == Step::None {
                    return forward || self.at == Pos::default();
                }
                let at_end = self.at.col > 0 && self.at.col >= self.line().len();
                if !at_end && self.is_sentence() {
                    break;
                }
            }
        }
        true
    }
}
