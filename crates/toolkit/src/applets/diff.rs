//! `diff`: what differs between files or folders.

use crate::{
    applet::{Applet, Args, Opt, reason, usage_error},
    dates::{date, offset},
    diff::{
        self,
        print::{self, Form},
    },
    glob,
};
use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs,
    io::{self, BufWriter, Read, Write},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "diff",
    summary: "Prints what differs; status 0 if nothing, 1 if something, 2 for an error.",
    usage: "[OPTION]... FILE1 FILE2",
    options: &[
        flag('u', "unified-3", "unified, with 3 lines around each change"),
        value('U', "unified-lines", "N", "unified, with N lines"),
        value('\0', "unified", "[N]", "the same"),
        flag('c', "context-3", "in context, with 3 lines around each change"),
        value('C', "context-lines", "N", "in context, with N lines"),
        value('\0', "context", "[N]", "the same"),
        flag('\0', "normal", "neither (so if nothing is said)"),
        flag('q', "brief", "only whether they differ"),
        flag('s', "report-identical-files", "say when they do not"),
        flag('r', "recursive", "folders with what is below them"),
        flag('N', "new-file", "a file that is missing is empty"),
        flag('i', "ignore-case", "upper and lower case are the same"),
        flag('b', "ignore-space-change", "any amount of space is the same"),
        flag('w', "ignore-all-space", "space does not count"),
        flag('Z', "ignore-trailing-space", "space at a line's end does not count"),
        flag('B', "ignore-blank-lines", "changes of empty lines only do not count"),
        flag('\0', "strip-trailing-cr", "a carriage return at a line's end does not count"),
        flag('a', "text", "treat every file as text"),
        value('L', "label", "TEXT", "instead of the file's name and time; twice"),
        value('x', "exclude", "GLOB", "with -r leave out such names"),
        flag('d', "minimal", "understood: the result is always the smallest"),
        flag('p', "show-c-function", "understood, without effect"),
        flag('t', "expand-tabs", "understood, without effect"),
        value('\0', "color", "[WHEN]", "understood, without effect"),
    ],
    notes: "",
    example: "diff -u /mnt/etc/fstab.bak /mnt/etc/fstab",
    run,
};

/// How to compare and to write.
struct Settings<'a> {
    args: &'a Args,
    form: Form,
    labels: Vec<OsString>,
    /// The options as given, for the line above each pair of a folder.
    words: String,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let [old, new] = args.operands.as_slice() else { return usage_error("two files are needed") };
    let around = |option: &str| -> anyhow::Result<Option<usize>> {
        match args.value(option) {
            None => Ok(None),
            Some(empty) if empty.is_empty() => Ok(Some(3)),
            Some(_) => args.number(option),
        }
    };
    let unified = around("unified-lines")?.or(around("unified")?);
    let context = around("context-lines")?.or(around("context")?);
    let form = match (unified, context) {
        (Some(lines), _) => Form::Unified(lines),
        (_, Some(lines)) => Form::Context(lines),
        _ if args.has("unified-3") => Form::Unified(3),
        _ if args.has("context-3") => Form::Context(3),
        _ => Form::Normal,
    };
    let settings = Settings {
        args,
        form,
        labels: args.values("label").map(OsString::from).collect(),
        words: words(),
    };
    let (mut old, mut new) = (PathBuf::from(old), PathBuf::from(new));
    // A folder beside a file means the file of that name in it.
    if old.is_dir() && !new.is_dir() && new != Path::new("-") {
        old.push(new.file_name().unwrap_or_default());
    } else if new.is_dir() && !old.is_dir() && old != Path::new("-") {
        new.push(old.file_name().unwrap_or_default());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let status = if old.is_dir() && new.is_dir() {
        settings.folders(&old, &new, &mut out)?
    } else {
        settings.files(&old, &new, &mut out, false)?
    };
    out.flush()?;
    Ok(status)
}

/// The options of the command line, as they were written.
fn words() -> String {
    let all: Vec<OsString> = std::env::args_os().collect();
    let end = all.len().saturating_sub(2);
    let options = all.get(1..end).unwrap_or_default().iter().filter(|word| *word != "diff");
    options.map(|word| format!(" {}", word.display())).collect()
}

/// A file's data; a missing one is empty where that is allowed.
fn read(path: &Path, absent: bool) -> io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut data = Vec::new();
        io::stdin().read_to_end(&mut data)?;
        return Ok(data);
    }
    match fs::read(path) {
        Err(error) if absent && error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

impl Settings<'_> {
    fn folders(&self, old: &Path, new: &Path, out: &mut dyn Write) -> anyhow::Result<u8> {
        let names = |path: &Path| -> io::Result<BTreeSet<OsString>> {
            fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
        };
        let (mine, theirs) = (names(old)?, names(new)?);
        let mut status = 0;
        for name in mine.union(&theirs) {
            let skip = |glob_: &OsStr| glob::matches(glob_.as_bytes(), name.as_bytes());
            if self.args.values("exclude").any(skip) {
                continue;
            }
            let (a, b) = (old.join(name), new.join(name));
            let alone = match (mine.contains(name), theirs.contains(name)) {
                (true, false) => Some(old),
                (false, true) => Some(new),
                _ => None,
            };
            let found = match alone {
                Some(folder) if !self.args.has("new-file") => {
                    writeln!(out, "Only in {}: {}", folder.display(), name.display())?;
                    1
                }
                _ => self.pair(&a, &b, out)?,
            };
            status = status.max(found);
        }
        Ok(status)
    }

    fn pair(&self, a: &Path, b: &Path, out: &mut dyn Write) -> anyhow::Result<u8> {
        let folder = |path: &Path| path.is_dir() || !path.exists() && self.args.has("new-file");
        if (a.is_dir() || b.is_dir()) && folder(a) && folder(b) {
            if self.args.has("recursive") {
                if !a.exists() || !b.exists() {
                    return self.alone(a, b, out);
                }
                return self.folders(a, b, out);
            }
            writeln!(out, "Common subdirectories: {} and {}", a.display(), b.display())?;
            return Ok(0);
        }
        match (fs::metadata(a), fs::metadata(b)) {
            // Others may never end.
            (Ok(mine), Ok(theirs)) if !(mine.is_file() && theirs.is_file()) => {
                let (a, b, mine, theirs) = (a.display(), b.display(), kind(&mine), kind(&theirs));
                writeln!(out, "File {a} is a {mine} while file {b} is a {theirs}")?;
                Ok(1)
            }
            _ => self.files(a, b, out, true),
        }
    }

    /// A folder on one side only, with -N: each of its files against nothing.
    fn alone(&self, a: &Path, b: &Path, out: &mut dyn Write) -> anyhow::Result<u8> {
        let there = if a.exists() { a } else { b };
        let mut names: Vec<OsString> =
            fs::read_dir(there)?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        names.sort();
        let mut status = 0;
        for name in names {
            status = status.max(self.pair(&a.join(&name), &b.join(&name), out)?);
        }
        Ok(status)
    }

    fn files(&self, a: &Path, b: &Path, out: &mut dyn Write, below: bool) -> anyhow::Result<u8> {
        let absent = self.args.has("new-file");
        let mut failed = false;
        let mut load = |path: &Path| match read(path, absent) {
            Ok(data) => data,
            Err(error) => {
                eprintln!("diff: {}: {}", path.display(), reason(&error));
                failed = true;
                Vec::new()
            }
        };
        // Standard input beside itself is the same, and left for others to read.
        let both = a == b && a == Path::new("-");
        let (old, new) = if both { Default::default() } else { (load(a), load(b)) };
        if failed {
            return Ok(2);
        }
        let (old, new) = match self.args.has("strip-trailing-cr") {
            true => (without_returns(old), without_returns(new)),
            false => (old, new),
        };
        let binary = |data: &[u8]| data.iter().take(32768).any(|byte| *byte == 0);
        let same = old == new;
        if !same && !self.args.has("text") && (binary(&old) || binary(&new)) {
            let word = if self.args.has("brief") { "Files" } else { "Binary files" };
            writeln!(out, "{word} {} and {} differ", a.display(), b.display())?;
            return Ok(1);
        }
        let (old, new) = (lines(&old), lines(&new));
        let changes = if same { Vec::new() } else { self.changes(&old, &new) };
        if changes.iter().all(|change| change.ignored) {
            if self.args.has("report-identical-files") {
                writeln!(out, "Files {} and {} are identical", a.display(), b.display())?;
            }
            return Ok(0);
        }
        if self.args.has("brief") {
            writeln!(out, "Files {} and {} differ", a.display(), b.display())?;
            return Ok(1);
        }
        if below {
            writeln!(out, "diff{} {} {}", self.words, a.display(), b.display())?;
        }
        match self.form {
            Form::Normal => {}
            Form::Unified(_) => self.header(out, "---", "+++", a, b)?,
            Form::Context(_) => self.header(out, "***", "---", a, b)?,
        }
        print::write(out, self.form, &old, &new, &changes)?;
        Ok(1)
    }

    fn header(&self, out: &mut dyn Write, m: &str, n: &str, a: &Path, b: &Path) -> io::Result<()> {
        for (at, (mark, path)) in [(m, a), (n, b)].into_iter().enumerate() {
            match self.labels.get(at) {
                Some(label) => writeln!(out, "{mark} {}", label.display())?,
                None => {
                    let time = time(path, matches!(self.form, Form::Context(_)));
                    writeln!(out, "{mark} {}\t{time}", path.display())?;
                }
            }
        }
        Ok(())
    }

    fn changes(&self, old: &[&[u8]], new: &[&[u8]]) -> Vec<diff::Change> {
        let keys =
            |lines: &[&[u8]]| -> Vec<Vec<u8>> { lines.iter().map(|l| self.key(l)).collect() };
        let mut changes = diff::compare(&keys(old), &keys(new));
        if self.args.has("ignore-blank-lines") {
            let blank = |lines: &[&[u8]], (from, to): (usize, usize)| {
                lines
                    .get(from..to)
                    .unwrap_or_default()
                    .iter()
                    .all(|line| line.trim_ascii().is_empty())
            };
            for change in &mut changes {
                change.ignored = blank(old, change.old) && blank(new, change.new);
            }
        }
        changes
    }

    /// What is compared of a line.
    fn key(&self, line: &[u8]) -> Vec<u8> {
        let has = |option| self.args.has(option);
        let mut key = line.to_vec();
        if has("ignore-case") {
            key.make_ascii_lowercase();
        }
        let space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 11;
        if has("ignore-all-space") {
            key.retain(|byte| !space(byte));
        } else if has("ignore-space-change") || has("ignore-trailing-space") {
            key.truncate(key.iter().rposition(|byte| !space(byte)).map_or(0, |at| at + 1));
            if has("ignore-space-change") {
                key.iter_mut().filter(|byte| space(byte)).for_each(|byte| *byte = b' ');
                key.dedup_by(|a, b| *a == b' ' && *b == b' ');
            }
        }
        key
    }
}

/// What a file is, in GNU's words.
fn kind(file: &fs::Metadata) -> &'static str {
    let is = file.file_type();
    if is.is_dir() {
        "directory"
    } else if is.is_fifo() {
        "fifo"
    } else if is.is_char_device() {
        "character special file"
    } else if is.is_block_device() {
        "block special file"
    } else if is.is_socket() {
        "socket"
    } else if file.len() == 0 {
        "regular empty file"
    } else {
        "regular file"
    }
}

/// The text with each CR LF as LF.
fn without_returns(mut data: Vec<u8>) -> Vec<u8> {
    let mut next = data.iter().skip(1).copied().collect::<Vec<u8>>().into_iter();
    data.retain(|byte| next.next() != Some(b'\n') || *byte != b'\r');
    data
}

/// The lines with their ends.
fn lines(data: &[u8]) -> Vec<&[u8]> {
    data.split_inclusive(|byte| *byte == b'\n').collect()
}

/// When a file was changed.
fn time(path: &Path, context: bool) -> String {
    let now =
        || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let (seconds, nanos) = match fs::metadata(path) {
        Ok(meta) => (meta.mtime(), meta.mtime_nsec()),
        Err(_) if path == Path::new("-") => (i64::try_from(now().as_secs()).unwrap_or(0), 0),
        Err(_) => (0, 0),
    };
    let date = date(seconds);
    if context {
        let (weekday, month, day) = (date.weekday, date.month, date.day);
        return format!("{weekday} {month} {day:>2} {} {}", date.time, date.year);
    }
    let ahead = offset(seconds) / 60;
    let sign = if ahead < 0 { '-' } else { '+' };
    let zone = format!("{sign}{:02}{:02}", ahead.abs() / 60, ahead.abs() % 60);
    format!("{} {}.{nanos:09} {zone}", date.iso(), date.time)
}
