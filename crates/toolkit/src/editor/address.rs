//! Addresses of lines: `.`, `$`, `%`, `5`, `'a`, `/re/`, `+3`.

use super::{history::Pos, model::Editor, search::until};

/// Lines that a command is about, from 0, the last one included; `None` where none was given. A
/// line before the first, as in `:0r`, is `before`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) lines: Option<(usize, usize)>,
    pub(super) before: bool,
}

impl Editor {
    /// Reads the addresses; what follows them.
    pub(super) fn range<'a>(&mut self, text: &'a str) -> Result<(Range, &'a str), String> {
        let mut rest = text.trim_start_matches([' ', ':']);
        if let Some(rest) = rest.strip_prefix('%') {
            return Ok((
                Range { lines: Some((0, self.text.last())), before: false },
                rest.trim_start(),
            ));
        }
        let here = self.cursor;
        let mut found: Vec<i64> = Vec::new();
        loop {
            let (line, after) = self.address(rest)?;
            let separator = after.chars().next().filter(|c| matches!(c, ',' | ';'));
            match line {
                Some(line) => found.push(line),
                None if separator.is_some()
                    || !found.is_empty() && rest.len() < text.len() && ends_open(text, rest) =>
                {
                    found.push(self.cursor.line as i64 + 1);
                }
                None => {}
            }
            let Some(separator) = separator else {
                rest = after;
                break;
            };
            if separator == ';'
                && let Some(line) = found.last()
            {
                self.cursor = Pos::new(usize::try_from(line - 1).unwrap_or(0), 0);
            }
            rest = after.get(1..).unwrap_or_default();
        }
        self.cursor = here;
        let lines = match found.as_slice() {
            [] => None,
            [only] => Some((*only, *only)),
            [.., first, last] => Some((*first, *last)),
        };
        let Some((first, last)) = lines else { return Ok((Range::default(), rest)) };
        if last > self.text.len() as i64 || first < 0 || first > self.text.len() as i64 {
            return Err("E16: Invalid range".into());
        }
        let (first, last) = (first.min(last), first.max(last));
        let index = |line: i64| usize::try_from(line - 1).unwrap_or(0);
        Ok((Range { lines: Some((index(first), index(last))), before: last == 0 }, rest))
    }

    /// One address, from 1.
    fn address<'a>(&mut self, text: &'a str) -> Result<(Option<i64>, &'a str), String> {
        let text = text.trim_start();
        let mut chars = text.chars();
        let after = text.get(1..).unwrap_or_default();
        let here = self.cursor.line as i64 + 1;
        let (base, mut rest) = match chars.next() {
            Some('.') => (Some(here), after),
            Some('$') => (Some(self.text.len() as i64), after),
            Some('\'') => {
                let name = chars.next().ok_or("E20: Mark not set")?;
                let name = if name == '`' { '\'' } else { name };
                let mark = self.marks.get(&name).ok_or("E20: Mark not set")?;
                (Some(mark.line as i64 + 1), chars.as_str())
            }
            Some(delimiter @ ('/' | '?')) => {
                let (pattern, rest) = until(after, delimiter);
                if !pattern.is_empty() {
                    self.search = Some((pattern, delimiter == '?'));
                }
                (Some(self.line_of_pattern(delimiter == '?')?), rest.unwrap_or_default())
            }
            Some('0'..='9') => {
                let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
                let (digits, rest) = text.split_at(end);
                (Some(digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4)), rest)
            }
            Some('+' | '-') => (Some(here), text),
            _ => return Ok((None, text)),
        };
        let mut line = base.unwrap_or(here);
        while let Some(sign @ ('+' | '-')) = rest.trim_start().chars().next() {
            let after = rest.trim_start().get(1..).unwrap_or_default();
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (digits, behind) = after.split_at(end);
            let step =
                if digits.is_empty() { 1 } else { digits.parse::<i64>().unwrap_or(i64::MAX / 4) };
            let step = step.min(i64::MAX / 4);
            line = if sign == '+' { line.saturating_add(step) } else { line.saturating_sub(step) };
            rest = behind;
        }
        Ok((Some(line), rest))
    }

    /// The next line that matches the last pattern, from 1.
    fn line_of_pattern(&mut self, backwards: bool) -> Result<i64, String> {
        let here = self.cursor.line;
        let col = if backwards { 0 } else { self.text.line(here).len() };
        match self.find_next(Pos::new(here, col), backwards) {
            Some(found) => Ok(found.line as i64 + 1),
            None => Err(self.message.clone().unwrap_or_default()),
        }
    }
}

/// Whether what was read of a range ends with a comma: then `.` follows it.
fn ends_open(text: &str, rest: &str) -> bool {
    let read = text.get(..text.len() - rest.len()).unwrap_or_default();
    read.trim_end().ends_with([',', ';'])
}
