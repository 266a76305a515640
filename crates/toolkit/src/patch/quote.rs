//! File names in what is said, as GNU's commands put them into quotes.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// How names are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    Literal,
    /// As a word of the shell, in quotes only where they are needed.
    #[default]
    Shell,
    ShellAlways,
    C,
    Escape,
}

impl Style {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "literal" => Self::Literal,
            "shell" => Self::Shell,
            "shell-always" => Self::ShellAlways,
            "c" => Self::C,
            "escape" => Self::Escape,
            _ => return None,
        })
    }

    /// A name as it is shown.
    pub(crate) fn show(self, name: &Path) -> String {
        let bytes = name.as_os_str().as_bytes();
        let plain = String::from_utf8_lossy(bytes);
        match self {
            Self::Literal => plain.into_owned(),
            Self::Shell if !special(bytes) => plain.into_owned(),
            Self::Shell | Self::ShellAlways if bytes.contains(&b'\'') && harmless(bytes) => {
                format!("\"{plain}\"")
            }
            Self::Shell | Self::ShellAlways => format!("'{}'", plain.replace('\'', "'\\''")),
            Self::C => format!("\"{}\"", escaped(bytes, true)),
            Self::Escape => escaped(bytes, false),
        }
    }
}

/// Whether the shell would take a name for more than a word.
fn special(name: &[u8]) -> bool {
    let within = |byte: &u8| b"\t\n !\"$&'()*;<=>?[\\^`|".contains(byte);
    let first = |byte: &u8| b"#~".contains(byte);
    name.is_empty()
        || name.iter().any(within)
        || name.first().is_some_and(first)
        || matches!(name, b"{" | b"}")
}

/// Whether a name means nothing more between double quotes.
fn harmless(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || b" '%+,-./:@]_".contains(byte))
}

/// With C's escapes.
fn escaped(name: &[u8], quotes: bool) -> String {
    let mut out = String::new();
    for byte in name {
        match byte {
            7 => out.push_str("\\a"),
            8 => out.push_str("\\b"),
            9 => out.push_str("\\t"),
            10 => out.push_str("\\n"),
            11 => out.push_str("\\v"),
            12 => out.push_str("\\f"),
            13 => out.push_str("\\r"),
            b'\\' => out.push_str("\\\\"),
            b'"' if quotes => out.push_str("\\\""),
            b' '..=b'~' => out.push(char::from(*byte)),
            other => out.push_str(&format!("\\{other:03o}")),
        }
    }
    out
}
