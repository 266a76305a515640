//! The forms that are commands: for `ed`, and as RCS keeps its versions.

use super::{
    Change,
    print::{Lines, Printer, range, some},
};
use std::io::{self, Write};

impl Printer<'_> {
    /// Commands for `ed`, from the last change to the first, so that no line's number changes.
    pub(crate) fn ed(&mut self, changes: &[Change]) -> io::Result<()> {
        for change in changes.iter().rev().filter(|change| !change.ignored) {
            writeln!(self.out, "{}{}", range(change.old, ','), change.letter())?;
            let added = some(self.new, change.new);
            let mut open = !added.is_empty();
            for line in added {
                if !open {
                    self.out.write_all(b"a\n")?;
                    open = true;
                }
                // A dot alone would end the text: it is written as two, of which one goes.
                if *line == b".\n" || *line == b"." {
                    self.out.write_all(b"..\n.\ns/.//\n")?;
                    open = false;
                } else {
                    whole(self.out, line)?;
                }
            }
            if open {
                self.out.write_all(b".\n")?;
            }
        }
        Ok(())
    }

    /// Like them, from the first change to the last: for people, as no editor reads it.
    pub(crate) fn forward_ed(&mut self, changes: &[Change]) -> io::Result<()> {
        for change in changes.iter().filter(|change| !change.ignored) {
            writeln!(self.out, "{}{}", change.letter(), range(change.old, ' '))?;
            let added = some(self.new, change.new);
            added.iter().try_for_each(|line| whole(self.out, line))?;
            if !added.is_empty() {
                self.out.write_all(b".\n")?;
            }
        }
        Ok(())
    }

    /// What goes and what comes, counted by the old file's lines.
    pub(crate) fn rcs(&mut self, changes: &[Change]) -> io::Result<()> {
        for change in changes.iter().filter(|change| !change.ignored) {
            if change.old.1 > change.old.0 {
                writeln!(self.out, "d{} {}", change.old.0 + 1, change.old.1 - change.old.0)?;
            }
            if change.new.1 > change.new.0 {
                writeln!(self.out, "a{} {}", change.old.1, change.new.1 - change.new.0)?;
                let added: &Lines<'_> = some(self.new, change.new);
                added.iter().try_for_each(|line| self.out.write_all(line))?;
            }
        }
        Ok(())
    }
}

/// A line with an end, if it has none.
fn whole(out: &mut dyn Write, line: &[u8]) -> io::Result<()> {
    out.write_all(line)?;
    if line.ends_with(b"\n") { Ok(()) } else { out.write_all(b"\n") }
}
