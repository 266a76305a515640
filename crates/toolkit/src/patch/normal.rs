//! Hunks as `diff` writes them without options.

use super::{Fatal, Hunk, Line, Side, reader::Reader};

/// The next hunk, if one begins here: `3a4,5`, `3,4c3` or `3d2`.
pub(super) fn read(reader: &mut Reader) -> Result<Option<Hunk>, Fatal> {
    let Some(head) = reader.peek().filter(|line| line.first().is_some_and(u8::is_ascii_digit))
    else {
        return Ok(None);
    };
    reader.next();
    let (first, last, rest) = range(reader, &head, &head)?;
    let (kind, rest) = rest.split_first().ok_or_else(|| reader.malformed(&head))?;
    let (new_first, new_last, _) = range(reader, rest, &head)?;
    let count = |first: usize, last: usize| {
        (last + 1).checked_sub(first).ok_or_else(|| reader.malformed(&head))
    };
    let (old, new) = match kind {
        b'a' => (0, count(new_first, new_last)?),
        b'd' => (count(first, last)?, 0),
        b'c' => (count(first, last)?, count(new_first, new_last)?),
        _ => return Err(reader.malformed(&head)),
    };
    let mut hunk = Hunk {
        old_at: first + usize::from(old == 0),
        new_at: new_first + usize::from(new == 0),
        ..Hunk::default()
    };
    take(reader, &mut hunk, Side::Old, old)?;
    if *kind == b'c' {
        match reader.next() {
            Some(line) if line.starts_with(b"-") => {}
            _ => {
                return Err(Fatal(format!("'---' expected at line {} of patch", reader.line)));
            }
        }
    }
    take(reader, &mut hunk, Side::New, new)?;
    Ok(Some(hunk))
}

/// `3` or `3,4`, and what is behind it.
fn range<'t>(
    reader: &Reader,
    text: &'t [u8],
    line: &[u8],
) -> Result<(usize, usize, &'t [u8]), Fatal> {
    let (first, rest) = reader.number(text, line)?;
    match rest.strip_prefix(b",") {
        Some(rest) => reader.number(rest, line).map(|(last, rest)| (first, last, rest)),
        None => Ok((first, first, rest)),
    }
}

/// The lines of one side.
fn take(reader: &mut Reader, hunk: &mut Hunk, side: Side, count: usize) -> Result<(), Fatal> {
    let mark = if side == Side::Old { b'<' } else { b'>' };
    for _ in 0..count {
        let end = || Fatal(format!("unexpected end of file in patch at line {}", reader.line));
        let line = reader.peek().ok_or_else(end)?;
        reader.next();
        let mut text = match line.as_slice() {
            [first, b' ' | b'\t', text @ ..] if *first == mark => text.to_vec(),
            _ => {
                let (mark, at) = (char::from(mark), reader.line);
                return Err(Fatal(format!(
                    "'{mark}' followed by space or tab expected at line {at} of patch"
                )));
            }
        };
        reader.cut_end(&mut text);
        hunk.lines.push(Line { side, text });
    }
    Ok(())
}
