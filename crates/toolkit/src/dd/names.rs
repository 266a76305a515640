//! Names of files in messages.

use std::ffi::OsStr;
use uucore::quoting_style::{QuotingStyle, locale_aware_escape_name};

/// Always quoted, as for the shell.
pub(crate) fn quoted(name: Option<&OsStr>, standard: &str) -> String {
    shown(name, standard, QuotingStyle::SHELL_ESCAPE_QUOTE)
}

/// Quoted where the shell would want it.
pub(crate) fn plain(name: Option<&OsStr>, standard: &str) -> String {
    shown(name, standard, QuotingStyle::SHELL_ESCAPE)
}

fn shown(name: Option<&OsStr>, standard: &str, style: QuotingStyle) -> String {
    let name = name.unwrap_or(OsStr::new(standard));
    locale_aware_escape_name(name, style).to_string_lossy().into_owned()
}
