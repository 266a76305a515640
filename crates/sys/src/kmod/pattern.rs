//! Wildcards in module aliases: `?`, `*` and `[a-f0-9]`, as fnmatch(3) without flags.

/// Whether `pattern` matches all of `text`. Takes time proportional to the product of their lengths
/// at most: of nested `*` only the last is tried again.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some((b'*', rest)) = p.split_first() {
            retry = Some((rest, t));
            p = rest;
            continue;
        }
        match (one(p), t.split_first()) {
            (Some((element, rest)), Some((&byte, left))) if element.accepts(byte) => {
                (p, t) = (rest, left);
            }
            (None, None) if p.is_empty() => return true,
            _ => match retry {
                Some((after, from)) if !from.is_empty() => {
                    let from = from.get(1..).unwrap_or_default();
                    retry = Some((after, from));
                    (p, t) = (after, from);
                }
                _ => return false,
            },
        }
    }
}

/// What stands for one byte.
enum Element<'a> {
    Any,
    Byte(u8),
    /// The inside of the brackets, and whether it is negated.
    Set(&'a [u8], bool),
}

/// The first element of a pattern and what follows it. A `[` that nothing closes is itself.
fn one(pattern: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&first, rest) = pattern.split_first()?;
    Some(match first {
        b'?' => (Element::Any, rest),
        b'[' => set(rest).unwrap_or((Element::Byte(b'['), rest)),
        b'\\' => match rest.split_first() {
            Some((&byte, rest)) => (Element::Byte(byte), rest),
            None => (Element::Byte(b'\\'), rest),
        },
        byte => (Element::Byte(byte), rest),
    })
}

fn set(after_bracket: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let negated = matches!(after_bracket.first(), Some(b'!' | b'^'));
    let body = after_bracket.get(usize::from(negated)..)?;
    // A `]` that comes first is a member.
    let end = 1 + body.get(1..)?.iter().position(|b| *b == b']')?;
    Some((Element::Set(body.get(..end)?, negated), body.get(end + 1..)?))
}

impl Element<'_> {
    fn accepts(&self, byte: u8) -> bool {
        match *self {
            Self::Any => true,
            Self::Byte(wanted) => wanted == byte,
            Self::Set(members, negated) => in_set(members, byte) != negated,
        }
    }
}

fn in_set(mut members: &[u8], byte: u8) -> bool {
    loop {
        members = match members {
            [] => return false,
            [low, b'-', high, rest @ ..] => {
                if (*low..=*high).contains(&byte) {
                    return true;
                }
                rest
            }
            [member, rest @ ..] => {
                if *member == byte {
                    return true;
                }
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::CString;

    /// The C library's answer.
    fn fnmatch(pattern: &str, text: &str) -> bool {
        let (pattern, text) = (CString::new(pattern).unwrap(), CString::new(text).unwrap());
        // SAFETY: both are NUL-terminated and live until the call is over.
        unsafe { libc::fnmatch(pattern.as_ptr(), text.as_ptr(), 0) == 0 }
    }

    #[test]
    fn aliases_as_they_occur() {
        let pci = "pci:v00008086d000010D3sv*sd*bc*sc*i*";
        assert!(matches(pci.as_bytes(), b"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"));
        assert!(!matches(pci.as_bytes(), b"pci:v00008086d000010D4sv00008086sd0000A01Fbc02sc00i00"));
        assert!(matches(b"usb:v0B95p772[A-C]d*", b"usb:v0B95p772Bd0001"));
        assert!(!matches(b"usb:v0B95p772[A-C]d*", b"usb:v0B95p772Dd0001"));
        assert!(matches(b"x[!0-9]", b"xa"));
        assert!(!matches(b"x[!0-9]", b"x7"));
        assert!(matches(b"[]]", b"]"));
        assert!(matches(b"*", b""));
    }

    #[test]
    fn nested_stars_take_no_time() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(5000).as_bytes()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn agrees_with_the_c_library(pattern in "([ab?*]|\\[!?[a-c]{1,2}\\]|\\[a-c\\]){0,7}", text in "[abcd]{0,8}") {
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), fnmatch(&pattern, &text));
        }
    }
}
