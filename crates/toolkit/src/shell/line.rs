//! A line editor with history and completion, with the keys of emacs as bash has them.
//!
//! What it sends are the few ECMA-48 sequences that serial consoles, the Linux console and clients
//! of ssh all know.

mod buffer;
mod view;

use super::completion::Proposals;
use crate::terminal::{Event, Key, Terminal, print};
use buffer::Buffer;
use std::io;
use view::{View, lay_out};

/// What came of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It was typed to its end.
    Typed(String),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// More candidates than this are listed only when they are asked for twice.
const MANY: usize = 100;

/// A line that is being edited.
pub(super) struct Editor<'a> {
    terminal: Terminal,
    prompt: &'a str,
    buffer: Buffer,
    history: &'a [String],
    /// Which line of the history is shown; its length is the line that was being typed.
    shown: usize,
    /// What was typed before an older line was shown.
    typed: String,
    /// What was drawn last; `None` at the place where the prompt begins.
    drawn: Option<View>,
    /// Tab was the key before.
    tabbed: bool,
}

/// Edits a line behind `prompt`; `complete` proposes what may stand at a byte of it.
///
/// # Errors
/// When there is no terminal, or it cannot be written to.
pub(super) fn edit(
    prompt: &str,
    history: &[String],
    mut complete: impl FnMut(&str, usize) -> Proposals,
) -> io::Result<Line> {
    let terminal = Terminal::take_for_line()?;
    let mut editor = Editor {
        terminal,
        prompt,
        buffer: Buffer::default(),
        history,
        shown: history.len(),
        typed: String::new(),
        drawn: None,
        tabbed: false,
    };
    editor.draw()?;
    loop {
        match editor.terminal.next(None, None)? {
            Event::Key(Key::Tab) => editor.complete(&mut complete)?,
            Event::Key(key) => {
                editor.tabbed = false;
                if let Some(line) = editor.key(key)? {
                    return Ok(line);
                }
            }
            Event::Closed => return Ok(Line::End),
            Event::Redraw => {}
            Event::Timeout | Event::Ready => continue,
        }
        editor.draw()?;
    }
}

impl Editor<'_> {
    fn key(&mut self, key: Key) -> io::Result<Option<Line>> {
        let buffer = &mut self.buffer;
        match key {
            Key::Enter | Key::Ctrl('o') => {
                self.leave("\r\n")?;
                return Ok(Some(Line::Typed(self.buffer.text())));
            }
            Key::Ctrl('c') => {
                self.leave("^C\r\n")?;
                return Ok(Some(Line::Interrupted));
            }
            Key::Ctrl('d') if buffer.is_empty() => {
                self.leave("\r\n")?;
                return Ok(Some(Line::End));
            }
            Key::Ctrl('l') => {
                print(b"\x1b[H\x1b[2J")?;
                self.drawn = None;
            }
            Key::Ctrl('r') => return self.search(),
            Key::Up | Key::Ctrl('p') => self.show(self.shown.checked_sub(1)),
            Key::Down | Key::Ctrl('n') => self.show(Some(self.shown + 1)),
            Key::Alt('<') => self.show(Some(0)),
            Key::Alt('>') => self.show(Some(self.history.len())),
            Key::Alt('.' | '_') => {
                let last = self.history.last().and_then(|line| line.split_whitespace().last());
                self.buffer.insert(last.unwrap_or_default().chars());
            }
            key => change(&mut self.buffer, key),
        }
        Ok(None)
    }

    /// Shows a line of the history; the one after the last is what was being typed.
    fn show(&mut self, number: Option<usize>) {
        let Some(number) = number.filter(|number| *number <= self.history.len()) else { return };
        if self.shown == self.history.len() {
            self.typed = self.buffer.text();
        }
        self.shown = number;
        self.buffer.set(self.history.get(number).unwrap_or(&self.typed));
    }

    /// Looks for older lines that hold what is typed. The key that ends it does what it does.
    fn search(&mut self) -> io::Result<Option<Line>> {
        let before = self.buffer.text();
        let (mut wanted, mut from) = (String::new(), self.history.len());
        loop {
            let mut found = self.history.get(..from).unwrap_or_default().iter();
            let found = found.rposition(|line| !wanted.is_empty() && line.contains(&wanted));
            let line = found.and_then(|place| self.history.get(place)).map_or("", String::as_str);
            let failed = if found.is_none() && !wanted.is_empty() { "failed " } else { "" };
            let prompt = format!("({failed}reverse-i-search)`{wanted}': ");
            self.draw_as(&prompt, line, line)?;
            match self.terminal.next(None, None)? {
                Event::Key(Key::Char(c)) => {
                    wanted.push(c);
                    from = self.history.len();
                }
                Event::Key(Key::Backspace) => {
                    wanted.pop();
                    from = self.history.len();
                }
                Event::Key(Key::Ctrl('r')) => from = found.unwrap_or(from),
                Event::Key(Key::Ctrl('g' | 'c')) => {
                    self.buffer.set(&before);
                    return Ok(None);
                }
                Event::Key(key) => {
                    self.buffer.set(found.map_or(before.as_str(), |_| line));
                    self.shown = found.unwrap_or(self.history.len());
                    self.draw()?;
                    return if key == Key::Escape { Ok(None) } else { self.key(key) };
                }
                Event::Closed => return Ok(Some(Line::End)),
                Event::Redraw | Event::Timeout | Event::Ready => {}
            }
        }
    }

    fn complete(&mut self, complete: &mut impl FnMut(&str, usize) -> Proposals) -> io::Result<()> {
        let (line, place) = (self.buffer.text(), self.buffer.front().len());
        let found = complete(&line, place);
        let Some(common) = common_front(&found.texts) else { return Ok(()) };
        let present = line.get(found.from..found.from + found.length).unwrap_or_default();
        if let [only] = found.texts.as_slice() {
            let end = if only.ends_with('/') { "" } else { found.end };
            self.buffer.replace(found.from, found.length, &format!("{only}{end}"));
        } else if common.len() > present.len() {
            self.buffer.replace(found.from, found.length, &common);
        } else if self.tabbed || found.texts.len() <= MANY {
            self.list(&found.texts)?;
        }
        self.tabbed = true;
        Ok(())
    }

    /// Shows the candidates below the line, in columns.
    fn list(&mut self, candidates: &[String]) -> io::Result<()> {
        let name = |path: &String| {
            let end = path.trim_end_matches('/').rfind('/').map_or(0, |slash| slash + 1);
            path.get(end..).unwrap_or_default().to_owned()
        };
        let names: Vec<String> = candidates.iter().map(name).collect();
        let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) + 2;
        let columns = (self.terminal.size().columns / widest).max(1);
        let mut text = String::from("\r\n");
        for row in names.chunks(columns) {
            let line: String = row.iter().map(|name| format!("{name:<widest$}")).collect();
            text.push_str(line.trim_end());
            text.push_str("\r\n");
        }
        self.leave(&text)?;
        self.drawn = None;
        Ok(())
    }

    /// Goes behind the line and prints something there.
    fn leave(&mut self, text: &str) -> io::Result<()> {
        self.buffer.go(self.buffer.end());
        self.draw()?;
        print(text.as_bytes())
    }

    fn draw(&mut self) -> io::Result<()> {
        let (line, front) = (self.buffer.text(), self.buffer.front());
        self.draw_as(self.prompt, &line, &front)
    }

    /// Draws a line in place of the one that was drawn last.
    fn draw_as(&mut self, prompt: &str, line: &str, front: &str) -> io::Result<()> {
        let view = lay_out(prompt, line, front, self.terminal.size().columns);
        let mut out = String::new();
        match &self.drawn {
            Some(before) if *before == view => return Ok(()),
            // On a slow line what was typed at the end is not worth drawing all anew.
            Some(before) if before.is_continued_by(&view) => {
                out.push_str(view.text.get(before.text.len()..).unwrap_or_default());
            }
            before => {
                if let Some(before) = before {
                    up(before.row, &mut out);
                    out.push_str("\r\x1b[J");
                }
                out.push_str(&view.text);
                if !view.ends_at_cursor {
                    up(view.rows - 1 - view.row, &mut out);
                    out.push('\r');
                    if view.column > 0 {
                        out.push_str(&format!("\x1b[{}C", view.column));
                    }
                }
            }
        }
        self.drawn = Some(view);
        print(out.as_bytes())
    }
}

fn up(rows: usize, out: &mut String) {
    if rows > 0 {
        out.push_str(&format!("\x1b[{rows}A"));
    }
}

/// What a key does to the line alone.
fn change(buffer: &mut Buffer, key: Key) {
    let in_word = char::is_alphanumeric;
    let not_blank = |c: char| !c.is_whitespace();
    match key {
        Key::Char(c) => buffer.insert([c]),
        Key::Left | Key::Ctrl('b') => buffer.go(buffer.left()),
        Key::Right | Key::Ctrl('f') => buffer.go(buffer.right()),
        Key::Home | Key::Ctrl('a') => buffer.go(0),
        Key::End | Key::Ctrl('e') => buffer.go(buffer.end()),
        Key::Alt('b') => buffer.go(buffer.word_left(in_word)),
        Key::Alt('f') => buffer.go(buffer.word_right(in_word)),
        Key::Backspace => buffer.backspace(),
        Key::Delete | Key::Ctrl('d') => buffer.delete(),
        Key::Ctrl('k') => buffer.cut_to(buffer.end()),
        Key::Ctrl('u') => buffer.cut_to(0),
        Key::Ctrl('w') => buffer.cut_to(buffer.word_left(not_blank)),
        Key::Alt('d') => buffer.cut_to(buffer.word_right(in_word)),
        Key::Ctrl('y') => buffer.paste(),
        Key::Ctrl('t') => buffer.transpose(),
        Key::Ctrl('_') => buffer.undo(),
        _ => {}
    }
}

/// The longest text that all begin with; `None` when there is nothing to begin with.
fn common_front(texts: &[String]) -> Option<String> {
    let (first, rest) = texts.split_first()?;
    let mut common = first.as_str();
    for text in rest {
        let same = common.char_indices().zip(text.chars()).find(|((_, a), b)| a != b);
        let end = same.map_or(common.len().min(text.len()), |((place, _), _)| place);
        common = common.get(..end).unwrap_or_default();
    }
    Some(common.to_owned())
}
