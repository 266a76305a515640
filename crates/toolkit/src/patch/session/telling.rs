//! What is said about a patch before its hunks.

use super::{Session, Task};
use crate::patch::{Form, folder::Name, header::Move, settings::Voice};
use rustix::fs::FileType;

impl Session<'_> {
    /// Says what was found, and whether the file was.
    pub(super) fn announce(&mut self, task: &mut Task<'_>) {
        let (settings, header) = (self.settings, &task.header);
        let missing = task.input.is_none();
        if task.turn.skip {
            return;
        }
        let looks =
            if header.lead.len() == header.hunks.at { "Looks" } else { "The next patch looks" };
        settings.explain(&format!("  {looks} like {} to me...\n", named(header.form)));
        let indent = header.hunks.indent;
        if indent > 0 {
            let s = if indent == 1 { "" } else { "s" };
            settings.tell(&format!("(Patch is indented {indent} space{s}.)\n"));
        }
        if header.hunks.strip_cr {
            settings.tell("(Stripping trailing CRs from patch; use --binary to disable.)\n");
        }
        if missing {
            // At the end there is no line for hunks to begin at.
            let line = header.hunks.line + usize::from(header.hunks.at < header.hunks.text.len());
            settings.tell(&format!("can't find file to patch at input line {line}\n"));
            if !matches!(header.form, Form::Ed | Form::Normal) {
                let how =
                    if settings.strip.is_none() { "should have used" } else { "used the wrong" };
                let the = if settings.strip.is_none() { "the " } else { "" };
                settings.tell(&format!("Perhaps you {how} {the}-p or --strip option?\n"));
            }
        }
        if (missing || settings.voice == Voice::Verbose) && !header.lead.is_empty() {
            let bar = "-".repeat(26);
            settings.say(&format!("The text leading up to this was:\n{bar}\n"));
            for line in header.lead.split_inclusive(|byte| *byte == b'\n') {
                settings.say(&format!("|{}", String::from_utf8_lossy(line)));
            }
            settings.say(&format!("{bar}\n"));
        }
        if missing {
            (self.failed, task.turn.skip) = (true, true);
            if settings.force || settings.batch {
                settings.say("No file to patch.  Skipping patch.\n");
            } else {
                settings.say("File to patch: \nSkip this patch? [y] \n");
                settings.tell("Skipping patch.\n");
            }
        }
    }

    /// Says, once, that the text ended within a line.
    pub(super) fn say_cut(&mut self) {
        if std::mem::take(&mut self.cut) {
            self.settings.say("patch unexpectedly ends in middle of line\n");
        }
    }

    /// Says which file is patched.
    pub(super) fn say_file(&self, task: &Task<'_>, input: &Name, output: &Name) {
        let settings = self.settings;
        let word = if settings.dry_run { "checking" } else { "patching" };
        let what = if task.kind == FileType::Symlink { "symbolic link" } else { "file" };
        let mut text = format!("{word} {what} {}", settings.show(&output.path));
        let moved = match task.header.moved {
            Some(Move::Copy) => "copied",
            Some(Move::Rename) => "renamed",
            None => "read",
        };
        if input.path != output.path {
            // GNU's puts no quotes around this one.
            text += &format!(" ({moved} from {})", input.path.display());
        } else if let (Some(Move::Rename), Some(from)) = (task.header.moved, &task.face(false).name)
        {
            let from = settings.show(&Name::of_patch(from).path);
            text += &format!(" (already {moved} from {from})");
        }
        settings.tell(&format!("{text}\n"));
        settings.explain("Using Plan A...\n");
    }
}

fn named(form: Form) -> &'static str {
    match form {
        Form::Unified => "a unified diff",
        Form::Context => "a new-style context diff",
        Form::OldContext => "a context diff",
        Form::Normal => "a normal diff",
        Form::Ed => "an ed script",
        Form::GitBinary => "a git binary diff",
    }
}
