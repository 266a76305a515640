//! Searches.

use super::{
    chars,
    command::Command,
    history::Pos,
    model::Editor,
    motion::{Kind, Moved, Reach},
    pattern::Pattern,
};
use crate::terminal::Key;

impl Editor {
    pub(super) fn search_motion(&mut self, command: &Command, count: usize) -> Moved {
        let backwards = match (command.key, &self.search) {
            (Key::Char('?' | '#'), _) => true,
            (Key::Char('n'), Some((_, back))) => *back,
            (Key::Char('N'), Some((_, back))) => !*back,
            _ => false,
        };
        match command.key {
            Key::Char(prompt @ ('/' | '?')) => {
                let typed = command.pattern.as_deref().unwrap_or_default();
                let (pattern, _) = until(typed, prompt);
                let pattern = match (&self.search, pattern.is_empty()) {
                    (Some((last, _)), true) => last.clone(),
                    _ => pattern,
                };
                self.search = Some((pattern, backwards));
            }
            Key::Char('*' | '#') => {
                let Some((pattern, start)) = self.word_here() else { return Moved::Failed };
                self.cursor.col = start;
                self.search = Some((pattern, backwards));
            }
            _ => {}
        }
        let mut at = self.cursor;
        for _ in 0..count {
            let Some(found) = self.find_next(at, backwards) else { return Moved::Failed };
            at = found;
        }
        self.set_context();
        Moved::To(Reach { to: at, kind: Kind::Exclusive, want: None })
    }

    /// The word at or behind the cursor as a pattern, and where it begins.
    fn word_here(&self) -> Option<(String, usize)> {
        let bytes = self.text.line(self.cursor.line);
        let is_word = |at: usize| chars::class(bytes, at, false) == 2;
        let mut begin = (self.cursor.col..bytes.len()).find(|at| is_word(*at))?;
        while begin > 0 && is_word(chars::before(bytes, begin)) {
            begin = chars::before(bytes, begin);
        }
        let mut end = begin;
        while end < bytes.len() && is_word(end) {
            end = chars::after(bytes, end);
        }
        let word = String::from_utf8_lossy(bytes.get(begin..end)?);
        Some((format!("\\<{word}\\>"), begin))
    }

    /// The last pattern, compiled; says why there is none.
    pub(super) fn pattern(&mut self) -> Option<Pattern> {
        let Some((source, _)) = &self.search else {
            self.fail("E35: No previous regular expression");
            return None;
        };
        match Pattern::new(source, self.options.ignorecase) {
            Ok(pattern) => {
                self.hits = Pattern::new(source, self.options.ignorecase).ok();
                Some(pattern)
            }
            Err(text) => {
                self.fail(text);
                None
            }
        }
    }

    /// The next match.
    pub(super) fn find_next(&mut self, from: Pos, backwards: bool) -> Option<Pos> {
        let pattern = self.pattern()?;
        let found = if backwards {
            self.find_above(&pattern, from)
        } else {
            self.find_below(&pattern, from)
        };
        match found {
            Some((to, wrapped)) => {
                if wrapped {
                    let end = if backwards { "TOP" } else { "BOTTOM" };
                    let other = if backwards { "BOTTOM" } else { "TOP" };
                    self.say(format!("search hit {end}, continuing at {other}"));
                }
                Some(to)
            }
            None => {
                let source =
                    self.search.as_ref().map(|(source, _)| source.clone()).unwrap_or_default();
                self.fail(format!("E486: Pattern not found: {source}"));
                None
            }
        }
    }

    fn find_below(&self, pattern: &Pattern, from: Pos) -> Option<(Pos, bool)> {
        let in_line = |line: usize, col: usize| {
            let bytes = self.text.line(line);
            let (begin, _) = pattern.find(bytes, col)?;
            Some(Pos::new(line, begin.min(chars::last(bytes))))
        };
        let here = self.text.line(from.line);
        let next = chars::after(here, from.col);
        if next < here.len().max(1)
            && let Some(found) = in_line(from.line, next).filter(|found| *found > from)
        {
            return Some((found, false));
        }
        let below = (from.line + 1..self.text.len()).find_map(|line| in_line(line, 0));
        if below.is_some() || !self.options.wrapscan {
            return below.map(|found| (found, false));
        }
        (0..=from.line).find_map(|line| in_line(line, 0)).map(|found| (found, true))
    }

    fn find_above(&self, pattern: &Pattern, from: Pos) -> Option<(Pos, bool)> {
        let in_line = |line: usize, col: usize| {
            let bytes = self.text.line(line);
            let (begin, _) = pattern.find_back(bytes, col)?;
            Some(Pos::new(line, begin.min(chars::last(bytes))))
        };
        if let Some(found) = in_line(from.line, from.col) {
            return Some((found, false));
        }
        let above = (0..from.line).rev().find_map(|line| in_line(line, usize::MAX));
        if above.is_some() || !self.options.wrapscan {
            return above.map(|found| (found, false));
        }
        let rest = (from.line..self.text.len()).rev();
        rest.into_iter().find_map(|line| in_line(line, usize::MAX)).map(|found| (found, true))
    }
}

/// The text up to a delimiter without `\` before it, and what is behind that.
pub(super) fn until(text: &str, delimiter: char) -> (String, Option<&str>) {
    let mut out = String::new();
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        if c == delimiter {
            return (out, text.get(at + c.len_utf8()..));
        }
        out.push(c);
        if c == '\\'
            && let Some((_, next)) = rest.next()
        {
            if next == delimiter {
                out.pop();
            }
            out.push(next);
        }
    }
    (out, None)
}
