//! The editor without a terminal: a text, a cursor, and what keys do to them.

use super::{
    chars,
    command::{Command, Parsed, parse},
    files::Files,
    history::{History, Pos},
    insert::Insert,
    line::Line,
    motion::Moved,
    pattern::Pattern,
    registers::Registers,
    text::{Block, Text},
};
use crate::terminal::Key;
use std::collections::BTreeMap;

/// What `:set` sets.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) number: bool,
    pub(crate) list: bool,
    pub(crate) ignorecase: bool,
    pub(crate) autoindent: bool,
    pub(crate) expandtab: bool,
    pub(crate) wrapscan: bool,
    pub(crate) readonly: bool,
    pub(crate) tabstop: usize,
    pub(crate) shiftwidth: usize,
}

/// What keys mean now.
#[derive(Debug)]
pub(crate) enum Mode {
    Normal,
    /// Text is selected from `anchor` on.
    Visual {
        anchor: Pos,
        lines: bool,
    },
    Insert(Insert),
    Line(Line),
}

/// What must be done outside of the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Run a command on the terminal.
    Shell(String),
    /// Show lines until a key is pressed.
    Show(Vec<String>),
    Redraw,
    Suspend,
    Quit,
}

/// A change that `.` makes again.
#[derive(Clone, Debug)]
pub(super) struct Repeat {
    pub(super) command: Command,
    pub(super) keys: Vec<Key>,
}

#[derive(Debug)]
pub(crate) struct Editor {
    pub(crate) text: Text,
    pub(crate) history: History,
    pub(crate) cursor: Pos,
    pub(super) want: Option<usize>,
    pub(crate) registers: Registers,
    pub(crate) marks: BTreeMap<char, Pos>,
    pub(crate) options: Options,
    pub(crate) mode: Mode,
    pub(crate) pending: Vec<Key>,
    /// The last pattern, and whether it was sought backwards.
    pub(super) search: Option<(String, bool)>,
    /// The same, compiled, where hits are to be shown.
    pub(super) hits: Option<Pattern>,
    pub(super) find: Option<(char, char)>,
    pub(super) substitution: Option<super::substitute::Substitution>,
    /// What `:s///c` asks about.
    pub(super) asking: Option<super::substitute::Asking>,
    pub(super) last: Option<Repeat>,
    pub(super) repeating: bool,
    pub(super) typed: Vec<String>,
    pub(crate) message: Option<String>,
    /// Something went wrong with the last command.
    pub(crate) failed: bool,
    pub(crate) requests: Vec<Request>,
    /// The lines that `:g` has found, the last one first; `None` where one was deleted.
    pub(super) marked: Vec<Option<usize>>,
    /// It was said that there are more files.
    pub(super) warned: bool,
    /// The exit status.
    pub(crate) status: u8,
    pub(crate) files: Files,
    /// The first line on the screen, and how many rows that has.
    pub(crate) top: usize,
    pub(crate) rows: usize,
    /// The last line on the screen, as drawn.
    pub(crate) shown_to: usize,
}

impl Editor {
    /// An editor of an empty text.
    pub(crate) fn new() -> Self {
        Self {
            text: Text::default(),
            history: History::default(),
            cursor: Pos::default(),
            want: None,
            registers: Registers::default(),
            marks: BTreeMap::new(),
            options: Options {
                number: false,
                list: false,
                ignorecase: false,
                autoindent: false,
                expandtab: false,
                wrapscan: true,
                readonly: false,
                tabstop: 8,
                shiftwidth: 8,
            },
            mode: Mode::Normal,
            pending: Vec::new(),
            search: None,
            hits: None,
            find: None,
            substitution: None,
            asking: None,
            last: None,
            repeating: false,
            typed: Vec::new(),
            message: None,
            failed: false,
            requests: Vec::new(),
            marked: Vec::new(),
            warned: false,
            status: 0,
            files: Files::default(),
            top: 0,
            rows: 23,
            shown_to: 0,
        }
    }

    /// A key was pressed.
    pub(crate) fn key(&mut self, key: Key) {
        // Somebody was quick after Escape.
        if let Key::Alt(letter) = key {
            self.key(Key::Escape);
            return self.key(Key::Char(letter));
        }
        if self.asking.is_some() {
            self.answer(key);
        } else {
            match &self.mode {
                Mode::Insert(_) => self.insert_key(key),
                Mode::Line(_) => self.line_key(key),
                Mode::Normal | Mode::Visual { .. } => self.command_key(key),
            }
        }
        self.settle();
    }

    /// A command is over, unless text is being typed.
    pub(super) fn settle(&mut self) {
        if !matches!(self.mode, Mode::Insert(_)) && self.asking.is_none() {
            self.history.commit();
            self.clamp();
        }
    }

    fn command_key(&mut self, key: Key) {
        if self.pending.is_empty() {
            self.message = None;
            self.failed = false;
        }
        if key == Key::Paste(true) {
            self.history.begin(self.cursor);
            self.start_insert(Command::of('i'), false);
            return self.insert_key(key);
        }
        self.pending.push(key);
        let visual = matches!(self.mode, Mode::Visual { .. });
        match parse(&self.pending, visual) {
            Parsed::Part => {}
            Parsed::Nothing => {
                self.pending.clear();
                self.mode = Mode::Normal;
            }
            Parsed::Command(command) => {
                self.pending.clear();
                self.history.begin(self.cursor);
                self.run(command);
            }
        }
    }

    /// Does a command.
    pub(super) fn run(&mut self, command: Command) {
        let visual = match self.mode {
            Mode::Visual { anchor, lines } => Some((anchor, lines)),
            _ => None,
        };
        match command.key {
            Key::Char('.') if visual.is_none() => return self.repeat(&command),
            Key::Char(prompt @ ('/' | '?')) if command.pattern.is_none() => {
                return self.ask(prompt, String::new(), Some(command), visual);
            }
            Key::Char(':') if command.op.is_none() => {
                let text = match (visual, command.count) {
                    (Some(_), _) => "'<,'>".into(),
                    (None, Some(1)) => ".".into(),
                    (None, Some(count)) => format!(".,.+{}", count - 1),
                    (None, None) => String::new(),
                };
                self.mark_selection();
                return self.ask(':', text, None, None);
            }
            _ => {}
        }
        if visual.is_some() && self.visual(&command) {
            return;
        }
        let command = if visual.is_some() { command } else { command.long() };
        if command.op.is_some() {
            return self.operate(command);
        }
        match self.motion(&command) {
            Moved::To(reach) => self.go_to(reach.to, reach.want),
            Moved::Failed => self.failed = true,
            Moved::No => self.simple(command),
        }
    }

    pub(super) fn go_to(&mut self, to: Pos, want: Option<usize>) {
        self.cursor = to;
        self.want = want;
    }

    fn repeat(&mut self, command: &Command) {
        let Some(mut last) = self.last.clone() else { return };
        last.command.count = command.count.or(last.command.count);
        // With a number, `.` goes through the registers of what was deleted.
        if let Some(digit @ '1'..='8') = last.command.register {
            last.command.register = char::from_u32(u32::from(digit) + 1);
        }
        self.last = Some(last.clone());
        self.repeating = true;
        self.run(last.command.clone());
        if matches!(self.mode, Mode::Insert(_)) {
            for key in &last.keys {
                self.insert_key(*key);
            }
            self.insert_key(Key::Escape);
        }
        self.repeating = false;
        self.last = Some(last);
    }

    /// The change that `.` makes again.
    pub(super) fn remember(&mut self, command: &Command) {
        if !self.repeating {
            self.last = Some(Repeat { command: command.clone(), keys: Vec::new() });
        }
    }
}

impl Editor {
    /// Says what went wrong.
    pub(crate) fn fail(&mut self, text: impl Into<String>) {
        self.message = Some(text.into());
        self.failed = true;
    }

    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.message = Some(text.into());
    }

    /// The last line that is on the screen.
    pub(super) fn bottom(&self) -> usize {
        let all = self.top + self.rows.saturating_sub(1);
        let drawn =
            if self.shown_to >= self.top && self.shown_to > 0 { self.shown_to } else { all };
        drawn.min(all).min(self.text.last())
    }

    /// Puts the cursor on a character.
    pub(super) fn clamp(&mut self) {
        self.cursor.line = self.cursor.line.min(self.text.last());
        let line = self.text.line(self.cursor.line);
        let last = match self.mode {
            Mode::Visual { .. } => line.len(),
            _ => chars::last(line),
        };
        self.cursor.col = self.cursor.col.min(last);
    }

    /// Before a jump: where `''` goes.
    pub(super) fn set_context(&mut self) {
        self.marks.insert('\'', self.cursor);
    }

    /// Puts other lines in the place of some; marks go along.
    pub(super) fn change(&mut self, at: usize, count: usize, new: Block) {
        let (mut at, mut new) = (at, new);
        if at > self.text.real_len() {
            // The one empty line that is shown becomes real.
            let mut all = Block::of(b"");
            for line in lines_of(&new) {
                all.push(line);
            }
            (at, new) = (self.text.real_len(), all);
        }
        let added = new.count();
        self.marks.retain(|name, mark| {
            let gone = mark.line >= at + added && mark.line < at + count;
            if mark.line >= at + count {
                mark.line = mark.line + added - count;
            } else if gone {
                mark.line = at;
            }
            !gone || matches!(name, '\'' | '<' | '>')
        });
        for marked in &mut self.marked {
            *marked = match *marked {
                Some(line) if line >= at + count => Some(line + added - count),
                Some(line) if line >= at + added && line >= at => None,
                other => other,
            };
        }
        self.history.change(&mut self.text, at, count, new);
    }

    pub(super) fn set_line(&mut self, number: usize, line: &[u8]) {
        self.change(number, 1, Block::of(line));
    }
}

/// The lines of a block.
pub(super) fn lines_of(block: &Block) -> impl Iterator<Item = &[u8]> {
    let all = block.bytes();
    let all = all.strip_suffix(b"\n").unwrap_or(all);
    let none = block.count() == 0;
    all.split(|byte| *byte == b'\n').filter(move |_| !none)
}
