//! A line with a sum and a name.

/// How lines are printed.
pub(super) struct Line {
    /// What they begin with, when it is not the sum.
    pub(super) tag: Option<String>,
    pub(super) binary: bool,
    pub(super) zero: bool,
}

impl Line {
    pub(super) fn made(&self, sum: &str, name: &[u8]) -> Vec<u8> {
        let (sign, name) = if self.zero { (&b""[..], name.to_vec()) } else { escaped(name) };
        let end: &[u8] = if self.zero { b"\0" } else { b"\n" };
        match &self.tag {
            Some(tag) => {
                [sign, tag.as_bytes(), b" (", &name, b") = ", sum.as_bytes(), end].concat()
            }
            None => {
                let mark: &[u8] = if self.binary { b" *" } else { b"  " };
                [sign, sum.as_bytes(), mark, &name, end].concat()
            }
        }
    }
}

/// How messages have a name: only a line's end is escaped.
pub(super) fn told(name: &[u8]) -> (&'static [u8], Vec<u8>) {
    if name.contains(&b'\n') { escaped(name) } else { (b"", name.to_vec()) }
}

/// What the line begins with when the name is escaped, and the name.
pub(super) fn escaped(name: &[u8]) -> (&'static [u8], Vec<u8>) {
    if !name.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r')) {
        return (b"", name.to_vec());
    }
    let mut made = Vec::new();
    for byte in name {
        match byte {
            b'\\' => made.extend(b"\\\\"),
            b'\n' => made.extend(b"\\n"),
            b'\r' => made.extend(b"\\r"),
            byte => made.push(*byte),
        }
    }
    (b"\\", made)
}

fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let mut made = Vec::new();
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        made.push(match (byte, byte == &b'\\') {
            (byte, false) => *byte,
            (_, true) => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
        });
    }
    Some(made)
}

/// The sum, its bits, and the name in a line, which is of the kind that `tag` names.
///
/// `bsd` is whether names follow one space alone, as BSD has them, which the first line without a tag decides.
pub(super) fn read(
    line: &[u8],
    tag: &str,
    bits: usize,
    bsd: &mut Option<bool>,
) -> Option<(String, usize, Vec<u8>)> {
    let line = line.trim_ascii_start();
    let (sign, line) = match line.strip_prefix(b"\\") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (sum, name) = match line.strip_prefix(tag.as_bytes()) {
        Some(rest) => tagged(rest)?,
        None => {
            let end = line.iter().position(|byte| !byte.is_ascii_hexdigit())?;
            let (sum, rest) = line.split_at(end);
            let rest = rest.strip_prefix(b" ").or_else(|| rest.strip_prefix(b"\t"))?;
            let marked = rest.strip_prefix(b" ").or_else(|| rest.strip_prefix(b"*"));
            match marked.filter(|name| !name.is_empty() && *bsd != Some(true)) {
                Some(name) => {
                    *bsd = Some(false);
                    (sum, name)
                }
                None if *bsd == Some(false) => return None,
                None => {
                    *bsd = Some(true);
                    (sum, rest)
                }
            }
        }
    };
    let found = sum.len() * 4;
    let right = found == bits || (tag == "BLAKE2b" && found % 8 == 0 && found > 0 && found < bits);
    if !right || name.is_empty() || !sum.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let name = if sign { unescaped(name)? } else { name.to_vec() };
    let sum = sum.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    Some((sum, found, name))
}

/// `(NAME) = SUM`, behind a tag and perhaps the number of bits.
fn tagged(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = rest.iter().position(|byte| *byte == b'(')?;
    let before = rest.get(..open)?.trim_ascii();
    if !before.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
        return None;
    }
    let rest = rest.get(open + 1..)?;
    let close = rest.iter().rposition(|byte| *byte == b')')?;
    let sum = rest.get(close + 1..)?.trim_ascii_start().strip_prefix(b"=")?;
    Some((sum.trim_ascii(), rest.get(..close)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let sum = "0123456789abcdef0123456789abcdef";
        for name in [&b"a"[..], b"a b", b"a\nb", b"\\", b"\xff\r", b" x", b"*x", b"a) = b"] {
            for tag in [None, Some("MD5".to_owned())] {
                let line = Line { tag, binary: false, zero: false }.made(sum, name);
                let line = line.strip_suffix(b"\n").unwrap();
                let wanted = Some((sum.to_owned(), 128, name.to_vec()));
                assert_eq!(read(line, "MD5", 128, &mut None), wanted, "{}", line.escape_ascii());
            }
        }
    }

    #[test]
    fn what_is_no_sum_is_none() {
        let sum = "0123456789abcdef0123456789abcdef";
        for line in ["", "x", sum, &sum[1..], "MD5 (a) = 12", "MD5 a", &format!("\\{sum}  \\x")] {
            assert_eq!(read(line.as_bytes(), "MD5", 128, &mut None), None, "{line}");
        }
    }
}
