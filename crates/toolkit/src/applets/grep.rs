//! `grep`: the lines that match.

mod colours;
mod lines;
mod patterns;
mod walk;

use crate::{
    applet::{Applet, Args, Opt, reason, usage_error},
    glob,
    matcher::{Kind, Matcher, refusal},
};
use colours::Colours;
use patterns::{Pattern, kind, patterns};
use std::{
    cell::Cell,
    collections::HashSet,
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufReader, IsTerminal as _, Seek as _, Write},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};
use walk::Walk;

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

/// `grep -E` by its old name.
pub(crate) static EGREP: Applet = Applet { name: "egrep", run: egrep, ..APPLET };
/// `grep -F` by its old name.
pub(crate) static FGREP: Applet = Applet { name: "fgrep", run: fgrep, ..APPLET };

pub(crate) static APPLET: Applet = Applet {
    name: "grep",
    summary: "Prints the lines that match; status 0 if there are any, 1 if none, 2 for an error.",
    usage: "[OPTION]... PATTERN [FILE]...\n[OPTION]... -e PATTERN... [FILE]...",
    options: &[
        flag('E', "extended-regexp", "PATTERN is an extended expression"),
        flag('F', "fixed-strings", "PATTERN is plain text"),
        flag('G', "basic-regexp", "PATTERN is a basic expression (so if nothing is said)"),
        flag('P', "perl-regexp", "PATTERN is as in Perl"),
        value('e', "regexp", "PATTERN", "one of several patterns"),
        value('f', "file", "FILE", "patterns from FILE, one a line"),
        flag('i', "ignore-case", "upper and lower case are the same"),
        flag('v', "invert-match", "the lines that do not match"),
        flag('w', "word-regexp", "only whole words"),
        flag('x', "line-regexp", "only whole lines"),
        flag('c', "count", "print how many lines"),
        flag('l', "files-with-matches", "print the names of files with a match"),
        flag('L', "files-without-match", "print the names of files without"),
        flag('q', "quiet", "print nothing, stop at the first match"),
        flag('s', "no-messages", "say nothing of files that cannot be read"),
        flag('o', "only-matching", "print only what matches, each on a line"),
        flag('n', "line-number", "print line numbers"),
        flag('H', "with-filename", "print the file's name before each line"),
        flag('h', "no-filename", "do not"),
        flag('r', "recursive", "all files below a folder"),
        flag('R', "dereference-recursive", "the same, and follow links"),
        flag('a', "text", "treat every file as text"),
        value('m', "max-count", "N", "stop after N lines of a file"),
        value('A', "after-context", "N", "print N lines after each match too"),
        value('B', "before-context", "N", "print N lines before each match too"),
        value('C', "context", "N", "both"),
        value('#', "lines-around", "N", "the same as -C N"),
        flag('T', "initial-tab", "lines begin at a tab stop, behind what is before them"),
        flag('b', "byte-offset", "print where in the file the line, or with -o the match, begins"),
        flag('z', "null-data", "lines end with a zero byte"),
        flag('Z', "null", "a zero byte after a file's name"),
        flag('y', "ignore-case-too", "the same as -i"),
        flag('I', "skip-binary", "binary files do not match"),
        value('\0', "include", "GLOB", "with -r only files of such names"),
        value('\0', "exclude", "GLOB", "with -r no files of such names"),
        value('\0', "exclude-dir", "GLOB", "with -r no folders of such names"),
        value('d', "directories", "ACTION", "of folders: read, skip or recurse"),
        value('D', "devices", "ACTION", "of devices and pipes: read or skip"),
        value(
            '\0',
            "group-separator",
            "TEXT",
            "what stands between groups of lines, instead of --",
        ),
        flag('\0', "no-group-separator", "nothing does"),
        value('\0', "label", "NAME", "what standard input is called"),
        flag('\0', "line-buffered", "understood: lines are not kept back for long"),
        value('\0', "color", "[WHEN]", "show what matches in colour: always, never or auto"),
        value('\0', "colour", "[WHEN]", "the same"),
    ],
    notes: "",
    example: "grep -rn 'root=' /mnt/boot",
    run,
};

/// What to print.
struct Search {
    matcher: Matcher,
    invert: bool,
    only: bool,
    numbers: bool,
    names: bool,
    offsets: bool,
    /// What ends a line.
    end: u8,
    null: bool,
    label: String,
    text: bool,
    skip_binary: bool,
    /// Show what matches in colours.
    colours: Option<Colours>,
    /// A tab before the line, and how wide the numbers are before it in the file that is searched.
    tab: bool,
    width: Cell<usize>,
    output: Output,
    most: usize,
    before: usize,
    after: usize,
    /// What stands between groups of lines, where there may be such.
    between: Option<String>,
    /// Devices and pipes are left out.
    skip_devices: bool,
    /// Device and inode of the file that the output goes to.
    output_file: Option<(u64, u64)>,
    /// Whether anything was printed, of any file.
    printed: Cell<bool>,
}

/// The output does not take more: no fault of the file that was searched.
#[derive(Debug, thiserror::Error)]
#[error("write error: {0}")]
struct Unwritten(String);

fn unwritten_error(error: io::Error) -> io::Error {
    io::Error::other(Unwritten(reason(&error)))
}

/// Device and inode of the regular file that standard output is.
fn output_file() -> Option<(u64, u64)> {
    let stdout = rustix::io::dup(rustix::stdio::stdout()).ok()?;
    let meta = File::from(stdout).metadata().ok()?;
    meta.is_file().then(|| (meta.dev(), meta.ino()))
}

fn device(meta: &fs::Metadata) -> bool {
    !(meta.is_file() || meta.is_dir())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    Lines,
    Count,
    NamesWith,
    NamesWithout,
    Nothing,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    run_as(args, Kind::Basic)
}

fn egrep(args: &Args) -> anyhow::Result<u8> {
    run_as(args, Kind::Extended)
}

fn fgrep(args: &Args) -> anyhow::Result<u8> {
    run_as(args, Kind::Fixed)
}

fn run_as(args: &Args, default: Kind) -> anyhow::Result<u8> {
    match search(args, default) {
        // For scripts 1 means that there was no match.
        Err(error) if !error.is::<crate::applet::UsageError>() => {
            eprintln!("grep: {error:#}");
            Ok(2)
        }
        done => done,
    }
}

fn search(args: &Args, default: Kind) -> anyhow::Result<u8> {
    let (patterns, files) = patterns(args)?;
    let kind = kind(args, default)?;
    let (mut refused, mut seen) = (false, HashSet::new());
    for Pattern { text, place } in &patterns {
        if seen.insert(text)
            && let Some(fault) = refusal(text, kind)
        {
            eprintln!("grep: {place}{fault}");
            refused = true;
        }
    }
    if refused {
        return Ok(2);
    }
    let patterns: Vec<Vec<u8>> = patterns.into_iter().map(|pattern| pattern.text).collect();
    let folders = args.text("directories")?.unwrap_or("read");
    if !matches!(folders, "read" | "skip" | "recurse") {
        return usage_error("--directories is read, skip or recurse");
    }
    let recursive =
        args.has("recursive") || args.has("dereference-recursive") || folders == "recurse";
    let nothing = [Path::new(if recursive { "." } else { "-" }).to_owned()];
    // Below a folder that nobody named, names begin without it.
    let unnamed = files.is_empty() && recursive;
    let files: Vec<PathBuf> =
        if files.is_empty() { nothing.into() } else { files.iter().map(PathBuf::from).collect() };
    let several = files.len() > 1 || (recursive && files.iter().any(|file| file.is_dir()));
    let search = Search::new(args, &patterns, kind, several)?;
    if search.is_vain(&patterns, args) {
        return Ok(1);
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (mut matched, mut failed, mut unwritten) = (false, false, None);
    let walk = Walk { args, recursive, follow: args.has("dereference-recursive") };
    for file in &files {
        let folder = file.is_dir();
        if folder && (folders == "skip" || (recursive && !unnamed && walk.left_out(file))) {
            continue;
        }
        if !folder && !wanted(args, file, true) {
            continue;
        }
        walk.visit(file, &mut Vec::new(), &mut |path| {
            let path = if unnamed { path.strip_prefix(".").unwrap_or(path) } else { path };
            if path != file && !wanted(args, path, false) {
                return;
            }
            if matched && search.output == Output::Nothing {
                return;
            }
            match search.file(path, &mut out) {
                Ok(found) => matched |= found,
                Err(error) if error.get_ref().is_some_and(|inner| inner.is::<Unwritten>()) => {
                    unwritten = unwritten.take().or(Some(error));
                }
                Err(error) => {
                    failed = true;
                    if !args.has("no-messages") {
                        eprintln!("grep: {}: {}", path.display(), reason(&error));
                    }
                }
            }
        });
    }
    if let Some(error) = unwritten.or(out.flush().map_err(unwritten_error).err()) {
        anyhow::bail!("{error}");
    }
    let quiet = matched && search.output == Output::Nothing;
    Ok(if failed && !quiet { 2 } else { u8::from(!matched) })
}

/// Whether --include and --exclude let a file through: the last of them that fits counts. Of one that was `named` as an
/// operand, they may fit the whole name or what follows any of its slashes; of others the last part.
fn wanted(args: &Args, path: &Path, named: bool) -> bool {
    let whole = path.as_os_str().as_bytes();
    if whole == b"-" {
        return true;
    }
    let name = path.file_name().map_or(whole, OsStr::as_bytes);
    let fits = |pattern: &[u8]| {
        let starts = whole.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut parts = starts.filter_map(|(at, _)| whole.get(at + 1..)).chain([whole]);
        glob::matches(pattern, name) || named && parts.any(|part| glob::matches(pattern, part))
    };
    let limits = || args.all().filter(|(option, _)| matches!(*option, "include" | "exclude"));
    match limits().filter(|(_, pattern)| fits(pattern.as_bytes())).last() {
        Some((option, _)) => option == "include",
        None => limits().next().is_none_or(|(option, _)| option == "exclude"),
    }
}

fn number(args: &Args, option: &str) -> anyhow::Result<Option<usize>> {
    match args.text(option)?.map(str::parse) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => usage_error(format!("the value of --{option} is not a number")),
    }
}

/// Whether --color asks for colours: where nothing or `auto` is said, on a terminal that knows them.
fn coloured(args: &Args) -> anyhow::Result<bool> {
    let dumb = || std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let asked = ["color", "colour"].into_iter().find(|option| args.has(option));
    Ok(match asked.map(|option| args.text(option)).transpose()?.flatten() {
        Some("always" | "yes" | "force") => true,
        Some("never" | "no" | "none") => false,
        Some("" | "auto" | "tty" | "if-tty") => io::stdout().is_terminal() && !dumb(),
        None => asked.is_some() && io::stdout().is_terminal() && !dumb(),
        Some(_) => return usage_error("--color is always, never or auto"),
    })
}

impl Search {
    fn new(args: &Args, patterns: &[Vec<u8>], kind: Kind, several: bool) -> anyhow::Result<Self> {
        let matcher = Matcher::new(
            patterns,
            kind,
            args.has("ignore-case") || args.has("ignore-case-too"),
            args.has("word-regexp"),
            args.has("line-regexp"),
        )?;
        let outputs = [
            ("quiet", Output::Nothing),
            ("files-with-matches", Output::NamesWith),
            ("files-without-match", Output::NamesWithout),
            ("count", Output::Count),
        ];
        let output = outputs.into_iter().find(|(option, _)| args.has(option));
        let named = args.all().map(|(option, _)| option);
        let around = named.filter(|option| matches!(*option, "context" | "lines-around")).last();
        let around = around.map_or(Ok(None), |option| number(args, option))?;
        let (before, after) = (number(args, "before-context")?, number(args, "after-context")?);
        let groups = around.or(before).or(after).is_some() && !args.has("no-group-separator");
        let separator = args.text("group-separator")?.unwrap_or("--");
        let skip_devices = match args.text("devices")? {
            None | Some("read") => false,
            Some("skip") => true,
            Some(_) => return usage_error("--devices is read or skip"),
        };
        let named = args.all().map(|(option, _)| option);
        let said = named.filter(|option| matches!(*option, "with-filename" | "no-filename")).last();
        Ok(Self {
            matcher,
            invert: args.has("invert-match"),
            only: args.has("only-matching"),
            numbers: args.has("line-number"),
            names: said.map_or(several, |option| option == "with-filename"),
            offsets: args.has("byte-offset"),
            end: if args.has("null-data") { 0 } else { b'\n' },
            null: args.has("null"),
            label: args.text("label")?.unwrap_or("(standard input)").to_owned(),
            text: args.has("text") || args.has("null-data"),
            skip_binary: args.has("skip-binary"),
            colours: coloured(args)?.then(Colours::of_environment),
            tab: args.has("initial-tab"),
            width: Cell::new(0),
            output: output.map_or(Output::Lines, |(_, output)| output),
            most: number(args, "max-count")?.unwrap_or(usize::MAX),
            before: before.or(around).unwrap_or(0),
            after: after.or(around).unwrap_or(0),
            between: groups.then(|| separator.to_owned()),
            skip_devices,
            output_file: output_file(),
            printed: Cell::new(false),
        })
    }

    /// Whether no line can be found, so that no file needs to be read.
    fn is_vain(&self, patterns: &[Vec<u8>], args: &Args) -> bool {
        let whole = args.has("word-regexp") || args.has("line-regexp");
        let all = patterns.iter().any(Vec::is_empty) && !whole;
        let none = patterns.is_empty() && !self.invert || all && self.invert;
        (none || self.most == 0) && self.output != Output::NamesWithout
    }

    /// Searches one file; whether it has what was looked for.
    fn file(&self, path: &Path, out: &mut impl Write) -> io::Result<bool> {
        if path == Path::new("-") {
            let stdin = rustix::io::dup(rustix::stdio::stdin())?;
            return self.opened(File::from(stdin), &self.label.clone(), true, out);
        }
        if self.most == 0 || (self.skip_devices && device(&fs::metadata(path)?)) {
            return self.summary(&path.to_string_lossy(), 0, out);
        }
        self.opened(File::open(path)?, &path.to_string_lossy(), false, out)
    }

    /// How wide the largest number is that a file can need.
    fn digits(&self, meta: &fs::Metadata) -> usize {
        let most = if meta.is_file() { meta.len() } else { i64::MAX.unsigned_abs() };
        (most + u64::from(self.numbers)).to_string().len()
    }

    fn opened(
        &self,
        mut file: File,
        name: &str,
        goes_on: bool,
        out: &mut impl Write,
    ) -> io::Result<bool> {
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        // What is printed would be read in its turn, for ever.
        let endless = self.output == Output::Lines && self.most > 1 && meta.len() > 0;
        if endless && meta.is_file() && self.output_file == Some((meta.dev(), meta.ino())) {
            return Err(io::Error::other("input file is also the output"));
        }
        if self.tab {
            self.width.set(self.digits(&meta));
        }
        let start = if goes_on && meta.is_file() { file.stream_position().ok() } else { None };
        let mut input = BufReader::with_capacity(1 << 16, &file);
        let (found, behind) = self.lines(name, &mut input, out)?;
        // Who reads on gets what follows the last line that was asked for.
        if let (Some(start), Some(behind)) = (start, behind) {
            let behind = start.saturating_add(u64::try_from(behind).unwrap_or(0));
            file.seek(io::SeekFrom::Start(behind))?;
        }
        Ok(found)
    }
}
