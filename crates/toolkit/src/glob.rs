//! File name patterns of the shell (fnmatch(3)): `*`, `?`, `[a-z]`, `[[:digit:]]`, `\\x`.

use crate::posix_regex;

/// Whether a whole name matches. Where text is UTF-8, `?` and brackets stand for a character, elsewhere for a byte.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let text = !name.is_ascii() && !posix_regex::bytes(b"");
    // The last star, and what was left of the name there: on a mismatch it takes one byte more.
    let mut star: Option<(&[u8], &[u8])> = None;
    let (mut p, mut n) = (pattern, name);
    loop {
        if let [b'*', after @ ..] = p {
            star = Some((after, n));
            p = after;
            continue;
        }
        let step = match (p, n) {
            ([], []) => return true,
            (_, [_, ..]) => one(p, n, text),
            _ => None,
        };
        match (step, star) {
            (Some((after, rest)), _) => (p, n) = (after, rest),
            (None, Some((after, [_, rest @ ..]))) => {
                star = Some((after, rest));
                (p, n) = (after, rest);
            }
            (None, _) => return false,
        }
    }
}

/// What is left of a pattern whose first part matches the beginning of `name`, and of that.
fn one<'p, 'n>(pattern: &'p [u8], name: &'n [u8], text: bool) -> Option<(&'p [u8], &'n [u8])> {
    let (c, rest) = first(name, text)?;
    match pattern {
        [b'?', after @ ..] => Some((after, rest)),
        [b'[', set @ ..] => match bracket(set, c, text) {
            Some(hit) => hit.map(|after| (after, rest)),
            None => (c == u32::from(b'[')).then_some((set, rest)),
        },
        [b'\\', quoted @ ..] if !quoted.is_empty() => same(quoted, c, rest, text),
        _ => same(pattern, c, rest, text),
    }
}

fn same<'p, 'n>(
    pattern: &'p [u8],
    c: u32,
    rest: &'n [u8],
    text: bool,
) -> Option<(&'p [u8], &'n [u8])> {
    let (wanted, after) = first(pattern, text)?;
    (wanted == c).then_some((after, rest))
}

/// The first character or, where there is none, the first byte, which is no character then: beyond all of them.
fn first(bytes: &[u8], text: bool) -> Option<(u32, &[u8])> {
    let [byte, rest @ ..] = bytes else { return None };
    if byte.is_ascii() || !text {
        return Some((u32::from(*byte), rest));
    }
    for length in 2..=4 {
        let head = bytes.get(..length).and_then(|head| std::str::from_utf8(head).ok());
        if let (Some(c), Some(rest)) = (head.and_then(|h| h.chars().next()), bytes.get(length..)) {
            return Some((u32::from(c), rest));
        }
    }
    Some((0x11_0000 + u32::from(*byte), rest))
}

/// `None` when the bracket is never closed, and so is an ordinary character.
fn bracket(set: &[u8], c: u32, text: bool) -> Option<Option<&[u8]>> {
    let (negated, mut rest) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, set),
    };
    let (mut hit, mut begun) = (false, false);
    loop {
        if let ([b']', after @ ..], true) = (rest, begun) {
            return Some((hit != negated).then_some(after));
        }
        begun = true;
        if let Some((class, after)) = named(rest) {
            hit |= u8::try_from(c).is_ok_and(|byte| in_class(class, byte));
            rest = after;
            continue;
        }
        let (low, after) = element(rest, text)?;
        rest = after;
        let high = match rest {
            [b'-', end @ ..] if !end.starts_with(b"]") => element(end, text),
            _ => None,
        };
        if let Some((high, after)) = high {
            hit |= (low..=high).contains(&c);
            rest = after;
        } else {
            hit |= low == c;
        }
    }
}

/// One character of a bracket, which a backslash may stand before.
fn element(set: &[u8], text: bool) -> Option<(u32, &[u8])> {
    match set {
        [b'\\', quoted @ ..] if !quoted.is_empty() => first(quoted, text),
        _ => first(set, text),
    }
}

/// `[:digit:]` at the beginning.
fn named(set: &[u8]) -> Option<(&[u8], &[u8])> {
    let name = set.strip_prefix(b"[:")?;
    let end = name.windows(2).position(|pair| pair == b":]")?;
    Some((name.get(..end)?, name.get(end + 2..)?))
}

fn in_class(class: &[u8], byte: u8) -> bool {
    match class {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte == b' ' || byte.is_ascii_graphic(),
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name) in [
            ("*.txt", "a.txt"),
            ("a?c", "abc"),
            ("[a-c]x", "bx"),
            ("[!a]", "b"),
            ("*a*b", "xaxb"),
            ("[]]", "]"),
            ("[x", "[x"),
            ("\\*", "*"),
            ("**", ""),
            ("a[[:digit:]_]", "a7"),
            ("[[:upper:]]?", "Ab"),
            ("[a\\]]", "]"),
            ("[a-]", "-"),
            ("?", "\u{e9}"),
            ("[\u{e0}-\u{ef}]x", "\u{e9}x"),
        ] {
            assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.txt", "a.txt2"),
            ("a?", "a"),
            ("[!a]", "a"),
            ("a", ""),
            ("", "a"),
            ("[[:digit:]]", "a"),
            ("??", "\u{e9}"),
        ] {
            assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }
}
