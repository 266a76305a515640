//! What `gzip`, `bzip2`, `xz` and `zstd` have in common: a file becomes another file.

use super::{
    Format, Writer, copy,
    endings::Endings,
    gzip::{self, Head},
    input::{Counted, DEFLATE, Input, Summed, Unpacked, open, unpack_gzip},
    refusals::{Skipped, Why, check, complain, is_garbage},
    report::{self, Entry, Sizes, Table},
};
use crate::applet::{Args, Opt, reason, usage_error};
use std::{
    cell::{Cell, RefCell},
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata, OpenOptions},
    io::{self, BufRead, IsTerminal as _, Write},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, SystemTime},
};

/// How the commands of a format differ from the others'.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) format: Format,
    /// Endings of compressed files, and what replaces each; the first is what is made.
    pub(crate) endings: &'static [(&'static str, &'static str)],
    pub(crate) level: u32,
    /// The file that was read stays.
    pub(crate) keeps: bool,
    /// The status when a file was skipped, and when its data is damaged.
    pub(crate) skipped: u8,
    pub(crate) damaged: u8,
}

/// What a command's name asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Pack,
    Unpack,
    /// To standard output.
    Show,
}

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

/// The options of all but `gzip`, which has its own.
pub(crate) const OPTIONS: &[Opt] = &[
    flag('c', "stdout", "to standard output; keep the file"),
    flag('\0', "to-stdout", "the same"),
    flag('d', "decompress", "the reverse"),
    flag('\0', "uncompress", "the same"),
    flag('z', "compress", "compress, whatever the command is called"),
    flag('t', "test", "only look whether the data is whole"),
    flag('l', "list", "print the sizes (gzip)"),
    flag('k', "keep", "keep the file"),
    flag('\0', "rm", "remove the file (so unless it is zstd)"),
    flag('f', "force", "overwrite; with -dc pass on what is not compressed"),
    flag('q', "quiet", "say less"),
    flag('v', "verbose", "say more"),
    flag('r', "recursive", "all files below a folder"),
    value('S', "suffix", "END", "the ending instead of the usual one"),
    value('o', "output", "FILE", "the file to write (zstd)"),
    value('T', "threads", "N", "understood, without effect"),
    value('F', "format", "FORMAT", "understood, without effect"),
    flag('e', "extreme", "understood, without effect"),
    flag('s', "small", "understood, without effect"),
    flag('\0', "ultra", "understood: levels over 19 need it elsewhere"),
    flag('\0', "no-progress", "understood: there is none"),
    flag('\0', "fast", "the quickest level"),
    flag('\0', "best", "the closest level"),
    value('#', "level", "N", "-1 is quick, -9 (with zstd -19) is close"),
];

/// What to do with each file.
struct Work<'a> {
    family: &'a Family,
    task: Task,
    test: bool,
    list: bool,
    keep: bool,
    force: bool,
    quiet: bool,
    verbose: bool,
    /// Names and times are kept in packed files, and taken from them.
    names: bool,
    synchronous: bool,
    recursive: bool,
    level: u32,
    endings: Endings<'a>,
    output: Option<PathBuf>,
    table: RefCell<Table>,
    /// The status so far.
    status: Cell<u8>,
}

/// `gzip` takes no longer ending.
const LONGEST_ENDING: usize = 30;

/// Runs a command of a family.
pub(crate) fn run(args: &Args, family: &Family, task: Task) -> anyhow::Result<u8> {
    let (command, mut task) = (task, task);
    for (option, _) in args.all() {
        task = match option {
            "stdout" | "to-stdout" if task == Task::Unpack => Task::Show,
            "decompress" | "uncompress" if task == Task::Pack => Task::Unpack,
            "compress" => Task::Pack,
            _ => task,
        };
    }
    let gzip = family.format == Format::Gzip;
    if let Some(ending) = args.value("suffix").filter(|_| gzip)
        && (ending.is_empty() || ending.len() > LONGEST_ENDING)
    {
        anyhow::bail!("invalid suffix '{}'", ending.display());
    }
    let last = |one: &str, other: &str| {
        let given = args.all().map(|(option, _)| option).filter(|o| *o == one || *o == other);
        given.last().map(|option| option == one)
    };
    let quiet = if gzip { last("quiet", "verbose") == Some(true) } else { args.has("quiet") };
    let verbose = gzip && last("verbose", "quiet") == Some(true);
    let looks = args.has("test") || args.has("list");
    let stdout = args.has("stdout") || args.has("to-stdout") || task == Task::Show;
    let mut work = Work {
        family,
        task: if stdout && task == Task::Unpack { Task::Show } else { task },
        test: args.has("test"),
        list: args.has("list"),
        keep: (family.keeps || args.has("keep") || stdout) && !args.has("rm"),
        // `zstdcat` passes on what is not compressed.
        force: args.has("force") || (command == Task::Show && family.format == Format::Zstd),
        quiet,
        verbose,
        names: gzip && last("name", "no-name").unwrap_or(task == Task::Pack && !looks),
        synchronous: args.has("synchronous"),
        recursive: args.has("recursive"),
        level: level(args, family)?,
        endings: Endings { family, own: args.value("suffix").map(OsString::from) },
        output: args.value("output").map(PathBuf::from),
        table: Table::new(!quiet, verbose).into(),
        status: Cell::new(0),
    };
    if stdout {
        work.output = Some("-".into());
    }
    let nothing = [OsString::from("-")];
    let files = if args.operands.is_empty() { &nothing[..] } else { &args.operands };
    let looked = if work.test || work.list { Task::Unpack } else { work.task };
    for file in files {
        for file in below(&work.endings.found(Path::new(file), looked), work.recursive) {
            if let Err(error) = work.file(&file) {
                work.worse(complain(family, quiet, looked, &file, &error));
            }
        }
    }
    if work.list && files.len() > 1 && !quiet {
        work.table.borrow().totals()?;
    }
    Ok(work.status.get())
}

/// How closely to compress.
fn level(args: &Args, family: &Family) -> anyhow::Result<u32> {
    let mut level = family.level;
    for (option, value) in args.all() {
        level = match option {
            "fast" => 1,
            "best" => 9,
            // The digits of `gzip -19` are two options.
            "level" if family.format == Format::Gzip => match value.as_bytes() {
                digits if digits.contains(&b'0') => return usage_error("unknown option -0"),
                [.., digit] => u32::from(digit.saturating_sub(b'0')),
                [] => level,
            },
            "level" => args.number("level")?.unwrap_or(level),
            _ => level,
        };
    }
    Ok(level)
}

/// The file, or with `recursive` the files below a folder.
fn below(path: &Path, recursive: bool) -> Vec<PathBuf> {
    let Some(entries) = (recursive && path.is_dir()).then(|| fs::read_dir(path).ok()).flatten()
    else {
        return vec![path.to_owned()];
    };
    let mut names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    names.sort();
    names.iter().filter(|name| !name.is_symlink()).flat_map(|name| below(name, true)).collect()
}

impl Work<'_> {
    fn is_gzip(&self) -> bool {
        self.family.format == Format::Gzip
    }

    /// Takes a status, if none that is worse was before it.
    fn worse(&self, code: u8) {
        let now = self.status.get();
        if now != self.family.damaged && code != 0 {
            self.status.set(code);
        }
    }

    fn file(&self, path: &Path) -> anyhow::Result<()> {
        let stdin = path == Path::new("-");
        let looks = self.test || self.list || self.task == Task::Unpack;
        if self.is_gzip() && self.recursive && looks && !stdin {
            // Below folders, what has no ending is no packed file.
            if self.endings.target(path, Task::Unpack, false).is_err() {
                return Ok(());
            }
        }
        if self.test || self.list {
            return self.look(path);
        }
        let made = self.output.clone().or_else(|| stdin.then(|| PathBuf::from("-")));
        if self.is_gzip() && made.is_none() {
            check(path, self.force)?;
        }
        let mut input = open(path)?;
        let target = match made {
            Some(made) => made,
            None => self.endings.target(path, self.task, self.force)?,
        };
        if target == Path::new("-") {
            if self.task == Task::Pack && !self.force && io::stdout().is_terminal() {
                let text = "compressed data is not written to a terminal";
                return Err(Skipped(text.into(), Why::Unfit).into());
            }
            let mut out = io::stdout().lock();
            let sizes = if self.task == Task::Pack {
                self.begin(path);
                self.pack(&mut input, path, &mut out)?
            } else {
                let pass = self.force && (self.task == Task::Show || self.is_gzip());
                let mut unpacked = self.unpacker(&mut *input.data, pass)?;
                self.begin(path);
                self.unpack(&mut unpacked, path, &input.count, &mut out)?
            };
            out.flush()?;
            if !stdin {
                self.end(&sizes, &target, false);
            } else if self.verbose && self.task == Task::Pack {
                eprintln!("{}", sizes.ratio());
            }
            return Ok(());
        }
        let kind = fs::symlink_metadata(path)?;
        if !stdin && !kind.is_file() && !self.force {
            return Err(Skipped("not a regular file -- ignored".into(), Why::Unfit).into());
        }
        self.to_file(&mut input, path, &target)?;
        if !self.keep && !stdin {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Begins the line that `-v` prints.
    fn begin(&self, path: &Path) {
        if self.verbose {
            report::begin(path);
        }
    }

    fn end(&self, sizes: &Sizes, target: &Path, kept: bool) {
        if self.verbose {
            report::end(sizes, target, kept);
        }
    }

    /// Reads a packed file for what it holds.
    fn look(&self, path: &Path) -> anyhow::Result<()> {
        let stdin = path == Path::new("-");
        let Input { mut data, meta, count } = open(path)?;
        let mut unpacked = self.unpacker(&mut *data, false)?;
        if self.test {
            self.begin(path);
        }
        let mut crc = Summed(flate2::Crc::new());
        let sizes = self.unpack(&mut unpacked, path, &count, &mut crc)?;
        if !self.list {
            if self.verbose {
                eprintln!(" OK");
            }
            return Ok(());
        }
        let named = unpacked.head.name.as_deref().filter(|_| self.names).map(OsStr::from_bytes);
        let name = match named {
            Some(name) => PathBuf::from(name),
            None if stdin => PathBuf::from("stdout"),
            None => self.endings.target(path, Task::Unpack, false).unwrap_or_else(|_| path.into()),
        };
        let (method, head) = (unpacked.method, &unpacked.head);
        let crc = Some(crc.0.sum()).filter(|_| method == DEFLATE);
        let changed = match head.time {
            time @ 1.. if self.names => time.into(),
            _ if meta.is_file() => meta.mtime(),
            _ => 0,
        };
        let entry = Entry { method, crc, changed, sizes, name: &name };
        Ok(self.table.borrow_mut().add(&entry)?)
    }

    /// Writes a new file with the times and the mode of the old one.
    fn to_file(&self, input: &mut Input, from: &Path, target: &Path) -> anyhow::Result<()> {
        if self.task == Task::Pack {
            let file = self.create(target)?;
            self.begin(from);
            let done = self.pack(input, from, &mut &file);
            return self.finish(&file, from, input, None, target, done);
        }
        let Input { data, count, .. } = input;
        let mut unpacked = self.unpacker(&mut **data, false)?;
        let head = unpacked.head.clone();
        let named = head.name.as_deref().filter(|_| self.names).map(OsStr::from_bytes);
        let target = named.map_or_else(|| target.to_owned(), |name| target.with_file_name(name));
        let file = self.create(&target)?;
        self.begin(from);
        let done = self.unpack(&mut unpacked, from, count, &mut &file);
        drop(unpacked);
        let time = Some(head.time).filter(|time| self.names && *time != 0);
        self.finish(&file, from, input, time, &target, done)
    }

    /// Makes a file that only we can read before it has the mode of the old one.
    fn create(&self, target: &Path) -> anyhow::Result<File> {
        if target.symlink_metadata().is_ok() {
            if !self.force {
                let text = format!("{} already exists;\tnot overwritten", target.display());
                return Err(Skipped(text, Why::Exists).into());
            }
            fs::remove_file(target)?;
        }
        let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target);
        new.map_err(|error| {
            let text = format!("{}: {}", target.display(), reason(&error));
            Skipped(text, Why::Unmade).into()
        })
    }

    /// Gives a new file the old one's mode and times, or the time that the data had; or removes it,
    /// if the data was not good.
    fn finish(
        &self,
        file: &File,
        from: &Path,
        input: &Input,
        time: Option<u32>,
        target: &Path,
        done: anyhow::Result<Sizes>,
    ) -> anyhow::Result<()> {
        if done.is_err() {
            let _ = fs::remove_file(target);
            return done.map(drop);
        }
        if from == Path::new("-") {
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
        } else {
            let mode = input.meta.permissions().mode() & 0o7777;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            let modified = match time {
                Some(time) => SystemTime::UNIX_EPOCH + Duration::from_secs(time.into()),
                None => input.meta.modified()?,
            };
            let times = fs::FileTimes::new().set_modified(modified);
            file.set_times(times.set_accessed(input.meta.accessed()?))?;
        }
        if self.synchronous {
            file.sync_all()?;
        }
        self.end(&done?, target, self.keep);
        Ok(())
    }

    fn pack(&self, input: &mut Input, from: &Path, out: &mut dyn Write) -> anyhow::Result<Sizes> {
        let count = Rc::new(Cell::new(0));
        let out = Counted { inner: out, count: Rc::clone(&count) };
        let mut head = 0;
        let mut writer = if self.is_gzip() {
            let (name, time) = self.described(from, &input.meta);
            let length = name.as_ref().map_or(0, |name| name.len() + 1);
            head = 18 + u64::try_from(length).unwrap_or(0);
            Writer::Gzip(gzip::writer(self.level, name, time, Box::new(out)))
        } else {
            self.family.format.writer(self.level, out)?
        };
        let plain = copy(&mut *input.data, &mut writer)?;
        writer.finish()?;
        Ok(Sizes { packed: count.get(), plain, head })
    }

    /// The name and the time that a packed file keeps.
    fn described(&self, from: &Path, meta: &Metadata) -> (Option<Vec<u8>>, u32) {
        if !self.names {
            return (None, 0);
        }
        let name = from.file_name().filter(|_| from != Path::new("-"));
        let name = name.map(|name| name.as_bytes().to_vec());
        if !meta.is_file() {
            return (name, 0);
        }
        match u32::try_from(meta.mtime()) {
            Ok(time @ 1..) => (name, time),
            _ => {
                if !self.quiet {
                    let shown = if name.is_some() { from } else { Path::new("stdin") };
                    let text = "warning: file timestamp out of range for gzip format";
                    eprintln!("{}: {}: {text}", self.family.name, shown.display());
                }
                self.worse(2);
                (name, 0)
            }
        }
    }

    /// Writes what a packed file holds; what came before damage is passed on.
    fn unpack(
        &self,
        unpacked: &mut Unpacked<'_>,
        from: &Path,
        count: &Cell<u64>,
        out: &mut dyn Write,
    ) -> anyhow::Result<Sizes> {
        let plain = Rc::new(Cell::new(0));
        let mut out = Counted { inner: out, count: Rc::clone(&plain) };
        let copied = copy(&mut *unpacked.data, &mut out).map_err(anyhow::Error::from);
        out.flush()?;
        if let Err(error) = copied {
            if !is_garbage(&error) {
                return Err(error);
            }
            // The data was good all the same.
            self.worse(complain(self.family, self.quiet, Task::Unpack, from, &error));
        }
        Ok(Sizes { packed: count.get(), plain: plain.get(), head: unpacked.head.size })
    }

    /// What a packed file holds; with `pass`, what is not packed is passed on.
    fn unpacker<'a>(&self, data: &'a mut dyn BufRead, pass: bool) -> anyhow::Result<Unpacked<'a>> {
        if self.is_gzip() {
            return unpack_gzip(data, pass);
        }
        let format = self.family.format;
        let begin = data.fill_buf()?;
        let magic = format.magic();
        if begin.is_empty() {
            anyhow::ensure!(format == Format::Bzip2 || self.force, "unexpected end of input");
        }
        let head = Head::default();
        if begin.len() >= magic.len() && !format.reads(begin) {
            // What is not compressed passes with --force.
            if pass {
                return Ok(Unpacked { data: Box::new(data), head, method: "" });
            }
            anyhow::bail!("not in {} format", self.family.name);
        }
        anyhow::ensure!(!begin.is_empty(), "unexpected end of file");
        Ok(Unpacked { data: format.reader(data)?, head, method: "" })
    }
}
