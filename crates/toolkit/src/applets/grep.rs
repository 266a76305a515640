//! `grep`: the lines that match.

use crate::{
    applet::{Applet, Args, Opt, reason, usage_error},
    glob,
    matcher::{Kind, Matcher},
};
use anyhow::Context as _;
use std::{
    cell::Cell,
    collections::VecDeque,
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufRead, BufReader, IsTerminal as _, Write},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

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
        flag('b', "byte-offset", "print where in the file the line, or with -o the match, begins"),
        flag('z', "null-data", "lines end with a zero byte"),
        flag('Z', "null", "a zero byte after a file's name"),
        flag('y', "ignore-case-too", "the same as -i"),
        flag('I', "skip-binary", "binary files do not match"),
        value('\0', "include", "GLOB", "with -r only files of such names"),
        value('\0', "exclude", "GLOB", "with -r no files of such names"),
        value('\0', "exclude-dir", "GLOB", "with -r no folders of such names"),
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
    /// Show what matches in GNU's colours.
    colours: bool,
    output: Output,
    most: usize,
    before: usize,
    after: usize,
    /// Whether anything was printed, of any file.
    printed: Cell<bool>,
}

/// Where a line, or what matches in it, stands.
#[derive(Clone, Copy)]
struct Place {
    /// From 1.
    number: usize,
    /// Bytes from the file's beginning.
    offset: usize,
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
    let recursive = args.has("recursive") || args.has("dereference-recursive");
    let nothing = [Path::new(if recursive { "." } else { "-" }).to_owned()];
    let files: Vec<PathBuf> =
        if files.is_empty() { nothing.into() } else { files.iter().map(PathBuf::from).collect() };
    let several = files.len() > 1 || (recursive && files.iter().any(|file| file.is_dir()));
    let search = Search::new(args, &patterns, default, several)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (mut matched, mut failed) = (false, false);
    let walk = Walk { args, recursive, follow: args.has("dereference-recursive") };
    for file in &files {
        walk.visit(file, &mut Vec::new(), &mut |path| {
            if recursive && path != file && !wanted(args, path) {
                return;
            }
            if matched && search.output == Output::Nothing {
                return;
            }
            match search.file(path, &mut out) {
                Ok(found) => matched |= found,
                Err(error) => {
                    failed = true;
                    if !args.has("no-messages") {
                        eprintln!("grep: {}: {}", path.display(), reason(&error));
                    }
                }
            }
        });
    }
    out.flush()?;
    let quiet = matched && search.output == Output::Nothing;
    Ok(if failed && !quiet { 2 } else { u8::from(!matched) })
}

/// Whether --include and --exclude let a file's name through.
fn wanted(args: &Args, path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.as_bytes()) else { return true };
    let hit = |option| {
        let globs = args.values(option).map(OsStr::as_bytes).collect::<Vec<_>>();
        (!globs.is_empty(), globs.iter().any(|pattern| glob::matches(pattern, name)))
    };
    let ((limited, included), (_, excluded)) = (hit("include"), hit("exclude"));
    (included || !limited) && !excluded
}

/// The patterns, and the operands that are files.
fn patterns(args: &Args) -> anyhow::Result<(Vec<String>, &[std::ffi::OsString])> {
    let mut patterns = Vec::new();
    for pattern in args.values("regexp") {
        patterns.push(text(pattern)?);
    }
    for file in args.values("file") {
        let shown = Path::new(file).display();
        let read =
            if file == "-" { io::read_to_string(io::stdin()) } else { fs::read_to_string(file) };
        let read = read.with_context(|| format!("cannot read {shown}"))?;
        patterns.extend(read.lines().map(str::to_owned));
    }
    let mut files = args.operands.as_slice();
    if !args.has("regexp") && !args.has("file") {
        let Some((first, rest)) = files.split_first() else { return usage_error("which PATTERN?") };
        patterns.push(text(first)?);
        files = rest;
    }
    let lines = patterns.iter().flat_map(|p| p.split('\n')).map(str::to_owned).collect();
    Ok((lines, files))
}

fn text(pattern: &OsStr) -> anyhow::Result<String> {
    match pattern.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => usage_error("the pattern is not UTF-8"),
    }
}

fn number(args: &Args, option: &str) -> anyhow::Result<Option<usize>> {
    match args.text(option)?.map(str::parse) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => usage_error(format!("the value of --{option} is not a number")),
    }
}

/// How files are found.
struct Walk<'a> {
    args: &'a Args,
    recursive: bool,
    follow: bool,
}

impl Walk<'_> {
    /// Calls `each` for a file, or for every file below a folder, in the order of names. `above` are the device and
    /// inode of the folders that it is in: a link may lead round in a circle.
    fn visit(&self, path: &Path, above: &mut Vec<(u64, u64)>, each: &mut impl FnMut(&Path)) {
        if !self.recursive || !path.is_dir() {
            return each(path);
        }
        let Ok(entries) = fs::read_dir(path) else { return each(path) };
        let Ok(meta) = fs::metadata(path) else { return each(path) };
        let itself = (meta.dev(), meta.ino());
        if above.contains(&itself) {
            return eprintln!("grep: {}: warning: recursive directory loop", path.display());
        }
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        above.push(itself);
        for entry in entries {
            let path = entry.path();
            let kind = if self.follow { path.metadata() } else { entry.metadata() };
            match kind.map(|meta| meta.file_type()) {
                Ok(kind) if kind.is_dir() && !self.left_out(&path) => {
                    self.visit(&path, above, each);
                }
                Ok(kind) if kind.is_file() => each(&path),
                _ => {}
            }
        }
        above.pop();
    }

    /// Whether --exclude-dir names a folder.
    fn left_out(&self, folder: &Path) -> bool {
        let name = folder.file_name().unwrap_or_default().as_bytes();
        let mut globs = self.args.values("exclude-dir").map(OsStr::as_bytes);
        globs.any(|glob| glob::matches(glob.strip_suffix(b"/").unwrap_or(glob), name))
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
    fn new(args: &Args, patterns: &[String], default: Kind, several: bool) -> anyhow::Result<Self> {
        let kind = if args.has("fixed-strings") {
            Kind::Fixed
        } else if args.has("perl-regexp") {
            Kind::Perl
        } else if args.has("extended-regexp") {
            Kind::Extended
        } else {
            default
        };
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
        let around = number(args, "lines-around")?.unwrap_or(0);
        let context = number(args, "context")?.unwrap_or(around);
        Ok(Self {
            matcher,
            invert: args.has("invert-match"),
            only: args.has("only-matching"),
            numbers: args.has("line-number"),
            names: (several || args.has("with-filename")) && !args.has("no-filename"),
            offsets: args.has("byte-offset"),
            end: if args.has("null-data") { 0 } else { b'\n' },
            null: args.has("null"),
            label: args.text("label")?.unwrap_or("(standard input)").to_owned(),
            text: args.has("text") || args.has("null-data"),
            skip_binary: args.has("skip-binary"),
            colours: coloured(args)?,
            output: output.map_or(Output::Lines, |(_, output)| output),
            most: number(args, "max-count")?.unwrap_or(usize::MAX),
            before: number(args, "before-context")?.unwrap_or(context),
            after: number(args, "after-context")?.unwrap_or(context),
            printed: Cell::new(false),
        })
    }

    /// Searches one file; whether it has what was looked for.
    fn file(&self, path: &Path, out: &mut impl Write) -> io::Result<bool> {
        if path == Path::new("-") {
            return self.lines(&self.label, &mut io::stdin().lock(), out);
        }
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.lines(&path.to_string_lossy(), &mut BufReader::with_capacity(1 << 16, file), out)
    }

    fn lines(
        &self,
        name: &str,
        input: &mut impl BufRead,
        out: &mut impl Write,
    ) -> io::Result<bool> {
        let binary = !self.text && input.fill_buf()?.contains(&0);
        if binary && self.skip_binary {
            return self.summary(name, 0, out);
        }
        let mut earlier: VecDeque<(Place, Vec<u8>)> = VecDeque::new();
        let (mut line, mut number, mut count) = (Vec::new(), 0, 0);
        let mut next_offset = 0;
        let (mut owed, mut last_printed) = (0, 0);
        while count < self.most || owed > 0 {
            line.clear();
            if input.read_until(self.end, &mut line)? == 0 {
                break;
            }
            number += 1;
            let place = Place { number, offset: next_offset };
            next_offset += line.len();
            if line.last() == Some(&self.end) {
                line.pop();
            }
            if count < self.most && self.matcher.is_match(&line) != self.invert {
                count += 1;
                match self.output {
                    Output::Nothing | Output::NamesWith | Output::NamesWithout => break,
                    Output::Lines if binary => {
                        eprintln!("grep: {name}: binary file matches");
                        break;
                    }
                    Output::Lines => {
                        let first = earlier.front().map_or(number, |(place, _)| place.number);
                        if (self.before + self.after) > 0
                            && self.printed.get()
                            && (last_printed == 0 || first > last_printed + 1)
                        {
                            writeln!(out, "--")?;
                        }
                        for (place, line) in earlier.drain(..) {
                            self.print(name, place, '-', &line, out)?;
                        }
                        self.printed.set(true);
                        self.found(name, place, &line, out)?;
                        (owed, last_printed) = (self.after, number);
                    }
                    Output::Count => {}
                }
            } else if owed > 0 {
                self.print(name, place, '-', &line, out)?;
                (owed, last_printed) = (owed - 1, number);
            } else if self.before > 0 {
                earlier.push_back((place, line.clone()));
                if earlier.len() > self.before {
                    earlier.pop_front();
                }
            }
        }
        self.summary(name, count, out)
    }

    fn summary(&self, name: &str, count: usize, out: &mut impl Write) -> io::Result<bool> {
        match self.output {
            Output::Count if self.names => writeln!(out, "{name}:{count}")?,
            Output::Count => writeln!(out, "{count}")?,
            Output::NamesWith if count > 0 => self.name(name, out)?,
            Output::NamesWithout if count == 0 => self.name(name, out)?,
            _ => {}
        }
        Ok(count > 0)
    }

    fn name(&self, name: &str, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{name}{}", if self.null { '\0' } else { '\n' })
    }

    fn found(&self, name: &str, place: Place, line: &[u8], out: &mut impl Write) -> io::Result<()> {
        if !self.only {
            return self.print(name, place, ':', line, out);
        }
        if self.invert {
            return Ok(());
        }
        for part in self.matcher.parts(line) {
            let within = part.as_ptr().addr() - line.as_ptr().addr();
            let place = Place { offset: place.offset + within, ..place };
            self.print(name, place, ':', part, out)?;
        }
        Ok(())
    }

    fn print(
        &self,
        name: &str,
        place: Place,
        separator: char,
        line: &[u8],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let paint = |colour: &str, text: &str| match self.colours {
            true => format!("\x1b[{colour}m\x1b[K{text}\x1b[m\x1b[K"),
            false => text.to_owned(),
        };
        let separator = paint("36", &separator.to_string());
        if self.names {
            let behind = if self.null { "\0" } else { &separator };
            write!(out, "{}{behind}", paint("35", name))?;
        }
        if self.numbers {
            write!(out, "{}{separator}", paint("32", &place.number.to_string()))?;
        }
        if self.offsets {
            write!(out, "{}{separator}", paint("32", &place.offset.to_string()))?;
        }
        let mut done = 0;
        let shown =
            if self.colours && !self.invert { self.matcher.parts(line) } else { Vec::new() };
        for part in shown {
            let start = part.as_ptr().addr() - line.as_ptr().addr();
            out.write_all(line.get(done..start).unwrap_or_default())?;
            out.write_all(&[b"\x1b[01;31m\x1b[K", part, b"\x1b[m\x1b[K"].concat())?;
            done = start + part.len();
        }
        out.write_all(line.get(done..).unwrap_or_default())?;
        out.write_all(&[self.end])
    }
}
