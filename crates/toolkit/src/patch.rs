//! Patches in the unified form: what they say, and how a hunk finds its place in a file.

/// A file's changes.
#[derive(Debug, Default)]
pub(crate) struct FilePatch {
    /// The names behind `---` and `+++`, without times.
    pub(crate) old: Vec<u8>,
    pub(crate) new: Vec<u8>,
    pub(crate) hunks: Vec<Hunk>,
    /// What the text says between the patch before and the first hunk, and that hunk's line, from 1.
    pub(crate) lead: Vec<u8>,
    pub(crate) line: usize,
}

/// One place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hunk {
    /// The first line in the old file, from 1; 0 for none.
    pub(crate) at: usize,
    /// The same in the new file.
    pub(crate) new_at: usize,
    pub(crate) old: Vec<Vec<u8>>,
    pub(crate) new: Vec<Vec<u8>>,
    /// How many lines at the beginning and the end are the same on both sides.
    pub(crate) before: usize,
    pub(crate) after: usize,
    /// As it was written, for the file of rejects.
    pub(crate) text: Vec<u8>,
}

/// Parses a text with any number of patches; what is between them is left out.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<FilePatch>, String> {
    let mut patches: Vec<FilePatch> = Vec::new();
    let mut lead = Vec::new();
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        if !line.starts_with(b"@@ -") {
            lead.extend_from_slice(line);
        }
        if let Some(old) = line.strip_prefix(b"--- ") {
            if let Some(new) = lines.peek().and_then(|(_, next)| next.strip_prefix(b"+++ ")) {
                let (old, new) = (name(old), name(new));
                lead.extend(lines.next().map_or(&b""[..], |(_, line)| line));
                let lead = std::mem::take(&mut lead);
                patches.push(FilePatch { old, new, lead, line: number + 3, hunks: Vec::new() });
            }
        } else if line.starts_with(b"@@ -") {
            let malformed = || format!("malformed patch at line {}", number + 1);
            let patch = patches.last_mut().ok_or_else(malformed)?;
            let ((at, old), (new_at, new)) = head(line).ok_or_else(malformed)?;
            let mut hunk = Hunk { at, new_at, text: line.to_vec(), ..Hunk::default() };
            while hunk.old.len() < old || hunk.new.len() < new {
                let (number, line) = lines.next().ok_or("unexpected end of file in patch")?;
                hunk.text.extend_from_slice(line);
                let body = line.get(1..).unwrap_or_default().to_vec();
                match line.first() {
                    Some(b' ') => {
                        hunk.old.push(body.clone());
                        hunk.new.push(body);
                    }
                    // A mail program may have taken the blank of an empty line.
                    Some(b'\n') => {
                        hunk.old.push(line.to_vec());
                        hunk.new.push(line.to_vec());
                    }
                    Some(b'-') => hunk.old.push(body),
                    Some(b'+') => hunk.new.push(body),
                    Some(b'\\') => {}
                    _ => return Err(format!("malformed patch at line {}", number + 1)),
                }
                no_end(&mut lines, &mut hunk, line.first().copied());
            }
            let same = |(a, b): &(&Vec<u8>, &Vec<u8>)| a == b;
            hunk.before = hunk.old.iter().zip(&hunk.new).take_while(same).count();
            hunk.after = hunk.old.iter().rev().zip(hunk.new.iter().rev()).take_while(same).count();
            patch.hunks.push(hunk);
        }
    }
    patches.retain(|patch| !patch.hunks.is_empty());
    Ok(patches)
}

/// Takes `\ No newline at end of file` behind a line, whose end goes.
fn no_end<'a>(
    lines: &mut std::iter::Peekable<impl Iterator<Item = (usize, &'a [u8])>>,
    hunk: &mut Hunk,
    kind: Option<u8>,
) {
    if !lines.peek().is_some_and(|(_, line)| line.starts_with(b"\\")) {
        return;
    }
    hunk.text.extend_from_slice(lines.next().map_or(&b""[..], |(_, line)| line));
    let cut = |side: &mut Vec<Vec<u8>>| {
        if let Some(line) = side.last_mut() {
            line.pop_if(|byte| *byte == b'\n');
        }
    };
    if kind != Some(b'+') {
        cut(&mut hunk.old);
    }
    if kind != Some(b'-') {
        cut(&mut hunk.new);
    }
}

/// The name behind `---` or `+++`. GNU's diff puts one with odd bytes into quotes and escapes them as C does.
fn name(rest: &[u8]) -> Vec<u8> {
    if let Some(quoted) = rest.strip_prefix(b"\"").and_then(unquoted) {
        return quoted;
    }
    let end =
        rest.iter().position(|byte| matches!(byte, b'\t' | b'\n' | b'\r')).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default().trim_ascii().to_vec()
}

/// What is before the closing quote; nothing if there is none, or an escape that C does not know.
fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.iter().copied().peekable();
    loop {
        match bytes.next()? {
            b'"' => return Some(out),
            b'\n' => return None,
            b'\\' => out.push(match bytes.next()? {
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                same @ (b'"' | b'\\') => same,
                first @ b'0'..=b'3' => {
                    let mut digit = || Some(bytes.next_if(|b| matches!(b, b'0'..=b'7'))? - b'0');
                    (first - b'0') << 6 | digit()? << 3 | digit()?
                }
                _ => return None,
            }),
            byte => out.push(byte),
        }
    }
}

/// `@@ -1,3 +1,4 @@`: the first line and the number of lines, of the old side and of the new.
fn head(line: &[u8]) -> Option<((usize, usize), (usize, usize))> {
    let text = std::str::from_utf8(line.split(|b| *b == b'@').nth(2)?).ok()?;
    let (old, new) = text.trim().strip_prefix('-')?.split_once(" +")?;
    let range = |text: &str| -> Option<(usize, usize)> {
        match text.split_once(',') {
            Some((at, count)) => Some((at.parse().ok()?, count.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    Some((range(old)?, range(new)?))
}

impl Hunk {
    /// The same, backwards.
    pub(crate) fn reversed(&self) -> Self {
        Self {
            at: self.new_at,
            new_at: self.at,
            old: self.new.clone(),
            new: self.old.clone(),
            ..self.clone()
        }
    }

    /// Where it fits best, as near to `expected` (from 0) as can be and not before `from`.
    ///
    /// A hunk with less context at one side than at the other was made at that end of the file, and
    /// without `fuzz` fits only there.
    pub(crate) fn place(
        &self,
        lines: &[Vec<u8>],
        expected: usize,
        from: usize,
        fuzz: usize,
    ) -> Option<Place> {
        let context = self.before.max(self.after);
        (0..=fuzz.min(context)).find_map(|fuzz| {
            let top = (fuzz + self.before).checked_sub(context);
            let bottom = (fuzz + self.after).checked_sub(context);
            let (skip, cut) = (top.unwrap_or(0), bottom.unwrap_or(0));
            let wanted = self.old.get(skip..self.old.len().checked_sub(cut)?)?;
            let fits = |at: &usize| {
                *at >= from
                    && (top.is_some() || *at == 0)
                    && (bottom.is_some() || at + self.old.len() == lines.len())
                    && lines.get(at + skip..at + skip + wanted.len()) == Some(wanted)
            };
            let far = lines.len().max(expected);
            let mut near = (0..=far).flat_map(|d| [Some(expected + d), expected.checked_sub(d)]);
            let at = near.by_ref().flatten().find(fits)?;
            Some(Place { at, fuzz, top: skip, bottom: cut })
        })
    }
}

/// Where a hunk fits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its first line, from 0.
    pub(crate) at: usize,
    pub(crate) fuzz: usize,
    /// Lines of context that were not looked at.
    pub(crate) top: usize,
    pub(crate) bottom: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunks_are_read_and_find_their_place() {
        let patches = parse(b"junk\n--- a/f\t2026\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n").unwrap();
        let hunk = &patches[0].hunks[0];
        assert_eq!((patches[0].old.as_slice(), hunk.at, hunk.before), (&b"a/f"[..], 1, 1));
        assert_eq!(hunk.new, [b"a\n".to_vec(), b"c".to_vec()]);
        let lines = [&b"x\n"[..], b"a\n", b"b\n"].map(<[u8]>::to_vec);
        assert_eq!(hunk.place(&lines, 0, 0, 2).map(|place| (place.at, place.fuzz)), Some((1, 0)));
        assert!(parse(b"--- a\n+++ b\n@@ -1,9 +1 @@\n a\n").is_err());
    }

    #[test]
    fn quoted_names_are_read() {
        assert_eq!(name(b"\"a/caf\\303\\251 \\\"x\\\"\\t\"\t2026\n"), "a/café \"x\"\t".as_bytes());
        assert_eq!(name(b"\"open\n"), b"\"open");
        assert_eq!(name(b"\"\\999\"\n"), b"\"\\999\"");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in "(--- a\n|\\+\\+\\+ b\n|@@ -[0-9],[0-9] \\+[0-9] @@\n|[ +-]x\n|\\\\ No\n){0,12}") {
            let _ = parse(text.as_bytes());
        }
    }
}
