//! What becomes of a patch: the file, and what did not fit.

use super::{Session, Task};
use crate::patch::{
    folder::{Attributes, Made, Name},
    header::{Absent, Move},
    output::{Change, write_given},
};
use anyhow::Context as _;
use rustix::fs::FileType;
use std::{
    io::{self, Write as _},
    path::Path,
};

impl Session<'_> {
    /// Puts the patched file where it belongs.
    pub(super) fn write(&mut self, task: &mut Task<'_>, data: Vec<u8>) -> anyhow::Result<()> {
        let settings = self.settings;
        let (Some(input), Some(output)) = (task.input.clone(), task.output.clone()) else {
            return Ok(());
        };
        if let Some(path) = &settings.output {
            return self.write_output(path, &data);
        }
        let backup =
            settings.backup || (settings.backup_if_mismatch && (task.mismatch || task.failed > 0));
        let gone = task.face(true).absent == Absent::Yes;
        let remove =
            settings.remove_empty || (gone && !settings.posix) || task.kind == FileType::Symlink;
        let link = task.kind == FileType::Symlink;
        if link {
            // What comes after it may be behind it, and must be seen to be.
            self.outputs.flush()?;
        }
        let later = task.header.git && !link;
        if data.is_empty() && remove {
            return self.change(output, Change::Remove, backup, later);
        }
        if !data.is_empty() && gone && (settings.remove_empty || !settings.posix) {
            task.mismatch = true;
            self.failed = true;
            let shown = settings.show(&output.path);
            settings.tell(&format!("Not deleting file {shown} as content differs from patch\n"));
        }
        let (old_mode, new_mode) = (task.face(false).mode, task.face(true).mode);
        let set_mode = new_mode.filter(|mode| Some(*mode) != old_mode);
        let moved = task.header.moved;
        if task.failed == task.hunks && set_mode.is_none() && moved.is_none() && task.hunks > 0 {
            return self.change(output, Change::Keep, backup, later);
        }
        let attributes = self.attributes(task, set_mode, &output);
        let made = if link { Made::Link(data) } else { Made::File(data) };
        let renamed = moved == Some(Move::Rename) && input != output;
        self.change(output, Change::Put(made, attributes), backup, later)?;
        if renamed && !settings.dry_run {
            self.outputs.remove_renamed(input, backup, later)?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        name: Name,
        change: Change,
        backup: bool,
        later: bool,
    ) -> anyhow::Result<()> {
        if self.settings.dry_run {
            return Ok(());
        }
        self.outputs.change(name, change, backup, later)
    }

    /// Writes to the file of `--output`: what becomes of all files, one after the other.
    fn write_output(&mut self, path: &Path, data: &[u8]) -> anyhow::Result<()> {
        if self.settings.dry_run {
            return Ok(());
        }
        if path == Path::new("-") {
            return Ok(io::stdout().write_all(data)?);
        }
        let again = std::mem::replace(&mut self.written, true);
        let shown = || format!("Can't create file {}", self.settings.show(path));
        write_given(path, data, again).with_context(shown)
    }

    /// The file of `--output` is there also if nothing came of the patch.
    pub(super) fn end_output(&mut self) -> anyhow::Result<()> {
        match &self.settings.output {
            Some(path) if !self.written => self.write_output(path, b""),
            _ => Ok(()),
        }
    }

    /// What the patched file has besides its contents: what the file had, and what the patch says.
    fn attributes(&self, task: &Task<'_>, set_mode: Option<u32>, output: &Name) -> Attributes {
        let settings = self.settings;
        let found = task.found.ok();
        let mode = set_mode.or(found.map(|found| found.st_mode)).map(|mode| mode & 0o777);
        let owner = found.map(|found| (found.st_uid, found.st_gid));
        let (before, after) = (task.face(false), task.face(true));
        let nanoseconds =
            |time: jiff::Timestamp| u32::try_from(time.subsec_nanosecond()).unwrap_or(0);
        let moment = |time: jiff::Timestamp| (time.as_second(), nanoseconds(time));
        let mut time = after.time.filter(|_| settings.set_times).map(moment);
        if time.is_some() && !settings.force {
            let other = before.absent != Absent::Yes
                && before.time.zip(found).is_some_and(|(time, found)| {
                    moment(time)
                        != (found.st_mtime, u32::try_from(found.st_mtime_nsec).unwrap_or(0))
                });
            let why = if other {
                Some("time")
            } else if task.mismatch || task.failed > 0 {
                Some("contents")
            } else {
                None
            };
            if let Some(why) = why {
                let shown = settings.show(&output.path);
                settings.say(&format!("Not setting time of file {shown} ({why} mismatch)\n"));
                time = None;
            }
        }
        Attributes { mode, owner, time }
    }

    /// Says how much did not fit, and keeps it.
    pub(super) fn reject(&mut self, task: &Task<'_>) -> anyhow::Result<()> {
        let settings = self.settings;
        let s = if task.hunks == 1 { "" } else { "s" };
        let word = if task.turn.skip { "ignored" } else { "FAILED" };
        let text = format!("{} out of {} hunk{s} {word}", task.failed, task.hunks);
        let none = settings.rejects.as_deref() == Some(Path::new("-"));
        let Some(output) = task.output.as_ref().filter(|_| !none && !settings.dry_run) else {
            settings.say(&format!("{text}\n"));
            return Ok(());
        };
        let name = self.outputs.reject_name(output);
        let shown = settings.show(&name.path);
        settings.say(&format!("{text} -- saving rejects to file {shown}\n"));
        self.outputs.reject(&name, task.rejects.clone())
    }
}
