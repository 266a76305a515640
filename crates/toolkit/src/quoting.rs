//! Names of files in messages, as a shell would take them.

use std::ffi::OsStr;
use uucore::quoting_style::{QuotingStyle, locale_aware_escape_name};

/// Always in quotation marks.
pub(crate) fn quoted(name: impl AsRef<OsStr>) -> String {
    shown(name.as_ref(), QuotingStyle::SHELL_ESCAPE_QUOTE)
}

/// In quotation marks where the shell would want them.
pub(crate) fn plain(name: impl AsRef<OsStr>) -> String {
    shown(name.as_ref(), QuotingStyle::SHELL_ESCAPE)
}

fn shown(name: &OsStr, style: QuotingStyle) -> String {
    locale_aware_escape_name(name, style).to_string_lossy().into_owned()
}
