//! What `grep` looks for in a line.

use crate::{
    backtracking::Backtracking,
    longest::Longest,
    posix_regex::{self, Syntax, fault, translate, translate_bytes},
};

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

impl Kind {
    fn syntax(self) -> Syntax {
        match self {
            Self::Fixed | Self::Basic => Syntax::Basic,
            Self::Extended => Syntax::Lenient,
            Self::Perl => Syntax::Extended,
        }
    }
}

/// Compiled patterns.
pub(crate) enum Matcher {
    /// What a finite automaton can do: linear time, on any bytes.
    Plain(Box<Longest>),
    /// Look-around and references back, with a limit of steps.
    Fancy(Backtracking),
}

impl Matcher {
    /// Compiles `patterns`, any of which may match.
    pub(crate) fn new(
        patterns: &[Vec<u8>],
        kind: Kind,
        ignore_case: bool,
        word: bool,
        line: bool,
    ) -> anyhow::Result<Self> {
        let bytes = posix_regex::bytes(&patterns.join(&b'\n'));
        let mut fancy = kind == Kind::Perl;
        let mut groups = 0;
        let mut parts = Vec::new();
        for pattern in patterns {
            parts.push(match kind {
                Kind::Fixed if bytes => plain_bytes(pattern),
                Kind::Fixed => regex::escape(&String::from_utf8_lossy(pattern)),
                Kind::Perl if bytes => pattern.iter().map(|byte| char::from(*byte)).collect(),
                Kind::Perl => String::from_utf8_lossy(pattern).into_owned(),
                Kind::Basic | Kind::Extended => {
                    let syntax = kind.syntax();
                    if posix_regex::bare_class(pattern) {
                        anyhow::bail!("character class syntax is [[:space:]], not [:space:]");
                    }
                    let translated = if bytes {
                        translate_bytes(pattern, syntax)
                    } else {
                        translate(&String::from_utf8_lossy(pattern), syntax)
                    };
                    fancy |= translated.refers_back;
                    let behind = groups;
                    groups += translated.groups;
                    translated.behind(behind)
                }
            });
        }
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
        let shown = || String::from_utf8_lossy(&patterns.join(&b'\n')).into_owned();
        let wrong = || anyhow::anyhow!("{:?} is not a valid pattern", shown());
        Ok(if fancy {
            Self::Fancy(Backtracking::new(&all, bytes).map_err(|_| wrong())?)
        } else {
            Self::Plain(Box::new(Longest::new(&all, !bytes, false).map_err(|_| wrong())?))
        })
    }

    /// Whether a line matches.
    pub(crate) fn is_match(&self, line: &[u8]) -> bool {
        match self {
            Self::Plain(regex) => regex.is_match(line),
            Self::Fancy(regex) => regex.is_match(line),
        }
    }

    /// The parts of a line that match, without empty ones.
    pub(crate) fn parts<'a>(&self, line: &'a [u8]) -> Vec<&'a [u8]> {
        let parts: Vec<&[u8]> = match self {
            Self::Plain(regex) => {
                regex.all(line).filter_map(|(start, end)| line.get(start..end)).collect()
            }
            Self::Fancy(regex) => {
                let matches = regex.all(line, usize::MAX).into_iter();
                matches
                    .filter_map(|groups| groups.first().copied()?)
                    .filter_map(|(start, end)| line.get(start..end))
                    .collect()
            }
        };
        parts.into_iter().filter(|part| !part.is_empty()).collect()
    }
}

/// Bytes that mean themselves.
fn plain_bytes(text: &[u8]) -> String {
    let byte = |byte: &u8| match byte.is_ascii() {
        true => regex::escape(&char::from(*byte).to_string()),
        false => format!("\\x{byte:02x}"),
    };
    text.iter().map(byte).collect()
}

/// What is wrong with a pattern, in the words of the C library or Perl's, where they have some.
pub(crate) fn refusal(pattern: &[u8], kind: Kind) -> Option<&'static str> {
    if kind == Kind::Fixed {
        return None;
    }
    let found = fault(&String::from_utf8_lossy(pattern), kind.syntax())?;
    if kind != Kind::Perl {
        return Some(found);
    }
    // Of the rest POSIX and Perl think differently.
    match found {
        "Invalid back reference" => Some("reference to non-existent subpattern"),
        "Unmatched ) or \\)" => Some("unmatched closing parenthesis"),
        _ => None,
    }
}
