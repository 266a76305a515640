//! Hunks as `diff -u` writes them.

use super::{Fatal, Hunk, Line, Side, ordered, reader::Reader};

/// The next hunk, if one begins here.
pub(super) fn read(reader: &mut Reader) -> Result<Option<Hunk>, Fatal> {
    let Some(head) = reader.peek().filter(|line| line.starts_with(b"@@ -")) else {
        return Ok(None);
    };
    reader.next();
    let (mut hunk, mut old, mut new) = ranges(reader, &head)?;
    while old > 0 || new > 0 {
        let line = match reader.next() {
            Some(line) => line,
            // Blank lines at the end may have got lost.
            None if old.max(new) <= 3 => b" \n".to_vec(),
            None => return Err(Fatal("unexpected end of file in patch".into())),
        };
        let (side, mut text) = match line.split_first() {
            Some((b' ', text)) => (Side::Both, text.to_vec()),
            Some((b'-', text)) => (Side::Old, text.to_vec()),
            Some((b'+', text)) => (Side::New, text.to_vec()),
            // A mail program may have taken the blank.
            Some((b'\n' | b'\t', _)) => (Side::Both, line.clone()),
            _ => return Err(reader.malformed(&line)),
        };
        let less = |count: usize| count.checked_sub(1).ok_or_else(|| reader.malformed(&line));
        if side != Side::New {
            old = less(old)?;
        }
        if side != Side::Old {
            new = less(new)?;
        }
        reader.cut_end(&mut text);
        hunk.lines.push(Line { side, text });
        if old == 0 && new == 0 && hunk.changes_nothing() {
            return Err(reader.malformed(&line));
        }
    }
    hunk.lines = ordered(hunk.lines);
    Ok(Some(hunk))
}

/// `@@ -1,3 +1,4 @@ function`: a hunk without lines, and how many lines it has on either side.
fn ranges(reader: &Reader, head: &[u8]) -> Result<(Hunk, usize, usize), Fatal> {
    let malformed = || reader.malformed(head);
    let range = |text| -> Result<(usize, usize, &[u8]), Fatal> {
        let (at, rest) = reader.number(text, head)?;
        let (count, rest) = match rest.strip_prefix(b",") {
            Some(rest) => reader.number(rest, head)?,
            None => (1, rest),
        };
        Ok((at + usize::from(count == 0), count, rest))
    };
    let (old_at, old, rest) = range(head.get(4..).unwrap_or_default())?;
    let rest = rest.trim_ascii_start().strip_prefix(b"+").ok_or_else(malformed)?;
    let (new_at, new, rest) = range(rest)?;
    let rest = rest.trim_ascii_start().strip_prefix(b"@@").ok_or_else(malformed)?;
    let function = rest.trim_ascii_end().to_vec();
    Ok((Hunk { old_at, new_at, function, lines: Vec::new() }, old, new))
}
