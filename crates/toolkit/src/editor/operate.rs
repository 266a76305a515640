//! Operators: what is done with the text between the cursor and a place.

use super::{
    chars,
    command::{Command, Op},
    history::Pos,
    model::{Editor, lines_of},
    motion::{Kind, Moved},
    registers::Register,
    text::Block,
};
use crate::terminal::Key;

/// A stretch of text, both ends within; `to.col` is behind the last byte. Of whole lines the columns
/// do not count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) from: Pos,
    pub(super) to: Pos,
    pub(super) lines: bool,
}

impl Editor {
    pub(super) fn operate(&mut self, command: Command) {
        let Some(op) = command.op else { return };
        let stretch = if command.is_lines() {
            let last = self.text.last();
            let more = command.times() - 1;
            if more > 0 && self.cursor.line >= last {
                None
            } else {
                let to = Pos::new(self.cursor.line.saturating_add(more).min(last), 0);
                Some(Stretch { from: self.cursor, to, lines: true })
            }
        } else if let Key::Char(kind @ ('i' | 'a')) = command.key {
            self.object(kind, command.arg, command.times())
        } else {
            self.reach(&command)
        };
        let Some(stretch) = stretch else {
            self.failed = true;
            return;
        };
        if op != Op::Yank {
            self.remember(&command);
        }
        let keeps_column = op == Op::Yank && command.is_lines();
        let before = self.cursor;
        self.apply(op, &command, stretch);
        if keeps_column {
            self.cursor = before;
        }
    }

    /// From the cursor to where the motion goes.
    fn reach(&mut self, command: &Command) -> Option<Stretch> {
        let Moved::To(reach) = self.motion(command) else { return None };
        let from = self.cursor.min(reach.to);
        let mut to = self.cursor.max(reach.to);
        let mut lines = reach.kind == Kind::Lines;
        match reach.kind {
            Kind::Inclusive => to.col = chars::after(self.text.line(to.line), to.col),
            // What would end before the first character of a line ends with the line above.
            Kind::Exclusive if to.col == 0 && to.line > from.line => {
                to.line -= 1;
                to.col = self.text.line(to.line).len();
                lines = chars::first_filled(self.text.line(from.line)) >= from.col;
            }
            _ => {}
        }
        Some(Stretch { from, to, lines })
    }

    /// Does it with the stretch.
    pub(super) fn apply(&mut self, op: Op, command: &Command, stretch: Stretch) {
        match op {
            Op::Yank => {
                self.registers.yank(command.register, self.copied(stretch));
                self.want = None;
                self.cursor = stretch.from;
                if stretch.lines {
                    self.cursor.col = self.cursor.col.min(self.text.line(stretch.from.line).len());
                }
            }
            Op::Delete => self.delete(command, stretch),
            Op::Change => self.change_text(command.clone(), stretch),
            Op::Left | Op::Right => {
                let times = if command.pattern.is_none() { 1 } else { command.times() };
                self.shift(stretch.from.line, stretch.to.line, op == Op::Right, times);
            }
        }
    }

    /// The stretch as a register holds it.
    fn copied(&self, stretch: Stretch) -> Register {
        let Stretch { from, to, lines } = stretch;
        let block = self.text.block(from.line, to.line + 1);
        let mut text = block.bytes().to_vec();
        if lines {
            return Register { text, lines };
        }
        let cut = self.text.line(to.line).len().saturating_sub(to.col) + 1;
        text.truncate(text.len().saturating_sub(cut));
        text.drain(..from.col.min(text.len()));
        Register { text, lines }
    }

    /// Through the numbered registers goes what such a motion deleted, too.
    fn is_large(command: &Command) -> bool {
        matches!(command.key, Key::Char('%' | '(' | ')' | '`' | '/' | '?' | 'n' | 'N' | '{' | '}'))
    }

    fn delete(&mut self, command: &Command, stretch: Stretch) {
        let mut stretch = stretch;
        let Stretch { from, to, .. } = stretch;
        // Nothing but blanks is left of the lines: then they go as a whole.
        if !stretch.lines
            && to.line > from.line
            && !matches!(command.key, Key::Char('v'))
            && chars::first_filled(self.text.line(from.line)) >= from.col
            && self.text.line(to.line).iter().skip(to.col).all(|b| matches!(b, b' ' | b'\t'))
        {
            stretch.lines = true;
        }
        self.registers.cut(command.register, self.copied(stretch), Self::is_large(command));
        self.want = None;
        if stretch.lines {
            self.change(from.line, to.line + 1 - from.line, Block::default());
            let line = from.line.min(self.text.last());
            self.cursor = Pos::new(line, self.first_filled(line));
        } else {
            self.remove(from, to);
            self.cursor = from;
        }
    }

    /// Takes characters away.
    pub(super) fn remove(&mut self, from: Pos, to: Pos) {
        let mut line = self.text.line(from.line).get(..from.col).unwrap_or_default().to_vec();
        line.extend(self.text.line(to.line).get(to.col..).unwrap_or_default());
        self.change(from.line, to.line + 1 - from.line, Block::of(&line));
    }

    fn change_text(&mut self, command: Command, stretch: Stretch) {
        let Stretch { from, to, lines } = stretch;
        self.registers.cut(command.register, self.copied(stretch), Self::is_large(&command));
        self.cursor = from;
        if lines {
            let first = self.text.line(from.line);
            let indent = chars::first_filled(first);
            let kept = if self.options.autoindent { first.get(..indent) } else { None };
            let kept = kept.unwrap_or_default().to_vec();
            self.cursor.col = kept.len();
            self.change(from.line, to.line + 1 - from.line, Block::of(&kept));
        } else {
            self.remove(from, to);
        }
        self.start_insert(Command { count: None, ..command }, lines && self.options.autoindent);
    }

    /// Moves lines so many times by the width of a shift.
    pub(super) fn shift(&mut self, first: usize, last: usize, right: bool, times: usize) {
        let mut new = Block::default();
        let width = self.options.shiftwidth.saturating_mul(times);
        let old = self.text.block(first, last + 1);
        for line in lines_of(&old) {
            let indent = chars::first_filled(line);
            let now = chars::column(line, indent, self.options.tabstop);
            let rest = line.get(indent..).unwrap_or_default();
            let wanted = if right { now.saturating_add(width) } else { now.saturating_sub(width) };
            if rest.is_empty() && right && line.is_empty() {
                new.push(line);
                continue;
            }
            let mut shifted = self.indent(wanted.min(10_000));
            shifted.extend(rest);
            new.push(&shifted);
        }
        self.change(first, last + 1 - first, new);
        self.cursor = Pos::new(first, self.first_filled(first));
        self.want = None;
    }

    /// Blanks that fill so many columns.
    pub(super) fn indent(&self, columns: usize) -> Vec<u8> {
        let tab = self.options.tabstop.max(1);
        if self.options.expandtab {
            return vec![b' '; columns];
        }
        let mut blanks = vec![b'\t'; columns / tab];
        blanks.extend(vec![b' '; columns % tab]);
        blanks
    }

    /// A word, or what is between quotes or brackets.
    pub(super) fn object(&self, kind: char, arg: Option<Key>, count: usize) -> Option<Stretch> {
        let Some(Key::Char(which)) = arg else { return None };
        let Pos { line, col } = self.cursor;
        let bytes = self.text.line(line);
        let on = |from: usize, to: usize| {
            Some(Stretch { from: Pos::new(line, from), to: Pos::new(line, to), lines: false })
        };
        match which {
            'w' | 'W' => {
                let (from, mut to) = word(bytes, col, which == 'W', kind == 'a');
                for _ in 1..count.min(bytes.len() + 1) {
                    to = word(bytes, to, which == 'W', kind == 'a').1;
                }
                on(from, to)
            }
            '"' | '\'' | '`' => {
                let (from, to) = quoted(bytes, col, which as u8)?;
                if kind == 'i' {
                    return on(from + 1, to);
                }
                // The blanks behind go, too, or else those before.
                let blank = |at: usize| matches!(bytes.get(at), Some(b' ' | b'\t'));
                let (mut from, mut end) = (from, to + 1);
                while blank(end) {
                    end += 1;
                }
                while end == to + 1 && from > 0 && blank(from - 1) {
                    from -= 1;
                }
                on(from, end)
            }
            '(' | ')' | 'b' => self.brackets(b'(', b')', kind),
            '[' | ']' => self.brackets(b'[', b']', kind),
            '{' | '}' | 'B' => self.brackets(b'{', b'}', kind),
            '<' | '>' => self.brackets(b'<', b'>', kind),
            _ => None,
        }
    }

    fn brackets(&self, open: u8, close: u8, kind: char) -> Option<Stretch> {
        let here = self.text.line(self.cursor.line).get(self.cursor.col).copied();
        // The next bracket that is open here.
        let from = if here == Some(open) {
            self.cursor
        } else if here == Some(close) {
            self.balance(self.cursor, close, open, false)?
        } else {
            self.enclosing(open, close).or_else(|| self.next_open(open))?
        };
        let to = self.balance(from, open, close, true)?;
        let (mut from, mut to) = (from, to);
        if kind == 'i' {
            from.col += 1
        } else {
            to.col += 1
        }
        Some(Stretch { from, to, lines: false })
    }

    /// The next bracket of the line.
    fn next_open(&self, open: u8) -> Option<Pos> {
        let Pos { line, col } = self.cursor;
        let found = self.text.line(line).iter().skip(col).position(|byte| *byte == open)?;
        Some(Pos::new(line, col + found))
    }

    fn enclosing(&self, open: u8, close: u8) -> Option<Pos> {
        let (mut line, mut end, mut depth) = (self.cursor.line, self.cursor.col, 0_usize);
        loop {
            let bytes = self.text.line(line);
            for (col, byte) in bytes.iter().enumerate().take(end).rev() {
                match *byte {
                    byte if byte == close => depth += 1,
                    byte if byte == open && depth == 0 => return Some(Pos::new(line, col)),
                    byte if byte == open => depth -= 1,
                    _ => {}
                }
            }
            line = line.checked_sub(1)?;
            end = usize::MAX;
        }
    }
}

/// The word at a place, or the blanks; with `around`, the blanks behind it, else those before.
fn word(line: &[u8], col: usize, big: bool, around: bool) -> (usize, usize) {
    let class = |at: usize| chars::class(line, at, big);
    let back = |mut at: usize, of: u8| {
        while at > 0 && class(chars::before(line, at)) == of {
            at = chars::before(line, at);
        }
        at
    };
    let on = |mut at: usize, of: u8| {
        while at < line.len() && class(at) == of {
            at = chars::after(line, at);
        }
        at
    };
    let here = class(col);
    let (mut from, mut to) = (back(col, here), on(col, here));
    if around && here == 0 {
        to = on(to, class(to));
    } else if around {
        let behind = on(to, 0);
        if behind == to {
            from = back(from, 0);
        }
        to = behind;
    }
    (from, to)
}

/// The quotes around a place, or the next ones of the line.
fn quoted(line: &[u8], col: usize, quote: u8) -> Option<(usize, usize)> {
    let mut quotes = Vec::new();
    let mut escaped = false;
    for (at, byte) in line.iter().enumerate() {
        if *byte == quote && !escaped {
            quotes.push(at);
        }
        escaped = *byte == b'\\' && !escaped;
    }
    let mut pairs = quotes.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?)));
    pairs.find(|(_, end)| *end >= col)
}
