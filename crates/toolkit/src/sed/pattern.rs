//! A regular expression of a script.

use crate::{
    backtracking::Backtracking,
    longest::Longest,
    posix_regex::{self, Syntax, bracket_end, fault, translate, translate_bytes},
};

pub(super) use crate::longest::Groups;

/// A compiled expression.
#[derive(Debug)]
pub(super) enum Pattern {
    Plain(Box<Longest>),
    /// With references back.
    Fancy(Box<Backtracking>),
}

impl Pattern {
    /// Compiles; `flags` are those of the `regex` crate, such as `i`.
    pub(super) fn new(
        source: &[u8],
        extended: bool,
        flags: &str,
        posix: bool,
    ) -> Result<Self, String> {
        let text = unescape(source, posix);
        let syntax = if extended { Syntax::Extended } else { Syntax::Basic };
        if let Some(fault) = fault(&lossy(&text), syntax) {
            return Err(fault.into());
        }
        let bytes = posix_regex::bytes(&text);
        let translated =
            if bytes { translate_bytes(&text, syntax) } else { translate(&lossy(&text), syntax) };
        let all = format!("(?s{flags}){}", translated.text);
        let wrong = || "Invalid regular expression".to_owned();
        if translated.refers_back {
            let regex = Backtracking::new(&all, bytes).map_err(|_| wrong())?;
            return Ok(Self::Fancy(Box::new(regex)));
        }
        let regex = Longest::new(&all, !bytes, true).map_err(|_| wrong())?;
        Ok(Self::Plain(Box::new(regex)))
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        match self {
            Self::Plain(regex) => regex.groups(),
            Self::Fancy(regex) => regex.groups(),
        }
    }

    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Plain(regex) => regex.is_match(text),
            Self::Fancy(regex) => regex.is_match(text),
        }
    }

    /// The matches from left to right, at most `limit`.
    pub(super) fn all(&self, text: &[u8], limit: usize) -> Vec<Groups> {
        match self {
            Self::Plain(regex) => {
                let matches = regex.all(text).take(limit);
                matches.filter_map(|(start, _)| regex.captures(text, start)).collect()
            }
            Self::Fancy(regex) => regex.all(text, limit),
        }
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// The characters that escapes such as `\n` stand for, as ordinary ones. In POSIX' alone a bracket expression has
/// no escapes.
fn unescape(source: &[u8], posix: bool) -> Vec<u8> {
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
            _ if posix && *first == b'[' => {
                let length = bracket_end(after).unwrap_or(0);
                out.push(b'[');
                out.extend(after.get(..length).unwrap_or_default());
                rest = after.get(length..).unwrap_or_default();
            }
            _ => out.push(*first),
        }
    }
    out
}
