//! Making archives.

use super::{
    Filter, changed,
    checkpoint::Checkpoints,
    holes, index,
    matching::{Excludes, Tagged, Tags},
    member::{self, Blocks, Fields, Layout, Unfit, record_size},
    moment,
    named::{Named, named},
    transform, transformed,
};
use crate::{
    applet::{Args, usage_error},
    archive::shown,
    compress::{Format, Writer},
    names,
    sed::{Target, Transform},
};
use anyhow::Context as _;
use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    io::{self, BufWriter, Read, Write},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
    process::Stdio,
};
use tar::EntryType;

pub(super) fn create(args: &Args) -> anyhow::Result<u8> {
    if args.has("occurrence") {
        return usage_error("'--occurrence' cannot be used with '-c'");
    }
    if named(args)?.is_empty() && !args.has("files-from") {
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
    // What is wrong with the options is said before an archive that is there is overwritten.
    drop(Creating::new(args, io::sink(), OsStr::new(""), 0)?);
    let to = match file == "-" {
        true => File::from(rustix::io::dup(rustix::stdio::stdout())?),
        false => File::create(file).with_context(|| format!("{}: Cannot open", file.display()))?,
    };
    if let Some(mut filter) = Filter::of(args)? {
        let running = filter.command.stdin(Stdio::piped()).stdout(to).spawn();
        let mut running = running.map_err(|error| filter.failed(error))?;
        let to = running.stdin.take().context("no pipe")?;
        let made = Creating::new(args, to, file, 0)?.all(args);
        let made = made.map(|made| (made.status, made.remove));
        // What the command says is the reason, if it does not take what is written to it.
        filter.end(running)?;
        return made.map(|(status, remove)| removed(&remove, status));
    }
    let to = BufWriter::with_capacity(1 << 17, to);
    match format {
        None => {
            let Made { mut to, status, remove } = Creating::new(args, to, file, 0)?.all(args)?;
            to.flush()?;
            Ok(removed(&remove, status))
        }
        Some(format) => {
            let level = if format == Format::Zstd { 3 } else { 6 };
            let writer: Writer<'_> = format.writer(level, to)?;
            let Made { to, status, remove } = Creating::new(args, writer, file, 0)?.all(args)?;
            to.finish()?;
            Ok(removed(&remove, status))
        }
    }
}

/// An archive that is made, but for what its writer still holds.
pub(super) struct Made<W> {
    pub(super) to: W,
    pub(super) status: u8,
    /// What --remove-files takes away when all of it is written.
    pub(super) remove: Vec<PathBuf>,
}

/// Removes files that are in an archive; the status then.
pub(super) fn removed(files: &[PathBuf], status: u8) -> u8 {
    let mut status = status;
    for path in files.iter().rev() {
        // A folder cannot be removed by the name `.` that it has in itself.
        let path: PathBuf = path.components().collect();
        let folder = path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
        let removed = if folder { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        if let Err(error) = removed {
            let (reason, what) =
                (crate::applet::reason(&error), if folder { "rmdir" } else { "unlink" });
            eprintln!("tar: {}: Cannot {what}: {reason}", path.display());
            status = 2;
        }
    }
    status
}

/// An archive that is being made.
pub(super) struct Creating<W: Write> {
    archive: tar::Builder<Blocks<W>>,
    layout: Layout,
    /// Whether pax has all times, or that of the data alone.
    all_times: bool,
    /// Bytes that the archive's length is a multiple of.
    record: u64,
    /// The archive's own device and inode, so that it does not swallow itself.
    itself: Option<(u64, u64)>,
    names: names::Names,
    excludes: Excludes,
    tags: Tags,
    seen: HashMap<(u64, u64), PathBuf>,
    follow: bool,
    one_system: bool,
    /// Each name of a file is the file.
    copies: bool,
    /// Holes are left out.
    sparse: bool,
    absolute: bool,
    verbose: bool,
    numeric: bool,
    warned: bool,
    to_stdout: bool,
    failed: bool,
    owner: Option<Owner>,
    group: Option<Owner>,
    mtime: Option<i64>,
    /// Of --mtime and the file's own time the older one counts.
    clamp: bool,
    mode: Option<String>,
    transform: Option<Transform>,
    show_transformed: bool,
    /// Where names are printed, if not to standard output or, where that is the archive, to standard error.
    index: Option<File>,
    /// Files that did not change after this are left out; whether only their data counts.
    newer: Option<(i64, bool)>,
    /// Files that are no newer than here are left out.
    pub(super) there: HashMap<OsString, i64>,
    ignore_unread: bool,
    /// What is to be removed in the end, if anything is.
    remove: Option<Vec<PathBuf>>,
}

/// What --owner or --group says of every member: a number, a name, or both as `NAME:NUMBER`.
struct Owner {
    /// Empty where only a number was given.
    name: String,
    id: u64,
}

impl Owner {
    fn new(option: &str, text: &str, lookup: fn(&str) -> Option<u32>) -> anyhow::Result<Self> {
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => (name, number.parse().ok()),
            None => match text.parse() {
                Ok(number) => ("", Some(number)),
                Err(_) => (text, lookup(text).map(u64::from)),
            },
        };
        match number {
            Some(id) => Ok(Self { name: name.to_owned(), id }),
            None => usage_error(format!("Invalid {option} or {option} ID: {text:?}")),
        }
    }
}

impl<W: Write> Creating<W> {
    /// `at` is how much is in the archive already, in bytes.
    pub(super) fn new(args: &Args, to: W, file: &OsStr, at: u64) -> anyhow::Result<Self> {
        let itself = fs::metadata(file).ok().filter(Metadata::is_file);
        let dates = ["newer", "after-date", "newer-mtime"];
        let newer = dates.into_iter().find(|option| args.has(option));
        let newer =
            newer.and_then(|option| Some((args.text(option).ok()??, option == "newer-mtime")));
        let mut blocks = Blocks::new(to, at);
        blocks.checkpoints = Checkpoints::of(args, "Write", record_size(args)?)?;
        let layout = Layout::of(args)?;
        if let Some(mode) = args.text("mode")? {
            changed(mode, 0, false)?;
        }
        let sparse = args.has("sparse");
        if sparse && !matches!(layout, Layout::Gnu | Layout::Pax) {
            return usage_error("GNU features wanted on incompatible archive format");
        }
        Ok(Self {
            layout,
            sparse,
            all_times: args.value("pax-option").is_none_or(|option| {
                !option.to_string_lossy().split(',').any(|it| it.starts_with("delete="))
            }),
            record: record_size(args)?,
            itself: itself.map(|meta| (meta.dev(), meta.ino())),
            names: names::Names::read(),
            excludes: Excludes::new(args)?,
            tags: Tags::new(args),
            seen: HashMap::new(),
            follow: args.has("dereference"),
            one_system: args.has("one-file-system"),
            copies: args.has("hard-dereference"),
            absolute: args.has("absolute-names"),
            verbose: args.has("verbose"),
            numeric: args.has("numeric-owner"),
            warned: false,
            to_stdout: file == "-",
            failed: false,
            owner: args
                .text("owner")?
                .map(|text| Owner::new("owner", text, names::uid))
                .transpose()?,
            group: args
                .text("group")?
                .map(|text| Owner::new("group", text, names::gid))
                .transpose()?,
            mtime: args.text("mtime")?.map(moment).transpose()?,
            clamp: args.has("clamp-mtime"),
            mode: args.text("mode")?.map(str::to_owned),
            transform: transform(args)?,
            show_transformed: args.has("show-transformed-names"),
            index: index(args)?,
            newer: newer.map(|(date, data)| anyhow::Ok((moment(date)?, data))).transpose()?,
            there: HashMap::new(),
            ignore_unread: args.has("ignore-failed-read"),
            remove: args.has("remove-files").then(Vec::new),
            // The last: it writes an archive's end when it is dropped, too.
            archive: tar::Builder::new(blocks),
        })
    }

    pub(super) fn all(mut self, args: &Args) -> anyhow::Result<Made<W>> {
        for Named { name, base, recurse } in named(args)? {
            self.add(&base, Path::new(&name), None, recurse)?;
        }
        if self.failed {
            eprintln!("tar: Exiting with failure status due to previous errors");
        }
        let status = if self.failed { 2 } else { 0 };
        let to = self.archive.into_inner()?.fill(self.record)?;
        Ok(Made { to, status, remove: self.remove.unwrap_or_default() })
    }

    /// Adds a file, and what is below it.
    fn add(
        &mut self,
        base: &Path,
        name: &Path,
        device: Option<u64>,
        recurse: bool,
    ) -> anyhow::Result<()> {
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
        let tag = if meta.is_dir() { self.tags.of(&path) } else { None };
        let tag = tag.map(|(tag, what)| (tag.to_owned(), what));
        if let Some((file, what)) = &tag {
            let (name, file) = (name.display(), file.display());
            let part = if *what == Tagged::Nothing { "directory" } else { "contents" };
            eprintln!("tar: {name}/: contains a cache directory tag {file}; {part} not dumped");
            if *what == Tagged::Nothing {
                return Ok(());
            }
        }
        if !self.is_old(name, &meta)
            && let Err(error) = self.append(&path, name, &meta)
        {
            if let Some(unfit) = error.downcast_ref::<Unfit>() {
                eprintln!("tar: {}: {unfit}", name.display());
                self.failed = true;
                return Ok(());
            }
            // What cannot be written ends everything; what cannot be read does not.
            let Some(unread) = error.downcast_ref::<Unreadable>() else { return Err(error) };
            self.unreadable(name, &unread.0);
            return Ok(());
        }
        if let Some((tag, what)) = tag {
            return match what {
                Tagged::WithTag => self.add(base, &name.join(tag), Some(meta.dev()), recurse),
                _ => Ok(()),
            };
        }
        if meta.is_dir() && recurse {
            let mut entries: Vec<OsString> = match fs::read_dir(&path) {
                Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect(),
                Err(error) => {
                    self.unreadable(name, &error);
                    return Ok(());
                }
            };
            entries.sort();
            for entry in entries {
                self.add(base, &name.join(entry), Some(meta.dev()), recurse)?;
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, name: &Path, error: &io::Error) {
        let warning = if self.ignore_unread { "Warning: " } else { "" };
        let reason = crate::applet::reason(error);
        eprintln!("tar: {}: {warning}Cannot open: {reason}", name.display());
        self.failed |= !self.ignore_unread;
    }

    /// Whether a file is left out for its time.
    fn is_old(&self, name: &Path, meta: &Metadata) -> bool {
        let date = self.newer.filter(|_| !meta.is_dir());
        let old =
            date.is_some_and(|(date, data)| meta.mtime() <= date && (data || meta.ctime() <= date));
        let mut stored = name.strip_prefix("/").unwrap_or(name).as_os_str().to_owned();
        stored.push(if meta.is_dir() { "/" } else { "" });
        // A folder that is there is only gone through.
        let there = self.there.get(&stored);
        old || there.is_some_and(|there| meta.is_dir() || meta.mtime() <= *there)
    }

    fn append(&mut self, path: &Path, name: &Path, meta: &Metadata) -> anyhow::Result<()> {
        let kind = meta.file_type();
        if kind.is_socket() {
            eprintln!("tar: {}: socket ignored", name.display());
            return Ok(());
        }
        if self.layout == Layout::V7 && !(kind.is_file() || kind.is_dir() || kind.is_symlink()) {
            anyhow::bail!(Unfit("Unknown file type; file ignored".into()));
        }
        let original = self.stored_name(name, meta.is_dir());
        let stored = self.transformed(original.clone(), Target::File);
        if self.verbose {
            let name = if self.show_transformed { &stored } else { &original };
            let line = [&shown(name)[..], b"\n"].concat();
            match &mut self.index {
                Some(index) => index.write_all(&line)?,
                None if self.to_stdout => io::stderr().write_all(&line)?,
                None => io::stdout().write_all(&line)?,
            }
        }
        if stored.is_empty() {
            return Ok(());
        }
        let mut fields = self.fields(meta);
        let first = (meta.nlink() > 1 && !meta.is_dir() && !self.copies)
            .then(|| self.seen.insert((meta.dev(), meta.ino()), PathBuf::from(&original)))
            .flatten();
        if let Some(first) = first {
            self.seen.insert((meta.dev(), meta.ino()), first.clone());
            (fields.kind, fields.size) = (EntryType::Link, 0);
            let first = self.transformed(first.into_os_string(), Target::Hardlink);
            self.put(&fields, &stored, Some(&first), io::empty())?;
        } else if kind.is_symlink() {
            let target = fs::read_link(path)?.into_os_string();
            let target = self.transformed(target, Target::Symlink);
            self.put(&fields, &stored, Some(&target), io::empty())?;
        } else if kind.is_file() {
            let file = File::open(path).map_err(Unreadable)?;
            if self.sparse && meta.blocks() < meta.size() / 512 {
                let map = holes::map(&file, meta.size())?;
                fields.map = Some(map.clone());
                let data = holes::Data { file, map: map.into_iter(), now: (0, 0) };
                self.put(&fields, &stored, None, data)?;
                self.is_archived(path);
                return Ok(());
            }
            // A file that grows or shrinks meanwhile gets the size that its header says.
            let data = file.chain(io::repeat(0)).take(meta.size());
            self.put(&fields, &stored, None, data)?;
        } else {
            self.put(&fields, &stored, None, io::empty())?;
        }
        self.is_archived(path);
        Ok(())
    }

    /// What is removed in the end, if that is asked for.
    fn is_archived(&mut self, path: &Path) {
        self.remove.iter_mut().for_each(|remove| remove.push(path.to_owned()));
    }

    fn put(
        &mut self,
        fields: &Fields,
        name: &OsStr,
        link: Option<&OsStr>,
        data: impl Read,
    ) -> anyhow::Result<()> {
        member::write(&mut self.archive, self.layout, fields, name, link, data)
    }

    fn transformed(&self, name: OsString, target: Target) -> OsString {
        match &self.transform {
            Some(transform) => transformed(transform, &name, target),
            None => name,
        }
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

    fn mode_of(&self, meta: &Metadata) -> u32 {
        let own = meta.mode() & 0o7777;
        let given = self.mode.as_ref().and_then(|mode| changed(mode, own, meta.is_dir()).ok());
        given.unwrap_or(own)
    }

    fn fields(&self, meta: &Metadata) -> Fields {
        let kind = meta.file_type();
        let (kind, size) = if kind.is_dir() {
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
        let name = |given: &Option<Owner>, known: Option<&str>| match given {
            _ if self.numeric => String::new(),
            Some(owner) => owner.name.clone(),
            None => known.unwrap_or("").to_owned(),
        };
        let part = |nanoseconds: i64| u32::try_from(nanoseconds).unwrap_or(0);
        let own = (meta.mtime(), part(meta.mtime_nsec()));
        let device = matches!(kind, EntryType::Char | EntryType::Block);
        Fields {
            kind,
            mode: self.mode_of(meta),
            uid: self.owner.as_ref().map_or(meta.uid().into(), |owner| owner.id),
            gid: self.group.as_ref().map_or(meta.gid().into(), |group| group.id),
            user: name(&self.owner, self.names.user(meta.uid())),
            group: name(&self.group, self.names.group(meta.gid())),
            size,
            modified: match self.mtime {
                Some(seconds) if !self.clamp || own.0 > seconds => (seconds, 0),
                _ => own,
            },
            others: self.all_times.then(|| {
                [(meta.atime(), part(meta.atime_nsec())), (meta.ctime(), part(meta.ctime_nsec()))]
            }),
            map: None,
            device: device
                .then(|| (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()))),
        }
    }
}

/// A file that cannot be read: the others still can.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreadable(io::Error);
