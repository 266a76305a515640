//! The forms in which differences are written: normal, unified, context, ed-like and brief.

use super::Change;
use std::io::{self, Write};

/// A file's lines as they are, each with its end, if it has one.
pub(crate) type Lines<'a> = [&'a [u8]];

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Normal,
    /// With so many lines around each change.
    Unified(usize),
    Context(usize),
}

const NO_END: &[u8] = b"\n\\ No newline at end of file\n";

fn line(out: &mut dyn Write, mark: &str, text: &[u8]) -> io::Result<()> {
    out.write_all(mark.as_bytes())?;
    out.write_all(text)?;
    if text.ends_with(b"\n") { Ok(()) } else { out.write_all(NO_END) }
}

fn some<'a, 'b>(lines: &'b Lines<'a>, from: usize, to: usize) -> &'b [&'a [u8]] {
    lines.get(from..to).unwrap_or_default()
}

/// Writes the changes between two lists of lines.
pub(crate) fn write(
    out: &mut dyn Write,
    form: Form,
    old: &Lines<'_>,
    new: &Lines<'_>,
    changes: &[Change],
) -> io::Result<()> {
    match form {
        Form::Normal => {
            let mut counted = changes.iter().filter(|change| !change.ignored);
            counted.try_for_each(|change| normal(out, old, new, *change))
        }
        Form::Unified(around) => groups(changes, around, old.len(), new.len())
            .iter()
            .try_for_each(|group| unified(out, old, new, group)),
        Form::Context(around) => groups(changes, around, old.len(), new.len())
            .iter()
            .try_for_each(|group| context(out, old, new, group)),
    }
}

/// `3` or `3,5`; of no lines the line before.
fn range((from, to): (usize, usize)) -> String {
    if to > from + 1 {
        format!("{},{to}", from + 1)
    } else if to == from + 1 {
        to.to_string()
    } else {
        from.to_string()
    }
}

fn normal(out: &mut dyn Write, old: &Lines<'_>, new: &Lines<'_>, change: Change) -> io::Result<()> {
    let (removed, added) = (change.old.1 > change.old.0, change.new.1 > change.new.0);
    let letter = match (removed, added) {
        (true, true) => 'c',
        (true, false) => 'd',
        _ => 'a',
    };
    writeln!(out, "{}{letter}{}", range(change.old), range(change.new))?;
    for text in some(old, change.old.0, change.old.1) {
        line(out, "< ", text)?;
    }
    if removed && added {
        out.write_all(b"---\n")?;
    }
    for text in some(new, change.new.0, change.new.1) {
        line(out, "> ", text)?;
    }
    Ok(())
}

/// Changes so near to each other that they are shown as one, with the lines around them.
struct Group {
    old: (usize, usize),
    new: (usize, usize),
    changes: Vec<Change>,
}

fn groups(changes: &[Change], around: usize, old_len: usize, new_len: usize) -> Vec<Group> {
    let mut groups: Vec<Vec<Change>> = Vec::new();
    for change in changes {
        let reach = if change.ignored { around } else { 2 * around + 1 };
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|last| change.old.0 - last.old.1 < reach) => {
                group.push(*change);
            }
            _ => groups.push(vec![*change]),
        }
    }
    groups.retain(|group| !group.iter().all(|change| change.ignored));
    let whole = |changes: Vec<Change>| {
        let (first, last) = (changes.first()?, changes.last()?);
        Some(Group {
            old: (first.old.0.saturating_sub(around), (last.old.1 + around).min(old_len)),
            new: (first.new.0.saturating_sub(around), (last.new.1 + around).min(new_len)),
            changes,
        })
    };
    groups.into_iter().filter_map(whole).collect()
}

fn unified(out: &mut dyn Write, old: &Lines<'_>, new: &Lines<'_>, group: &Group) -> io::Result<()> {
    let range = |(from, to): (usize, usize)| match to - from {
        0 => format!("{from},0"),
        1 => to.to_string(),
        count => format!("{},{count}", from + 1),
    };
    writeln!(out, "@@ -{} +{} @@", range(group.old), range(group.new))?;
    let mut at = group.old.0;
    for change in &group.changes {
        for text in some(old, at, change.old.0) {
            line(out, " ", text)?;
        }
        for text in some(old, change.old.0, change.old.1) {
            line(out, "-", text)?;
        }
        for text in some(new, change.new.0, change.new.1) {
            line(out, "+", text)?;
        }
        at = change.old.1;
    }
    some(old, at, group.old.1).iter().try_for_each(|text| line(out, " ", text))
}

fn context(out: &mut dyn Write, old: &Lines<'_>, new: &Lines<'_>, group: &Group) -> io::Result<()> {
    out.write_all(b"***************\n")?;
    writeln!(out, "*** {} ****", range(group.old))?;
    if group.changes.iter().any(|change| change.old.1 > change.old.0) {
        side(out, old, group.old, &group.changes, |change| (change.old, change.new), "- ")?;
    }
    writeln!(out, "--- {} ----", range(group.new))?;
    if group.changes.iter().any(|change| change.new.1 > change.new.0) {
        side(out, new, group.new, &group.changes, |change| (change.new, change.old), "+ ")?;
    }
    Ok(())
}

type Span = (usize, usize);

/// One side's lines; `of` gives a change's lines on this side and on the other.
fn side(
    out: &mut dyn Write,
    lines: &Lines<'_>,
    whole: Span,
    changes: &[Change],
    of: impl Fn(&Change) -> (Span, Span),
    mark: &str,
) -> io::Result<()> {
    let mut at = whole.0;
    for change in changes {
        let (own, other) = of(change);
        for text in some(lines, at, own.0) {
            line(out, "  ", text)?;
        }
        let mark = if other.1 > other.0 { "! " } else { mark };
        for text in some(lines, own.0, own.1) {
            line(out, mark, text)?;
        }
        at = own.1;
    }
    some(lines, at, whole.1).iter().try_for_each(|text| line(out, "  ", text))
}
