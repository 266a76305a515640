//! `tar`: archives.

mod create;

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    archive::{Extractor, Kind, Listing, Member, shown, tape, words},
    compress, glob,
    names::Numbers,
};
use anyhow::Context as _;
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead, BufWriter, Read, Write},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

const OPTIONS: &[Opt] = &[
    flag('c', "create", "make an archive"),
    flag('x', "extract", "take files out of one"),
    flag('\0', "get", "the same"),
    flag('t', "list", "print what is in one"),
    value('f', "file", "FILE", "the archive; - is standard input or output"),
    value('C', "directory", "DIR", "go to DIR first, or from here on when creating"),
    flag('v', "verbose", "print names; with -t also modes, owners, sizes, times"),
    flag('z', "gzip", "compress with gzip"),
    flag('j', "bzip2", "compress with bzip2"),
    flag('J', "xz", "compress with xz"),
    flag('\0', "zstd", "compress with zstd"),
    flag('a', "auto-compress", "compress as the archive's name ends"),
    flag('p', "preserve-permissions", "extract modes whatever the umask is (so for root)"),
    flag('\0', "same-owner", "extract owners (so for root)"),
    flag('o', "no-same-owner", "do not"),
    flag('\0', "no-same-permissions", "the umask counts"),
    flag('\0', "numeric-owner", "owners are numbers, not names"),
    flag('m', "touch", "extract no times"),
    flag('k', "keep-old-files", "what exists is not replaced"),
    flag('O', "to-stdout", "extract to standard output"),
    flag('h', "dereference", "archive what links lead to"),
    flag('\0', "one-file-system", "stay in one file system"),
    flag('P', "absolute-names", "keep / at the beginning of names in the archive"),
    flag('\0', "no-recursion", "folders without what is in them"),
    value('\0', "strip-components", "N", "leave out the first N parts of names"),
    value('\0', "exclude", "GLOB", "leave out such names"),
    value('X', "exclude-from", "FILE", "leave out what FILE names, one a line"),
    value('T', "files-from", "FILE", "names from FILE, one a line"),
    flag('\0', "null", "names of -T end with a zero byte"),
    flag('\0', "wildcards", "names to extract are patterns"),
    value('\0', "owner", "NAME", "archive this owner: a name, a number or NAME:NUMBER"),
    value('\0', "group", "NAME", "archive this group, likewise"),
    value('\0', "mtime", "@SECONDS", "archive this time"),
    value('\0', "sort", "ORDER", "understood: folders are always read in the order of names"),
    value('H', "format", "FORMAT", "understood: always gnu"),
    value('b', "blocking-factor", "N", "understood, without effect"),
    flag('\0', "overwrite", "write into files that exist"),
    flag('S', "sparse", "understood, without effect"),
    flag('\0', "xattrs", "extract extended attributes, among them capabilities"),
];

pub(crate) static APPLET: Applet = Applet {
    name: "tar",
    summary: "Makes, lists and extracts archives; compression is found out when reading.",
    usage: "-c [OPTION]... -f FILE NAME...\n-x [OPTION]... -f FILE [NAME]...\n-t [OPTION]... -f FILE [NAME]...",
    options: OPTIONS,
    notes: "A file is never extracted outside of the folder, also not by way of a link.",
    example: "tar -C /mnt -xpzf root.tar.gz",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut args = args.clone();
    let given = |args: &Args| ["create", "extract", "get", "list"].iter().any(|o| args.has(o));
    if !given(&args) && !args.operands.is_empty() {
        args.take_bundle(OPTIONS)?;
    }
    let done = if args.has("create") {
        create::create(&args)
    } else if args.has("list") && args.has("extract") {
        return usage_error("only one of -c, -x, -t can be done");
    } else if given(&args) {
        read(&args)
    } else {
        return usage_error("one of -c, -x, -t is needed");
    };
    done.or_else(|error| {
        if error.is::<crate::applet::UsageError>() {
            return Err(error);
        }
        eprintln!("tar: {}\ntar: Error is not recoverable: exiting now", words(&error));
        Ok(2)
    })
}

/// What --exclude names: the pattern fits the name, or any parts of it between slashes.
struct Excludes(Vec<Vec<u8>>);

impl Excludes {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let mut globs: Vec<Vec<u8>> =
            args.values("exclude").map(|v| v.as_bytes().to_vec()).collect();
        for file in args.values("exclude-from") {
            globs.extend(lines(file, b'\n')?.into_iter().map(OsString::into_vec));
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
    let input: Box<dyn Read> = if file == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).with_context(|| format!("{}: Cannot open", file.display()))?)
    };
    let data = compress::plain(input)?;
    Reading::new(args)?.all(data)
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
    listing: Listing,
    numeric: bool,
    numbers: Numbers,
}

impl Reading {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let root = PathBuf::from(args.value("directory").unwrap_or(OsStr::new(".")));
        let mut extractor = Extractor::new(root)?;
        extractor.times = !args.has("touch");
        extractor.keep_old = args.has("keep-old-files");
        extractor.overwrite = args.has("overwrite");
        extractor.owners =
            (extractor.owners || args.has("same-owner")) && !args.has("no-same-owner");
        extractor.modes = (extractor.modes || args.has("preserve-permissions"))
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
            listing: Listing::new(args.has("numeric-owner")),
            numeric: args.has("numeric-owner"),
            numbers: Numbers::default(),
        })
    }

    fn all(&mut self, data: Box<dyn BufRead + '_>) -> anyhow::Result<u8> {
        let mut archive = tape::Archive::new(data);
        let mut out = BufWriter::new(io::stdout().lock());
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
        if self.extract.is_none() && self.verbose {
            out.write_all(&self.listing.line(&member))?;
        } else if self.extract.is_none() || self.verbose {
            out.write_all(&[&shown(member.path.as_os_str())[..], b"\n"].concat())?;
        }
        let Some(extract) = &mut self.extract else { return Ok(()) };
        if self.stdout {
            if member.kind == Kind::File {
                io::copy(data, out)?;
            }
            return Ok(());
        }
        if self.strip > 0 {
            member.path = stripped(&member.path, self.strip);
            if let Kind::Hardlink(target) = &mut member.kind {
                *target = stripped(target, self.strip);
            }
            if member.path.as_os_str().is_empty() {
                return Ok(());
            }
        }
        extract.extract(&member, data)
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

fn stripped(path: &Path, count: usize) -> PathBuf {
    path.components().skip(count).collect()
}
