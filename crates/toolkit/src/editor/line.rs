//! The line that is typed below the text: a command, or a pattern.

use super::{
    command::Command,
    history::Pos,
    model::{Editor, Mode},
};
use crate::terminal::Key;

/// A line that is typed below the text.
#[derive(Debug)]
pub(crate) struct Line {
    /// `:`, `/` or `?`.
    pub(crate) prompt: char,
    pub(crate) text: String,
    /// What waits for a pattern.
    command: Option<Command>,
    /// Where a selection began.
    visual: Option<(Pos, bool)>,
    literal: bool,
    /// Lines typed before, and which one is shown.
    back: usize,
}

impl Editor {
    pub(super) fn ask(
        &mut self,
        prompt: char,
        text: String,
        command: Option<Command>,
        visual: Option<(Pos, bool)>,
    ) {
        self.mode = Mode::Line(Line { prompt, text, command, visual, literal: false, back: 0 });
    }

    pub(super) fn line_key(&mut self, key: Key) {
        let Mode::Line(line) = &mut self.mode else { return };
        if std::mem::take(&mut line.literal) {
            line.text.extend(super::insert::typed(key));
            return;
        }
        match key {
            Key::Char(letter) => line.text.push(letter),
            Key::Tab => line.text.push('\t'),
            Key::Ctrl('v') => line.literal = true,
            Key::Ctrl('u') => line.text.clear(),
            Key::Ctrl('w') => {
                let kept = line.text.trim_end().trim_end_matches(|c: char| !c.is_whitespace());
                line.text.truncate(kept.len());
            }
            Key::Backspace | Key::Ctrl('h') if line.text.pop().is_none() => self.leave_line(),
            Key::Up | Key::Down => self.recall(key == Key::Up),
            Key::Escape | Key::Ctrl('c') => self.leave_line(),
            Key::Enter | Key::Ctrl('j') => self.enter_line(),
            _ => {}
        }
    }

    /// A line that was typed before.
    fn recall(&mut self, older: bool) {
        let Mode::Line(line) = &mut self.mode else { return };
        let same: Vec<&String> =
            self.typed.iter().rev().filter(|typed| typed.starts_with(line.prompt)).collect();
        line.back =
            if older { (line.back + 1).min(same.len()) } else { line.back.saturating_sub(1) };
        let found = line.back.checked_sub(1).and_then(|n| same.get(n));
        line.text = found.map(|typed| typed.chars().skip(1).collect()).unwrap_or_default();
    }

    fn leave_line(&mut self) {
        if let Mode::Line(line) = std::mem::replace(&mut self.mode, Mode::Normal)
            && let Some((anchor, lines)) = line.visual
        {
            self.mode = Mode::Visual { anchor, lines };
        }
    }

    fn enter_line(&mut self) {
        let Mode::Line(line) = std::mem::replace(&mut self.mode, Mode::Normal) else { return };
        self.typed.push(format!("{}{}", line.prompt, line.text));
        if let Some((anchor, lines)) = line.visual {
            self.mode = Mode::Visual { anchor, lines };
        }
        self.history.begin(self.cursor);
        match line.command {
            Some(mut command) => {
                command.pattern = Some(line.text);
                self.run(command);
            }
            None => self.ex(&line.text),
        }
    }
}
