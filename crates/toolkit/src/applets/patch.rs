//! `patch`: applies what `diff -u` wrote.

use crate::{
    applet::{Applet, Args, Opt, reason, usage_error},
    patch::{FilePatch, Hunk, parse},
};
use anyhow::Context as _;
use std::{
    ffi::OsStr,
    fs,
    io::{self, Read as _},
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
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
        value('d', "directory", "DIR", "in this folder"),
        value('o', "output", "FILE", "write the result to FILE"),
        value('r', "reject-file", "FILE", "where what does not fit goes"),
        value('F', "fuzz", "N", "so many lines of context need not fit (2)"),
        flag('R', "reverse", "take the patch back"),
        flag('N', "forward", "leave alone what is applied already"),
        flag('b', "backup", "keep the old file as FILE.orig"),
        flag('s', "quiet", "say only what fails"),
        flag('\0', "dry-run", "only say what would happen"),
        flag('E', "remove-empty-files", "remove a file that becomes empty"),
        flag('u', "unified", "understood: the only form there is"),
        flag('f', "force", "apply also what seems to be applied already"),
        flag('t', "batch", "take back what is applied already"),
    ],
    notes: "Nothing is ever asked: the answer to each of GNU's questions is the one that it proposes.\n\
            Only the unified form is read. Names that lead out of the folder are refused.",
    example: "patch -p1 -d /mnt/etc < fix.patch",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    apply(args).or_else(|error| {
        if error.is::<crate::applet::UsageError>() {
            return Err(error);
        }
        eprintln!("patch: **** {error:#}");
        Ok(2)
    })
}

fn apply(args: &Args) -> anyhow::Result<u8> {
    let (file, second) = match args.operands.as_slice() {
        [] => (None, None),
        [file] => (Some(file), None),
        [file, patch] => (Some(file), Some(patch.as_os_str())),
        _ => return usage_error("a file and a patch at most"),
    };
    let mut text = Vec::new();
    match args.value("input").or(second).filter(|name| *name != "-") {
        None => {
            io::stdin().read_to_end(&mut text)?;
        }
        Some(name) => {
            let shown = || format!("Can't open patch file {}", name.display());
            text = fs::read(name).with_context(shown)?;
        }
    }
    let strip: Option<usize> = args.number("strip")?;
    let fuzz = args.number("fuzz")?.unwrap_or(2);
    let base = PathBuf::from(args.value("directory").unwrap_or(OsStr::new("")));
    let patches = parse(&text).map_err(anyhow::Error::msg)?;
    anyhow::ensure!(!patches.is_empty(), "Only garbage was found in the patch input.");
    let mut status = 0;
    for patch in patches {
        let name = match file {
            Some(file) => PathBuf::from(file),
            None => target(&patch, strip, &base, args.has("reverse"))?,
        };
        let one = One { args, fuzz, base: &base };
        let found = if file.is_none() && one.lacks_target(&patch, &name) {
            one.report_no_target(&patch)
        } else {
            one.file(&patch, &name)?
        };
        status = status.max(found);
    }
    Ok(status)
}

/// The file that a patch means: the name that exists, the shorter of both.
fn target(
    patch: &FilePatch,
    strip: Option<usize>,
    base: &Path,
    reverse: bool,
) -> anyhow::Result<PathBuf> {
    let stripped = |name: &[u8]| -> Option<PathBuf> {
        if name == b"/dev/null" {
            return None;
        }
        let path = Path::new(OsStr::from_bytes(name));
        let kept: PathBuf = match strip {
            None => path.file_name()?.into(),
            Some(count) => {
                let absolute = usize::from(path.is_absolute());
                path.components().skip(count.max(absolute)).collect()
            }
        };
        (!kept.as_os_str().is_empty()).then_some(kept)
    };
    let (old, new) = (stripped(&patch.old), stripped(&patch.new));
    let (old, new) = if reverse { (new, old) } else { (old, new) };
    let mut names: Vec<PathBuf> =
        old.iter().chain(&new).filter(|name| base.join(name).exists()).cloned().collect();
    names.sort_by_key(|name| (name.components().count(), name.as_os_str().len()));
    let found = names.into_iter().next().or(new).or(old).context("which file?")?;
    let safe =
        found.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    anyhow::ensure!(safe, "Ignoring potentially dangerous file name {}", found.display());
    Ok(found)
}

struct One<'a> {
    args: &'a Args,
    fuzz: usize,
    base: &'a Path,
}

impl One<'_> {
    /// Whether the file that is to be changed is not there, and is not made by the patch.
    fn lacks_target(&self, patch: &FilePatch, name: &Path) -> bool {
        let reverse = self.args.has("reverse");
        let before =
            |hunk: &Hunk| if reverse { !hunk.new.is_empty() } else { !hunk.old.is_empty() };
        !self.base.join(name).exists() && patch.hunks.first().is_some_and(before)
    }

    fn report_no_target(&self, patch: &FilePatch) -> u8 {
        let bar = "-".repeat(26);
        println!("can't find file to patch at input line {}", patch.line);
        println!("Perhaps you should have used the -p or --strip option?");
        println!("The text leading up to this was:\n{bar}");
        for line in String::from_utf8_lossy(&patch.lead).lines() {
            println!("|{line}");
        }
        println!("{bar}");
        if self.args.has("force") || self.args.has("batch") {
            println!("No file to patch.  Skipping patch.");
        } else {
            println!("File to patch: \nSkip this patch? [y] \nSkipping patch.");
        }
        let all = patch.hunks.len();
        println!("{all} out of {all} hunk{} ignored", if all == 1 { "" } else { "s" });
        1
    }

    /// Whether the first hunk fits the other way round, and with no more fuzz than as it is.
    fn applied(&self, patch: &FilePatch, lines: &[Vec<u8>]) -> bool {
        let Some(hunk) = patch.hunks.first().filter(|_| !self.args.has("force")) else {
            return false;
        };
        let (hunk, other) = if self.args.has("reverse") {
            (hunk.reversed(), hunk.clone())
        } else {
            (hunk.clone(), hunk.reversed())
        };
        let fits =
            |hunk: &Hunk, fuzz| hunk.place(lines, hunk.at.saturating_sub(1), 0, fuzz).is_some();
        let first = |hunk: &Hunk| (0..=self.fuzz).find(|fuzz| fits(hunk, *fuzz));
        // A hunk without lines of one side fits everywhere.
        !other.old.is_empty()
            && first(&other).is_some_and(|fuzz| first(&hunk).is_none_or(|own| fuzz < own))
    }

    /// Says that a patch is applied already, and what follows of that.
    fn report_applied(&self) {
        let what = if self.args.has("reverse") {
            "Unreversed"
        } else {
            "Reversed (or previously applied)"
        };
        let question = if self.args.has("reverse") { "Ignore -R?" } else { "Assume -R?" };
        print!("{what} patch detected!  ");
        if self.args.has("forward") {
            println!("Skipping patch.");
        } else if !self.args.has("batch") {
            println!("{question} [n] \nApply anyway? [n] \nSkipping patch.");
        } else if self.args.has("reverse") {
            println!("Ignoring -R.");
        } else {
            println!("Assuming -R.");
        }
    }

    fn file(&self, patch: &FilePatch, name: &Path) -> anyhow::Result<u8> {
        let path = self.base.join(name);
        let quiet = self.args.has("quiet");
        let word = if self.args.has("dry-run") { "checking" } else { "patching" };
        if !quiet {
            match self.args.value("output") {
                Some(output) => {
                    println!("{word} file {} (read from {})", output.display(), name.display());
                }
                None => println!("{word} file {}", name.display()),
            }
        }
        let old = match fs::read(&path) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => anyhow::bail!("Can't open file {}: {}", path.display(), reason(&error)),
        };
        let mut lines: Vec<Vec<u8>> =
            old.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        let applied = self.applied(patch, &lines);
        if applied {
            self.report_applied();
        }
        let taken_back = applied && self.args.has("batch") && !self.args.has("forward");
        let skipped = applied && !taken_back;
        let reverse = self.args.has("reverse") != taken_back;
        // How many lines the hunks so far have added, and how far the last one was moved.
        let (mut rejects, mut added, mut moved, mut from) = (Vec::new(), 0_isize, 0_isize, 0);
        for (number, hunk) in patch.hunks.iter().enumerate() {
            let hunk = if reverse { hunk.reversed() } else { hunk.clone() };
            if skipped {
                rejects.push(hunk);
                continue;
            }
            // Of no lines at all the place is the line before.
            let start = if hunk.old.is_empty() { hunk.at } else { hunk.at.saturating_sub(1) };
            let expected = start.saturating_add_signed(added + moved);
            let Some(place) = hunk.place(&lines, expected, from, self.fuzz) else {
                println!("Hunk #{} FAILED at {}.", number + 1, hunk.at);
                rejects.push(hunk);
                continue;
            };
            moved = signed(place.at) - signed(start) - added;
            if (moved != 0 || place.fuzz != 0) && !quiet {
                let fuzzy = if place.fuzz > 0 {
                    format!(" with fuzz {}", place.fuzz)
                } else {
                    String::new()
                };
                let s = if moved == 1 { "" } else { "s" };
                let by =
                    if moved == 0 { String::new() } else { format!(" (offset {moved} line{s})") };
                println!("Hunk #{} succeeded at {}{fuzzy}{by}.", number + 1, place.at + 1);
            }
            let range = place.at + place.top..place.at + hunk.old.len() - place.bottom;
            let kept = place.top..hunk.new.len() - place.bottom;
            lines.splice(range, hunk.new.get(kept).unwrap_or_default().to_vec());
            from = place.at + hunk.new.len();
            added += signed(hunk.new.len()) - signed(hunk.old.len());
        }
        if !self.args.has("dry-run") {
            self.write(patch, &path, &old, &lines.concat(), rejects.len() < patch.hunks.len())?;
        }
        if rejects.is_empty() {
            return Ok(0);
        }
        let (failed, all) = (rejects.len(), patch.hunks.len());
        let s = if all == 1 { "" } else { "s" };
        let to = self.args.value("reject-file").map_or_else(|| with(&path, ".rej"), PathBuf::from);
        let word = if skipped { "ignored" } else { "FAILED" };
        if self.args.has("dry-run") {
            println!("{failed} out of {all} hunk{s} {word}");
        } else {
            println!(
                "{failed} out of {all} hunk{s} {word} -- saving rejects to file {}",
                to.display()
            );
            let mut text = [b"--- ", &patch.old[..], b"\n+++ ", &patch.new[..], b"\n"].concat();
            rejects.iter().for_each(|hunk| text.extend_from_slice(&hunk.text));
            fs::write(to, text)?;
        }
        Ok(1)
    }

    fn write(
        &self,
        patch: &FilePatch,
        path: &Path,
        old: &[u8],
        new: &[u8],
        any: bool,
    ) -> anyhow::Result<()> {
        if let Some(output) = self.args.value("output") {
            return Ok(fs::write(output, new)?);
        }
        if !any {
            return Ok(());
        }
        if self.args.has("backup") {
            fs::write(with(path, ".orig"), old)?;
        }
        let gone = if self.args.has("reverse") { &patch.old } else { &patch.new };
        if new.is_empty() && (gone == b"/dev/null" || self.args.has("remove-empty-files")) {
            return Ok(fs::remove_file(path)?);
        }
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, new).with_context(|| path.display().to_string())
    }
}

fn signed(number: usize) -> isize {
    isize::try_from(number).unwrap_or(isize::MAX)
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
