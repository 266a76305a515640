//! What ends a copy.

use crate::applet::reason;
use std::io;

/// What was tried with which file, and why it failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {}", reason(why))]
pub(crate) struct Failed {
    what: String,
    why: io::Error,
}

impl Failed {
    pub(crate) fn new(what: String, why: io::Error) -> Self {
        Self { what, why }
    }
}
