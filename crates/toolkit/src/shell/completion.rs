//! What may stand at a place of a line, from brush's completion.

use super::{Shell, run_ready};
use brush_core::escape::{QuoteMode, quote_if_needed};
use std::{collections::BTreeSet, path::Path};

/// Texts that may stand in place of a part of the line.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    /// Where the part begins, a byte.
    pub(super) from: usize,
    /// How many bytes it has.
    pub(super) length: usize,
    /// Sorted; folders end with `/`.
    pub(super) texts: Vec<String>,
    /// What follows a text that is the only one.
    pub(super) end: &'static str,
}

/// What may stand at byte `place` of `line`.
pub(super) fn propose(shell: &mut Shell, line: &str, place: usize) -> Proposals {
    let Ok(found) = run_ready(shell.complete(line, place)) else { return Proposals::default() };
    let quote = open_quote(line.get(..place).unwrap_or_default());
    let folder = shell.working_dir();
    let names = found.options.treat_as_filenames;
    let quotes = names && !found.options.no_autoquote_filenames;
    let texts: BTreeSet<String> = found
        .candidates
        .into_iter()
        .map(|text| if names { with_slash(text, folder) } else { text })
        .map(|text| if quotes { quoted(&text, quote) } else { text })
        .collect();
    let ends = quote.is_none() && !found.options.no_trailing_space_at_end_of_line;
    Proposals {
        from: found.insertion_index,
        length: found.delete_count,
        texts: texts.into_iter().collect(),
        end: if ends { " " } else { "" },
    }
}

fn with_slash(mut name: String, folder: &Path) -> String {
    if !name.ends_with('/') && folder.join(&name).is_dir() {
        name.push('/');
    }
    name
}

/// A name as it has to stand in the line; in a quotation that is open, as it is.
fn quoted(name: &str, quote: Option<char>) -> String {
    match quote {
        Some(_) => name.to_owned(),
        None => quote_if_needed(name, QuoteMode::BackslashEscape).into_owned(),
    }
}

/// The quote that is open at the end of a text.
fn open_quote(text: &str) -> Option<char> {
    let mut open = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, open) {
            ('\\', None | Some('"')) => drop(chars.next()),
            ('\'' | '"', None) => open = Some(c),
            (c, Some(quote)) if c == quote => open = None,
            _ => {}
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_that_are_open() {
        assert_eq!(open_quote(r#"a "b" 'c' \'d"#), None);
        assert_eq!(open_quote(r#"a "b 'c"#), Some('"'));
        assert_eq!(open_quote("a 'b\\"), Some('\''));
        assert_eq!(open_quote("a '"), Some('\''));
    }
}
