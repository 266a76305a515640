//! Regular expressions of AWK (POSIX extended, in which `\` escapes also in brackets), and what is
//! done with them.

use crate::longest::{Groups, Longest};

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Re {
    compiled: Longest,
    empty: bool,
}

impl Re {
    pub(crate) fn new(source: &[u8]) -> Result<Self, String> {
        let text = translate(source);
        let build = |unicode| Longest::new(&text, unicode, true);
        // Bytes first: a character of several in a bracket needs the other.
        let compiled = build(false)
            .or_else(|_| build(true))
            .map_err(|_| format!("/{}/ is not a valid expression", source.escape_ascii()))?;
        Ok(Self { compiled, empty: source.is_empty() })
    }

    /// Whether it is `//`, which is in any text.
    pub(crate) fn is_empty(&self) -> bool {
        self.empty
    }

    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.compiled.is_match(text)
    }

    /// Where it matches first, at or behind `from`.
    pub(crate) fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        self.compiled.find(text, from)
    }

    /// Where the groups match, the whole first.
    pub(crate) fn groups(&self, text: &[u8], from: usize) -> Option<Groups> {
        self.compiled.captures(text, from)
    }
}

/// Where bytes that are of no character stand on the way: in a plane for private use.
const BYTES: u32 = 0x10_ff00;

fn translate(source: &[u8]) -> String {
    let mut text = String::new();
    for chunk in source.utf8_chunks() {
        text.push_str(chunk.valid());
        let bytes = chunk.invalid().iter();
        text.extend(bytes.filter_map(|byte| char::from_u32(BYTES + u32::from(*byte))));
    }
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut start = true;
    while let Some(c) = chars.next() {
        let was_start = std::mem::replace(&mut start, false);
        match c {
            '\\' => escape(&mut out, &mut chars),
            '[' => bracket(&mut out, &mut chars),
            '(' | '|' => {
                out.push(c);
                start = true;
            }
            '*' | '+' | '?' if was_start => out.extend(['\\', c]),
            '{' => {
                let interval: String = chars.clone().take_while(|c| *c != '}').collect();
                let valid = interval.starts_with(|c: char| c.is_ascii_digit())
                    && interval.chars().all(|c| c.is_ascii_digit() || c == ',');
                out.push_str(if valid && !was_start { "{" } else { "\\{" });
            }
            '^' => {
                out.push('^');
                start = true;
            }
            '.' | '$' | '*' | '+' | '?' | ')' => out.push(c),
            // The end of an interval; by itself it is an ordinary character in both.
            '}' => out.push('}'),
            c => literal(&mut out, c),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// A character, or a byte, that is nothing but itself, also in brackets.
fn literal(out: &mut String, c: char) {
    match u32::from(c).checked_sub(BYTES) {
        Some(byte) => out.push_str(&format!("\\x{byte:02x}")),
        None => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
    }
}

fn escape(out: &mut String, chars: &mut Chars<'_>) {
    match chars.next() {
        None => out.push_str("\\\\"),
        Some(c @ ('w' | 'W' | 's' | 'S' | 'B')) => out.extend(['\\', c]),
        Some('y') => out.push_str("\\b"),
        Some('<') => out.push_str("\\b{start}"),
        Some('>') => out.push_str("\\b{end}"),
        Some('`') => out.push_str("\\A"),
        Some('\'') => out.push_str("\\z"),
        Some(c) => escaped(out, c, chars),
    }
}

/// What stands behind a backslash, in brackets too: an escape of C's, or the character itself.
fn escaped(out: &mut String, c: char, chars: &mut Chars<'_>) {
    match c {
        'n' | 't' | 'r' | 'f' | 'v' | 'a' => out.extend(['\\', c]),
        '0'..='7' => {
            let mut value = c.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                let Some(next) = chars.peek().and_then(|c| c.to_digit(8)) else { break };
                value = value * 8 + next;
                chars.next();
            }
            out.push_str(&format!("\\x{:02x}", value & 0xff));
        }
        c => literal(out, c),
    }
}

fn bracket(out: &mut String, chars: &mut Chars<'_>) {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            ']' if !first => {
                out.push(']');
                return;
            }
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            c => {
                element(out, c, chars);
                let mut ahead = chars.clone();
                // Before the closing bracket it is a character.
                if ahead.next() == Some('-')
                    && let Some(to) = ahead.next().filter(|to| *to != ']')
                {
                    *chars = ahead;
                    out.push('-');
                    element(out, to, chars);
                }
            }
        }
        first = false;
    }
}

/// One character of a bracket expression: itself, escaped, or as `[.x.]` or `[=x=]`.
fn element(out: &mut String, c: char, chars: &mut Chars<'_>) {
    let mut ahead = chars.clone();
    let kind = ahead.next().filter(|kind| c == '[' && matches!(kind, '.' | '='));
    if let Some(kind) = kind
        && let Some(named) = ahead.next()
        && ahead.next() == Some(kind)
        && ahead.next() == Some(']')
    {
        *chars = ahead;
        return literal(out, named);
    }
    match c {
        '\\' => match chars.next() {
            Some(c) => escaped(out, c, chars),
            None => out.push_str("\\\\"),
        },
        c => literal(out, c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_as_posix_says() {
        for (source, text, yes) in [
            (r"[\/\]]", "]", true),
            ("a{2}", "aa", true),
            ("a{x", "a{x", true),
            ("^[+-]?[0-9]+$", "-12", true),
            ("*a", "*a", true),
            ("a|b", "xb", true),
            ("(^a)", "ba", false),
            (r"\.", "a", false),
            ("[[:alpha:]_]", "_", true),
            (r"\$", "$", true),
            (".", "\n", true),
            ("}", "}", true),
            (r"^[--\/]$", ".", true),
            (r"^[\[-\]]$", "\\", true),
            ("^[a-[.e.]]$", "c", true),
            ("^[a-]$", "-", true),
            (r"^[\060-\071]$", "5", true),
        ] {
            assert_eq!(
                Re::new(source.as_bytes()).unwrap().is_match(text.as_bytes()),
                yes,
                "{source} {text}"
            );
        }
    }

    #[test]
    fn bytes_are_no_characters() {
        let is_match = |source: &[u8], text: &[u8]| Re::new(source).unwrap().is_match(text);
        assert!(is_match(b"^\\351$", b"\xe9") && is_match(b"^[^\\300-\\370]$", b"a"));
        assert!(is_match(b"^[\xe8-\xea]$", b"\xe9") && !is_match(b"\xe9", b"\xea"));
        assert!(is_match("^[äö]$".as_bytes(), "ö".as_bytes()));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(source in ".{0,30}") {
            let _ = Re::new(source.as_bytes());
        }
    }
}
