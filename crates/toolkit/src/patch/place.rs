//! Where a hunk fits into a file.

use super::Hunk;
use std::borrow::Cow;

/// How exactly lines must be the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Likeness {
    /// Blanks count as one, and those at the end not at all.
    pub(crate) blanks: bool,
}

impl Likeness {
    fn of<'a>(self, line: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.blanks {
            return Cow::Borrowed(line);
        }
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut out = Vec::with_capacity(line.len());
        let mut gap = false;
        for byte in line {
            if blank(byte) {
                gap = true;
                continue;
            }
            if std::mem::take(&mut gap) {
                out.push(b' ');
            }
            out.push(*byte);
        }
        Cow::Owned(out)
    }
}

/// What a file offers: its lines, those before `frozen` being done with.
pub(crate) struct Field<'a> {
    pub(crate) lines: &'a [&'a [u8]],
    pub(crate) frozen: usize,
    pub(crate) likeness: Likeness,
}

impl Field<'_> {
    /// The line, from 0, at which a hunk fits best that is expected at `guess`, `fuzz` lines of the context being
    /// left out at the side that has more of it.
    ///
    /// A hunk with less context at one side than at the other was made at that end of the file, and without fuzz
    /// fits only there.
    pub(crate) fn place(&self, hunk: &Hunk, guess: isize, fuzz: usize) -> Option<usize> {
        let old: Vec<&[u8]> = hunk.old_lines().collect();
        if old.is_empty() {
            // Nothing to be found: it fits everywhere.
            return Some(usize::try_from(guess).unwrap_or(0));
        }
        let (before, after) = hunk.context();
        let context = before.max(after);
        let top = (fuzz + before).checked_sub(context);
        let bottom = (fuzz + after).checked_sub(context);
        let skip = top.unwrap_or(0).min(old.len());
        let end = old.len().saturating_sub(bottom.unwrap_or(0)).max(skip);
        let wanted: Vec<Cow<'_, [u8]>> =
            old.get(skip..end)?.iter().map(|line| self.likeness.of(line)).collect();
        let fits = |at: &usize| {
            let there = self.lines.get(at + skip..at + end);
            there.is_some_and(|lines| {
                lines.iter().zip(&wanted).all(|(line, wanted)| self.likeness.of(line) == *wanted)
            })
        };
        if top.is_none() && hunk.old_at <= 1 {
            return (self.frozen <= before).then_some(0).filter(fits);
        }
        if bottom.is_none() {
            let at = self.lines.len().checked_sub(old.len())?;
            return (at >= self.frozen).then_some(at).filter(fits);
        }
        let last = (self.lines.len() + old.len() - end).checked_sub(old.len())?;
        self.nearest(guess, last, fits)
    }

    /// The nearest line to `guess` between the frozen ones and `last` that will do; of two as near the later one.
    fn nearest(&self, guess: isize, last: usize, fits: impl Fn(&usize) -> bool) -> Option<usize> {
        let first = self.frozen;
        if first > last {
            return None;
        }
        let middle = usize::try_from(guess).unwrap_or(0);
        let up = middle.max(first)..=last;
        let mut down = (first..middle.min(last + 1)).rev();
        let mut up = up;
        // Both ways in step, as long as each is nearer than the other.
        let far = |at: Option<usize>| at.map_or(usize::MAX, |at| at.abs_diff(middle));
        let (mut above, mut below) = (up.next(), down.next());
        while above.is_some() || below.is_some() {
            if far(above) <= far(below) {
                if above.as_ref().is_some_and(&fits) {
                    return above;
                }
                above = up.next();
            } else {
                if below.as_ref().is_some_and(&fits) {
                    return below;
                }
                below = down.next();
            }
        }
        None
    }
}
