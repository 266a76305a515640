//! What is looked for.

use crate::{
    applet::{Args, reason, usage_error},
    matcher::Kind,
};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read as _},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

/// A pattern, and where it is from, if from a file: `FILE:LINE: `.
pub(super) struct Pattern {
    pub(super) text: Vec<u8>,
    pub(super) place: String,
}

/// The patterns, and the operands that are files.
pub(super) fn patterns(args: &Args) -> anyhow::Result<(Vec<Pattern>, &[OsString])> {
    let mut patterns = Vec::new();
    let mut given = |text: &OsStr| {
        let lines = text.as_bytes().split(|byte| *byte == b'\n');
        patterns.extend(lines.map(|line| Pattern { text: line.to_vec(), place: String::new() }));
    };
    for pattern in args.values("regexp") {
        given(pattern);
    }
    let mut files = args.operands.as_slice();
    if !args.has("regexp") && !args.has("file") {
        let Some((first, rest)) = files.split_first() else { return usage_error("which PATTERN?") };
        given(first);
        files = rest;
    }
    for file in args.values("file") {
        let shown = Path::new(file).display();
        let mut read = Vec::new();
        let done = match file == "-" {
            true => io::stdin().read_to_end(&mut read),
            false => File::open(file).and_then(|mut file| file.read_to_end(&mut read)),
        };
        if let Err(error) = done {
            anyhow::bail!("{shown}: {}", reason(&error));
        }
        let lines = read.strip_suffix(b"\n").unwrap_or(&read).split(|byte| *byte == b'\n');
        let lines = lines.zip(1..).filter(|_| !read.is_empty());
        patterns.extend(lines.map(|(line, number)| Pattern {
            text: line.to_vec(),
            place: format!("{shown}:{number}: "),
        }));
    }
    Ok((patterns, files))
}

/// How patterns are written; two ways at once are refused.
pub(super) fn kind(args: &Args, default: Kind) -> anyhow::Result<Kind> {
    let mut kinds = args.all().filter_map(|(option, _)| match option {
        "fixed-strings" => Some(Kind::Fixed),
        "perl-regexp" => Some(Kind::Perl),
        "extended-regexp" => Some(Kind::Extended),
        "basic-regexp" => Some(Kind::Basic),
        _ => None,
    });
    let Some(first) = kinds.next() else { return Ok(default) };
    if kinds.any(|kind| kind != first) {
        anyhow::bail!("conflicting matchers specified");
    }
    Ok(first)
}
