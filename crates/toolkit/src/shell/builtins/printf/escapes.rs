//! Backslashes in `printf`'s format and in what `%b` prints.

/// Where a backslash stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// In the format: `\NNN` is octal.
    Format,
    /// In an argument of `%b`: `\0NNN` is octal, `\c` ends everything.
    Argument,
}

/// What a backslash and what follows it stand for.
pub(super) enum Escaped {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The end of all printing.
    End,
}

/// `text` follows a backslash; what it stands for, and what is left.
pub(super) fn one(text: &[u8], inside: Inside) -> (Escaped, &[u8]) {
    let [letter, rest @ ..] = text else { return (Escaped::Bytes(b"\\".to_vec()), text) };
    let byte = match letter {
        b'a' => 7,
        b'b' => 8,
        b'e' | b'E' => 27,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' | b'"' | b'\'' | b'?' => *letter,
        b'c' if inside == Inside::Argument => return (Escaped::End, rest),
        b'0'..=b'7' => return octal(text, inside),
        b'x' => return hexadecimal(text, 2),
        b'u' => return hexadecimal(text, 4),
        b'U' => return hexadecimal(text, 8),
        _ => return (Escaped::Bytes(vec![b'\\', *letter]), rest),
    };
    (Escaped::Bytes(vec![byte]), rest)
}

/// All of an argument of `%b`; whether it ends everything.
pub(super) fn all(mut text: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    while let [first, after @ ..] = text {
        if *first != b'\\' {
            out.push(*first);
            text = after;
            continue;
        }
        let (escaped, rest) = one(after, Inside::Argument);
        match escaped {
            Escaped::Bytes(bytes) => out.extend(bytes),
            Escaped::End => return (out, true),
        }
        text = rest;
    }
    (out, false)
}

/// Up to three octal digits; in an argument a `0` may stand before them.
fn octal(text: &[u8], inside: Inside) -> (Escaped, &[u8]) {
    let text = match text {
        [b'0', rest @ ..] if inside == Inside::Argument => rest,
        text => text,
    };
    let count = text.iter().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
    let (digits, rest) = text.split_at(count);
    let value = digits.iter().fold(0u16, |n, digit| n * 8 + u16::from(digit - b'0'));
    (Escaped::Bytes(vec![value.to_le_bytes()[0]]), rest)
}

/// `x`, `u` or `U` and up to `most` digits: a byte, or a character.
fn hexadecimal(text: &[u8], most: usize) -> (Escaped, &[u8]) {
    let (letter, rest) = text.split_at(1);
    let count = rest.iter().take(most).take_while(|b| b.is_ascii_hexdigit()).count();
    let (digits, rest) = rest.split_at(count);
    let value = std::str::from_utf8(digits).ok().and_then(|d| u32::from_str_radix(d, 16).ok());
    let bytes = match value {
        None => [b"\\", letter].concat(),
        Some(byte) if most == 2 => vec![byte.to_le_bytes()[0]],
        Some(code) => char::from_u32(code).unwrap_or('\u{fffd}').to_string().into_bytes(),
    };
    (Escaped::Bytes(bytes), rest)
}
