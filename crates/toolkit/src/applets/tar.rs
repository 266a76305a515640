//! `tar`: archives.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    archive::{Extractor, Kind, Listing, Member, shown, words},
    compress::{Format, Writer},
    glob, names,
};
use anyhow::Context as _;
use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};
use tar::{EntryType, Header};

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
    value('\0', "owner", "NUMBER", "archive this owner"),
    value('\0', "group", "NUMBER", "archive this group"),
    value('\0', "mtime", "@SECONDS", "archive this time"),
    value('\0', "sort", "ORDER", "understood: folders are always read in the order of names"),
    value('H', "format", "FORMAT", "understood: always gnu"),
    value('b', "blocking-factor", "N", "understood, without effect"),
    flag('\0', "overwrite", "understood: what exists is replaced"),
    flag('S', "sparse", "understood, without effect"),
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
        create(&args)
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
    let mut input = BufReader::with_capacity(1 << 17, input);
    let format = Format::of(input.fill_buf()?);
    let data = match format {
        Some(format) => format.reader(input)?,
        None => Box::new(input),
    };
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
}

impl Reading {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let root = PathBuf::from(args.value("directory").unwrap_or(OsStr::new(".")));
        let mut extractor = Extractor::new(root);
        extractor.times = !args.has("touch");
        extractor.keep_old = args.has("keep-old-files");
        extractor.owners =
            (extractor.owners || args.has("same-owner")) && !args.has("no-same-owner");
        extractor.modes = (extractor.modes || args.has("preserve-permissions"))
            && !args.has("no-same-permissions");
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
        })
    }

    fn all(&mut self, data: Box<dyn Read + '_>) -> anyhow::Result<u8> {
        if let Some(extract) = &self.extract {
            let shown = || format!("{}: Cannot open", extract.root.display());
            fs::read_dir(&extract.root).with_context(shown)?;
        }
        let mut archive = tar::Archive::new(data);
        let mut out = BufWriter::new(io::stdout().lock());
        let mut failed = false;
        for entry in archive.entries()? {
            let mut entry = entry.context("This does not look like a tar archive")?;
            let Some(member) = self.member(&entry)? else { continue };
            if !self.selected(member.path.as_os_str().as_bytes()) {
                continue;
            }
            if let Err(error) = self.one(member.clone(), &mut entry, &mut out) {
                out.flush()?;
                eprintln!("tar: {}: {}", member.path.display(), words(&error));
                failed = true;
            }
        }
        out.flush()?;
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
        if self.excludes.has(path) {
            return false;
        }
        let mut hit = self.names.is_empty();
        for (name, found) in &mut self.names {
            let name = name.as_bytes();
            let name = name.strip_suffix(b"/").unwrap_or(name);
            let below = path.strip_prefix(name).is_some_and(|rest| matches!(rest, [] | [b'/', ..]));
            if below || (self.wildcards && glob::matches(name, path)) {
                (hit, *found) = (true, true);
            }
        }
        hit
    }

    fn one(
        &mut self,
        mut member: Member,
        data: &mut dyn Read,
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

    fn member(&self, entry: &tar::Entry<'_, impl Read>) -> anyhow::Result<Option<Member>> {
        let header = entry.header();
        let bytes = entry.path_bytes().into_owned();
        let link = entry.link_name_bytes().map(|link| OsString::from_vec(link.into_owned()));
        let device = || -> io::Result<(u32, u32)> {
            Ok((header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0)))
        };
        let kind = match header.entry_type() {
            EntryType::Directory => Kind::Folder,
            EntryType::Symlink => Kind::Symlink(link.context("a link without a target")?),
            EntryType::Link => Kind::Hardlink(link.context("a link without a target")?.into()),
            EntryType::Char => device().map(|(major, minor)| Kind::Char(major, minor))?,
            EntryType::Block => device().map(|(major, minor)| Kind::Block(major, minor))?,
            EntryType::Fifo => Kind::Fifo,
            EntryType::XGlobalHeader => return Ok(None),
            _ if bytes.ends_with(b"/") => Kind::Folder,
            _ => Kind::File,
        };
        let text =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let (user, group) = (text(header.username_bytes()), text(header.groupname_bytes()));
        let number = |id: u64| u32::try_from(id).context("an owner's number is too large");
        let by_name = !self.numeric;
        Ok(Some(Member {
            path: PathBuf::from(OsString::from_vec(bytes)),
            kind,
            mode: header.mode()?,
            uid: by_name
                .then(|| names::uid(&user))
                .flatten()
                .map_or_else(|| number(header.uid()?), Ok)?,
            gid: by_name
                .then(|| names::gid(&group))
                .flatten()
                .map_or_else(|| number(header.gid()?), Ok)?,
            user,
            group,
            mtime: i64::try_from(header.mtime()?).unwrap_or(0),
            size: entry.size(),
        }))
    }
}

fn stripped(path: &Path, count: usize) -> PathBuf {
    path.components().skip(count).collect()
}

fn create(args: &Args) -> anyhow::Result<u8> {
    if wanted(args)?.is_empty() && !args.has("files-from") {
        return usage_error("Cowardly refusing to create an empty archive");
    }
    let file = args.value("file").unwrap_or(OsStr::new("-"));
    let chosen = [
        ("gzip", Format::Gzip),
        ("bzip2", Format::Bzip2),
        ("xz", Format::Xz),
        ("zstd", Format::Zstd),
    ];
    let named = args.has("auto-compress").then(|| Format::of_name(file.as_bytes())).flatten();
    let format = chosen.into_iter().find(|(o, _)| args.has(o)).map(|(_, f)| f).or(named);
    let to: Box<dyn Write> = if file == "-" {
        Box::new(io::stdout().lock())
    } else {
        Box::new(File::create(file).with_context(|| format!("{}: Cannot open", file.display()))?)
    };
    let to = BufWriter::with_capacity(1 << 17, to);
    match format {
        None => {
            let (status, mut to) = Creating::new(args, to, file)?.all(args)?;
            to.flush()?;
            Ok(status)
        }
        Some(format) => {
            let level = if format == Format::Zstd { 3 } else { 6 };
            let writer: Writer<'_> = format.writer(level, to)?;
            let (status, writer) = Creating::new(args, writer, file)?.all(args)?;
            writer.finish()?;
            Ok(status)
        }
    }
}

/// An archive that is being made.
struct Creating<W: Write> {
    archive: tar::Builder<W>,
    /// The archive's own device and inode, so that it does not swallow itself.
    itself: Option<(u64, u64)>,
    names: names::Names,
    excludes: Excludes,
    seen: HashMap<(u64, u64), PathBuf>,
    follow: bool,
    one_system: bool,
    recurse: bool,
    absolute: bool,
    verbose: bool,
    numeric: bool,
    warned: bool,
    to_stdout: bool,
    failed: bool,
    owner: Option<u64>,
    group: Option<u64>,
    mtime: Option<u64>,
}

impl<W: Write> Creating<W> {
    fn new(args: &Args, to: W, file: &OsStr) -> anyhow::Result<Self> {
        let itself = fs::metadata(file).ok().filter(Metadata::is_file);
        let mtime = args.text("mtime")?.map(|time| time.trim_start_matches('@').parse());
        Ok(Self {
            archive: tar::Builder::new(to),
            itself: itself.map(|meta| (meta.dev(), meta.ino())),
            names: names::Names::read(),
            excludes: Excludes::new(args)?,
            seen: HashMap::new(),
            follow: args.has("dereference"),
            one_system: args.has("one-file-system"),
            recurse: !args.has("no-recursion"),
            absolute: args.has("absolute-names"),
            verbose: args.has("verbose"),
            numeric: args.has("numeric-owner"),
            warned: false,
            to_stdout: file == "-",
            failed: false,
            owner: args.number("owner")?,
            group: args.number("group")?,
            mtime: match mtime {
                None => None,
                Some(Ok(mtime)) => Some(mtime),
                Some(Err(_)) => return usage_error("--mtime takes @ and seconds"),
            },
        })
    }

    fn all(mut self, args: &Args) -> anyhow::Result<(u8, W)> {
        let names = wanted(args)?;
        for (at, name) in names.iter().enumerate() {
            // Each -C is relative to the one before it.
            let folders = args.placed().filter(|(o, _, place)| *o == "directory" && *place <= at);
            let base: PathBuf = folders.map(|(_, value, _)| value).collect();
            self.add(&base, Path::new(name), None)?;
        }
        if self.failed {
            eprintln!("tar: Exiting with failure status due to previous errors");
        }
        Ok((if self.failed { 2 } else { 0 }, self.archive.into_inner()?))
    }

    /// Adds a file, and what is below it.
    fn add(&mut self, base: &Path, name: &Path, device: Option<u64>) -> anyhow::Result<()> {
        let path = base.join(name);
        let meta = if self.follow { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        let meta = match meta {
            Ok(meta) => meta,
            Err(error) => {
                self.failed = true;
                eprintln!(
                    "tar: {}: Cannot stat: {}",
                    name.display(),
                    crate::applet::reason(&error)
                );
                return Ok(());
            }
        };
        let away = self.one_system && device.is_some_and(|device| device != meta.dev());
        if away || self.excludes.has(name.as_os_str().as_bytes()) {
            return Ok(());
        }
        if self.itself == Some((meta.dev(), meta.ino())) {
            eprintln!("tar: {}: archive cannot contain itself; not dumped", name.display());
            self.failed = true;
            return Ok(());
        }
        if let Err(error) = self.append(&path, name, &meta) {
            // What cannot be written ends everything; what cannot be read does not.
            let Some(unread) = error.downcast_ref::<Unreadable>() else { return Err(error) };
            self.unreadable(name, &unread.0);
            return Ok(());
        }
        if meta.is_dir() && self.recurse {
            let mut entries: Vec<OsString> = match fs::read_dir(&path) {
                Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect(),
                Err(error) => {
                    self.unreadable(name, &error);
                    return Ok(());
                }
            };
            entries.sort();
            for entry in entries {
                self.add(base, &name.join(entry), Some(meta.dev()))?;
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, name: &Path, error: &io::Error) {
        eprintln!("tar: {}: Cannot open: {}", name.display(), crate::applet::reason(error));
        self.failed = true;
    }

    fn append(&mut self, path: &Path, name: &Path, meta: &Metadata) -> anyhow::Result<()> {
        let kind = meta.file_type();
        if kind.is_socket() {
            eprintln!("tar: {}: socket ignored", name.display());
            return Ok(());
        }
        let stored = self.stored_name(name, meta.is_dir());
        if self.verbose {
            let line = [&shown(&stored)[..], b"\n"].concat();
            if self.to_stdout {
                io::stderr().write_all(&line)?
            } else {
                io::stdout().write_all(&line)?
            }
        }
        let mut header = self.header(meta);
        let first = (meta.nlink() > 1 && !meta.is_dir())
            .then(|| self.seen.insert((meta.dev(), meta.ino()), PathBuf::from(&stored)))
            .flatten();
        if let Some(first) = first {
            self.seen.insert((meta.dev(), meta.ino()), first.clone());
            header.set_entry_type(EntryType::Link);
            header.set_size(0);
            return self.link(header, &stored, first.as_os_str());
        }
        if kind.is_symlink() {
            return self.link(header, &stored, fs::read_link(path)?.as_os_str());
        }
        if !kind.is_file() {
            return self.data(header, &stored, io::empty());
        }
        let file = File::open(path).map_err(Unreadable)?;
        // A file that grows or shrinks meanwhile gets the size that its header says.
        let data = file.chain(io::repeat(0)).take(meta.size());
        self.data(header, &stored, data)
    }

    // The crate would clean names, as `./x` to `x`; only those too long for the header go through it.

    fn data(&mut self, mut header: Header, name: &OsStr, data: impl Read) -> anyhow::Result<()> {
        if !field(&mut header.as_old_mut().name, name) {
            return Ok(self.archive.append_data(&mut header, name, data)?);
        }
        header.set_cksum();
        Ok(self.archive.append(&header, data)?)
    }

    fn link(&mut self, mut header: Header, name: &OsStr, target: &OsStr) -> anyhow::Result<()> {
        let old = header.as_old_mut();
        if !(field(&mut old.name, name) && field(&mut old.linkname, target)) {
            return Ok(self.archive.append_link(&mut header, name, target)?);
        }
        header.set_cksum();
        Ok(self.archive.append(&header, io::empty())?)
    }

    fn stored_name(&mut self, name: &Path, folder: bool) -> OsString {
        let mut bytes = name.as_os_str().as_bytes();
        if !self.absolute && bytes.starts_with(b"/") {
            if !self.warned {
                eprintln!("tar: Removing leading `/' from member names");
                self.warned = true;
            }
            bytes = bytes.strip_prefix(b"/").unwrap_or(bytes);
            bytes = if bytes.is_empty() { b"." } else { bytes };
        }
        let mut stored = bytes.to_vec();
        if folder && !stored.ends_with(b"/") {
            stored.push(b'/');
        }
        OsString::from_vec(stored)
    }

    fn header(&self, meta: &Metadata) -> Header {
        let mut header = Header::new_gnu();
        let kind = meta.file_type();
        let (entry, size) = if kind.is_dir() {
            (EntryType::Directory, 0)
        } else if kind.is_symlink() {
            (EntryType::Symlink, 0)
        } else if kind.is_char_device() {
            (EntryType::Char, 0)
        } else if kind.is_block_device() {
            (EntryType::Block, 0)
        } else if kind.is_fifo() {
            (EntryType::Fifo, 0)
        } else {
            (EntryType::Regular, meta.size())
        };
        header.set_entry_type(entry);
        header.set_size(size);
        header.set_mode(meta.mode() & 0o7777);
        header.set_mtime(self.mtime.unwrap_or(u64::try_from(meta.mtime()).unwrap_or(0)));
        header.set_uid(self.owner.unwrap_or(meta.uid().into()));
        header.set_gid(self.group.unwrap_or(meta.gid().into()));
        if !self.numeric {
            let user = self.owner.is_none().then(|| self.names.user(meta.uid())).flatten();
            let group = self.group.is_none().then(|| self.names.group(meta.gid())).flatten();
            // A name that does not fit is left out: the number says who it is.
            let _ = header.set_username(user.unwrap_or(""));
            let _ = header.set_groupname(group.unwrap_or(""));
        }
        if kind.is_char_device() || kind.is_block_device() {
            let _ = header.set_device_major(rustix::fs::major(meta.rdev()));
            let _ = header.set_device_minor(rustix::fs::minor(meta.rdev()));
        }
        header
    }
}

/// Puts a name into its field, if it fits.
fn field(field: &mut [u8], name: &OsStr) -> bool {
    match field.split_at_mut_checked(name.len()) {
        Some((begin, end)) => {
            begin.copy_from_slice(name.as_bytes());
            end.fill(0);
            true
        }
        None => false,
    }
}

/// A file that cannot be read: the others still can.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreadable(io::Error);
