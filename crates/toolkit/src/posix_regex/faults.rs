//! What is wrong with an expression, in the words of the C library, which scripts look for.

use super::Syntax;

/// What stands between `[:` and `:]`.
pub(super) const CLASSES: [&[u8]; 12] = [
    b"alnum", b"alpha", b"blank", b"cntrl", b"digit", b"graph", b"lower", b"print", b"punct",
    b"space", b"upper", b"xdigit",
];

/// The C library takes no larger count in an interval.
const MOST: u32 = 32767;

const TOO_BIG: &str = "Regular expression too big";
const CONTENT: &str = "Invalid content of \\{\\}";
const NOTHING: &str = "Invalid preceding regular expression";
const RANGE: &str = "Invalid range end";

/// The first fault, if it is one that the C library has a word for.
pub(crate) fn fault(pattern: &str, syntax: Syntax) -> Option<&'static str> {
    let extended = syntax != Syntax::Basic;
    let lenient = syntax == Syntax::Lenient;
    // Where an operator of repetition has nothing to repeat.
    let mut start = true;
    let mut rest = pattern.as_bytes();
    // Numbers of the groups that are open; which have ended, a bit each; how many there were.
    let (mut open, mut ended, mut groups) = (Vec::new(), 0_u32, 0_usize);
    while let [first, after @ ..] = rest {
        let (operator, behind) = match (first, after) {
            (b'\\', []) => return Some("Trailing backslash"),
            (b'\\', [second, behind @ ..]) => (if extended { b'\\' } else { *second }, behind),
            (first, behind) => (if extended || *first == b'[' { *first } else { 0 }, behind),
        };
        rest = behind;
        let was_start = std::mem::replace(&mut start, matches!(operator, b'(' | b'|' | b'^'));
        let interval_here = if extended { interval_begins(behind) } else { !was_start };
        match operator {
            b'*' | b'+' | b'?' if was_start && syntax == Syntax::Extended => return Some(NOTHING),
            b'{' if extended && !was_start && behind.first() == Some(&b'}') => {
                return Some(CONTENT);
            }
            b'{' if was_start && syntax == Syntax::Extended && interval_here => {
                return Some(NOTHING);
            }
            b'[' if *first == b'[' => {
                let Some(end) = bracket_end(after) else {
                    return Some("Unmatched [, [^, [:, [., or [=");
                };
                if let Some(fault) = bracket(after.get(..end).unwrap_or_default()) {
                    return Some(fault);
                }
                rest = after.get(end..).unwrap_or_default();
            }
            b'(' => {
                groups += 1;
                open.push(groups);
            }
            b')' => match open.pop() {
                Some(group @ 1..=9) => ended |= 1 << group,
                Some(_) => {}
                None if lenient => {}
                None => return Some("Unmatched ) or \\)"),
            },
            b'{' if interval_here => match interval(behind, extended) {
                Ok(length) => rest = behind.get(length..).unwrap_or_default(),
                // There it is text.
                Err(fault) if lenient && fault != TOO_BIG => {}
                Err(fault) => return Some(fault),
            },
            _ => {}
        }
        let digit = after.first().filter(|digit| *first == b'\\' && (b'1'..=b'9').contains(digit));
        if digit.is_some_and(|digit| ended & (1 << (digit - b'0')) == 0) {
            return Some("Invalid back reference");
        }
    }
    (!open.is_empty()).then_some("Unmatched ( or \\(")
}

/// Whether a brace of the extended syntax is more than text.
fn interval_begins(behind: &[u8]) -> bool {
    behind.first().is_some_and(|first| first.is_ascii_digit() || *first == b',')
}

/// Where a bracket expression ends, its `]` included, counted from behind its `[`.
pub(crate) fn bracket_end(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'^'));
    at += usize::from(text.get(at) == Some(&b']'));
    loop {
        match text.get(at..)? {
            [b']', ..] => return Some(at + 1),
            [b'[', kind @ (b':' | b'=' | b'.'), inner @ ..] => {
                at += 4 + inner.windows(2).position(|pair| pair == [*kind, b']'])?;
            }
            [] => return None,
            _ => at += 1,
        }
    }
}

/// Whether it has a class outside of a bracket expression, such as `[:space:]`, which would be one of a few letters.
pub(crate) fn bare_class(pattern: &[u8]) -> bool {
    let mut rest = pattern;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'\\', [_, behind @ ..]) => behind,
            (b'[', after) => {
                let Some(end) = bracket_end(after) else { return false };
                let inner = after.get(..end - 1).unwrap_or_default();
                let name = inner.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b":"));
                if name
                    .is_some_and(|name| !name.is_empty() && !name.iter().any(|b| b"[-".contains(b)))
                {
                    return true;
                }
                after.get(end..).unwrap_or_default()
            }
            _ => after,
        };
    }
    false
}

/// What is wrong within a bracket expression, given with its end.
fn bracket(text: &[u8]) -> Option<&'static str> {
    let text = text.strip_suffix(b"]")?;
    let mut rest = text.strip_prefix(b"^").unwrap_or(text);
    while let [first, after @ ..] = rest {
        rest = after;
        if let (b'[', [b':', inner @ ..]) = (first, after) {
            let end = inner.windows(2).position(|pair| pair == b":]")?;
            if !CLASSES.contains(&inner.get(..end)?) {
                return Some("Invalid character class name");
            }
            rest = inner.get(end + 2..)?;
        } else if let (b'[', [kind @ (b'.' | b'='), inner @ ..]) = (first, after) {
            let end = inner.windows(2).position(|pair| pair == [*kind, b']'])?;
            let element = std::str::from_utf8(inner.get(..end)?).ok();
            if element.is_none_or(|element| element.chars().count() != 1) {
                return Some("Invalid collation character");
            }
            rest = inner.get(end + 2..)?;
        } else if let [b'-', last, behind @ ..] = after {
            if first > last && *last != b'[' {
                return Some(RANGE);
            }
            // `1-3-5`: where a range ends none begins.
            if matches!(behind, [b'-', _, ..]) && last.is_ascii() && *last != b'[' {
                return Some(RANGE);
            }
            rest = behind;
        }
    }
    None
}

/// The length of an interval behind its brace.
fn interval(text: &[u8], extended: bool) -> Result<usize, &'static str> {
    let close: &[u8] = if extended { b"}" } else { b"\\}" };
    let end = text.windows(close.len()).position(|part| part == close).ok_or("Unmatched \\{")?;
    let inside =
        text.get(..end).and_then(|inside| std::str::from_utf8(inside).ok()).ok_or(CONTENT)?;
    let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
    let number = |text: &str, otherwise| match text {
        "" => Ok(otherwise),
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(text.parse().unwrap_or(u32::MAX))
        }
        _ => Err(CONTENT),
    };
    if inside.is_empty() {
        return Err(CONTENT);
    }
    let (least, most) = (number(least, 0)?, number(most, MOST)?);
    match (least, most) {
        _ if least > MOST || most > MOST => Err(TOO_BIG),
        _ if least > most => Err(CONTENT),
        _ => Ok(end + close.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_the_words_of_the_c_library() {
        let basic = |pattern| fault(pattern, Syntax::Basic).unwrap_or("");
        let extended = |pattern| fault(pattern, Syntax::Extended).unwrap_or("");
        assert_eq!(basic("a\\"), "Trailing backslash");
        assert_eq!(basic("\\(a"), "Unmatched ( or \\(");
        assert_eq!(extended("a)"), "Unmatched ) or \\)");
        assert_eq!(basic("[b-a]"), "Invalid range end");
        assert_eq!(basic("[[:foo:]]"), "Invalid character class name");
        assert_eq!(basic("[[:alpha:"), "Unmatched [, [^, [:, [., or [=");
        assert_eq!(basic("a\\{2,1\\}"), "Invalid content of \\{\\}");
        assert_eq!(extended("a{1"), "Unmatched \\{");
        assert_eq!(extended("a{99999}"), "Regular expression too big");
        assert_eq!(basic("\\(a\\)\\2"), "Invalid back reference");
        assert_eq!(basic("()*[]^a-z-]{(\\(\\)\\1"), "");
        assert_eq!(basic("\\(a\\(b\\)\\2\\1\\)"), "Invalid back reference");
        assert_eq!(basic("\\(a\\(b\\)\\2\\)\\1"), "");
        assert_eq!(basic("[1-3-5]"), "Invalid range end");
        assert_eq!(basic("[[.ab.]]"), "Invalid collation character");
        assert_eq!(basic("[[.-.]--]*\\(*a\\)"), "");
        for pattern in ["*", "a|+", "(?a)", "^{1}"] {
            assert_eq!(extended(pattern), "Invalid preceding regular expression");
            assert_eq!(fault(pattern, Syntax::Lenient), None);
        }
        assert_eq!(fault("a)b{1x}{2", Syntax::Lenient), None);
        assert_eq!(fault("(a", Syntax::Lenient), Some("Unmatched ( or \\("));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(pattern in "([a(){},0-9]|\\[|\\]|\\\\|:|\\[:alpha:\\]|.){0,20}") {
            let _ = fault(&pattern, Syntax::Basic);
            let _ = fault(&pattern, Syntax::Extended);
            let _ = fault(&pattern, Syntax::Lenient);
        }
    }
}
