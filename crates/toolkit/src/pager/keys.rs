//! What each key does.

use super::{Case, KEYS, Next, Pager, line_of};
use crate::terminal::{Event, Key, print};

impl Pager {
    pub(super) fn key(
        &mut self,
        key: Key,
        number: Option<u64>,
        at_end: bool,
    ) -> anyhow::Result<Next> {
        let count =
            |default: usize| number.and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
        let rows = self.height();
        match key {
            Key::Char('q' | 'Q') => return Ok(Next::End),
            Key::Ctrl('c') if self.quit_on_interrupt => return Ok(Next::End),
            Key::Char(' ' | 'f' | 'z') | Key::Ctrl('f' | 'v') | Key::PageDown => {
                if at_end && self.quit_after_end {
                    return Ok(if self.at + 1 < self.texts.len() {
                        Next::Text(1)
                    } else {
                        Next::End
                    });
                }
                self.forward(count(rows))?;
            }
            Key::Char('b' | 'w') | Key::Ctrl('b') | Key::Alt('v') | Key::PageUp => {
                self.back(count(rows))?
            }
            Key::Char('d') | Key::Ctrl('d') => self.forward(count(rows / 2))?,
            Key::Char('u') | Key::Ctrl('u') => self.back(count(rows / 2))?,
            Key::Char('j' | 'e') | Key::Ctrl('n' | 'e') | Key::Down | Key::Enter => {
                self.forward(count(1))?
            }
            Key::Char('k' | 'y') | Key::Ctrl('p' | 'y' | 'k') | Key::Up => self.back(count(1))?,
            Key::Left => {
                self.view.look.left = self.view.look.left.saturating_sub(count(self.half_width()))
            }
            Key::Right => {
                self.view.look.chop = true;
                self.view.look.left += count(self.half_width());
            }
            Key::Char('g' | '<') | Key::Home | Key::Alt('<') => {
                self.go_to_line(number.unwrap_or(1))?
            }
            Key::Char('G' | '>') | Key::End | Key::Alt('>') => match number {
                Some(line) => self.go_to_line(line)?,
                None => self.go_to_end()?,
            },
            Key::Char('p' | '%') => self.go_to_share(number.unwrap_or(0))?,
            Key::Char('/') => self.ask_pattern(false)?,
            Key::Char('?') => self.ask_pattern(true)?,
            Key::Char('n') => self.again(false)?,
            Key::Char('N') => self.again(true)?,
            Key::Char('F') => self.follow()?,
            Key::Char('h' | 'H') => self.help()?,
            Key::Char('=') | Key::Ctrl('g') => self.message = Some(self.whereabouts()),
            Key::Char('-') => self.change_option()?,
            Key::Char('v') => self.message = Some("There is no editor here".into()),
            Key::Char(':') => return self.colon(),
            Key::Char('R') => self.view.source.refresh(),
            _ => {}
        }
        Ok(Next::Stay)
    }

    pub(super) fn half_width(&self) -> usize {
        (self.terminal.size().columns / 2).max(1)
    }

    pub(super) fn ask_pattern(&mut self, backwards: bool) -> anyhow::Result<()> {
        let sign = if backwards { "?" } else { "/" };
        let Some(text) = self.ask(sign)? else { return Ok(()) };
        if text.is_empty() {
            return self.again(false);
        }
        self.find(&text, backwards)
    }

    /// A line of input at the bottom; none when it was given up.
    pub(super) fn ask(&mut self, sign: &str) -> anyhow::Result<Option<String>> {
        let mut text = String::new();
        loop {
            let mut out = b"\r".to_vec();
            out.extend(line_of(&format!("{sign}{text}"), self.terminal.size(), false));
            out.extend(b"\x1b[K");
            print(&out)?;
            match self.terminal.next(None, None)? {
                Event::Key(Key::Enter) => return Ok(Some(text)),
                Event::Key(Key::Char(c)) if text.len() < 1024 => text.push(c),
                Event::Key(Key::Backspace) if text.pop().is_none() => return Ok(None),
                Event::Key(Key::Ctrl('u')) => text.clear(),
                Event::Key(Key::Escape | Key::Ctrl('c')) | Event::Closed => return Ok(None),
                Event::Redraw => {
                    self.draw("")?;
                }
                _ => {}
            }
        }
    }

    /// `-` and the letter of an option.
    pub(super) fn change_option(&mut self) -> anyhow::Result<()> {
        let mut out = b"\r".to_vec();
        out.extend(line_of("-", self.terminal.size(), false));
        out.extend(b"\x1b[K");
        print(&out)?;
        let Event::Key(Key::Char(letter)) = self.terminal.next(None, None)? else { return Ok(()) };
        let look = &mut self.view.look;
        let (option, text) = match letter {
            'S' => (&mut look.chop, "Chop long lines"),
            'N' => (&mut look.numbers, "Line numbers"),
            'R' | 'r' => (&mut look.colours, "Colours"),
            's' => (&mut look.squeeze, "Squeeze empty lines"),
            'i' | 'I' => {
                let case = if letter == 'i' { Case::Smart } else { Case::Ignored };
                self.case = if self.case == case { Case::Exact } else { case };
                self.message = Some(format!("Case is {:?}", self.case).to_lowercase());
                return Ok(());
            }
            _ => {
                self.message = Some(format!("There is no {letter} option"));
                return Ok(());
            }
        };
        *option = !*option;
        self.message = Some(format!("{text}: {}", if *option { "on" } else { "off" }));
        self.view.look.left = 0;
        self.view.top.row = 0;
        Ok(())
    }

    pub(super) fn colon(&mut self) -> anyhow::Result<Next> {
        let mut out = b"\r".to_vec();
        out.extend(line_of(" :", self.terminal.size(), false));
        out.extend(b"\x1b[K");
        print(&out)?;
        let step = match self.terminal.next(None, None)? {
            Event::Key(Key::Char('q' | 'Q')) => return Ok(Next::End),
            Event::Key(Key::Char('n')) => 1,
            Event::Key(Key::Char('p')) => -1,
            Event::Key(Key::Char('f')) => {
                self.message = Some(self.whereabouts());
                return Ok(Next::Stay);
            }
            _ => return Ok(Next::Stay),
        };
        let target = self.at.checked_add_signed(step).filter(|at| *at < self.texts.len());
        if target.is_none() {
            self.message =
                Some(if step > 0 { "No next file".into() } else { "No previous file".into() });
            return Ok(Next::Stay);
        }
        Ok(Next::Text(step))
    }

    pub(super) fn whereabouts(&mut self) -> String {
        let number = self.view.top_number().map_or("?".into(), |number| number.to_string());
        let size = self.view.source.size().map_or("?".into(), |size| size.to_string());
        format!("{} line {number} byte {}/{size}", self.name, self.view.top.line)
    }

    pub(super) fn help(&mut self) -> anyhow::Result<()> {
        let mut out = b"\x1b[m\x1b[H\x1b[J".to_vec();
        out.extend(KEYS.replace('\n', "\r\n").bytes());
        out.extend(b"\r\n\r\n\x1b[7mPress a key to go back\x1b[m\x1b[K");
        print(&out)?;
        while matches!(self.terminal.next(None, None)?, Event::Redraw | Event::Timeout) {}
        Ok(())
    }
}
