//! `patch`: applies what `diff` and git wrote.

use crate::{
    applet::{Applet, Args, Opt, UsageError, reason},
    patch::{Fatal, session, settings::Settings},
};
use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "patch",
    summary: "Applies a patch; status 0 if all fits, 1 if some does not, 2 for an error.",
    usage: "[OPTION]... [FILE [PATCH]] [< PATCH]",
    options: &[
        value('p', "strip", "N", "leave out the first N parts of names (so all but the last)"),
        value('i', "input", "PATCH", "read the patch from a file"),
        value('d', "directory", "DIR", "go to this folder first"),
        value('o', "output", "FILE", "write the result to FILE, or print it for -"),
        value('r', "reject-file", "FILE", "where what does not fit goes; nowhere for -"),
        value('\0', "reject-format", "FORM", "write what does not fit as context or unified"),
        value('F', "fuzz", "N", "so many lines of context need not fit (2)"),
        flag('l', "ignore-whitespace", "blanks count as one, at the end not at all"),
        flag('u', "unified", "the patch is of diff -u"),
        flag('c', "context", "the patch is of diff -c"),
        flag('n', "normal", "the patch is of diff without options"),
        flag('e', "ed", "the patch is of diff -e: refused"),
        flag('R', "reverse", "take the patch back"),
        flag('N', "forward", "leave alone what is applied already"),
        flag('f', "force", "apply also what seems to be applied already"),
        flag('t', "batch", "take back what is applied already"),
        flag('E', "remove-empty-files", "remove a file that becomes empty"),
        value('D', "ifdef", "NAME", "keep both sides, for #ifdef NAME to choose"),
        flag('b', "backup", "keep the old file as FILE.orig"),
        flag('\0', "backup-if-mismatch", "keep it if something did not fit as it is (so it is)"),
        flag('\0', "no-backup-if-mismatch", "do not"),
        value('V', "version-control", "HOW", "backups are simple, numbered (f.~1~), or existing"),
        value('B', "prefix", "TEXT", "put TEXT before names of backups"),
        value('Y', "basename-prefix", "TEXT", "put TEXT before the last part of names of backups"),
        value('z', "suffix", "TEXT", "put TEXT behind names of backups"),
        flag('Z', "set-utc", "give files the patch's times, which are UTC"),
        flag('T', "set-time", "the same, of the local zone"),
        flag('\0', "binary", "leave CR LF in the patch as it is"),
        flag('\0', "follow-symlinks", "patch the file that a link leads to, in the link's place"),
        value('\0', "read-only", "HOW", "of a file that is read-only ignore that, warn, or fail"),
        value('\0', "quoting-style", "STYLE", "show names literal, shell, shell-always, c, escape"),
        flag('\0', "posix", "as POSIX says: take names in order, keep empty files"),
        flag('s', "quiet", "say only what fails"),
        flag('\0', "silent", "the same"),
        flag('\0', "verbose", "say more"),
        flag('\0', "dry-run", "only say what would happen"),
        value('\0', "merge", "[HOW]", "not supported"),
        value('g', "get", "N", "understood: files are never taken from RCS or SCCS"),
        flag('v', "version", "print which toolkit it is of"),
    ],
    notes: "Nothing is ever asked: the answer to each of GNU's questions is the one that it proposes.\n\
            Names that lead out of the folder are refused, also by way of links; FILE may be anywhere.",
    example: "patch -p1 -d /mnt/etc < fix.patch",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    apply(args).or_else(|error| {
        if error.is::<UsageError>() {
            return Err(error);
        }
        eprintln!("{}: **** {}", called(), said(&error));
        Ok(2)
    })
}

fn apply(args: &Args) -> anyhow::Result<u8> {
    if args.has("version") {
        println!("patch (Xenoboot toolkit {})", env!("CARGO_PKG_VERSION"));
        return Ok(0);
    }
    if args.has("merge") {
        return Err(Fatal("merging is not supported".into()).into());
    }
    let settings = Settings::new(args)?;
    if let Some(folder) = args.value("directory") {
        std::env::set_current_dir(folder).map_err(|error| {
            Fatal(format!("Can't change to directory {} : {}", folder.display(), reason(&error)))
        })?;
    }
    let mut text = Vec::new();
    match &settings.patch {
        None => {
            io::stdin().read_to_end(&mut text)?;
        }
        Some(name) => {
            text = fs::read(name).map_err(|error| {
                let shown = settings.show(name);
                Fatal(format!("Can't open patch file {shown} : {}", reason(&error)))
            })?;
        }
    }
    Ok(u8::from(!session::run(&settings, &text)?))
}

/// The name that the command was called by: what scripts find before the stars.
fn called() -> String {
    let arg0 = std::env::args_os().next().unwrap_or_default();
    let ours = Path::new(&arg0).file_name().is_some_and(|name| name == "patch");
    if ours { arg0.to_string_lossy().into_owned() } else { "patch".to_owned() }
}

/// An error and what it comes from, in the words of the C library.
fn said(error: &anyhow::Error) -> String {
    let parts: Vec<String> = error
        .chain()
        .map(|part| part.downcast_ref::<io::Error>().map_or_else(|| part.to_string(), reason))
        .collect();
    parts.join(" : ")
}
