//! A patch's way from its text to its files.

mod hunks;
mod telling;
mod writing;

use super::{
    Fatal, Form,
    apply::Editing,
    choose::{Chooser, Chosen, Turn},
    folder::{Folder, Name},
    header::{self, Face, Header, Move},
    output::Outputs,
    reader::Reader,
    settings::{ReadOnly, Settings},
};
use anyhow::Context as _;
use rustix::{
    fs::{FileType, Stat},
    io::Errno,
};
use std::cell::RefCell;

/// Applies all that a text has; whether all did fit.
pub(crate) fn run(settings: &Settings, text: &[u8]) -> anyhow::Result<bool> {
    let folder = Folder::here(settings.follow).context("Can't open the current folder")?;
    let whole = whole_lines(text);
    let mut session = Session {
        settings,
        folder: &folder,
        outputs: Outputs::new(settings, &folder),
        reader: Reader::new(&whole.text),
        cut: whole.cut,
        git: false,
        failed: false,
        written: false,
    };
    let done = session.all();
    // What fitted before an error stays.
    session.outputs.flush()?;
    session.end_output()?;
    done?;
    Ok(!session.failed)
}

struct Whole {
    text: Vec<u8>,
    cut: bool,
}

/// A text without a last line that has no end: it may have lost more than that.
fn whole_lines(text: &[u8]) -> Whole {
    let start = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (lines, rest) = text.split_at(start);
    // Of the mark that a line has no end, nothing that matters can be lost.
    let marks = rest.starts_with(b"\\");
    let text = if marks { [lines, rest, b"\n"].concat() } else { lines.to_vec() };
    Whole { text, cut: !rest.is_empty() && !marks }
}

struct Session<'a> {
    settings: &'a Settings,
    folder: &'a Folder,
    outputs: Outputs<'a>,
    reader: Reader<'a>,
    /// The text ended within a line, and it was not said yet.
    cut: bool,
    /// The patch before was one of git.
    git: bool,
    failed: bool,
    /// The file of `--output` was begun.
    written: bool,
}

/// A patch and its file.
struct Task<'a> {
    header: Header<'a>,
    turn: Turn,
    /// Symbolic link or regular file.
    kind: FileType,
    input: Option<Name>,
    found: Result<Stat, Errno>,
    /// The file that is made, if the patch gets so far.
    output: Option<Name>,
    hunks: usize,
    /// Those that did not fit, and how they are kept.
    failed: usize,
    rejects: Vec<u8>,
    /// Not even as rejects.
    drop_rejects: bool,
    mismatch: bool,
    /// A hunk fits backwards, but is not to be applied so.
    anyway: bool,
}

impl Task<'_> {
    /// What the patch says of the file as it is, or of what becomes of it.
    fn face(&self, after: bool) -> &Face {
        if self.turn.reverse == after { &self.header.old } else { &self.header.new }
    }
}

impl<'a> Session<'a> {
    fn all(&mut self) -> anyhow::Result<()> {
        let settings = self.settings;
        let begin = self.reader.at;
        if self.reader.text.is_empty() && !self.cut {
            // An empty patch makes a copy, if one was asked for.
            let copies = settings.file.is_some() && settings.output.is_some();
            settings.explain("Hmm...  I can't seem to find a patch in there anywhere.\n");
            return if copies { self.patch(empty(&self.reader)) } else { Ok(()) };
        }
        loop {
            if self.reader.at > begin && self.reader.at >= self.reader.text.len() {
                settings.explain("done\n");
                return Ok(());
            }
            settings.explain("Hmm...");
            let Some(header) = header::find(&self.reader, &settings.terms())? else {
                self.say_cut();
                if self.reader.at == begin {
                    settings.explain("  I can't seem to find a patch in there anywhere.\n");
                    return Err(Fatal("Only garbage was found in the patch input.".into()).into());
                }
                settings.explain("  Ignoring the trailing garbage.\ndone\n");
                return Ok(());
            };
            let before = self.reader.at;
            self.patch(header)?;
            if self.reader.at == before {
                // What began as a hunk was none.
                self.reader.raw();
            }
        }
    }

    /// One patch, of one file.
    fn patch(&mut self, header: Header<'a>) -> anyhow::Result<()> {
        if self.git != header.git {
            self.outputs.flush()?;
            self.git = header.git;
        }
        let mut task = self.task(header)?;
        self.announce(&mut task);
        if task.header.form == Form::Ed && !task.turn.skip {
            return Err(Fatal(
                "ed scripts are refused, for they can run any command; use a unified diff".into(),
            )
            .into());
        }
        let data = if task.turn.skip { Vec::new() } else { self.open(&mut task)? };
        let mut editing = Editing::new(&data, self.settings.blanks, self.settings.ifdef.as_deref());
        self.hunks(&mut task, &mut editing)?;
        if !task.turn.skip {
            self.write(&mut task, editing.finish())?;
        }
        if task.failed > 0 && !task.drop_rejects {
            self.reject(&task)?;
        }
        self.failed |= task.failed > 0 || task.turn.skip;
        Ok(())
    }

    /// Chooses the file.
    fn task(&mut self, header: Header<'a>) -> anyhow::Result<Task<'a>> {
        self.settle_new(&header)?;
        let mut turn = Turn { reverse: self.settings.reverse, skip: false };
        let types =
            [header.old.mode, header.new.mode].map(|mode| mode.map(FileType::from_raw_mode));
        let kind = match types {
            [Some(old), Some(new)] if old != new => None,
            [old, new] => Some(old.or(new).unwrap_or(FileType::RegularFile)),
        };
        let chooser = Chooser {
            settings: self.settings,
            folder: self.folder,
            outputs: &self.outputs,
            said: RefCell::default(),
        };
        let regular = kind.unwrap_or(FileType::RegularFile);
        let Chosen { name: input, found } = chooser.choose(&header, regular, &mut turn);
        let output = match (&self.settings.output, header.moved) {
            (Some(output), _) => Some(Name::of_user(output)),
            (None, None) => input.clone(),
            (None, Some(_)) => {
                let face = if turn.reverse { &header.old } else { &header.new };
                face.name.as_deref().filter(|name| chooser.is_safe(name)).map(Name::of_patch)
            }
        };
        let mut task = Task {
            header,
            turn,
            kind: regular,
            input,
            found,
            output: None,
            hunks: 0,
            failed: 0,
            rejects: Vec::new(),
            drop_rejects: false,
            mismatch: false,
            anyway: false,
        };
        self.check_names(&mut task, kind, output);
        if let (true, Some(name)) = (task.header.git && !task.turn.skip, task.output.clone())
            && self.outputs.settle(&name)?
            && let Some(input) = &task.input
        {
            task.found = self.folder.stat(input);
        }
        Ok(task)
    }

    /// Files that a patch of git made, and this one means, are written: else there would be none.
    fn settle_new(&mut self, header: &Header<'_>) -> anyhow::Result<()> {
        for name in [&header.old.name, &header.new.name].into_iter().flatten() {
            let name = Name::of_patch(name);
            if self.folder.stat(&name).is_err() {
                self.outputs.settle(&name)?;
            }
        }
        Ok(())
    }

    /// What is wrong about the names, so that nothing can be done.
    fn check_names(&mut self, task: &mut Task<'_>, kind: Option<FileType>, output: Option<Name>) {
        let settings = self.settings;
        let skip = match (&task.input, task.header.moved, &output) {
            (None, Some(moved), _) | (_, Some(moved), None) => {
                let word = if moved == Move::Rename { "rename" } else { "copy" };
                Some(format!("Cannot {word} file without two valid file names\n"))
            }
            (Some(input), ..) if matches!(task.found, Err(Errno::LOOP | Errno::XDEV)) => {
                task.drop_rejects = true;
                Some(format!(
                    "Invalid file name {} -- skipping patch\n",
                    settings.show(&input.path)
                ))
            }
            (Some(input), ..) if kind.is_none() => {
                let mode = |after| task.face(after).mode.unwrap_or(0) & 0o170_000;
                let name = settings.show(&input.path);
                let (old, new) = (mode(false), mode(true));
                Some(format!("File {name}: can't change file type from 0{old:o} to 0{new:o}.\n"))
            }
            _ => None,
        };
        if let Some(text) = skip.filter(|_| !task.turn.skip) {
            settings.say(&text);
            task.turn.skip = true;
            self.failed = true;
        } else if !task.turn.skip {
            task.output = output.filter(|_| task.input.is_some());
        }
    }

    /// The file as it is; a patch that cannot be applied to it is skipped.
    fn open(&mut self, task: &mut Task<'_>) -> anyhow::Result<Vec<u8>> {
        let settings = self.settings;
        let (Some(input), Some(output)) = (&task.input, &task.output) else {
            return Ok(Vec::new());
        };
        let (shown, link) = (settings.show(&input.path), task.kind == FileType::Symlink);
        let what = if link { "symbolic link" } else { "regular file" };
        let refusal = match &task.found {
            Ok(found) if !is_kind(found, task.kind) => {
                Some(format!("File {shown} is not a {what} -- refusing to patch\n"))
            }
            Ok(_) if link || self.folder.writable(input) => None,
            Ok(_) => match settings.read_only {
                ReadOnly::Ignore => None,
                ReadOnly::Warn => {
                    settings.say(&format!("File {shown} is read-only; trying to patch anyway\n"));
                    None
                }
                ReadOnly::Fail => Some(format!("File {shown} is read-only; refusing to patch\n")),
            },
            Err(_) => None,
        };
        let binary = task.header.form == Form::GitBinary;
        let binary = binary.then(|| {
            let name = settings.show(&output.path);
            format!("File {name}: git binary diffs are not supported.\n")
        });
        if let Some(text) = refusal.or(binary) {
            settings.say(&text);
            task.turn.skip = true;
            self.failed = true;
            return Ok(Vec::new());
        }
        let data = match task.found {
            Err(Errno::NOENT | Errno::NOTDIR) => Vec::new(),
            _ => self.folder.read(input).with_context(|| format!("Can't open file {shown}"))?,
        };
        self.check_revision(task, &data)?;
        self.say_file(task, input, output);
        Ok(data)
    }

    /// Whether the file has the word that the patch asks for.
    fn check_revision(&self, task: &Task<'_>, data: &[u8]) -> anyhow::Result<()> {
        let Some(word) = &task.header.revision else { return Ok(()) };
        let settings = self.settings;
        let shown = String::from_utf8_lossy(word);
        if data.split(u8::is_ascii_whitespace).any(|other| other == word) {
            settings.explain(&format!("Good.  This file appears to be the {shown} version.\n"));
        } else if settings.force {
            settings.tell(&format!(
                "Warning: this file doesn't appear to be the {shown} version -- patching anyway.\n"
            ));
        } else if settings.batch {
            return Err(Fatal(format!(
                "This file doesn't appear to be the {shown} version -- aborting."
            ))
            .into());
        } else {
            settings.say(&format!(
                "This file doesn't appear to be the {shown} version -- patch anyway? [n] \n"
            ));
            return Err(Fatal("aborted".into()).into());
        }
        Ok(())
    }
}

fn is_kind(found: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(found.st_mode) == kind
}

/// A patch that changes nothing.
fn empty<'a>(reader: &Reader<'a>) -> Header<'a> {
    Header {
        form: Form::Unified,
        old: Face::default(),
        new: Face::default(),
        index: None,
        git: false,
        moved: None,
        revision: None,
        lead: &[],
        hunks: reader.clone(),
    }
}
