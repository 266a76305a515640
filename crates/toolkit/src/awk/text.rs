//! Regular expressions of AWK (POSIX extended, in which `\` escapes also in brackets), and what is
//! done with them.

use crate::longest::{Groups, Longest};

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Re(Longest);

impl Re {
    pub(crate) fn new(source: &[u8]) -> Result<Self, String> {
        let text = translate(source);
        let build = |unicode| Longest::new(&text, unicode, true);
        // Bytes first: a character of several in a bracket needs the other.
        let regex = build(false).or_else(|_| build(true));
        regex
            .map(Self)
            .map_err(|_| format!("/{}/ is not a valid expression", String::from_utf8_lossy(source)))
    }

    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// Where it matches first, at or behind `from`.
    pub(crate) fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        self.0.find(text, from)
    }

    /// Where the groups match, the whole first.
    pub(crate) fn groups(&self, text: &[u8], from: usize) -> Option<Groups> {
        self.0.captures(text, from)
    }
}

fn translate(source: &[u8]) -> String {
    let source = String::from_utf8_lossy(source);
    let mut out = String::new();
    let mut chars = source.chars().peekable();
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
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn escape(out: &mut String, chars: &mut Chars<'_>) {
    match chars.next() {
        None => out.push_str("\\\\"),
        Some(c @ ('n' | 't' | 'r' | 'f' | 'v' | 'a' | 'w' | 'W' | 's' | 'S' | 'B')) => {
            out.extend(['\\', c])
        }
        Some('y') => out.push_str("\\b"),
        Some('<') => out.push_str("\\b{start}"),
        Some('>') => out.push_str("\\b{end}"),
        Some('`') => out.push_str("\\A"),
        Some('\'') => out.push_str("\\z"),
        Some(digit @ '0'..='7') => {
            let mut value = digit.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                let Some(next) = chars.peek().and_then(|c| c.to_digit(8)) else { break };
                value = value * 8 + next;
                chars.next();
            }
            out.push_str(&format!("\\x{:02x}", value & 0xff));
        }
        Some(c) => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
    }
}

fn bracket(out: &mut String, chars: &mut Chars<'_>) {
    out.push('[');
    if chars.peek() == Some(&'^') {
        out.push('^');
        chars.next();
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
            '\\' => match chars.next() {
                Some(c @ ('n' | 't' | 'r' | 'f' | 'v' | 'a')) => out.extend(['\\', c]),
                Some(c) => class_char(out, c),
                None => out.push_str("\\\\"),
            },
            '-' => out.push('-'),
            c => class_char(out, c),
        }
        first = false;
    }
}

fn class_char(out: &mut String, c: char) {
    if matches!(c, '\\' | '[' | ']' | '&' | '~' | '^' | '-') {
        out.push('\\');
    }
    out.push(c);
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
        ] {
            assert_eq!(
                Re::new(source.as_bytes()).unwrap().is_match(text.as_bytes()),
                yes,
                "{source} {text}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(source in ".{0,30}") {
            let _ = Re::new(source.as_bytes());
        }
    }
}
