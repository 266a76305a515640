//! `tar`: archives.

mod append;
mod checkpoint;
mod compare;
mod create;
mod holes;
mod matching;
mod member;
mod named;
mod options;
mod read;

use crate::{
    applet::{Applet, Args, usage_error},
    archive, modes,
    sed::{Target, Transform},
};
use anyhow::Context as _;
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read as _},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::MetadataExt as _,
    },
    process::{Child, Command},
};

pub(crate) static APPLET: Applet = Applet {
    name: "tar",
    summary: "Makes, lists and extracts archives; compression is found out when reading.",
    usage: "-c|-r|-u [OPTION]... -f FILE NAME...\n-x [OPTION]... -f FILE [NAME]...\n-t [OPTION]... -f FILE [NAME]...\n-d [OPTION]... -f FILE [NAME]...\n-A -f FILE ARCHIVE...\n--delete -f FILE NAME...",
    options: options::OPTIONS,
    notes: "A file is never extracted outside of the folder, also not by way of a link.",
    example: "tar -C /mnt -xpzf root.tar.gz",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut args = args.clone();
    let variable = std::env::var_os("TAR_OPTIONS").map(OsString::into_vec).unwrap_or_default();
    let words = named::words(&variable).into_iter().map(OsString::from_vec).collect();
    let preset = APPLET.parse(words)?;
    args.precede(preset.all().map(|(option, value)| (option, value.to_owned())).collect());
    let modes = [
        "create",
        "append",
        "update",
        "extract",
        "get",
        "list",
        "diff",
        "compare",
        "concatenate",
        "catenate",
        "delete",
    ];
    let given = |args: &Args| modes.iter().any(|mode| args.has(mode));
    if !given(&args) && !args.operands.is_empty() {
        args.take_bundle(options::OPTIONS)?;
    }
    let done = if args.has("create") {
        create::create(&args)
    } else if args.has("append") || args.has("update") {
        append::append(&args)
    } else if args.has("concatenate") || args.has("catenate") {
        append::concatenate(&args)
    } else if args.has("delete") {
        append::delete(&args)
    } else if args.has("list") && args.has("extract") {
        return usage_error("only one of -c, -x, -t can be done");
    } else if given(&args) {
        read::read(&args)
    } else {
        return usage_error("one of -c, -r, -u, -x, -t, -d, -A, --delete is needed");
    };
    done.or_else(|error| {
        if error.is::<crate::applet::UsageError>() {
            return Err(error);
        }
        eprintln!("tar: {}\ntar: Error is not recoverable: exiting now", archive::words(&error));
        Ok(2)
    })
}

fn lines(file: &OsStr, end: u8) -> anyhow::Result<Vec<OsString>> {
    let data = if file == "-" {
        let mut data = Vec::new();
        io::stdin().read_to_end(&mut data)?;
        data
    } else {
        fs::read(file).with_context(|| format!("{}: Cannot open", file.display()))?
    };
    // As GNU's: a list with zero bytes is one of names that end so.
    let end = if data.contains(&0) && end != 0 {
        eprintln!("tar: {}: file name read contains nul character", file.display());
        0
    } else {
        end
    };
    let parts = data.split(|b| *b == end).filter(|part| !part.is_empty());
    Ok(parts.map(|part| OsString::from_vec(part.to_vec())).collect())
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

/// What --mode makes of a mode.
fn changed(text: &str, mode: u32, folder: bool) -> anyhow::Result<u32> {
    let octal = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
    match octal.map_or_else(|| modes::changed(mode, text, folder), Ok) {
        Ok(mode) => Ok(mode),
        Err(_) => usage_error("Invalid mode given on option"),
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

/// A name as --transform makes it, the slash behind a folder's left out meanwhile.
fn transformed(transform: &Transform, name: &OsStr, target: Target) -> OsString {
    let name = name.as_bytes();
    let (bare, slash) = name.strip_suffix(b"/").map_or((name, ""), |bare| (bare, "/"));
    let mut new = OsString::from_vec(transform.apply(bare, target));
    new.push(if new.is_empty() { "" } else { slash });
    new
}

/// The file of --index-file.
fn index(args: &Args) -> anyhow::Result<Option<File>> {
    let Some(name) = args.value("index-file") else { return Ok(None) };
    File::create(name).map(Some).with_context(|| format!("{}: Cannot open", name.display()))
}
