//! `mv`: gives files other names, or takes them to another file system.

mod across;

use crate::{
    applet::{Applet, Args, Opt, reason, usage_error},
    quoting::quoted,
};
use anyhow::{Context as _, bail};
use rustix::{
    fs::{Access, AtFlags, CWD, RenameFlags},
    io::Errno,
};
use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    fs::{self, Metadata},
    io::{self, IsTerminal as _, Write as _},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};
use uucore::backup_control::{BackupMode, backup_would_destroy_source, get_backup_path};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "mv",
    summary: "Renames files and folders, or moves them into a folder, also on another file system.",
    usage: "[OPTION]... SOURCE TARGET\n[OPTION]... SOURCE... FOLDER\n[OPTION]... -t FOLDER SOURCE...",
    options: &[
        value('\0', "backup", "[HOW]", "keep what is overwritten: simple, numbered, existing, none"),
        flag('b', "old", "the same, as VERSION_CONTROL says or existing"),
        value('S', "suffix", "TEXT", "what ends the name of a simple backup (default ~)"),
        flag('f', "force", "overwrite without asking"),
        flag('i', "interactive", "ask before overwriting"),
        flag('n', "no-clobber", "overwrite nothing; the last of -f, -i and -n holds"),
        value('\0', "update", "[WHEN]", "overwrite: all, none, none-fail, older (what is not newer)"),
        flag('u', "newer", "as --update=older"),
        value('t', "target-directory", "FOLDER", "move all sources into FOLDER"),
        flag('T', "no-target-directory", "the target is a name, not a folder to move into"),
        flag('\0', "strip-trailing-slashes", "take slashes off the ends of the sources"),
        flag('\0', "exchange", "exchange source and target"),
        flag('\0', "no-copy", "fail where renaming is not enough"),
        flag('v', "verbose", "print what is done"),
        flag('\0', "debug", "the same"),
        flag('Z', "context", "nothing: there is no SELinux here"),
    ],
    notes: "\
On another file system a copy is made beside the target, which takes its name when it is whole; only
then is the source removed. Without -f, and on a terminal, files that may not be written are asked for.",
    example: "mv -v /mnt/old/etc /mnt/new/",
    run,
};

/// What to do where something has the target's name.
#[derive(Clone, Copy, PartialEq)]
enum Overwrite {
    Force,
    Ask,
    Never,
    /// What is said of those that cannot be written.
    Default,
}

struct Moves<'a> {
    args: &'a Args,
    overwrite: Overwrite,
    update: &'a str,
    backup: BackupMode,
    suffix: String,
    /// What was moved here already, and must not be overwritten by the next one of that name.
    made: HashSet<PathBuf>,
    /// Files of several names that went to another file system, and where.
    copied: HashMap<(u64, u64), PathBuf>,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut operands = args.operands.clone();
    let Some(last) = operands.last().cloned() else { bail!("missing file operand") };
    let (folder, whole) = (args.value("target-directory"), args.has("no-target-directory"));
    if folder.is_some() && whole {
        bail!("cannot combine --target-directory and --no-target-directory");
    }
    if args.has("strip-trailing-slashes") {
        for operand in &mut operands {
            let bytes = operand.as_bytes();
            let end = bytes.iter().rposition(|b| *b != b'/').map_or(1, |at| at + 1);
            *operand = OsStr::from_bytes(bytes.get(..end).unwrap_or(bytes)).to_owned();
        }
    }
    let into = match folder {
        Some(folder) if Path::new(folder).is_dir() => Some(folder.to_owned()),
        Some(folder) => bail!("target directory {}: {}", quoted(folder), no_folder(folder)),
        None if operands.len() == 1 => {
            bail!("missing destination file operand after {}", quoted(&last))
        }
        None if whole && operands.len() > 2 => bail!("extra operand {}", quoted(&last)),
        None if !whole && Path::new(&last).is_dir() && !args.has("exchange") => operands.pop(),
        None if operands.len() > 2 => bail!("target {}: {}", quoted(&last), no_folder(&last)),
        None => None,
    };
    let mut moves = Moves::new(args)?;
    let mut status = 0;
    let pairs: Vec<(OsString, PathBuf)> = match (into, operands.as_slice()) {
        (Some(folder), _) => {
            let target = |source: &OsString| within(Path::new(&folder), source);
            operands.iter().map(|source| (source.clone(), target(source))).collect()
        }
        (None, [source, target]) => vec![(source.clone(), PathBuf::from(target))],
        (None, _) => bail!("missing file operand"),
    };
    for (source, target) in &pairs {
        match moves.one(Path::new(source), target) {
            Ok(true) => {}
            Ok(false) => status = 1,
            Err(error) => {
                eprintln!("mv: {error:#}");
                status = 1;
            }
        }
    }
    Ok(status)
}

/// Where a source goes in a folder: its last component, which may also be `.` or `..`.
fn within(folder: &Path, source: &OsStr) -> PathBuf {
    let bytes = source.as_bytes();
    let end = bytes.iter().rposition(|b| *b != b'/').map_or(0, |at| at + 1);
    let kept = bytes.get(..end).unwrap_or_default();
    folder.join(OsStr::from_bytes(kept.rsplit(|b| *b == b'/').next().unwrap_or_default()))
}

fn no_folder(name: &OsStr) -> String {
    let error = fs::metadata(name).err().map(|error| reason(&error));
    error.unwrap_or_else(|| "Not a directory".into())
}

impl<'a> Moves<'a> {
    fn new(args: &'a Args) -> anyhow::Result<Self> {
        let given = args.all().filter_map(|(name, _)| match name {
            "force" => Some(Overwrite::Force),
            "interactive" => Some(Overwrite::Ask),
            "no-clobber" => Some(Overwrite::Never),
            _ => None,
        });
        let overwrite = given.last().unwrap_or(Overwrite::Default);
        let updates = args.all().filter_map(|(name, value)| match name {
            "newer" => Some("older"),
            "update" if value.is_empty() => Some("older"),
            "update" => Some(value.to_str().unwrap_or("?")),
            _ => None,
        });
        let update = updates.last().unwrap_or("all");
        if !matches!(update, "all" | "none" | "none-fail" | "older") {
            bail!("invalid argument {} for '--update'", quoted(update));
        }
        let backup = Self::backup(args)?;
        if backup != BackupMode::None && overwrite == Overwrite::Never {
            bail!("cannot combine --backup with --no-clobber");
        }
        let default = || std::env::var("SIMPLE_BACKUP_SUFFIX").ok().filter(|s| !s.is_empty());
        let suffix = args.text("suffix")?.map(str::to_owned).or_else(default);
        let suffix = suffix.filter(|s| !s.contains('/')).unwrap_or_else(|| "~".into());
        let (made, copied) = (HashSet::new(), HashMap::new());
        Ok(Self { args, overwrite, update, backup, suffix, made, copied })
    }

    fn backup(args: &Args) -> anyhow::Result<BackupMode> {
        if !args.has("backup") && !args.has("old") && !args.has("suffix") {
            return Ok(BackupMode::None);
        }
        let given = args.text("backup")?.filter(|how| !how.is_empty()).map(str::to_owned);
        let how = given.or_else(|| std::env::var("VERSION_CONTROL").ok());
        Ok(match how.as_deref().unwrap_or("existing") {
            "none" | "off" => BackupMode::None,
            "simple" | "never" => BackupMode::Simple,
            "numbered" | "t" => BackupMode::Numbered,
            "existing" | "nil" => BackupMode::Existing,
            other => return usage_error(format!("invalid backup type {}", quoted(other))),
        })
    }

    /// Moves one; whether it was moved, or left where it is as it should be.
    fn one(&mut self, source: &Path, target: &Path) -> anyhow::Result<bool> {
        let fault = || format!("cannot stat {}", quoted(source));
        let from = source.symlink_metadata().map_err(plain).with_context(fault)?;
        if self.args.has("exchange") {
            let exchanged =
                rustix::fs::renameat_with(CWD, source, CWD, target, RenameFlags::EXCHANGE);
            exchanged.map_err(|e| plain(e.into())).with_context(|| cannot(source, target))?;
            self.say("exchanged", source, target, None);
            return Ok(true);
        }
        let mut kept = None;
        if let Ok(to) = target.symlink_metadata() {
            if let Some(done) = self.in_the_way(source, &from, target, &to)? {
                return Ok(done);
            }
            kept = self.keep(source, target)?;
        }
        let moved = self.go(source, &from, target, kept.as_deref());
        if moved.is_err()
            && target.symlink_metadata().is_err()
            && let Some(kept) = &kept
        {
            let _ = rustix::fs::rename(kept, target);
        }
        moved?;
        self.made.insert(target.to_owned());
        Ok(true)
    }

    /// Renames it or, on another file system, copies it and removes it then.
    fn go(
        &mut self,
        source: &Path,
        from: &Metadata,
        target: &Path,
        kept: Option<&Path>,
    ) -> anyhow::Result<()> {
        match rustix::fs::rename(source, target) {
            Ok(()) => {
                self.say("renamed", source, target, kept);
                return Ok(());
            }
            Err(Errno::XDEV) if !self.args.has("no-copy") => {}
            Err(Errno::INVAL) if from.is_dir() => bail!(
                "cannot move {} to a subdirectory of itself, {}",
                quoted(source),
                quoted(target)
            ),
            Err(error) => return Err(plain(error.into())).with_context(|| cannot(source, target)),
        }
        across::copy(source, from, target, &mut self.copied)
            .with_context(|| cannot(source, target))?;
        self.say("copied", source, target, kept);
        let folder = from.is_dir();
        let removed = if folder { fs::remove_dir_all(source) } else { fs::remove_file(source) };
        removed.map_err(plain).with_context(|| format!("cannot remove {}", quoted(source)))?;
        if self.verbose() {
            let what = if folder { "removed directory" } else { "removed" };
            print(&format!("{what} {}", quoted(source)));
        }
        Ok(())
    }

    /// What is to be done about something of the target's name: `None` to overwrite it.
    fn in_the_way(
        &self,
        source: &Path,
        from: &Metadata,
        target: &Path,
        to: &Metadata,
    ) -> anyhow::Result<Option<bool>> {
        let older = || (to.mtime(), to.mtime_nsec()) < (from.mtime(), from.mtime_nsec());
        match self.update {
            "none" => return Ok(Some(true)),
            "none-fail" => bail!("not replacing {}", quoted(target)),
            "older" if !from.is_dir() && !older() => return Ok(Some(true)),
            _ => {}
        }
        if self.overwrite == Overwrite::Never {
            return Ok(Some(true));
        }
        let same = (from.dev(), from.ino()) == (to.dev(), to.ino());
        // A link that took the name of what it leads to would lead nowhere, and the file be lost.
        let own =
            from.is_symlink() && fs::canonicalize(source).is_ok_and(|file| one_name(&file, target));
        let plain_overwrite = self.backup == BackupMode::None;
        if same && (plain_overwrite || one_name(source, target)) || own && plain_overwrite {
            bail!("{} and {} are the same file", quoted(source), quoted(target));
        }
        if from.is_dir() && !to.is_dir() && plain_overwrite {
            bail!(
                "cannot overwrite non-directory {} with directory {}",
                quoted(target),
                quoted(source)
            );
        }
        if !from.is_dir() && to.is_dir() && plain_overwrite {
            bail!("cannot overwrite directory {} with non-directory", quoted(target));
        }
        if self.made.contains(target) && self.backup != BackupMode::Numbered {
            bail!("will not overwrite just-created {} with {}", quoted(target), quoted(source));
        }
        if !self.agreed(target, to) {
            return Ok(Some(false));
        }
        Ok(None)
    }

    fn agreed(&self, target: &Path, to: &Metadata) -> bool {
        let writable = to.is_symlink()
            || rustix::fs::accessat(CWD, target, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
        let question = match self.overwrite {
            Overwrite::Ask if writable => format!("mv: overwrite {}? ", quoted(target)),
            Overwrite::Default if writable || !io::stdin().is_terminal() => return true,
            Overwrite::Ask | Overwrite::Default => {
                let mode = to.permissions().mode() & 0o7777;
                format!("mv: replace {}, overriding mode {mode:04o}? ", quoted(target))
            }
            Overwrite::Force | Overwrite::Never => return true,
        };
        let _ = io::stderr().write_all(question.as_bytes());
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        read.is_ok() && answer.trim_start().starts_with(['y', 'Y'])
    }

    /// Gives what is in the way its backup's name, which is returned.
    fn keep(&self, source: &Path, target: &Path) -> anyhow::Result<Option<PathBuf>> {
        if backup_would_destroy_source(source, target, &self.suffix, self.backup, false) {
            bail!(
                "backing up {} might destroy source;  {} not moved",
                quoted(target),
                quoted(source)
            );
        }
        let Some(kept) = get_backup_path(self.backup, target, &self.suffix) else {
            return Ok(None);
        };
        let fault = || format!("cannot backup {}", quoted(target));
        rustix::fs::rename(target, &kept).map_err(|e| plain(e.into())).with_context(fault)?;
        Ok(Some(kept))
    }

    fn verbose(&self) -> bool {
        self.args.has("verbose") || self.args.has("debug")
    }

    fn say(&self, what: &str, source: &Path, target: &Path, kept: Option<&Path>) {
        if self.verbose() {
            let kept = kept.map(|k| format!(" (backup: {})", quoted(k))).unwrap_or_default();
            print(&format!("{what} {} -> {}{kept}", quoted(source), quoted(target)));
        }
    }
}

/// Whether two paths are one name in one folder.
fn one_name(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some((fs::canonicalize(folder).ok()?, path.file_name()?.to_owned()))
    };
    place(one).is_some_and(|at| place(other) == Some(at))
}

fn cannot(source: &Path, target: &Path) -> String {
    format!("cannot move {} to {}", quoted(source), quoted(target))
}

/// An error in the words of the C library alone.
fn plain(error: io::Error) -> anyhow::Error {
    anyhow::Error::msg(reason(&error))
}

fn print(line: &str) {
    let line = OsString::from_vec([line.as_bytes(), b"\n"].concat());
    let _ = io::stdout().write_all(line.as_bytes());
}
