//! File name patterns of the shell: `*`, `?`, `[a-z]`, `\\x`.

/// Whether a whole name matches.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
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
            (_, [byte, rest @ ..]) => one(p, *byte).map(|after| (after, rest)),
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

/// What is left of a pattern whose first part matches `byte`.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', after @ ..] => Some(after),
        [b'\\', c, after @ ..] => (*c == byte).then_some(after),
        [b'[', set @ ..] => bracket(set, byte).unwrap_or((byte == b'[').then_some(set)),
        [c, after @ ..] => (*c == byte).then_some(after),
        [] => None,
    }
}

/// `None` when the bracket is never closed, and so is an ordinary character.
fn bracket(set: &[u8], byte: u8) -> Option<Option<&[u8]>> {
    let (negated, mut rest) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, set),
    };
    let (mut hit, mut first) = (false, true);
    loop {
        rest = match rest {
            [b']', after @ ..] if !first => return Some((hit != negated).then_some(after)),
            [low, b'-', high, after @ ..] if *high != b']' => {
                hit |= (*low..=*high).contains(&byte);
                after
            }
            [c, after @ ..] => {
                hit |= *c == byte;
                after
            }
            [] => return None,
        };
        first = false;
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
        ] {
            assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.txt", "a.txt2"), ("a?", "a"), ("[!a]", "a"), ("a", ""), ("", "a")]
        {
            assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }
}
