//! Names of machines and groups.

use crate::problem::Problem;

/// Longest name, bytes.
const MAX: usize = 64;

/// Whether it is a name: letters, digits, `-`, `_`, `.`, beginning with a letter or digit.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=MAX).contains(&text.len())
        && text.bytes().all(plain)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Refuses what is no name.
pub(super) fn check<'a>(
    what: &str,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<(), Problem> {
    match names.into_iter().find(|name| !is_name(name)) {
        None => Ok(()),
        Some(name) => Err(Problem::bad(format!("`{name}` cannot be the name of a {what}"))
            .hint("1 to 64 letters, digits, `-`, `_` or `.`, beginning with a letter or digit")),
    }
}

/// Refuses what can be no label's key or value.
pub(super) fn check_labels<'a>(words: impl IntoIterator<Item = &'a String>) -> Result<(), Problem> {
    match words.into_iter().find(|word| !crate::selector::is_word(word)) {
        None => Ok(()),
        Some(word) => Err(Problem::bad(format!("`{word}` cannot be in a label"))
            .hint("keys and values are 1 to 64 letters, digits, `-`, `_`, `.`, `/` or `:`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "web-1", "0x.y_z", &"a".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", ".a", "a b", "a/b", "ä", "a\n", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
