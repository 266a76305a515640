//! Escapes: read in scripts, and shown by `l`.

/// The byte that an escape (without its backslash) stands for, and the escape's length.
pub(super) fn escape(text: &[u8]) -> Option<(u8, usize)> {
    let number = |digits: &[u8], radix: u32| {
        let text = std::str::from_utf8(digits).ok()?;
        let valid = text.bytes().all(|b| b.is_ascii_alphanumeric());
        valid.then(|| u32::from_str_radix(text, radix).ok()).flatten()
    };
    let several = |length: usize, radix| {
        (1..=length).rev().find_map(|length| {
            let value = number(text.get(1..=length)?, radix)?;
            Some((u8::try_from(value & 0xff).ok()?, length + 1))
        })
    };
    match text.first()? {
        b'n' => Some((b'\n', 1)),
        b't' => Some((b'\t', 1)),
        b'r' => Some((b'\r', 1)),
        b'f' => Some((0x0c, 1)),
        b'v' => Some((0x0b, 1)),
        b'a' => Some((0x07, 1)),
        b'x' => several(2, 16),
        b'o' => several(3, 8),
        b'd' => several(3, 10),
        b'c' => match text.get(1..) {
            Some([b'\\', b'\\', ..]) => Some((0x1c, 3)),
            Some([letter, ..]) => Some((letter.to_ascii_uppercase() ^ 0x40, 2)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether `\c` stands before an escape other than that of the backslash.
pub(super) fn recursive(text: &[u8]) -> bool {
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'\\', [b'c', b'\\', b'\\', behind @ ..]) => behind,
            (b'\\', [b'c', b'\\', ..]) => return true,
            (b'\\', [_, behind @ ..]) => behind,
            _ => after,
        };
    }
    false
}

/// What `l` prints, without the end of the line.
pub(super) fn listed(text: &[u8], width: usize) -> Vec<u8> {
    let (mut out, mut column) = (Vec::new(), 0);
    for byte in text {
        let shown = match byte {
            b'\\' => "\\\\".to_owned(),
            0x07 => "\\a".to_owned(),
            0x08 => "\\b".to_owned(),
            0x0c => "\\f".to_owned(),
            b'\n' => "\\n".to_owned(),
            b'\r' => "\\r".to_owned(),
            b'\t' => "\\t".to_owned(),
            0x0b => "\\v".to_owned(),
            b' '..=b'~' => char::from(*byte).to_string(),
            other => format!("\\{other:03o}"),
        };
        if width > 0 && column + shown.len() > width - 1 {
            out.extend(b"\\\n");
            column = 0;
        }
        column += shown.len();
        out.extend(shown.as_bytes());
    }
    out.push(b'$');
    out
}
