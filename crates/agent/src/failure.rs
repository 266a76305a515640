//! A failure as the screen, the log and the server get it: what failed, why, what may be waited for.

use std::{fmt, time::Duration};
use xenoboot_wire::Code;

/// Longest cause, bytes.
const MAX_CAUSE: usize = 400;

/// Why a phase did not succeed. It will be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which kind, for people on the telephone.
    pub code: Code,
    /// The cause, in words, naming the address, card or file.
    pub cause: String,
    /// At least this long the server wants to be left alone.
    pub retry_after: Option<Duration>,
    /// It is only that the connection ended: that is reported where connections are made.
    pub connection_lost: bool,
}

impl Failure {
    /// A failure with its cause; a long one is cut.
    pub fn new(code: Code, cause: impl fmt::Display) -> Self {
        let cause = crate::text::cut(&cause.to_string(), MAX_CAUSE);
        Self { code, cause, retry_after: None, connection_lost: false }
    }

    /// The same, with an error and everything that lies behind it.
    pub fn chain(code: Code, error: &dyn std::error::Error) -> Self {
        let mut cause = error.to_string();
        let mut next = error.source();
        while let Some(source) = next {
            let said = source.to_string();
            if !cause.contains(&said) {
                cause = format!("{cause}: {said}");
            }
            next = source.source();
        }
        Self::new(code, cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.code.title(), self.cause)
    }
}

impl std::error::Error for Failure {}
