//! The hunks of a patch, one after the other.

use super::{Session, Task};
use crate::patch::{
    Form, Hunk,
    apply::{Editing, Misordered, signed},
    choose::may_reverse,
    header::Absent,
    reject,
    settings::Voice,
};

impl<'a> Session<'a> {
    /// Applies the hunks that fit.
    pub(super) fn hunks(
        &mut self,
        task: &mut Task<'a>,
        editing: &mut Editing<'_>,
    ) -> anyhow::Result<()> {
        let mut reader = task.header.hunks.clone();
        loop {
            let read = Hunk::read(task.header.form, &mut reader);
            if reader.peek().is_none() {
                self.say_cut();
            }
            let Some(hunk) = read? else { break };
            task.hunks += 1;
            self.hunk(task, editing, hunk);
        }
        if task.header.form == Form::Ed {
            // Where it ends only ed knows.
            while reader.raw().is_some() {}
        }
        self.reader = reader;
        Ok(())
    }

    fn hunk(&mut self, task: &mut Task<'_>, editing: &mut Editing<'_>, hunk: Hunk) {
        let settings = self.settings;
        let mut hunk = if task.turn.reverse { hunk.reversed() } else { hunk };
        let (at, fuzz) =
            if task.turn.skip { (None, 0) } else { self.locate(task, editing, &mut hunk) };
        let moved = at.map_or(editing.moved, |at| signed(at) + 1 - signed(hunk.old_at));
        editing.moved = moved;
        let line = |at: usize| signed(at).saturating_add(editing.added);
        let shown = line(at.map_or(hunk.old_at, |at| at + 1));
        let number = task.hunks;
        // What a patch would make from nothing, but is there.
        let exists = at == Some(0)
            && task.face(false).absent == Absent::Yes
            && task.found.is_ok_and(|found| found.st_size != 0);
        let done = at.filter(|_| !exists).map(|at| editing.apply(&hunk, at));
        if done == Some(Err(Misordered)) {
            settings.say("misordered hunks! output would be garbled\n");
        }
        if done == Some(Ok(())) {
            if settings.voice == Voice::Verbose || fuzz > 0 || moved != 0 {
                let fuzz = if fuzz > 0 { format!(" with fuzz {fuzz}") } else { String::new() };
                let s = if moved == 1 { "" } else { "s" };
                let by =
                    if moved == 0 { String::new() } else { format!(" (offset {moved} line{s})") };
                settings.tell(&format!("Hunk #{number} succeeded at {shown}{fuzz}{by}.\n"));
            }
            return;
        }
        let unified = match settings.reject_form {
            None => task.header.form == Form::Unified,
            Some(form) => form == Form::Unified,
        };
        if task.failed == 0 {
            task.rejects = reject::head(&task.header, unified, task.turn.reverse);
        }
        task.rejects.extend(reject::hunk(&hunk, task.header.form, unified, editing.added));
        task.failed += 1;
        if settings.voice == Voice::Verbose || !task.turn.skip {
            let word = if task.turn.skip { "ignored" } else { "FAILED" };
            let why = if !task.turn.skip && editing.ends_differ(&hunk, hunk.old_at) {
                " (different line endings)"
            } else {
                ""
            };
            settings.tell(&format!("Hunk #{number} {word} at {shown}{why}.\n"));
        }
    }

    /// Where a hunk fits, and how many lines of its context do not. The first one may show that the patch is meant
    /// backwards.
    fn locate(
        &mut self,
        task: &mut Task<'_>,
        editing: &Editing<'_>,
        hunk: &mut Hunk,
    ) -> (Option<usize>, usize) {
        let settings = self.settings;
        let (before, after) = hunk.context();
        let most = settings.fuzz.min(before.max(after));
        let mut fuzz = 0;
        while fuzz <= most {
            let at = editing.place(hunk, fuzz);
            let exact = at.is_some_and(|at| at + 1 == hunk.old_at) && fuzz == 0;
            task.mismatch |= !exact;
            if at.is_some() {
                return (at, fuzz);
            }
            let may_turn = task.hunks == 1
                && !settings.force
                && !task.anyway
                && task.turn.reverse == settings.reverse;
            if may_turn {
                let back = hunk.reversed();
                if let Some(at) = editing.place(&back, fuzz) {
                    let what = if task.turn.reverse {
                        "Unreversed"
                    } else {
                        "Reversed (or previously applied)"
                    };
                    if may_reverse(settings, &mut task.turn, &format!("{what} patch detected!")) {
                        task.turn.reverse = !task.turn.reverse;
                        *hunk = back;
                        return (Some(at), fuzz);
                    }
                    if task.turn.skip {
                        return (None, fuzz);
                    }
                    task.anyway = true;
                }
            }
            fuzz += 1;
        }
        (None, fuzz)
    }
}
