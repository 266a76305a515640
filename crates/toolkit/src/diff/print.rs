//! The forms that show changes among the lines around them, or alone: unified, context, normal.

use super::{
    Change,
    functions::Functions,
    look::{Look, Mark, Part},
    settings::{Form, Settings},
};
use std::io::{self, Write};

/// A file's lines as they are, each with its end, if it has one.
pub(crate) type Lines<'a> = [&'a [u8]];

/// From which line to before which, counted from 0.
pub(crate) type Span = (usize, usize);

const fn close(text: &'static str) -> Mark {
    Mark { text, apart: false }
}

const fn apart(text: &'static str) -> Mark {
    Mark { text, apart: true }
}

pub(crate) fn some<'a, 'b>(lines: &'b Lines<'a>, (from, to): Span) -> &'b [&'a [u8]] {
    lines.get(from..to).unwrap_or_default()
}

/// Both files, and where to write what differs.
pub(crate) struct Printer<'a> {
    pub(crate) out: &'a mut dyn Write,
    pub(crate) look: &'a Look,
    pub(crate) old: &'a Lines<'a>,
    pub(crate) new: &'a Lines<'a>,
}

/// `3` or `3,5`; of no lines the line before.
pub(crate) fn range((from, to): Span, between: char) -> String {
    if to > from + 1 { format!("{}{between}{to}", from + 1) } else { to.to_string() }
}

impl Printer<'_> {
    /// The changes without anything around them.
    pub(crate) fn normal(&mut self, changes: &[Change]) -> io::Result<()> {
        for change in changes.iter().filter(|change| !change.ignored) {
            let place =
                format!("{}{}{}", range(change.old, ','), change.letter(), range(change.new, ','));
            self.look.paint(self.out, Part::Place, place.as_bytes())?;
            self.out.write_all(b"\n")?;
            self.lines(some(self.old, change.old), Part::Removed, apart("<"))?;
            if change.letter() == 'c' {
                self.out.write_all(b"---\n")?;
            }
            self.lines(some(self.new, change.new), Part::Added, apart(">"))?;
        }
        Ok(())
    }

    /// The changes among the lines around them.
    pub(crate) fn grouped(&mut self, settings: &Settings, changes: &[Change]) -> io::Result<()> {
        let mut functions = Functions::new(settings.functions.as_ref(), self.old);
        for group in groups(changes, settings.around, self.old.len(), self.new.len()) {
            let function = functions.before(group.old.0);
            match settings.form {
                Form::Context => self.context(&group, function)?,
                _ => self.unified(&group, function)?,
            }
        }
        Ok(())
    }

    fn lines(&mut self, lines: &Lines<'_>, part: Part, mark: Mark) -> io::Result<()> {
        lines.iter().try_for_each(|line| self.look.line(self.out, part, mark, line))
    }

    fn unified(&mut self, group: &Group, function: Option<&[u8]>) -> io::Result<()> {
        let range = |(from, to): Span| match to - from {
            0 => format!("{from},0"),
            1 => to.to_string(),
            count => format!("{},{count}", from + 1),
        };
        let place = format!("@@ -{} +{} @@", range(group.old), range(group.new));
        self.look.paint(self.out, Part::Place, place.as_bytes())?;
        self.function(function)?;
        let mut at = group.old.0;
        for change in &group.changes {
            self.lines(some(self.old, (at, change.old.0)), Part::Plain, close(" "))?;
            self.lines(some(self.old, change.old), Part::Removed, close("-"))?;
            self.lines(some(self.new, change.new), Part::Added, close("+"))?;
            at = change.old.1;
        }
        self.lines(some(self.old, (at, group.old.1)), Part::Plain, close(" "))
    }

    /// What stands behind a group's place.
    fn function(&mut self, function: Option<&[u8]>) -> io::Result<()> {
        if let Some(text) = function {
            self.out.write_all(b" ")?;
            self.out.write_all(text)?;
        }
        self.out.write_all(b"\n")
    }

    fn context(&mut self, group: &Group, function: Option<&[u8]>) -> io::Result<()> {
        self.out.write_all(b"***************")?;
        self.function(function)?;
        let place = format!("*** {} ****", range(group.old, ','));
        self.look.paint(self.out, Part::Place, place.as_bytes())?;
        self.out.write_all(b"\n")?;
        if group.changes.iter().any(|change| change.old.1 > change.old.0) {
            let spans = |change: &Change| (change.old, change.new);
            self.side(self.old, group.old, &group.changes, spans, (Part::Removed, apart("-")))?;
        }
        let place = format!("--- {} ----", range(group.new, ','));
        self.look.paint(self.out, Part::Place, place.as_bytes())?;
        self.out.write_all(b"\n")?;
        if group.changes.iter().any(|change| change.new.1 > change.new.0) {
            let spans = |change: &Change| (change.new, change.old);
            self.side(self.new, group.new, &group.changes, spans, (Part::Added, apart("+")))?;
        }
        Ok(())
    }

    /// One side's lines; `of` gives a change's lines on this side and on the other.
    fn side(
        &mut self,
        lines: &Lines<'_>,
        whole: Span,
        changes: &[Change],
        of: impl Fn(&Change) -> (Span, Span),
        (part, mark): (Part, Mark),
    ) -> io::Result<()> {
        let mut at = whole.0;
        for change in changes {
            let (own, other) = of(change);
            self.lines(some(lines, (at, own.0)), part, apart(" "))?;
            let mark = if other.1 > other.0 { apart("!") } else { mark };
            self.lines(some(lines, own), part, mark)?;
            at = own.1;
        }
        self.lines(some(lines, (at, whole.1)), part, apart(" "))
    }
}

/// Changes so near to each other that they are shown as one, with the lines around them.
struct Group {
    old: Span,
    new: Span,
    changes: Vec<Change>,
}

fn groups(changes: &[Change], around: usize, old_len: usize, new_len: usize) -> Vec<Group> {
    let mut groups: Vec<Vec<Change>> = Vec::new();
    for change in changes {
        let far = around.saturating_mul(2).saturating_add(1);
        let reach = if change.ignored { around } else { far };
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|last| change.old.0 - last.old.1 < reach) => {
                group.push(*change);
            }
            _ => groups.push(vec![*change]),
        }
    }
    groups.retain(|group| !group.iter().all(|change| change.ignored));
    let before = |at: usize| at.saturating_sub(around);
    let after = |at: usize, end: usize| at.saturating_add(around).min(end);
    let whole = |changes: Vec<Change>| {
        let (first, last) = (changes.first()?, changes.last()?);
        Some(Group {
            old: (before(first.old.0), after(last.old.1, old_len)),
            new: (before(first.new.0), after(last.new.1, new_len)),
            changes,
        })
    };
    groups.into_iter().filter_map(whole).collect()
}
