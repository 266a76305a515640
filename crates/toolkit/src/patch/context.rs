//! Hunks as `diff -c` writes them: the old side whole, then the new side whole. A side on which nothing changes may
//! be left out, and is then what the other one says of it.

use super::{Fatal, Hunk, Line, Side, reader::Reader};

/// One side: its first line, and its lines with their marks.
struct Half {
    at: usize,
    count: usize,
    lines: Vec<(u8, Vec<u8>)>,
}

impl Half {
    /// The lines that are on both sides.
    fn common(&self) -> impl Iterator<Item = &(u8, Vec<u8>)> {
        self.lines.iter().filter(|(mark, _)| *mark == b' ')
    }
}

/// The next hunk, if one begins here.
pub(super) fn read(reader: &mut Reader) -> Result<Option<Hunk>, Fatal> {
    let mut ahead = reader.clone();
    let Some(stars) = ahead.next().filter(|line| line.starts_with(b"********")) else {
        return Ok(None);
    };
    let Some(head) = ahead.next().filter(|line| line.starts_with(b"*** ")) else {
        return Ok(None);
    };
    *reader = ahead;
    let begin = reader.line;
    let (at, count) = range(reader, &head)?;
    let mut old = Half { at, count, lines: Vec::new() };
    while !reader.peek().is_some_and(|line| heads_new(&line)) {
        if old.lines.len() == old.count {
            return Err(Fatal(format!("no '---' found in patch at line {begin}")));
        }
        take(reader, &mut old, b'-', begin)?;
    }
    let head = reader.next().unwrap_or_default();
    if !old.lines.is_empty() && old.lines.len() != old.count {
        let (at, what) = (reader.line, "check line numbers at line");
        return Err(Fatal(format!("Premature '---' at line {at}; {what} {begin}")));
    }
    let (at, count) = range(reader, &head)?;
    let mut new = Half { at, count, lines: Vec::new() };
    let has_new = reader.peek().is_some_and(|line| {
        // When the old side says all, a blank line is what follows the hunk.
        let common = old.common().count();
        let told = !old.lines.is_empty() && (common == new.count || common == 0 && new.count == 1);
        matches!(line.as_slice(), [b' ' | b'+' | b'!', b' ' | b'\t', ..]) || !told
    });
    while has_new && new.lines.len() < new.count {
        take(reader, &mut new, b'+', begin)?;
    }
    let more = |line: Vec<u8>| matches!(line.as_slice(), [b' ' | b'+' | b'!', b' ', ..]);
    if has_new && reader.peek().is_some_and(more) {
        return Err(mangled(REPLACEMENT, begin));
    }
    let function = stars.iter().position(|byte| *byte != b'*').unwrap_or(stars.len());
    let function = stars.get(function..).unwrap_or_default().trim_ascii_end().to_vec();
    merged(old, new, begin).map(|hunk| Some(Hunk { function, ..hunk }))
}

/// Whether a line begins the new side: `--- 1,2 ----`.
fn heads_new(line: &[u8]) -> bool {
    line.strip_prefix(b"--- ").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
}

/// `*** 1,2 ****`: the first line, and how many there are.
fn range(reader: &Reader, head: &[u8]) -> Result<(usize, usize), Fatal> {
    let (first, rest) = reader.number(head.get(4..).unwrap_or_default(), head)?;
    match rest.strip_prefix(b",") {
        Some(rest) => {
            let (last, _) = reader.number(rest, head)?;
            let count = (last + 1).checked_sub(first).ok_or_else(|| reader.malformed(head))?;
            Ok((first + usize::from(count == 0), count))
        }
        // Of no lines at all the place is behind that line.
        None if first == 0 => Ok((1, 0)),
        None => Ok((first, 1)),
    }
}

/// Takes a line of a side, on which `own` marks what the other side does not have.
fn take(reader: &mut Reader, half: &mut Half, own: u8, begin: usize) -> Result<(), Fatal> {
    let Some(line) = reader.next() else {
        return Err(Fatal(format!("unexpected end of file in patch at line {begin}")));
    };
    let (mark, mut text) = match line.as_slice() {
        [mark @ (b' ' | b'!' | b'-' | b'+'), rest @ ..]
            if *mark == own || !b"+-".contains(mark) =>
        {
            // A mail program may have taken one of both blanks.
            (*mark, rest.strip_prefix(b" ").or(rest.strip_prefix(b"\t")).unwrap_or(rest).to_vec())
        }
        [b'\n' | b'\t', ..] => (b' ', line.clone()),
        [b'*', ..] => {
            return Err(Fatal(format!("unexpected end of hunk at line {}", reader.line)));
        }
        _ => return Err(reader.malformed(&line)),
    };
    reader.cut_end(&mut text);
    half.lines.push((mark, text));
    Ok(())
}

const REPLACEMENT: &str = "replacement text or line numbers";

fn mangled(what: &str, begin: usize) -> Fatal {
    Fatal(format!("{what} mangled in hunk at line {begin}"))
}

/// Both sides as one list.
fn merged(mut old: Half, mut new: Half, begin: usize) -> Result<Hunk, Fatal> {
    let common = old.common().count();
    if old.lines.is_empty() && old.count > 0 {
        old.lines = new.common().cloned().collect();
    }
    if new.lines.is_empty() && new.count > 0 {
        new.lines = old.common().cloned().collect();
    }
    // One number alone may mean the line behind which there are none.
    for (half, other) in [(&mut old, new.common().count()), (&mut new, common)] {
        if half.lines.is_empty() && half.count == 1 && other == 0 {
            (half.at, half.count) = (half.at + 1, 0);
        }
    }
    if old.lines.len() != old.count || new.lines.len() != new.count {
        return Err(mangled(REPLACEMENT, begin));
    }
    let mut hunk = Hunk { old_at: old.at, new_at: new.at, ..Hunk::default() };
    let (mut olds, mut news) = (old.lines.into_iter().peekable(), new.lines.into_iter().peekable());
    loop {
        while let Some((_, text)) = olds.next_if(|(mark, _)| *mark != b' ') {
            hunk.lines.push(Line { side: Side::Old, text });
        }
        while let Some((_, text)) = news.next_if(|(mark, _)| *mark != b' ') {
            hunk.lines.push(Line { side: Side::New, text });
        }
        match (olds.next(), news.next()) {
            (None, None) if hunk.changes_nothing() => return Err(mangled(REPLACEMENT, begin)),
            (None, None) => return Ok(hunk),
            (Some((_, text)), Some((_, other))) if text.trim_ascii() == other.trim_ascii() => {
                hunk.lines.push(Line { side: Side::Both, text });
            }
            _ => return Err(mangled("context", begin)),
        }
    }
}
