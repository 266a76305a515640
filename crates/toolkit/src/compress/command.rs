//! What `gzip`, `bzip2`, `xz` and `zstd` have in common: a file becomes another file.

use super::{Format, copy, gzip::TrailingGarbage};
use crate::applet::{Args, Opt};
use anyhow::Context as _;
use std::{
    cell::Cell,
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, BufReader, IsTerminal as _, Read, Write},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
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

/// The options of all.
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
    flag('n', "no-name", "understood: no name is ever kept in the file"),
    flag('N', "name", "understood, without effect"),
    flag('r', "recursive", "all files below a folder"),
    value('S', "suffix", "END", "the ending instead of the usual one"),
    value('o', "output", "FILE", "the file to write (zstd)"),
    value('T', "threads", "N", "understood, without effect"),
    value('F', "format", "FORMAT", "understood, without effect"),
    flag('e', "extreme", "understood, without effect"),
    flag('s', "small", "understood, without effect"),
    flag('\0', "ultra", "understood: levels over 19 need it elsewhere"),
    flag('\0', "no-progress", "understood: there is none"),
    flag('\0', "rsyncable", "understood, without effect"),
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
    level: u32,
    ending: Option<OsString>,
    output: Option<PathBuf>,
    /// Packed and unpacked bytes so far, and the last file's bytes that are no data.
    totals: Cell<(u64, u64, f64)>,
}

/// A file that is left alone: the command goes on, with another status in the end.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Skipped(String, Why);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Exists,
    NoFile,
    Folder,
    Unfit,
}

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
    let stdout = args.has("stdout") || args.has("to-stdout") || task == Task::Show;
    let level = match (args.has("fast"), args.has("best"), args.number("level")?) {
        (_, _, Some(level)) => level,
        (true, ..) => 1,
        (_, true, _) => 9,
        _ => family.level,
    };
    let mut work = Work {
        family,
        task: if stdout && task == Task::Unpack { Task::Show } else { task },
        test: args.has("test"),
        list: args.has("list"),
        keep: (family.keeps || args.has("keep") || stdout) && !args.has("rm"),
        // `zstdcat` passes on what is not compressed.
        force: args.has("force") || (command == Task::Show && family.format == Format::Zstd),
        quiet: args.has("quiet"),
        level,
        ending: args.value("suffix").map(OsString::from),
        output: args.value("output").map(PathBuf::from),
        totals: Cell::new((0, 0, 0.0)),
    };
    if stdout {
        work.output = Some("-".into());
    }
    let nothing = [OsString::from("-")];
    let files = if args.operands.is_empty() { &nothing[..] } else { &args.operands };
    let mut status = 0;
    if work.list {
        println!("         compressed        uncompressed  ratio uncompressed_name");
    }
    for file in files {
        for file in below(&work.found(Path::new(file)), args.has("recursive")) {
            if let Err(error) = work.file(&file) {
                let code = work.complain(&file, &error);
                status = if status == family.damaged { status } else { code };
            }
        }
    }
    if work.list && files.len() > 1 {
        let (packed, size, head) = work.totals.get();
        println!("{}", row(packed, size, head, "(totals)"));
    }
    Ok(status)
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
    /// Prints what was wrong; the status that it means.
    fn complain(&self, file: &Path, error: &anyhow::Error) -> u8 {
        let shown =
            if file == Path::new("-") { "stdin".into() } else { file.display().to_string() };
        let garbage = error.chain().any(is_garbage);
        let skipped = error.downcast_ref::<Skipped>().map(|skipped| skipped.1);
        if !(self.quiet
            && (garbage || matches!(skipped, Some(Why::Exists | Why::Unfit | Why::Folder))))
        {
            match skipped {
                Some(Why::Exists) if self.family.format == Format::Gzip => {
                    eprintln!("{}: {error:#}", self.family.name);
                }
                _ => eprintln!("{}: {shown}: {error:#}", self.family.name),
            }
        }
        match skipped {
            Some(Why::NoFile) => 1,
            // An error to xz; the others only warn.
            Some(Why::Exists) if self.family.format == Format::Xz => 1,
            Some(Why::Unfit) if self.family.format == Format::Gzip && self.quiet => 0,
            Some(_) => self.family.skipped,
            None if garbage => 2,
            None => self.family.damaged,
        }
    }

    fn file(&self, path: &Path) -> anyhow::Result<()> {
        let stdin = path == Path::new("-");
        if self.test || self.list {
            let mut input = open(path)?;
            let size = copy(&mut *self.unpacker(&mut input)?, &mut io::sink())?;
            return if self.list { self.listing(path, size) } else { Ok(()) };
        }
        let target = match &self.output {
            Some(output) => output.clone(),
            None if stdin => "-".into(),
            None => self.target(path, self.task)?,
        };
        let mut input = open(path)?;
        if target == Path::new("-") {
            if self.task == Task::Pack && !self.force && io::stdout().is_terminal() {
                return Err(Skipped(
                    "compressed data is not written to a terminal".into(),
                    Why::Unfit,
                )
                .into());
            }
            let mut out = io::stdout().lock();
            self.convert(&mut input, &mut out)?;
            return Ok(out.flush()?);
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

    /// Writes a new file with the times and the mode of the old one.
    fn to_file(
        &self,
        input: &mut dyn io::BufRead,
        from: &Path,
        target: &Path,
    ) -> anyhow::Result<()> {
        if target.exists() {
            if !self.force {
                let text = format!("{} already exists;\tnot overwritten", target.display());
                return Err(Skipped(text, Why::Exists).into());
            }
            fs::remove_file(target)?;
        }
        // Nobody else reads it before it has the mode of the old one.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target)?;
        // Reading it changes when it was read last.
        let old = fs::metadata(from);
        let done = self.convert(input, &mut &file);
        let garbage = done.as_ref().is_err_and(|error| error.chain().any(is_garbage));
        if done.is_err() && !garbage {
            let _ = fs::remove_file(target);
            return done;
        }
        match old {
            Ok(old) if from != Path::new("-") => {
                file.set_permissions(fs::Permissions::from_mode(
                    old.permissions().mode() & 0o7777,
                ))?;
                let times = fs::FileTimes::new()
                    .set_modified(old.modified()?)
                    .set_accessed(old.accessed()?);
                file.set_times(times)?;
            }
            _ => file.set_permissions(fs::Permissions::from_mode(0o644))?,
        }
        done
    }

    fn convert(&self, input: &mut dyn io::BufRead, out: &mut dyn Write) -> anyhow::Result<()> {
        if self.task == Task::Pack {
            let mut writer = self.family.format.writer(self.level, out)?;
            copy(input, &mut writer)?;
            return Ok(writer.finish()?);
        }
        // What came before the damage is passed on.
        let copied = copy(&mut *self.unpacker(input)?, out);
        out.flush()?;
        copied?;
        Ok(())
    }

    fn unpacker<'a>(&self, input: &'a mut dyn io::BufRead) -> anyhow::Result<Box<dyn Read + 'a>> {
        let begin = input.fill_buf()?;
        let magic = self.family.format.magic();
        if begin.is_empty() && self.family.format != Format::Gzip {
            anyhow::ensure!(
                self.family.format == Format::Bzip2 || self.force,
                "unexpected end of input"
            );
        }
        if begin.len() >= magic.len() && !self.family.format.reads(begin) {
            // `zcat` reads only its own format; what is not compressed passes with --force.
            if self.force && self.task == Task::Show {
                return Ok(Box::new(input));
            }
            anyhow::bail!("not in {} format", self.family.name);
        }
        anyhow::ensure!(!begin.is_empty(), "unexpected end of file");
        Ok(self.family.format.reader(input)?)
    }

    /// gzip takes a packed file by the name that it had before as well.
    fn found(&self, path: &Path) -> PathBuf {
        let name = path.as_os_str().as_bytes();
        let mut endings = self.family.endings.iter().map(|(ending, _)| ending.as_bytes());
        if self.family.format != Format::Gzip
            || self.task == Task::Pack
            || path == Path::new("-")
            || path.symlink_metadata().is_ok()
            || endings.clone().any(|ending| name.ends_with(ending))
        {
            return path.to_owned();
        }
        let with = |ending: &[u8]| PathBuf::from(OsString::from_vec([name, ending].concat()));
        endings
            .clone()
            .map(with)
            .find(|path| path.exists())
            .unwrap_or_else(|| endings.next().map_or_else(|| path.to_owned(), with))
    }

    /// The name of the file to make.
    fn target(&self, path: &Path, task: Task) -> anyhow::Result<PathBuf> {
        let name = path.as_os_str().as_bytes();
        let endings = || {
            let own = self.ending.as_deref().map(|own| (own.as_bytes(), &b""[..]));
            own.into_iter()
                .chain(self.family.endings.iter().map(|(e, r)| (e.as_bytes(), r.as_bytes())))
        };
        let known = endings().find(|(e, _)| name.len() > e.len() && name.ends_with(e));
        let made: Vec<u8> = match (task, known) {
            (Task::Pack, Some((ending, _))) if !self.force => {
                let text = format!(
                    "already has {} suffix -- unchanged",
                    OsStr::from_bytes(ending).display()
                );
                return Err(Skipped(text, Why::Unfit).into());
            }
            (Task::Pack, _) => {
                let ending = endings().next().map_or(&b""[..], |(ending, _)| ending);
                [name, ending].concat()
            }
            (_, Some((ending, instead))) => {
                [name.get(..name.len() - ending.len()).unwrap_or(name), instead].concat()
            }
            (_, None) if self.family.format == Format::Bzip2 => [name, b".out"].concat(),
            (_, None) => return Err(Skipped("unknown suffix -- ignored".into(), Why::Unfit).into()),
        };
        Ok(OsString::from_vec(made).into())
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio of three digits")]
    fn listing(&self, path: &Path, size: u64) -> anyhow::Result<()> {
        let packed = fs::metadata(path).with_context(|| "cannot be listed")?.len();
        let name = self.target(path, Task::Unpack).unwrap_or_else(|_| path.to_owned());
        // gzip does not count the header and the trailer, 18 bytes and the name.
        let mut header = [0; 512];
        let count = File::open(path)?.read(&mut header)?;
        let named = header.get(3).is_some_and(|flags| flags & 8 != 0);
        let after = header.get(10..count).unwrap_or_default();
        let length =
            if named { after.iter().position(|b| *b == 0).map_or(0, |at| at + 1) } else { 0 };
        let head = 18.0 + length as f64;
        println!("{}", row(packed, size, head, &name.display().to_string()));
        let (all_packed, all_size, _) = self.totals.get();
        self.totals.set((all_packed + packed, all_size + size, head));
        Ok(())
    }
}

/// A line of `-l`.
#[expect(clippy::cast_precision_loss, reason = "a ratio of three digits")]
fn row(packed: u64, size: u64, head: f64, name: &str) -> String {
    let data = packed as f64 - head;
    let ratio = if size == 0 { 0.0 } else { 100.0 * (size as f64 - data) / size as f64 };
    format!("{packed:>19} {size:>19} {ratio:>5.1}% {name}")
}

fn is_garbage(error: &(dyn std::error::Error + 'static)) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
    error.is::<TrailingGarbage>() || inner.is_some_and(|inner| inner.is::<TrailingGarbage>())
}

fn open(path: &Path) -> anyhow::Result<Box<dyn io::BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::with_capacity(1 << 17, io::stdin())));
    }
    let file =
        File::open(path).map_err(|error| Skipped(crate::applet::reason(&error), Why::NoFile))?;
    if file.metadata()?.is_dir() {
        return Err(Skipped("is a directory -- ignored".into(), Why::Folder).into());
    }
    Ok(Box::new(BufReader::with_capacity(1 << 17, file)))
}
