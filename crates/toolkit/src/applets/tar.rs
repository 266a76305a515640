//! `tar`: archives.

mod append;
mod create;
mod member;
mod options;

use crate::{
    applet::{Applet, Args, usage_error},
    archive::{Existing, Extractor, Kind, Listing, Member, shown, tape, words},
    compress, glob,
    names::Numbers,
    sed::Transform,
};
use anyhow::Context as _;
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read as _, Write},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

pub(crate) static APPLET: Applet = Applet {
    name: "tar",
    summary: "Makes, lists and extracts archives; compression is found out when reading.",
    usage: "-c|-r|-u [OPTION]... -f FILE NAME...\n-x [OPTION]... -f FILE [NAME]...\n-t [OPTION]... -f FILE [NAME]...",
    options: options::OPTIONS,
    notes: "A file is never extracted outside of the folder, also not by way of a link.",
    example: "tar -C /mnt -xpzf root.tar.gz",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut args = args.clone();
    let modes = ["create", "append", "update", "extract", "get", "list"];
    let given = |args: &Args| modes.iter().any(|mode| args.has(mode));
    if !given(&args) && !args.operands.is_empty() {
        args.take_bundle(options::OPTIONS)?;
    }
    let done = if args.has("create") {
        create::create(&args)
    } else if args.has("append") || args.has("update") {
        append::append(&args)
    } else if args.has("list") && args.has("extract") {
        return usage_error("only one of -c, -x, -t can be done");
    } else if given(&args) {
        read(&args)
    } else {
        return usage_error("one of -c, -r, -u, -x, -t is needed");
    };
    done.or_else(|error| {
        if error.is::<crate::applet::UsageError>() {
            return Err(error);
        }
        eprintln!("tar: {}\ntar: Error is not recoverable: exiting now", words(&error));
        Ok(2)
    })
}

/// What version control keeps of its own (GNU tar's manual, "Exclude").
const VERSION_CONTROL: [&str; 20] = [
    "CVS",
    "RCS",
    "SCCS",
    ".git",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".cvsignore",
    ".svn",
    ".arch-ids",
    "{arch}",
    "=RELEASE-ID",
    "=meta-update",
    "=update",
    ".bzr",
    ".bzrignore",
    ".bzrtags",
    ".hg",
    ".hgignore",
    "_darcs",
];

/// What --exclude names: the pattern fits the name, or any parts of it between slashes.
struct Excludes(Vec<Vec<u8>>);

impl Excludes {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let mut globs: Vec<Vec<u8>> =
            args.values("exclude").map(|v| v.as_bytes().to_vec()).collect();
        for file in args.values("exclude-from") {
            globs.extend(lines(file, b'\n')?.into_iter().map(OsString::into_vec));
        }
        if args.has("exclude-vcs") {
            globs.extend(VERSION_CONTROL.iter().map(|name| name.as_bytes().to_vec()));
        }
        Ok(Self(globs))
    }

    fn has(&self, name: &[u8]) -> bool {
        let name = name.strip_suffix(b"/").unwrap_or(name);
        let slashes = || name.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        let starts = || std::iter::once(0).chain(slashes().map(|at| at + 1));
        let ends = || slashes().chain([name.len()]);
        self.0.iter().any(|pattern| {
            starts().any(|start| {
                ends().any(|end| {
                    name.get(start..end).is_some_and(|part| glob::matches(pattern, part))
                })
            })
        })
    }
}

fn lines(file: &OsStr, end: u8) -> anyhow::Result<Vec<OsString>> {
    let data = if file == "-" {
        let mut data = Vec::new();
        io::stdin().read_to_end(&mut data)?;
        data
    } else {
        fs::read(file).with_context(|| format!("{}: Cannot open", file.display()))?
    };
    let parts = data.split(|b| *b == end).filter(|part| !part.is_empty());
    Ok(parts.map(|part| OsString::from_vec(part.to_vec())).collect())
}

/// The names that are to be archived or extracted.
fn wanted(args: &Args) -> anyhow::Result<Vec<OsString>> {
    let mut names = args.operands.clone();
    for file in args.values("files-from") {
        names.extend(lines(file, if args.has("null") { 0 } else { b'\n' })?);
    }
    Ok(names)
}

fn read(args: &Args) -> anyhow::Result<u8> {
    let file = args.value("file").unwrap_or(OsStr::new("-"));
    let input = match file == "-" {
        true => File::from(rustix::io::dup(rustix::stdio::stdin())?),
        false => File::open(file).with_context(|| format!("{}: Cannot open", file.display()))?,
    };
    let Some(mut filter) = Filter::of(args)? else {
        return Reading::new(args)?.all(compress::plain(input)?);
    };
    let running = filter.command.arg("-d").stdin(input).stdout(Stdio::piped()).spawn();
    let mut running = running.map_err(|error| filter.failed(error))?;
    let output = running.stdout.take().context("no pipe")?;
    let status = Reading::new(args)?.all(Box::new(BufReader::with_capacity(1 << 17, output)))?;
    filter.end(running)?;
    Ok(status)
}

/// The command of --use-compress-program.
struct Filter {
    command: Command,
    shown: String,
}

impl Filter {
    fn of(args: &Args) -> anyhow::Result<Option<Self>> {
        let Some(shown) = args.text("use-compress-program")?.map(str::to_owned) else {
            return Ok(None);
        };
        // A command that ends early is an error to report, not our own end.
        uucore::signals::disable_pipe_errors()?;
        let mut words = shown.split_whitespace();
        let Some(program) = words.next() else { return usage_error("-I needs a COMMAND") };
        let mut command = Command::new(program);
        command.args(words);
        Ok(Some(Self { command, shown }))
    }

    fn failed(&self, error: io::Error) -> anyhow::Error {
        anyhow::Error::new(error).context(self.shown.clone())
    }

    fn end(&self, mut running: Child) -> anyhow::Result<()> {
        let status = running.wait()?;
        anyhow::ensure!(status.success(), "{}: {status}", self.shown);
        Ok(())
    }
}

/// A date as --mtime and --newer have it: seconds since 1970.
fn moment(text: &str) -> anyhow::Result<i64> {
    if text.starts_with(['/', '.']) {
        return Ok(fs::metadata(text).with_context(|| text.to_owned())?.mtime());
    }
    let parsed = parse_datetime::parse_datetime(text).ok().and_then(|date| date.into_zoned());
    match parsed {
        Some(date) => Ok(date.timestamp().as_second()),
        None => usage_error(format!("{text:?} is no date")),
    }
}

/// What --transform makes of names, if it is given.
fn transform(args: &Args) -> anyhow::Result<Option<Transform>> {
    let given = args.all().filter(|(option, _)| matches!(*option, "transform" | "xform"));
    let texts: Vec<&[u8]> = given.map(|(_, text)| text.as_bytes()).collect();
    if texts.is_empty() {
        return Ok(None);
    }
    match Transform::parse(&texts.join(&b';')) {
        Ok(transform) => Ok(Some(transform)),
        Err(text) => usage_error(format!("Invalid transform expression: {text}")),
    }
}

/// A name as --transform makes it; the slash behind a folder's stays.
fn transformed(transform: &Transform, name: &OsStr) -> OsString {
    let name = name.as_bytes();
    let (bare, slash) = name.strip_suffix(b"/").map_or((name, ""), |bare| (bare, "/"));
    let mut new = OsString::from_vec(transform.apply(bare));
    new.push(if new.is_empty() { "" } else { slash });
    new
}

/// What to do with the members of an archive.
struct Reading {
    names: Vec<(OsString, bool)>,
    wildcards: bool,
    excludes: Excludes,
    extract: Option<Extractor>,
    stdout: bool,
    verbose: bool,
    strip: usize,
    transform: Option<Transform>,
    /// The folder of --one-top-level.
    top: Option<PathBuf>,
    show_transformed: bool,
    ignore_zeros: bool,
    listing: Listing,
    /// Where names are printed, if not to standard output.
    index: Option<File>,
    numeric: bool,
    numbers: Numbers,
}

impl Reading {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let root = PathBuf::from(args.value("directory").unwrap_or(OsStr::new(".")));
        let mut extractor = Extractor::new(root)?;
        extractor.times = !args.has("touch");
        let existing = [
            ("keep-old-files", Existing::Kept),
            ("skip-old-files", Existing::Skipped),
            ("keep-newer-files", Existing::KeptIfNewer),
            ("overwrite", Existing::Overwritten),
        ];
        if let Some((_, existing)) = existing.into_iter().find(|(option, _)| args.has(option)) {
            extractor.existing = existing;
        }
        extractor.owners =
            (extractor.owners || args.has("same-owner")) && !args.has("no-same-owner");
        extractor.modes =
            (extractor.modes || args.has("preserve-permissions") || args.has("same-permissions"))
                && !args.has("no-same-permissions");
        extractor.attributes = args.has("xattrs");
        Ok(Self {
            names: wanted(args)?.into_iter().map(|name| (name, false)).collect(),
            wildcards: args.has("wildcards"),
            excludes: Excludes::new(args)?,
            extract: (!args.has("list")).then_some(extractor),
            stdout: args.has("to-stdout"),
            verbose: args.has("verbose"),
            strip: args.number("strip-components")?.unwrap_or(0),
            transform: transform(args)?,
            top: top(args)?,
            show_transformed: args.has("show-transformed-names"),
            ignore_zeros: args.has("ignore-zeros"),
            index: index(args)?,
            listing: Listing::new(args.has("numeric-owner")),
            numeric: args.has("numeric-owner"),
            numbers: Numbers::default(),
        })
    }

    fn all(&mut self, data: Box<dyn BufRead + '_>) -> anyhow::Result<u8> {
        let mut archive = tape::Archive::new(data);
        archive.ignore_zeros = self.ignore_zeros;
        let mut out: Box<dyn Write> = match &self.index {
            Some(index) => Box::new(BufWriter::new(index.try_clone()?)),
            None => Box::new(BufWriter::new(io::stdout().lock())),
        };
        let mut failed = false;
        while let Some(member) = archive.next().context("This does not look like a tar archive")? {
            let member = self.owned(member);
            if !self.selected(member.path.as_os_str().as_bytes()) {
                continue;
            }
            if let Err(error) = self.one(member.clone(), &mut archive, &mut out) {
                out.flush()?;
                eprintln!("tar: {}: {}", member.path.display(), words(&error));
                failed = true;
            }
        }
        out.flush()?;
        if !archive.begun {
            eprintln!("tar: This does not look like a tar archive");
            failed = true;
        }
        if let Some(extract) = &mut self.extract {
            extract.finish()?;
        }
        let absent = self.names.iter().filter(|(_, found)| !found);
        for (name, _) in absent {
            eprintln!("tar: {}: Not found in archive", name.display());
            failed = true;
        }
        if failed {
            eprintln!("tar: Exiting with failure status due to previous errors");
        }
        Ok(if failed { 2 } else { 0 })
    }

    fn selected(&mut self, path: &[u8]) -> bool {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let mut hit = self.names.is_empty();
        for (name, found) in &mut self.names {
            let name = name.as_bytes();
            let name = name.strip_suffix(b"/").unwrap_or(name);
            let below = path.strip_prefix(name).is_some_and(|rest| matches!(rest, [] | [b'/', ..]));
            if below || (self.wildcards && glob::matches(name, path)) {
                (hit, *found) = (true, true);
            }
        }
        // What was asked for and is left out has been found all the same.
        hit && !self.excludes.has(path)
    }

    fn one(
        &mut self,
        mut member: Member,
        data: &mut dyn BufRead,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let original = member.path.clone();
        if self.stdout || self.extract.is_none() && !self.show_transformed {
            self.print(&member, out)?;
        }
        if self.extract.is_some() && self.stdout {
            if member.kind == Kind::File {
                io::copy(data, out)?;
            }
            return Ok(());
        }
        self.renamed(&mut member);
        if self.extract.is_none() {
            return if self.show_transformed { self.print(&member, out) } else { Ok(()) };
        }
        let path = std::mem::replace(&mut member.path, original);
        let shown = if self.show_transformed { path.clone() } else { member.path.clone() };
        self.print(&Member { path: shown, ..member.clone() }, out)?;
        member.path = path;
        let Some(extract) = &mut self.extract else { return Ok(()) };
        if member.path.as_os_str().is_empty() {
            return Ok(());
        }
        extract.extract(&member, data)
    }

    /// A line of -t, or of -v.
    fn print(&mut self, member: &Member, out: &mut impl Write) -> anyhow::Result<()> {
        if self.extract.is_none() && self.verbose {
            out.write_all(&self.listing.line(member))?;
        } else if self.extract.is_none() || self.verbose {
            out.write_all(&[&shown(member.path.as_os_str())[..], b"\n"].concat())?;
        }
        Ok(())
    }

    /// Gives a member the names that the options make of its own; an empty one if nothing is left.
    fn renamed(&self, member: &mut Member) {
        if let Some(transform) = &self.transform {
            let new = |name: &OsStr| transformed(transform, name);
            member.path = new(member.path.as_os_str()).into();
            match &mut member.kind {
                Kind::Hardlink(target) => *target = new(target.as_os_str()).into(),
                Kind::Symlink(target) => *target = new(target),
                _ => {}
            }
        }
        if self.strip > 0 {
            member.path = stripped(&member.path, self.strip);
            if let Kind::Hardlink(target) = &mut member.kind {
                *target = stripped(target, self.strip);
            }
        }
        if let Some(top) = &self.top
            && !member.path.as_os_str().is_empty()
        {
            let below = |path: &Path| {
                let path = path.strip_prefix("/").unwrap_or(path);
                let path = path.strip_prefix(".").unwrap_or(path);
                if path.starts_with(top) { path.to_owned() } else { top.join(path) }
            };
            member.path = below(&member.path);
            if let Kind::Hardlink(target) = &mut member.kind {
                *target = below(target);
            }
        }
    }

    /// With the owners that this system has for the names.
    fn owned(&mut self, mut member: Member) -> Member {
        if !self.numeric {
            member.uid = self.numbers.uid(&member.user).unwrap_or(member.uid);
            member.gid = self.numbers.gid(&member.group).unwrap_or(member.gid);
        }
        member
    }
}

/// The folder that --one-top-level puts everything in: as it says, or of the archive's name.
fn top(args: &Args) -> anyhow::Result<Option<PathBuf>> {
    let Some(given) = args.value("one-top-level") else { return Ok(None) };
    if !given.is_empty() {
        return Ok(Some(given.into()));
    }
    let file = args.value("file").map(Path::new).and_then(Path::file_name).unwrap_or_default();
    let mut name = file.as_bytes();
    let endings: [&[u8]; 5] = [b".gz", b".bz2", b".xz", b".zst", b".Z"];
    name = endings.iter().find_map(|ending| name.strip_suffix(*ending)).unwrap_or(name);
    let endings: [&[u8]; 6] = [b".tar", b".tgz", b".tbz2", b".tbz", b".txz", b".tzst"];
    match endings.iter().find_map(|ending| name.strip_suffix(*ending)) {
        Some(name) if !name.is_empty() => Ok(Some(OsStr::from_bytes(name).into())),
        _ => usage_error(
            "Cannot deduce top-level directory name; please set it explicitly with --one-top-level=DIR",
        ),
    }
}

/// The file of --index-file.
fn index(args: &Args) -> anyhow::Result<Option<File>> {
    let Some(name) = args.value("index-file") else { return Ok(None) };
    File::create(name).map(Some).with_context(|| format!("{}: Cannot open", name.display()))
}

fn stripped(path: &Path, count: usize) -> PathBuf {
    path.components().skip(count).collect()
}
