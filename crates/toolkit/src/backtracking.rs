//! Regular expressions with references back and look-around, on any bytes. The crate for them wants text: where there
//! is none, each byte is taken for the character of its number.

use crate::longest::Groups;
use std::borrow::Cow;

/// A compiled expression; the number of its steps is limited.
#[derive(Debug)]
pub(crate) struct Backtracking {
    regex: fancy_regex::Regex,
    bytes: bool,
}

impl Backtracking {
    /// Compiles. With `bytes` the expression is of such characters, too.
    pub(crate) fn new(source: &str, bytes: bool) -> Result<Self, Box<fancy_regex::Error>> {
        Ok(Self { regex: fancy_regex::Regex::new(source).map_err(Box::new)?, bytes })
    }

    /// How many groups there are, the whole not counted.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len().saturating_sub(1)
    }

    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(&self.characters(text).0).unwrap_or(false)
    }

    /// The matches from left to right, at most `limit`.
    pub(crate) fn all(&self, text: &[u8], limit: usize) -> Vec<Groups> {
        let (text, widened) = self.characters(text);
        let place = |at: usize| match widened {
            true => text.get(..at).map_or(0, |before| before.chars().count()),
            false => at,
        };
        let matches = self.regex.captures_iter(&text).take(limit).map_while(Result::ok);
        matches
            .map(|found| {
                found.iter().map(|g| g.map(|g| (place(g.start()), place(g.end())))).collect()
            })
            .collect()
    }

    /// The text, and whether its bytes became characters.
    fn characters<'t>(&self, text: &'t [u8]) -> (Cow<'t, str>, bool) {
        match std::str::from_utf8(text) {
            Ok(text) if !self.bytes || text.is_ascii() => (text.into(), false),
            _ => (text.iter().map(|byte| char::from(*byte)).collect(), true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_bytes() {
        let regex = Backtracking::new("(.)\\1", true).unwrap();
        assert_eq!(regex.all(b"\xff\xfe\xfe", 9), [vec![Some((1, 3)), Some((1, 2))]]);
        let regex = Backtracking::new("(.)\\1", false).unwrap();
        assert_eq!(regex.all("aéé".as_bytes(), 9), [vec![Some((1, 5)), Some((1, 3))]]);
    }
}
