//! A regular expression of a script.

use crate::{
    longest::Longest,
    posix_regex::{Syntax, translate},
};

pub(super) use crate::longest::Groups;

/// A compiled expression.
#[derive(Debug)]
pub(super) enum Pattern {
    Plain(Box<Longest>),
    /// With references back; on text only.
    Fancy(Box<fancy_regex::Regex>),
}

impl Pattern {
    /// Compiles; `flags` are those of the `regex` crate, such as `i`.
    pub(super) fn new(source: &[u8], extended: bool, flags: &str) -> Result<Self, String> {
        let text = String::from_utf8_lossy(&unescape(source)).into_owned();
        let syntax = if extended { Syntax::Extended } else { Syntax::Basic };
        let translated = translate(&text, syntax);
        let all = format!("(?s{flags}){}", translated.text);
        let wrong = format!("invalid regular expression {text:?}");
        if translated.refers_back {
            let regex = fancy_regex::Regex::new(&all).map_err(|_| wrong)?;
            return Ok(Self::Fancy(Box::new(regex)));
        }
        let regex = Longest::new(&all, true, true).map_err(|_| wrong)?;
        Ok(Self::Plain(Box::new(regex)))
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        match self {
            Self::Plain(regex) => regex.groups(),
            Self::Fancy(regex) => regex.captures_len().saturating_sub(1),
        }
    }

    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Plain(regex) => regex.is_match(text),
            Self::Fancy(regex) => {
                std::str::from_utf8(text).is_ok_and(|text| regex.is_match(text).unwrap_or(false))
            }
        }
    }

    /// The matches from left to right, at most `limit`.
    pub(super) fn all(&self, text: &[u8], limit: usize) -> Vec<Groups> {
        match self {
            Self::Plain(regex) => {
                let matches = regex.all(text).take(limit);
                matches.filter_map(|(start, _)| regex.captures(text, start)).collect()
            }
            Self::Fancy(regex) => {
                let Ok(text) = std::str::from_utf8(text) else { return Vec::new() };
                let matches = regex.captures_iter(text).take(limit).map_while(Result::ok);
                matches
                    .map(|c| c.iter().map(|g| g.map(|g| (g.start(), g.end()))).collect())
                    .collect()
            }
        }
    }
}

/// The characters that escapes such as `\n` stand for, as ordinary ones.
fn unescape(source: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = source;
    while let [first, after @ ..] = rest {
        rest = after;
        let escape = if *first == b'\\' { super::text::escape(after) } else { None };
        match (escape, after) {
            // What it stands for may be an operator, as in GNU's.
            (Some((byte, length)), _) => {
                out.push(byte);
                rest = after.get(length..).unwrap_or_default();
            }
            (None, [second, behind @ ..]) if *first == b'\\' => {
                out.extend([b'\\', *second]);
                rest = behind;
            }
            _ => out.push(*first),
        }
    }
    out
}
