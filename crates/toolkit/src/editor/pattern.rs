//! Patterns: basic regular expressions with what `vim` adds that hands know (`\c`, `\s`, `\d`).

use crate::posix_regex::{Syntax, translate};

/// A compiled pattern; never more than one line of text matches.
#[derive(Debug)]
pub(super) enum Pattern {
    Plain(regex::bytes::Regex),
    /// With references back; on text only.
    Fancy(Box<fancy_regex::Regex>),
}

/// Where the groups are, group 0 first.
pub(super) type Groups = Vec<Option<(usize, usize)>>;

impl Pattern {
    /// Compiles.
    pub(super) fn new(source: &str, ignore_case: bool) -> Result<Self, String> {
        let source = classes(source);
        let ignore = ignore_case && !source.contains("\\C") || source.contains("\\c");
        let plain = source.replace("\\c", "").replace("\\C", "");
        let translated = translate(&plain, Syntax::Basic);
        let all = format!("(?s{}){}", if ignore { "i" } else { "" }, translated.text);
        let wrong = |_: ()| format!("E486: Invalid pattern: {plain}");
        if translated.refers_back {
            let regex = fancy_regex::Regex::new(&all).map_err(|_| wrong(()))?;
            return Ok(Self::Fancy(Box::new(regex)));
        }
        regex::bytes::Regex::new(&all).map(Self::Plain).map_err(|_| wrong(()))
    }

    /// The first match that begins at `from` or behind it.
    pub(super) fn groups(&self, line: &[u8], from: usize) -> Option<Groups> {
        if from > line.len() {
            return None;
        }
        match self {
            Self::Plain(regex) => {
                let found = regex.captures_at(line, from)?;
                Some(found.iter().map(|g| g.map(|g| (g.start(), g.end()))).collect())
            }
            Self::Fancy(regex) => {
                let text = std::str::from_utf8(line).ok().filter(|t| t.is_char_boundary(from))?;
                let found = regex.captures_from_pos(text, from).ok()??;
                Some(found.iter().map(|g| g.map(|g| (g.start(), g.end()))).collect())
            }
        }
    }

    /// The same, without the groups within.
    pub(super) fn find(&self, line: &[u8], from: usize) -> Option<(usize, usize)> {
        match self {
            Self::Plain(regex) if from <= line.len() => {
                regex.find_at(line, from).map(|found| (found.start(), found.end()))
            }
            Self::Plain(_) => None,
            Self::Fancy(_) => self.groups(line, from)?.first().copied().flatten(),
        }
    }

    /// The last match that begins before `to`.
    pub(super) fn find_back(&self, line: &[u8], to: usize) -> Option<(usize, usize)> {
        let (mut best, mut from) = (None, 0);
        while let Some((begin, end)) = self.find(line, from).filter(|(begin, _)| *begin < to) {
            best = Some((begin, end));
            from = super::chars::after(line, begin).max(begin + 1);
        }
        best
    }
}

/// Classes such as `\s` as brackets, which POSIX has.
fn classes(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('\\', Some(next)) => {
                rest.next();
                match next {
                    's' => out.push_str("[[:blank:]]"),
                    'S' => out.push_str("[^[:blank:]]"),
                    'd' => out.push_str("[0-9]"),
                    'D' => out.push_str("[^0-9]"),
                    'w' => out.push_str("[[:alnum:]_]"),
                    'W' => out.push_str("[^[:alnum:]_]"),
                    'a' => out.push_str("[[:alpha:]]"),
                    'x' => out.push_str("[[:xdigit:]]"),
                    't' => out.push('\t'),
                    '=' => out.push_str("\\?"),
                    '/' => out.push('/'),
                    next => out.extend(['\\', next]),
                }
            }
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, line: &str) -> Option<(usize, usize)> {
        Pattern::new(pattern, false).unwrap().find(line.as_bytes(), 0)
    }

    #[test]
    fn patterns_are_basic() {
        assert_eq!(found("a*b", "xaab"), Some((1, 4)));
        assert_eq!(found(r"\<be\>", "bee be"), Some((4, 6)));
        assert_eq!(found(r"\(a\)\1", "abaa"), Some((2, 4)));
        assert_eq!(found(r"\d\+\s", "a12 "), Some((1, 4)));
        assert_eq!(found(r"\cAB", "xab"), Some((1, 3)));
        assert!(Pattern::new(r"\(a", false).is_err());
        assert_eq!(Pattern::new("a", false).unwrap().find_back(b"aaba", 3), Some((1, 2)));
    }
}
