//! What `s` puts in place of what it found.

use super::{pattern::Groups, script::Part, text::escape};

/// The parts of a replacement. In POSIX' alone no letter changes the case.
pub(super) fn parts(text: &[u8], posix: bool) -> Vec<Part> {
    let (mut parts, mut plain) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        let part = match (first, after) {
            (b'&', _) => Some(Part::Group(0)),
            (b'\\', [digit @ b'0'..=b'9', behind @ ..]) => {
                rest = behind;
                Some(Part::Group(usize::from(*digit - b'0')))
            }
            (b'\\', [case @ (b'U' | b'L' | b'E' | b'u' | b'l'), behind @ ..]) if !posix => {
                rest = behind;
                Some(Part::Case(*case))
            }
            // Of nothing the control character is the backslash.
            (b'\\', [b'c']) => {
                plain.push(b'\\');
                rest = &[];
                None
            }
            (b'\\', [other, behind @ ..]) => {
                let (byte, length) = escape(after).unwrap_or((*other, 1));
                plain.push(byte);
                rest = if length == 1 { behind } else { after.get(length..).unwrap_or_default() };
                None
            }
            (byte, _) => {
                plain.push(*byte);
                None
            }
        };
        if let Some(part) = part {
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(part);
        }
    }
    parts.push(Part::Text(plain));
    parts
}

/// Adds a replacement to `out`.
pub(super) fn replace(parts: &[Part], groups: &Groups, text: &[u8], out: &mut Vec<u8>) {
    let (mut all, mut one) = (b'E', None);
    for part in parts {
        let text = match part {
            Part::Case(case @ (b'u' | b'l')) => {
                one = Some(*case);
                continue;
            }
            Part::Case(case) => {
                (all, one) = (*case, None);
                continue;
            }
            Part::Text(text) => text.as_slice(),
            Part::Group(group) => groups
                .get(*group)
                .copied()
                .flatten()
                .and_then(|(start, end)| text.get(start..end))
                .unwrap_or_default(),
        };
        if all == b'E' && one.is_none() {
            out.extend(text);
            continue;
        }
        for chunk in text.utf8_chunks() {
            for c in chunk.valid().chars() {
                let new = match one.take().unwrap_or(all) {
                    b'U' | b'u' => c.to_uppercase().to_string(),
                    b'L' | b'l' => c.to_lowercase().to_string(),
                    _ => c.to_string(),
                };
                out.extend(new.as_bytes());
            }
            out.extend(chunk.invalid());
        }
    }
}
