//! What is wrong with an expression, in the words of the C library, which scripts look for.

use super::Syntax;

/// What stands between `[:` and `:]`.
pub(super) const CLASSES: [&[u8]; 12] = [
    b"alnum", b"alpha", b"blank", b"cntrl", b"digit", b"graph", b"lower", b"print", b"punct",
    b"space", b"upper", b"xdigit",
];

/// The C library takes no larger count in an interval.
const MOST: u32 = 32767;

/// The first fault, if it is one that the C library has a word for.
pub(crate) fn fault(pattern: &str, syntax: Syntax) -> Option<&'static str> {
    let extended = syntax == Syntax::Extended;
    let mut rest = pattern.as_bytes();
    let (mut open, mut closed) = (0, 0);
    while let [first, after @ ..] = rest {
        let (operator, behind) = match (first, after) {
            (b'\\', []) => return Some("Trailing backslash"),
            (b'\\', [second, behind @ ..]) => (if extended { b'\\' } else { *second }, behind),
            (first, behind) => (if extended || *first == b'[' { *first } else { 0 }, behind),
        };
        rest = behind;
        match operator {
            b'[' if *first == b'[' => {
                let Some(end) = bracket_end(after) else {
                    return Some("Unmatched [, [^, [:, [., or [=");
                };
                if let Some(fault) = bracket(after.get(..end).unwrap_or_default()) {
                    return Some(fault);
                }
                rest = after.get(end..).unwrap_or_default();
            }
            b'(' => open += 1,
            b')' if open == closed => return Some("Unmatched ) or \\)"),
            b')' => closed += 1,
            b'{' if !extended || behind.first().is_some_and(u8::is_ascii_digit) => {
                match interval(behind, extended) {
                    Ok(length) => rest = behind.get(length..).unwrap_or_default(),
                    Err(fault) => return Some(fault),
                }
            }
            _ => {}
        }
        let digit = after.first().filter(|digit| *first == b'\\' && (b'1'..=b'9').contains(digit));
        if digit.is_some_and(|digit| usize::from(digit - b'0') > closed) {
            return Some("Invalid back reference");
        }
    }
    (open > closed).then_some("Unmatched ( or \\(")
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
        } else if let [b'-', last, behind @ ..] = after {
            if first > last && *last != b'[' {
                return Some("Invalid range end");
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
    let content = "Invalid content of \\{\\}";
    let inside =
        text.get(..end).and_then(|inside| std::str::from_utf8(inside).ok()).ok_or(content)?;
    let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
    let number = |text: &str, otherwise| match text {
        "" => Ok(otherwise),
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(text.parse().unwrap_or(u32::MAX))
        }
        _ => Err(content),
    };
    if inside.is_empty() {
        return Err(content);
    }
    let (least, most) = (number(least, 0)?, number(most, MOST)?);
    match (least, most) {
        _ if least > MOST || most > MOST => Err("Regular expression too big"),
        _ if least > most => Err(content),
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
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(pattern in "([a(){},0-9]|\\[|\\]|\\\\|:|\\[:alpha:\\]|.){0,20}") {
            let _ = fault(&pattern, Syntax::Basic);
            let _ = fault(&pattern, Syntax::Extended);
        }
    }
}
