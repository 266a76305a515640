//! Text that is typed.

use super::{
    chars,
    command::Command,
    history::Pos,
    model::{Editor, Mode, Repeat},
    text::Block,
};
use crate::terminal::Key;

/// What typing began with, and what it has done.
#[derive(Debug)]
pub(crate) struct Insert {
    command: Command,
    /// Since it began, for `.` and counts.
    keys: Vec<Key>,
    /// The next key means itself.
    literal: bool,
    /// The terminal says that this is pasted: no indent is added.
    paste: bool,
    /// `R`: for each character typed what was there before.
    over: Option<Vec<Option<Vec<u8>>>>,
    /// The indent of the line is not typed, and goes if nothing follows.
    auto: bool,
    /// Where it began: Ctrl-W and Ctrl-U stop there once.
    start: Pos,
}

impl Insert {
    pub(crate) fn is_over(&self) -> bool {
        self.over.is_some()
    }
}

impl Command {
    /// A command that is one letter.
    pub(super) fn of(letter: char) -> Self {
        let key = Key::Char(letter);
        Self { register: None, count: None, op: None, key, arg: None, pattern: None }
    }
}

/// What a key types.
pub(super) fn typed(key: Key) -> Option<char> {
    match key {
        Key::Char(c) => Some(c),
        Key::Ctrl(c) => char::from_u32(u32::from(c.to_ascii_uppercase()) & 0x1f),
        Key::Tab => Some('\t'),
        Key::Enter => Some('\r'),
        Key::Escape => Some('\x1b'),
        Key::Backspace => Some('\x7f'),
        _ => None,
    }
}

impl Editor {
    pub(super) fn start_insert(&mut self, command: Command, auto: bool) {
        let over = (command.key == Key::Char('R') && command.op.is_none()).then(Vec::new);
        self.want = None;
        let keys = Vec::new();
        self.mode = Mode::Insert(Insert {
            command,
            keys,
            literal: false,
            paste: false,
            over,
            auto,
            start: self.cursor,
        });
    }

    pub(super) fn insert_key(&mut self, key: Key) {
        let Mode::Insert(insert) = &mut self.mode else { return };
        let literal = std::mem::take(&mut insert.literal);
        if !literal && matches!(key, Key::Escape | Key::Ctrl('c')) {
            return self.leave_insert();
        }
        insert.keys.push(key);
        if literal {
            if let Some(c) = typed(key) {
                self.type_text(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            return;
        }
        self.type_key(key);
    }

    fn type_key(&mut self, key: Key) {
        let Mode::Insert(insert) = &mut self.mode else { return };
        match key {
            Key::Paste(begins) => insert.paste = begins,
            Key::Ctrl('v' | 'q') => insert.literal = true,
            Key::Enter | Key::Ctrl('j') => self.new_line(),
            Key::Tab if self.options.expandtab && !insert.paste => {
                let line = self.text.line(self.cursor.line);
                let tab = self.options.tabstop.max(1);
                let column = chars::column(line, self.cursor.col, tab);
                self.type_text(&vec![b' '; tab - column % tab]);
            }
            Key::Tab => self.type_text(b"\t"),
            Key::Char(c) => self.type_text(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Key::Backspace | Key::Ctrl('h') => self.rub_out(),
            Key::Ctrl('w') => self.rub_word(),
            Key::Ctrl('u') => {
                let to = self.cursor;
                self.rub(self.stop(Pos::new(to.line, 0)), to);
            }
            Key::Ctrl('t') => self.indent_typed(true),
            Key::Ctrl('d') => self.indent_typed(false),
            key => self.wander(key),
        }
    }

    /// Cursor keys.
    fn wander(&mut self, key: Key) {
        let Pos { line, col } = self.cursor;
        let bytes = self.text.line(line);
        let col = match key {
            Key::Left => chars::before(bytes, col),
            Key::Right => chars::after(bytes, col),
            Key::Home => 0,
            Key::End => bytes.len(),
            Key::Delete => {
                let end = chars::after(bytes, col);
                if end > col {
                    self.remove(Pos::new(line, col), Pos::new(line, end));
                }
                col
            }
            Key::Up | Key::Down => {
                let next = if key == Key::Up { line.saturating_sub(1) } else { line + 1 };
                let tab = self.options.tabstop;
                let column = chars::column(bytes, col, tab);
                let line = next.min(self.text.last());
                self.cursor.line = line;
                chars::at_column(self.text.line(line), column, tab)
            }
            _ => return,
        };
        self.cursor.col = col;
        if let Mode::Insert(insert) = &mut self.mode {
            insert.auto = false;
        }
    }

    /// Puts bytes, none of which ends a line, where the cursor is.
    fn type_text(&mut self, bytes: &[u8]) {
        let Pos { line, col } = self.cursor;
        let old = self.text.line(line);
        let mut new = old.get(..col).unwrap_or(old).to_vec();
        new.extend(bytes);
        let mut end = col;
        if let Mode::Insert(Insert { over: Some(over), .. }) = &mut self.mode {
            end = chars::after(old, col);
            over.push(old.get(col..end).filter(|old| !old.is_empty()).map(<[u8]>::to_vec));
        }
        new.extend(old.get(end..).unwrap_or_default());
        self.set_line(line, &new);
        self.cursor.col += bytes.len();
        if let Mode::Insert(insert) = &mut self.mode {
            insert.auto = false;
        }
    }

    /// The indent that a new line gets after this one.
    fn indent_after(&self, line: usize) -> Vec<u8> {
        let pasted = matches!(&self.mode, Mode::Insert(insert) if insert.paste);
        if !self.options.autoindent || pasted {
            return Vec::new();
        }
        let bytes = self.text.line(line);
        bytes.get(..chars::first_filled(bytes)).unwrap_or_default().to_vec()
    }

    pub(super) fn new_line(&mut self) {
        let Pos { line, col } = self.cursor;
        let old = self.text.line(line);
        let (before, after) = old.split_at(col.min(old.len()));
        let mut indent = self.indent_after(line);
        indent.truncate(col.max(if self.options.autoindent { 0 } else { col }));
        let (mut before, after) = (before.to_vec(), after.to_vec());
        let blank = matches!(&self.mode, Mode::Insert(insert) if insert.auto);
        if blank && chars::first_filled(&before) == before.len() {
            before.clear();
        }
        let mut new = Block::of(&before);
        let rest = if indent.is_empty() { 0 } else { chars::first_filled(&after) };
        self.cursor = Pos::new(line + 1, indent.len());
        let auto = !indent.is_empty();
        indent.extend(after.get(rest..).unwrap_or_default());
        new.push(&indent);
        self.change(line, 1, new);
        if let Mode::Insert(insert) = &mut self.mode {
            insert.auto = auto;
            if let Some(over) = &mut insert.over {
                over.clear();
            }
        }
    }

    /// `o` and `O`.
    pub(super) fn open_line(&mut self, below: bool) {
        let line = self.cursor.line;
        let indent = self.indent_after(line);
        let at = if below { line + 1 } else { line };
        self.change(at, 0, Block::of(&indent));
        self.cursor = Pos::new(at, indent.len());
    }

    fn rub(&mut self, from: Pos, to: Pos) {
        self.remove(from, to);
        self.cursor = from;
    }

    fn rub_out(&mut self) {
        let Pos { line, col } = self.cursor;
        if let Mode::Insert(Insert { over: Some(over), .. }) = &mut self.mode {
            let Some(old) = over.pop() else {
                self.cursor.col = chars::before(self.text.line(line), col);
                return;
            };
            let bytes = self.text.line(line);
            let begin = chars::before(bytes, col);
            let mut new = bytes.get(..begin).unwrap_or_default().to_vec();
            new.extend(old.unwrap_or_default());
            new.extend(bytes.get(col..).unwrap_or_default());
            self.set_line(line, &new);
            self.cursor.col = begin;
        } else if col > 0 {
            let begin = chars::before(self.text.line(line), col);
            self.rub(Pos::new(line, begin), Pos::new(line, col));
        } else if line > 0 {
            let end = self.text.line(line - 1).len();
            self.rub(Pos::new(line - 1, end), Pos::new(line, 0));
        }
    }

    fn rub_word(&mut self) {
        let Pos { line, col } = self.cursor;
        if col == 0 {
            return self.rub_out();
        }
        let bytes = self.text.line(line);
        let class_before = |at: usize| chars::class(bytes, chars::before(bytes, at), false);
        let mut begin = col;
        while begin > 0 && class_before(begin) == 0 {
            begin = chars::before(bytes, begin);
        }
        let class = if begin > 0 { class_before(begin) } else { 0 };
        while begin > 0 && class_before(begin) == class {
            begin = chars::before(bytes, begin);
        }
        self.rub(self.stop(Pos::new(line, begin)), Pos::new(line, col));
    }

    /// Not before where typing began, unless that is where the cursor is.
    fn stop(&self, wanted: Pos) -> Pos {
        match &self.mode {
            Mode::Insert(Insert { start, .. }) if (wanted..self.cursor).contains(start) => *start,
            _ => wanted,
        }
    }

    /// Ctrl-T and Ctrl-D.
    fn indent_typed(&mut self, right: bool) {
        let Pos { line, col } = self.cursor;
        let old = self.text.line(line).len();
        let width = self.options.shiftwidth.max(1);
        let bytes = self.text.line(line);
        let indent = chars::first_filled(bytes);
        let now = chars::column(bytes, indent, self.options.tabstop);
        let columns =
            if right { (now / width + 1) * width } else { now.saturating_sub(1) / width * width };
        let mut new = self.indent(columns);
        new.extend(bytes.get(indent..).unwrap_or_default());
        self.set_line(line, &new);
        self.cursor.col = (col + new.len()).saturating_sub(old);
    }

    fn leave_insert(&mut self) {
        let Mode::Insert(insert) = &self.mode else { return };
        let (keys, command) = (insert.keys.clone(), insert.command.clone());
        for _ in 1..command.times() {
            self.drop_indent();
            if matches!(command.key, Key::Char('o' | 'O')) {
                // However the first one was opened, the next ones are below.
                self.open_line(true);
            }
            for key in &keys {
                self.type_again(*key);
            }
        }
        self.drop_indent();
        self.mode = Mode::Normal;
        let line = self.text.line(self.cursor.line);
        self.cursor.col = chars::before(line, self.cursor.col);
        self.want = None;
        if !self.repeating
            && let Some(Repeat { keys: last, .. }) = &mut self.last
        {
            *last = keys;
        }
    }

    fn type_again(&mut self, key: Key) {
        let Mode::Insert(insert) = &mut self.mode else { return };
        match typed(key) {
            Some(c) if std::mem::take(&mut insert.literal) => {
                self.type_text(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => self.type_key(key),
        }
    }

    /// An indent that nothing was typed after goes.
    fn drop_indent(&mut self) {
        let line = self.cursor.line;
        let Mode::Insert(insert) = &mut self.mode else { return };
        let bytes = self.text.line(line);
        if std::mem::take(&mut insert.auto) && chars::first_filled(bytes) == bytes.len() {
            self.set_line(line, b"");
            self.cursor.col = 0;
        }
    }
}
