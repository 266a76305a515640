//! What is before the hunks of a file: where a patch begins in a text, how it is written, and what it says about the
//! file. Everything else in the text is left out.

use super::{
    Fatal, Form, Hunk,
    names::{Named, git_names, named},
    reader::Reader,
};
use jiff::{Timestamp, tz::TimeZone};

/// How sure it is that a file is not there on one side of a patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Absent {
    #[default]
    No,
    /// It has no lines.
    Empty,
    Yes,
}

/// One side of a patch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Face {
    pub(crate) name: Option<Vec<u8>>,
    /// What is behind the name, as it stands there.
    pub(crate) tail: Vec<u8>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) absent: Absent,
    /// As git writes it: type and permissions.
    pub(crate) mode: Option<u32>,
    nothing: bool,
}

impl Face {
    fn set(&mut self, named: Named) {
        let Named { name, tail, time, nothing } = named;
        if name.is_some() || nothing {
            (self.name, self.tail, self.time, self.nothing) = (name, tail, time, nothing);
        }
    }

    /// Of no lines; whether it is there the name or the time says.
    fn has_no_lines(&mut self) {
        self.absent = if self.nothing { Absent::Yes } else { Absent::Empty };
    }
}

/// What git says happens to a file besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Copy,
    Rename,
}

/// A patch of one file, without its hunks.
#[derive(Clone, Debug)]
pub(crate) struct Header<'a> {
    pub(crate) form: Form,
    pub(crate) old: Face,
    pub(crate) new: Face,
    /// The name of an `Index:` line.
    pub(crate) index: Option<Vec<u8>>,
    pub(crate) git: bool,
    pub(crate) moved: Option<Move>,
    /// A word that the file must have, of a `Prereq:` line.
    pub(crate) revision: Option<Vec<u8>>,
    /// What the text says before it.
    pub(crate) lead: &'a [u8],
    /// Where the hunks begin.
    pub(crate) hunks: Reader<'a>,
}

/// How headers are to be read.
pub(crate) struct Terms<'a> {
    pub(crate) strip: Option<usize>,
    pub(crate) zone: &'a TimeZone,
    /// The only form that is looked for.
    pub(crate) form: Option<Form>,
    /// Hunks before any name are not looked at.
    pub(crate) need_name: bool,
    pub(crate) strip_cr: bool,
}

/// The next patch of a text, if there is another one.
pub(crate) fn find<'a>(text: &Reader<'a>, terms: &Terms<'_>) -> Result<Option<Header<'a>>, Fatal> {
    let mut scan = Scan {
        reader: Reader { indent: 0, strip_cr: false, ..text.clone() },
        base: text.at,
        terms,
        upper: Face::default(),
        lower: Face::default(),
        index: None,
        git: false,
        extended: false,
        moved: None,
        revision: None,
        need_name: terms.need_name && !matches!(terms.form, Some(Form::Ed | Form::Normal)),
        strip_cr: false,
        indent: 0,
        command: None,
    };
    scan.run()
}

/// The line before the one that is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Of a context hunk, behind so many columns of blanks.
    Stars(usize),
    Command,
    Other,
}

struct Scan<'a, 't> {
    reader: Reader<'a>,
    base: usize,
    terms: &'t Terms<'t>,
    /// In unified patches the first name is that of `---`, in context patches that of `***`: `upper` is of `***` or
    /// `+++`, `lower` of `---`.
    upper: Face,
    lower: Face,
    index: Option<Vec<u8>>,
    git: bool,
    /// Lines of git said something that needs no hunk.
    extended: bool,
    moved: Option<Move>,
    revision: Option<Vec<u8>>,
    need_name: bool,
    strip_cr: bool,
    indent: usize,
    /// Where the first line was that may be one of an ed script.
    command: Option<Reader<'a>>,
}

impl<'a> Scan<'a, '_> {
    fn run(&mut self) -> Result<Option<Header<'a>>, Fatal> {
        let (mut before, mut last) = (self.reader.clone(), Last::Other);
        loop {
            let here = self.reader.clone();
            let mut line = self.reader.raw();
            while line.is_some_and(|line| line.starts_with(b"#")) {
                line = self.reader.raw();
            }
            let Some(raw) = line else {
                // Nothing but deletions, which no dot ends.
                if let Some(command) = self.command.clone().filter(|_| self.only_ed()) {
                    return self.finish(Form::Ed, command).map(Some);
                }
                return if self.extended {
                    self.finish(Form::Unified, here).map(Some)
                } else {
                    Ok(None)
                };
            };
            let (indent, line) = indented(raw);
            let (cr, trimmed) = match line.strip_suffix(b"\r\n") {
                Some(trimmed) => (true, trimmed),
                None => (false, line.strip_suffix(b"\n").unwrap_or(line)),
            };
            if self.extended && trimmed.starts_with(b"diff --git ") {
                return self.finish(Form::Unified, here).map(Some);
            }
            let command = normal_command(trimmed);
            if !self.need_name && self.command.is_none() && (command || ed_command(trimmed)) {
                self.command = Some(here.clone());
                (self.indent, self.strip_cr) = (indent, cr);
            }
            self.name_line(line, cr, last);
            if self.git && trimmed.starts_with(b"GIT binary patch") {
                return self.finish(Form::GitBinary, here).map(Some);
            }
            if !self.need_name {
                let begins = self.begin(trimmed, indent, last);
                if let Some(form) = begins {
                    if form != Form::Ed {
                        self.indent = indent;
                    }
                    if matches!(form, Form::Context | Form::OldContext) {
                        self.strip_cr = cr;
                    }
                    let start = match form {
                        Form::Unified => here,
                        Form::Ed => self.command.take().unwrap_or(here),
                        _ => before,
                    };
                    return self.finish(form, start).map(Some);
                }
            }
            last = if trimmed.starts_with(b"********") {
                Last::Stars(indent)
            } else if command {
                Last::Command
            } else {
                Last::Other
            };
            before = here;
        }
    }

    /// Takes what a line of a header says. `line` has its end.
    fn name_line(&mut self, line: &[u8], cr: bool, last: Last) {
        let terms = self.terms;
        let read = |text: &[u8]| named(text, terms.strip, terms.zone);
        if let Some(rest) = line.strip_prefix(b"*** ").filter(|_| !matches!(last, Last::Stars(_))) {
            self.upper.set(read(rest));
        } else if let Some(rest) = line.strip_prefix(b"+++ ") {
            self.upper.set(read(rest));
            self.strip_cr = cr;
        } else if let Some(rest) = line.strip_prefix(b"--- ") {
            self.lower.set(read(rest));
            self.strip_cr = cr;
        } else if let Some(rest) = line.strip_prefix(b"Index:") {
            self.index = read(rest).name.or(self.index.take());
            self.strip_cr = cr;
        } else if let Some(rest) = line.strip_prefix(b"Prereq:") {
            let word = rest.trim_ascii_start().split(u8::is_ascii_whitespace).next();
            self.revision = word.filter(|word| !word.is_empty()).map(<[u8]>::to_vec);
            return;
        } else if let Some(rest) = line.strip_prefix(b"diff --git ") {
            let (old, new) = git_names(rest, terms.strip).unzip();
            (self.upper.name, self.lower.name) = (old, new);
            self.git = true;
        } else {
            if self.git {
                self.git_line(line.trim_ascii_end());
            }
            return;
        }
        self.need_name = false;
    }

    /// What git says besides the names: those of this header are without the part that is stripped of the others, so
    /// they are of no use.
    fn git_line(&mut self, line: &[u8]) {
        let rest = |word: &str| line.strip_prefix(word.as_bytes());
        if let Some(rest) = rest("index ") {
            let Some((old, new, mode)) = hashes(rest) else { return };
            (self.upper.absent, self.lower.absent) = (absent(old), absent(new));
            if mode.is_some() {
                (self.upper.mode, self.lower.mode) = (mode, mode);
            }
        } else if let Some(text) = rest("old mode ") {
            self.upper.mode = mode(text);
        } else if let Some(text) = rest("new mode ") {
            self.lower.mode = mode(text);
        } else if let Some(text) = rest("deleted file mode ") {
            (self.upper.mode, self.lower.absent) = (mode(text), Absent::Yes);
        } else if let Some(text) = rest("new file mode ") {
            (self.lower.mode, self.upper.absent) = (mode(text), Absent::Yes);
        } else if rest("rename from ").or(rest("rename to ")).is_some() {
            self.moved = Some(Move::Rename);
        } else if rest("copy from ").or(rest("copy to ")).is_some() {
            self.moved = Some(Move::Copy);
        } else {
            return;
        }
        self.extended = true;
    }

    /// Whether the first command is one of ed, which normal hunks have not.
    fn only_ed(&self) -> bool {
        let first = self.command.clone().and_then(|mut reader| reader.raw());
        self.wanted(Form::Ed)
            && first.is_some_and(|line| ed_command(indented(line).1.trim_ascii_end()))
    }

    fn wanted(&self, form: Form) -> bool {
        self.terms.form.is_none_or(|only| only == form)
    }

    /// Whether hunks begin at a line, and of which form.
    fn begin(&mut self, line: &[u8], indent: usize, last: Last) -> Option<Form> {
        if self.wanted(Form::Ed) && self.command.is_some() && line == b"." {
            return Some(Form::Ed);
        }
        if self.wanted(Form::Unified)
            && let Some(rest) = line.strip_prefix(b"@@ -")
        {
            // The names of git's first line are in their order already.
            self.swap_names();
            let new = rest.iter().position(|byte| *byte == b'+').and_then(|at| rest.get(at + 1..));
            if is_zero(rest) {
                self.upper.has_no_lines();
            }
            if new.is_some_and(is_zero) {
                self.lower.has_no_lines();
            }
            return Some(Form::Unified);
        }
        if self.wanted(Form::Context)
            && last == Last::Stars(indent)
            && let Some(rest) = line.strip_prefix(b"*** ")
        {
            if is_zero(rest) {
                self.upper.has_no_lines();
            }
            return Some(if line.ends_with(b"*") { Form::Context } else { Form::OldContext });
        }
        let sides = line.starts_with(b"< ") || line.starts_with(b"> ");
        (self.wanted(Form::Normal) && last == Last::Command && sides).then_some(Form::Normal)
    }

    fn swap_names(&mut self) {
        std::mem::swap(&mut self.upper.name, &mut self.lower.name);
        std::mem::swap(&mut self.upper.tail, &mut self.lower.tail);
        std::mem::swap(&mut self.upper.time, &mut self.lower.time);
        std::mem::swap(&mut self.upper.nothing, &mut self.lower.nothing);
    }

    fn finish(&mut self, form: Form, start: Reader<'a>) -> Result<Header<'a>, Fatal> {
        let strip_cr = self.strip_cr && self.terms.strip_cr;
        let hunks = Reader { indent: self.indent, strip_cr, ..start };
        if matches!(form, Form::Context | Form::OldContext) {
            // On the new side nothing is left if the only hunk says so.
            let first = Hunk::read(form, &mut hunks.clone())?;
            if first.is_some_and(|hunk| hunk.new_lines().next().is_none() && hunk.new_at == 1) {
                self.lower.has_no_lines();
            }
        }
        Ok(Header {
            form,
            old: std::mem::take(&mut self.upper),
            new: std::mem::take(&mut self.lower),
            index: self.index.take(),
            git: self.git,
            moved: self.moved,
            revision: self.revision.take(),
            lead: self.reader.text.get(self.base..hunks.at).unwrap_or_default(),
            hunks,
        })
    }
}

/// A line without the blanks before it, and how many columns they are.
fn indented(line: &[u8]) -> (usize, &[u8]) {
    let (mut column, mut rest) = (0, line);
    loop {
        match rest {
            [b' ' | b'X', after @ ..] => (column, rest) = (column + 1, after),
            [b'\t', after @ ..] => (column, rest) = ((column + 8) & !7, after),
            _ => return (column, rest),
        }
    }
}

/// `0` and no further digit.
fn is_zero(text: &[u8]) -> bool {
    text.strip_prefix(b"0").is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_digit))
}

/// `3a4,5`, `3,4c3` or `3d2`.
fn normal_command(line: &[u8]) -> bool {
    let digits = |byte: &u8| byte.is_ascii_digit() || *byte == b',';
    let Some(at) = line.iter().position(|byte| !digits(byte)) else { return false };
    let (before, after) = line.split_at(at);
    let after = after.trim_ascii_end();
    before.first().is_some_and(u8::is_ascii_digit)
        && after.first().is_some_and(|byte| b"acd".contains(byte))
        && after.get(1..).is_some_and(|rest| rest.iter().all(digits))
}

/// A command as `diff -e` writes it.
fn ed_command(line: &[u8]) -> bool {
    let at = line.iter().position(|byte| !byte.is_ascii_digit() && *byte != b',');
    at.is_some_and(|at| {
        let (numbers, command) = line.split_at(at);
        let numbered = numbers.first().is_some_and(u8::is_ascii_digit);
        (numbered && matches!(command, b"a" | b"c" | b"d" | b"i"))
            || (numbers.is_empty() && command == b"s/.//")
    })
}

/// `1234abc..0000000 100644`: both names that git gives the contents, and the mode.
fn hashes(text: &[u8]) -> Option<(&[u8], &[u8], Option<u32>)> {
    let text = str::from_utf8(text).ok()?;
    let (old, rest) = text.split_once("..")?;
    let (new, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hexadecimal(old) && hexadecimal(new))
        .then(|| (old.as_bytes(), new.as_bytes(), mode(rest.as_bytes())))
}

/// What git's name of the contents says about them.
fn absent(hash: &[u8]) -> Absent {
    const OF_NOTHING: &[u8] = b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
    if !hash.is_empty() && hash.iter().all(|byte| *byte == b'0') {
        Absent::Yes
    } else if hash.len() >= 7 && OF_NOTHING.starts_with(hash) {
        Absent::Empty
    } else {
        Absent::No
    }
}

/// Type and permissions, octal.
fn mode(text: &[u8]) -> Option<u32> {
    let text = str::from_utf8(text).ok()?.split_ascii_whitespace().next()?;
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o177_777)
}
