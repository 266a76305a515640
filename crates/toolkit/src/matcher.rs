//! What `grep` looks for in a line.

use crate::{
    longest::Longest,
    posix_regex::{Syntax, translate},
};
use anyhow::Context as _;

/// How patterns are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Plain text.
    Fixed,
    /// POSIX basic regular expressions.
    Basic,
    /// POSIX extended regular expressions.
    Extended,
    /// Perl's.
    Perl,
}

/// Compiled patterns.
pub(crate) enum Matcher {
    /// What a finite automaton can do: linear time, on any bytes.
    Plain(Box<Longest>),
    /// Look-around and references back; on text, with a limit of steps.
    Fancy(fancy_regex::Regex),
}

impl Matcher {
    /// Compiles `patterns`, any of which may match.
    pub(crate) fn new(
        patterns: &[String],
        kind: Kind,
        ignore_case: bool,
        word: bool,
        line: bool,
    ) -> anyhow::Result<Self> {
        let mut fancy = kind == Kind::Perl;
        let mut groups = 0;
        let parts: Vec<String> = patterns
            .iter()
            .map(|pattern| match kind {
                Kind::Fixed => regex::escape(pattern),
                Kind::Perl => pattern.clone(),
                Kind::Basic | Kind::Extended => {
                    let syntax = if kind == Kind::Basic { Syntax::Basic } else { Syntax::Extended };
                    let translated = translate(pattern, syntax);
                    fancy |= translated.refers_back;
                    let behind = groups;
                    groups += translated.groups;
                    translated.behind(behind)
                }
            })
            .collect();
        // A group around the only one would change the numbers of none, but its `^` is needed.
        let mut all = match parts.as_slice() {
            // No pattern at all matches nothing.
            [] => r"[^\s\S]".to_owned(),
            [only] => format!("(?:{only})"),
            several => format!("(?:{})", several.join("|")),
        };
        if line {
            all = format!("^{all}$");
        } else if word && fancy {
            all = format!(r"(?<!\w){all}(?!\w)");
        } else if word {
            all = format!(r"\b{{start-half}}{all}\b{{end-half}}");
        }
        if ignore_case {
            all = format!("(?i){all}");
        }
        let shown = || format!("{:?} is not a valid pattern", patterns.join("\n"));
        Ok(if fancy {
            Self::Fancy(fancy_regex::Regex::new(&all).with_context(shown)?)
        } else {
            let regex = Longest::new(&all, true, false);
            Self::Plain(Box::new(regex.map_err(|_| anyhow::Error::msg(shown()))?))
        })
    }

    /// Whether a line matches.
    pub(crate) fn is_match(&self, line: &[u8]) -> bool {
        match self {
            Self::Plain(regex) => regex.is_match(line),
            Self::Fancy(regex) => regex.is_match(&String::from_utf8_lossy(line)).unwrap_or(false),
        }
    }

    /// The parts of a line that match, without empty ones.
    pub(crate) fn parts<'a>(&self, line: &'a [u8]) -> Vec<&'a [u8]> {
        let parts: Vec<&[u8]> = match self {
            Self::Plain(regex) => {
                regex.all(line).filter_map(|(start, end)| line.get(start..end)).collect()
            }
            // A place in text that is not UTF-8 would not be the place in the line.
            Self::Fancy(regex) => std::str::from_utf8(line).map_or(Vec::new(), |text| {
                regex.find_iter(text).filter_map(|m| Some(m.ok()?.as_str().as_bytes())).collect()
            }),
        };
        parts.into_iter().filter(|part| !part.is_empty()).collect()
    }
}
