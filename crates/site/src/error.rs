//! What is wrong with a file, and where.

use serde::de::DeserializeOwned;
use std::{fmt, ops::Range};

/// A file was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what was expected, in words.
    pub problem: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.problem)
    }
}

impl std::error::Error for Error {}

impl Error {
    /// An error about the bytes `span` of `text`.
    pub(crate) fn at(text: &str, span: Range<usize>, problem: impl Into<String>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
            problem: problem.into(),
        }
    }
}

/// Parses TOML into the raw shape `T`, whose unknown keys serde refuses.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    if text.len() > crate::MAX_FILE {
        let problem =
            format!("{} bytes are too many, expected at most {}", text.len(), crate::MAX_FILE);
        return Err(Error { line: 1, column: 1, problem });
    }
    toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        Error::at(text, span, error.message().replace('\n', ", "))
    })
}
