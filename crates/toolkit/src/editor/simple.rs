//! Commands that are no motions and take none.

use super::{
    chars,
    command::Command,
    history::Pos,
    insert::typed,
    model::{Editor, Mode, Request, lines_of},
    text::Block,
};
use crate::terminal::Key;

impl Editor {
    pub(super) fn simple(&mut self, command: Command) {
        let count = command.times();
        match command.key {
            Key::Char('i' | 'I' | 'a' | 'A' | 'o' | 'O' | 'R') | Key::Insert => {
                self.insert(command)
            }
            Key::Char(letter @ ('p' | 'P' | 'J' | '~' | 'r')) => {
                self.remember(&command);
                match letter {
                    'J' => self.join(self.cursor.line, count.max(2), true),
                    '~' => self.toggle_case(count),
                    'r' => self.replace_chars(command.arg, count),
                    letter => self.put(command.register, count, letter == 'p'),
                }
            }
            Key::Char('u') => (0..count).for_each(|_| self.undo(true)),
            Key::Ctrl('r') => (0..count).for_each(|_| self.undo(false)),
            Key::Char('m') => self.mark(command.arg),
            Key::Char(letter @ ('v' | 'V')) => {
                self.mode = Mode::Visual { anchor: self.cursor, lines: letter == 'V' };
            }
            Key::Char('Z') if command.arg == Some(Key::Char('Z')) => self.ex("x"),
            Key::Char('Z') if command.arg == Some(Key::Char('Q')) => self.ex("q!"),
            Key::Char('z') => self.place_line(command.arg, command.count),
            Key::Char('&') => self.ex("s"),
            Key::Ctrl('g') => self.say_where(),
            Key::Ctrl('l') => self.requests.push(Request::Redraw),
            Key::Ctrl('z') => self.requests.push(Request::Suspend),
            Key::Ctrl('f' | 'b' | 'd' | 'u' | 'e' | 'y') | Key::PageDown | Key::PageUp => {
                self.scroll(command.key, command.count);
            }
            _ => self.failed = true,
        }
    }

    fn insert(&mut self, command: Command) {
        let Pos { line, col } = self.cursor;
        let bytes = self.text.line(line);
        let (length, filled) = (bytes.len(), chars::first_filled(bytes));
        let after = chars::after(bytes, col);
        self.remember(&command);
        let mut auto = false;
        match command.key {
            Key::Char('I') => self.cursor.col = filled,
            Key::Char('a') => self.cursor.col = after,
            Key::Char('A') => self.cursor.col = length,
            Key::Char(letter @ ('o' | 'O')) => {
                self.open_line(letter == 'o');
                auto = self.cursor.col > 0;
            }
            _ => {}
        }
        self.start_insert(command, auto);
    }

    fn mark(&mut self, name: Option<Key>) {
        match name {
            Some(Key::Char('`' | '\'')) => self.set_context(),
            Some(Key::Char(name)) if name.is_ascii_alphabetic() => {
                self.marks.insert(name, self.cursor);
            }
            _ => self.failed = true,
        }
    }

    pub(super) fn undo(&mut self, back: bool) {
        self.history.commit();
        let went = if back {
            self.history.undo(&mut self.text)
        } else {
            self.history.redo(&mut self.text)
        };
        let Some(went) = went else {
            let said = if back { "Already at oldest change" } else { "Already at newest change" };
            return self.say(said);
        };
        self.cursor = went.cursor;
        self.cursor.line = self.cursor.line.min(self.text.last());
        if !went.exact {
            self.cursor.col = self.first_filled(self.cursor.line);
        }
        self.want = None;
    }

    /// `p` and `P`.
    pub(super) fn put(&mut self, name: Option<char>, count: usize, after: bool) {
        let Some(register) = self.registers.get(name).filter(|r| !r.text.is_empty()).cloned()
        else {
            return self.fail("E353: Nothing in that register");
        };
        let Pos { line, col } = self.cursor;
        // No larger than memory, whatever was typed before it.
        let count = count.min((1 << 28) / register.text.len().max(1) + 1);
        if register.lines {
            let at = line + usize::from(after);
            self.change(at, 0, Block::of_text(&register.text.repeat(count)));
            let at = at.min(self.text.last());
            self.cursor = Pos::new(at, self.first_filled(at));
        } else {
            let bytes = self.text.line(line);
            let at = if after { chars::after(bytes, col) } else { col };
            let mut new = bytes.get(..at).unwrap_or_default().to_vec();
            let put = register.text.repeat(count);
            new.extend(&put);
            let end = new.len();
            new.extend(bytes.get(at..).unwrap_or_default());
            let several = put.contains(&b'\n');
            let mut block = Block::default();
            new.split(|byte| *byte == b'\n').for_each(|line| block.push(line));
            self.cursor.col = if several { at } else { chars::before(&new, end) };
            self.change(line, 1, block);
        }
        self.want = None;
    }

    /// Makes one line of several; with `spaces`, one blank stands between.
    pub(super) fn join(&mut self, first: usize, count: usize, spaces: bool) {
        if first >= self.text.last() {
            self.failed = true;
            return;
        }
        let count = count.min(self.text.len() - first);
        let old = self.text.block(first, first + count);
        let mut joined: Vec<u8> = Vec::new();
        let mut at = 0;
        for (n, line) in lines_of(&old).enumerate() {
            if n == 0 {
                joined.extend(line);
                continue;
            }
            let start = if spaces { chars::first_filled(line) } else { 0 };
            let rest = line.get(start..).unwrap_or_default();
            at = joined.len();
            let blank = matches!(joined.last(), None | Some(b' ' | b'\t'));
            if spaces && !blank && !rest.is_empty() && !rest.starts_with(b")") {
                joined.push(b' ');
            }
            joined.extend(rest);
        }
        self.change(first, count, Block::of(&joined));
        self.cursor = Pos::new(first, at);
        self.want = None;
    }

    fn toggle_case(&mut self, count: usize) {
        let Pos { line, col } = self.cursor;
        let bytes = self.text.line(line);
        if bytes.is_empty() {
            self.failed = true;
            return;
        }
        let mut end = col;
        for _ in 0..count.min(bytes.len()) {
            end = chars::after(bytes, end);
        }
        let mut new = bytes.get(..col).unwrap_or_default().to_vec();
        new.extend(toggled(bytes.get(col..end).unwrap_or_default()));
        let end_now = new.len();
        new.extend(bytes.get(end..).unwrap_or_default());
        self.set_line(line, &new);
        self.cursor.col = end_now;
        self.want = None;
    }

    fn replace_chars(&mut self, arg: Option<Key>, count: usize) {
        let Pos { line, col } = self.cursor;
        let bytes = self.text.line(line);
        let mut end = col;
        for _ in 0..count {
            if end >= bytes.len() {
                self.failed = true;
                return;
            }
            end = chars::after(bytes, end);
        }
        let Some(new) = arg.and_then(typed) else { return };
        if new == '\r' {
            self.remove(Pos::new(line, col), Pos::new(line, end));
            return self.new_line();
        }
        let mut replaced = bytes.get(..col).unwrap_or_default().to_vec();
        replaced.extend(new.to_string().repeat(count).bytes());
        self.cursor.col = chars::before(&replaced, replaced.len());
        replaced.extend(bytes.get(end..).unwrap_or_default());
        self.set_line(line, &replaced);
        self.want = None;
    }

    /// `zt`, `z<CR>`, `zz`, `z.`, `zb`, `z-`.
    fn place_line(&mut self, how: Option<Key>, number: Option<usize>) {
        if let Some(number) = number {
            self.cursor.line = number.saturating_sub(1).min(self.text.last());
        }
        let line = self.cursor.line;
        self.top = match how {
            Some(Key::Char('t') | Key::Enter) => line,
            Some(Key::Char('z' | '.')) => line.saturating_sub(self.rows / 2),
            Some(Key::Char('b' | '-')) => (line + 1).saturating_sub(self.rows),
            _ => return,
        };
        if matches!(how, Some(Key::Enter | Key::Char('.' | '-'))) {
            self.cursor.col = self.first_filled(line);
        }
    }

    fn scroll(&mut self, key: Key, number: Option<usize>) {
        let (last, rows) = (self.text.last(), self.rows);
        let page = rows.saturating_sub(2).max(1).saturating_mul(number.unwrap_or(1));
        let half = number.unwrap_or((rows / 2).max(1));
        let line = self.cursor.line;
        match key {
            Key::Ctrl('f') | Key::PageDown => {
                self.top = self.top.saturating_add(page).min(last);
                self.cursor.line = line.max(self.top);
            }
            Key::Ctrl('b') | Key::PageUp => {
                self.top = self.top.saturating_sub(page);
                self.cursor.line = line.min((self.top + rows).saturating_sub(1)).min(last);
            }
            Key::Ctrl('d') if line < last => {
                self.cursor.line = line.saturating_add(half).min(last);
                let most = (last + 1).saturating_sub(rows).max(self.top);
                self.top = self.top.saturating_add(half).min(most);
            }
            Key::Ctrl('u') if line > 0 => {
                self.cursor.line = line.saturating_sub(half);
                self.top = self.top.saturating_sub(half);
            }
            Key::Ctrl('e') => {
                self.top = self.top.saturating_add(number.unwrap_or(1)).min(last);
                self.cursor.line = line.max(self.top);
                return;
            }
            Key::Ctrl('y') => {
                self.top = self.top.saturating_sub(number.unwrap_or(1));
                self.cursor.line = line.min((self.top + rows).saturating_sub(1));
                return;
            }
            _ => self.failed = true,
        }
        self.cursor.col = self.first_filled(self.cursor.line);
        self.want = None;
    }

    pub(super) fn say_where(&mut self) {
        let modified = if self.history.is_modified() { " [Modified]" } else { "" };
        let (line, all) = (self.cursor.line + 1, self.text.len());
        let percent = line * 100 / all;
        let name = self.files.shown();
        self.say(format!(
            "{name}{modified} line {line} of {all} --{percent}%-- col {}",
            self.cursor.col + 1
        ));
    }
}

/// Capitals as small letters, and small ones as capitals.
pub(super) fn toggled(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let (length, c) = chars::char_at(bytes, at);
        match c {
            Some(c) if c.is_lowercase() => out.extend(c.to_uppercase().to_string().bytes()),
            Some(c) if c.is_uppercase() => out.extend(c.to_lowercase().to_string().bytes()),
            _ => out.extend(bytes.get(at..at + length).unwrap_or_default()),
        }
        at += length;
    }
    out
}
