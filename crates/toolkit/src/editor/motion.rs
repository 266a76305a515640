//! Where motions go.

use super::{
    chars,
    command::{Command, Op},
    history::Pos,
    model::{Editor, Mode},
    words::Walker,
};
use crate::terminal::Key;

/// Which text lies between the cursor and where a motion went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not the last character.
    Exclusive,
    Inclusive,
    /// Whole lines.
    Lines,
}

/// Where a motion went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) to: Pos,
    pub(super) kind: Kind,
    /// The column that `j` and `k` keep; `None` is that of `to`.
    pub(super) want: Option<usize>,
}

/// What a key led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    To(Reach),
    Failed,
    /// The key is no motion.
    No,
}

fn to(line: usize, col: usize, kind: Kind) -> Moved {
    Moved::To(Reach { to: Pos::new(line, col), kind, want: None })
}

fn maybe(moved: Option<Moved>) -> Moved {
    moved.unwrap_or(Moved::Failed)
}

impl Editor {
    pub(super) fn motion(&mut self, command: &Command) -> Moved {
        let count = command.times();
        let line = self.cursor.line;
        match command.key {
            Key::Char('h') | Key::Left | Key::Backspace | Key::Ctrl('h') => self.left(count),
            Key::Char('l' | ' ') | Key::Right => self.right(count, command.op.is_some()),
            Key::Char('j') | Key::Down | Key::Ctrl('j' | 'n') => self.vertical(count, true),
            Key::Char('k') | Key::Up | Key::Ctrl('p') => self.vertical(count, false),
            Key::Char('0') | Key::Home => to(line, 0, Kind::Exclusive),
            Key::Char('^') => to(line, self.first_filled(line), Kind::Exclusive),
            Key::Char('|') => {
                let at = chars::at_column(self.text.line(line), count - 1, self.options.tabstop);
                to(line, at, Kind::Exclusive)
            }
            Key::Char('$') | Key::End => {
                let Some(line) = self.below(line, count - 1) else { return Moved::Failed };
                let to = Pos::new(line, chars::last(self.text.line(line)));
                // An empty line has no last character.
                let empty = self.text.line(line).is_empty();
                let kind = if empty { Kind::Exclusive } else { Kind::Inclusive };
                Moved::To(Reach { to, kind, want: Some(usize::MAX) })
            }
            Key::Char('_') => maybe(self.below(line, count - 1).map(|line| self.start_of(line))),
            Key::Char('+') | Key::Enter => maybe(self.below(line, count).map(|l| self.start_of(l))),
            Key::Char('-') => maybe(line.checked_sub(count).map(|line| self.start_of(line))),
            Key::Char('G') => self.line_number(command.count.unwrap_or(usize::MAX)),
            Key::Char('g') if command.arg == Some(Key::Char('g')) => self.line_number(count),
            Key::Char('g') if matches!(command.arg, Some(Key::Char('e' | 'E'))) => {
                let big = command.arg == Some(Key::Char('E'));
                let mut walk = Walker { text: &self.text, at: self.cursor, big };
                match walk.word_end_back(count) {
                    true => to(walk.at.line, walk.at.col, Kind::Inclusive),
                    false => Moved::Failed,
                }
            }
            Key::Char('w' | 'W' | 'b' | 'B' | 'e' | 'E' | '{' | '}' | '(' | ')') => {
                self.by_words(command, count)
            }
            Key::Char(letter @ ('f' | 'F' | 't' | 'T')) => {
                let Some(Key::Char(target)) = literal(command.arg) else { return Moved::Failed };
                self.find = Some((letter, target));
                self.find_char(letter, target, count, false)
            }
            Key::Char(repeat @ (';' | ',')) => self.find_again(repeat, count),
            Key::Char('%') => self.percent(command),
            Key::Char('H' | 'M' | 'L') => self.on_screen(command.key, count),
            Key::Char('/' | '?' | 'n' | 'N' | '*' | '#') => self.search_motion(command, count),
            Key::Char(quote @ ('\'' | '`')) => self.at_mark(quote, command.arg),
            _ => Moved::No,
        }
    }

    pub(super) fn first_filled(&self, line: usize) -> usize {
        let bytes = self.text.line(line);
        chars::first_filled(bytes).min(chars::last(bytes))
    }

    /// A line so far below; clamped, but not from the last one.
    fn below(&self, line: usize, count: usize) -> Option<usize> {
        let last = self.text.last();
        (count == 0 || line < last).then(|| line.saturating_add(count).min(last))
    }

    fn start_of(&self, line: usize) -> Moved {
        to(line, self.first_filled(line), Kind::Lines)
    }

    fn line_number(&mut self, number: usize) -> Moved {
        self.set_context();
        self.start_of(number.saturating_sub(1).min(self.text.last()))
    }

    fn left(&self, count: usize) -> Moved {
        let Pos { line, mut col } = self.cursor;
        if col == 0 {
            return Moved::Failed;
        }
        let bytes = self.text.line(line);
        for _ in 0..count.min(col) {
            col = chars::before(bytes, col);
        }
        to(line, col, Kind::Exclusive)
    }

    /// Where the cursor can go in a line; what is selected may have its end, too.
    fn furthest(&self, line: &[u8]) -> usize {
        match self.mode {
            Mode::Visual { .. } => line.len(),
            _ => chars::last(line),
        }
    }

    fn right(&self, count: usize, operates: bool) -> Moved {
        let Pos { line, mut col } = self.cursor;
        let bytes = self.text.line(line);
        let end = if operates { bytes.len() } else { self.furthest(bytes) };
        if col >= end {
            return Moved::Failed;
        }
        for _ in 0..count.min(bytes.len()) {
            col = chars::after(bytes, col).min(end);
        }
        to(line, col, Kind::Exclusive)
    }

    fn vertical(&self, count: usize, down: bool) -> Moved {
        let line = self.cursor.line;
        let next = if down {
            self.below(line, count)
        } else {
            (line > 0).then(|| line.saturating_sub(count))
        };
        let Some(next) = next else { return Moved::Failed };
        let tab = self.options.tabstop;
        let now = chars::cursor_column(self.text.line(line), self.cursor.col, tab);
        let want = self.want.unwrap_or(now);
        let bytes = self.text.line(next);
        let col = chars::at_column(bytes, want, tab).min(self.furthest(bytes));
        Moved::To(Reach { to: Pos::new(next, col), kind: Kind::Lines, want: Some(want) })
    }

    fn by_words(&mut self, command: &Command, count: usize) -> Moved {
        let Key::Char(letter) = command.key else { return Moved::No };
        if "{}()".contains(letter) {
            self.set_context();
        }
        let operates = command.op.is_some();
        let big = letter.is_ascii_uppercase();
        let mut walk = Walker { text: &self.text, at: self.cursor, big };
        let on_blank = chars::class(self.text.line(self.cursor.line), self.cursor.col, big) == 0;
        let mut kind = Kind::Exclusive;
        let went = match letter.to_ascii_lowercase() {
            // What `cw` changes ends with the word.
            'w' if command.op == Some(Op::Change) && !on_blank => {
                kind = Kind::Inclusive;
                walk.word_end(count, true)
            }
            'w' => walk.word(count, operates),
            'b' => walk.word_back(count),
            'e' => {
                kind = Kind::Inclusive;
                walk.word_end(count, false)
            }
            '{' | '}' => {
                let Some((at, whole)) = walk.paragraph(count, letter == '}') else {
                    return Moved::Failed;
                };
                kind = if whole { Kind::Inclusive } else { kind };
                walk.at = at;
                true
            }
            _ => walk.sentence(count, letter == ')'),
        };
        let moved = walk.at != self.cursor;
        let Pos { line, col } = walk.at;
        let last = chars::last(self.text.line(line));
        match (went || moved && operates, operates) {
            (false, _) if !moved => Moved::Failed,
            (_, true) if kind == Kind::Inclusive => to(line, col.min(last), kind),
            (_, true) => to(line, col, kind),
            (_, false) => to(line, col.min(last), kind),
        }
    }

    fn find_again(&mut self, repeat: char, count: usize) -> Moved {
        let Some((letter, target)) = self.find else { return Moved::Failed };
        let letter = match (repeat, letter.is_ascii_uppercase()) {
            (';', _) => letter,
            (_, true) => letter.to_ascii_lowercase(),
            (_, false) => letter.to_ascii_uppercase(),
        };
        self.find_char(letter, target, count, true)
    }

    fn find_char(&self, letter: char, target: char, count: usize, again: bool) -> Moved {
        let Pos { line, col } = self.cursor;
        let bytes = self.text.line(line);
        let forward = letter.is_ascii_lowercase();
        let step = |at: usize| {
            if forward {
                Some(chars::after(bytes, at)).filter(|next| *next < bytes.len())
            } else {
                (at > 0).then(|| chars::before(bytes, at))
            }
        };
        let till = letter.eq_ignore_ascii_case(&'t');
        let (mut at, mut before, mut left) = (col, col, count);
        // Repeated, `t` does not stay before the one it is at.
        let mut skip = again && till && count == 1;
        while left > 0 {
            before = at;
            let Some(next) = step(at) else { return Moved::Failed };
            at = next;
            if chars::char_at(bytes, at).1 == Some(target) && !std::mem::take(&mut skip) {
                left -= 1;
            }
            skip = false;
        }
        let col = if till { before } else { at };
        to(line, col, if forward { Kind::Inclusive } else { Kind::Exclusive })
    }

    fn percent(&mut self, command: &Command) -> Moved {
        self.set_context();
        if let Some(percent) = command.count {
            if percent > 100 {
                return Moved::Failed;
            }
            let line = percent.saturating_mul(self.text.len()).div_ceil(100);
            return self.start_of(line.saturating_sub(1).min(self.text.last()));
        }
        maybe(self.matching())
    }

    /// The bracket that belongs to the next one.
    fn matching(&self) -> Option<Moved> {
        let Pos { line, col } = self.cursor;
        let bytes = self.text.line(line);
        let at =
            (col..bytes.len()).find(|at| bytes.get(*at).is_some_and(|b| b"()[]{}".contains(b)))?;
        let open = *bytes.get(at)?;
        let (close, forward) = match open {
            b'(' => (b')', true),
            b'[' => (b']', true),
            b'{' => (b'}', true),
            b')' => (b'(', false),
            b']' => (b'[', false),
            _ => (b'{', false),
        };
        let found = self.balance(Pos::new(line, at), open, close, forward)?;
        Some(to(found.line, found.col, Kind::Inclusive))
    }

    /// Where as many `close` were as `open`, beginning on an `open`.
    pub(super) fn balance(&self, from: Pos, open: u8, close: u8, forward: bool) -> Option<Pos> {
        let mut depth = 0_usize;
        let (mut line, mut start) = (from.line, Some(from.col));
        loop {
            let bytes = self.text.line(line);
            let range = match (start.take(), forward) {
                (Some(col), true) => col..bytes.len(),
                (Some(col), false) => 0..col + 1,
                (None, _) => 0..bytes.len(),
            };
            let mut columns: Vec<usize> = range
                .filter(|at| bytes.get(*at).is_some_and(|b| *b == open || *b == close))
                .collect();
            if !forward {
                columns.reverse();
            }
            for at in columns {
                depth =
                    if bytes.get(at) == Some(&open) { depth + 1 } else { depth.saturating_sub(1) };
                if depth == 0 {
                    return Some(Pos::new(line, at));
                }
            }
            line = if forward { line + 1 } else { line.checked_sub(1)? };
            if line > self.text.last() {
                return None;
            }
        }
    }

    fn on_screen(&mut self, key: Key, count: usize) -> Moved {
        self.set_context();
        let bottom = self.bottom();
        let line = match key {
            Key::Char('H') => (self.top + count - 1).min(bottom),
            Key::Char('M') => self.top + (bottom - self.top) / 2,
            _ => bottom.saturating_sub(count - 1).max(self.top),
        };
        self.start_of(line)
    }

    fn at_mark(&mut self, quote: char, name: Option<Key>) -> Moved {
        let Some(Key::Char(name)) = name else { return Moved::Failed };
        let name = if name == '`' { '\'' } else { name };
        // At first `''` goes to the beginning.
        let start = (name == '\'').then(Pos::default);
        let Some(mark) = self.marks.get(&name).copied().or(start) else {
            self.fail("E20: Mark not set");
            return Moved::Failed;
        };
        self.set_context();
        let line = mark.line.min(self.text.last());
        if quote == '\'' {
            return self.start_of(line);
        }
        to(line, mark.col.min(chars::last(self.text.line(line))), Kind::Exclusive)
    }
}

/// The character that a key types.
pub(super) fn literal(key: Option<Key>) -> Option<Key> {
    match key {
        Some(Key::Tab) => Some(Key::Char('\t')),
        key => key,
    }
}
