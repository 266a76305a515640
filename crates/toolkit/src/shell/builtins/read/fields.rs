//! A line in fields (POSIX, `read` and 2.6.5).

use std::fmt;

/// A text of which some characters are quoted: those never separate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(Vec<(char, bool)>);

impl Text {
    /// Nothing of it is quoted.
    pub(super) fn plain(text: &str) -> Self {
        Self(text.chars().map(|c| (c, false)).collect())
    }

    /// Of bytes, each with whether it is quoted. What is no UTF-8 is replaced.
    pub(super) fn of_bytes(bytes: &[(u8, bool)]) -> Self {
        let plain: Vec<u8> = bytes.iter().map(|(byte, _)| *byte).collect();
        match std::str::from_utf8(&plain) {
            Ok(text) => {
                let quoted = |at: usize| bytes.get(at).is_some_and(|(_, quoted)| *quoted);
                Self(text.char_indices().map(|(at, c)| (c, quoted(at))).collect())
            }
            Err(_) => Self::plain(&String::from_utf8_lossy(&plain)),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(c, _)| write!(f, "{c}"))
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n')
}

/// Takes the first field from `rest` with what separates it from the next.
fn take_field(rest: &mut &[(char, bool)], ifs: &str) -> String {
    let separates = |(c, quoted): &(char, bool)| !quoted && ifs.contains(*c);
    let end = rest.iter().position(separates).unwrap_or(rest.len());
    let (field, mut after) = rest.split_at(end);
    let mut one = false;
    while let [(c, quoted), next @ ..] = after
        && separates(&(*c, *quoted))
        && (is_blank(*c) || !std::mem::replace(&mut one, true))
    {
        after = next;
    }
    *rest = after;
    field.iter().map(|(c, _)| c).collect()
}

/// At most `most` fields; the last one is then all that is left, without blanks at its end.
pub(super) fn split(text: &Text, ifs: &str, most: Option<usize>) -> Vec<String> {
    let drops = |(c, quoted): &(char, bool)| !quoted && is_blank(*c) && ifs.contains(*c);
    let begin = text.0.iter().position(|c| !drops(c)).unwrap_or(text.0.len());
    let mut rest = text.0.get(begin..).unwrap_or_default();
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let all = rest;
        let field = take_field(&mut rest, ifs);
        if most == Some(fields.len() + 1) && !rest.is_empty() {
            let end = all.iter().rposition(|c| !drops(c)).map_or(0, |last| last + 1);
            fields.push(all.iter().take(end).map(|(c, _)| c).collect());
            break;
        }
        fields.push(field);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_separators() {
        let of = |text: &str, ifs, most| split(&Text::plain(text), ifs, most).join("|");
        assert_eq!(of("  a  b c ", " \t\n", Some(2)), "a|b c");
        assert_eq!(of("a ,, c d", " ,", Some(4)), "a||c|d");
        assert_eq!(of("a :", ": ", Some(2)), "a");
        assert_eq!(of("a:b:", ":", Some(2)), "a|b");
        assert_eq!(of("a:b::", ":", Some(2)), "a|b::");
        assert_eq!(of("a:b:c:", ":", Some(2)), "a|b:c:");
        assert_eq!(of("::x", ":", None), "||x");
        assert_eq!(of("a b", "", Some(2)), "a b");
        let text = Text::of_bytes(&[(b'a', false), (b' ', true), (0xc3, false), (0xa4, false)]);
        assert_eq!(split(&text, " ", Some(2)), ["a ä"]);
    }
}
