//! Checking files against sums.

use super::{Kind, complain, line, sum};
use crate::applet::{Args, reason};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead, BufReader, Write as _},
    os::unix::ffi::OsStrExt as _,
};

/// What there was in one file of sums.
#[derive(Default)]
struct Counts {
    sums: usize,
    right: usize,
    wrong: usize,
    unread: usize,
    improper: usize,
}

pub(super) fn run(kind: &Kind, args: &Args, files: &[OsString]) -> anyhow::Result<u8> {
    let mut status = 0;
    for file in files {
        let input: Box<dyn BufRead> = if file == "-" {
            Box::new(io::stdin().lock())
        } else {
            match File::open(file) {
                Ok(file) => Box::new(BufReader::new(file)),
                Err(error) => {
                    complain(kind, file, &error);
                    status = 1;
                    continue;
                }
            }
        };
        match lines(kind, args, file, input) {
            Ok(counts) if report(kind, args, file, &counts) => {}
            Ok(_) => status = 1,
            Err(error) => {
                complain(kind, file, &error);
                status = 1;
            }
        }
    }
    Ok(status)
}

fn lines(kind: &Kind, args: &Args, file: &OsStr, input: impl BufRead) -> io::Result<Counts> {
    let (mut counts, mut bsd) = (Counts::default(), None);
    for (number, text) in input.split(b'\n').enumerate() {
        let text = text?;
        let text = text.strip_suffix(b"\r").unwrap_or(&text);
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        let Some((wanted, bits, name)) = line::read(text, kind.tag, kind.bits, &mut bsd) else {
            counts.improper += 1;
            if args.has("warn") {
                let (file, number) = (shown(file), number + 1);
                let tag = kind.tag;
                eprintln!(
                    "{}: {file}: {number}: improperly formatted {tag} checksum line",
                    kind.name
                );
            }
            continue;
        };
        counts.sums += 1;
        let name = OsStr::from_bytes(&name);
        let said = match sum(kind, bits, name) {
            Ok(found) if found == wanted => {
                counts.right += 1;
                if args.has("quiet") { "" } else { "OK" }
            }
            Ok(_) => {
                counts.wrong += 1;
                "FAILED"
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && args.has("ignore-missing") => {
                ""
            }
            Err(error) => {
                counts.unread += 1;
                complain(kind, name, &error);
                "FAILED open or read"
            }
        };
        if !said.is_empty() && !args.has("status") {
            let (sign, name) = line::told(name.as_bytes());
            let text = [sign, &name, b": ", said.as_bytes(), b"\n"].concat();
            if let Err(error) = io::stdout().write_all(&text) {
                eprintln!("{}: write error: {}", kind.name, reason(&error));
                std::process::exit(1);
            }
        }
    }
    Ok(counts)
}

fn shown(file: &OsStr) -> String {
    if file == "-" { "standard input".into() } else { file.to_string_lossy().into_owned() }
}

/// Says what was wrong; whether nothing was.
fn report(kind: &Kind, args: &Args, file: &OsStr, counts: &Counts) -> bool {
    let name = kind.name;
    if counts.sums == 0 {
        eprintln!("{name}: {}: no properly formatted checksum lines found", shown(file));
        return false;
    }
    let unverified = args.has("ignore-missing") && counts.right + counts.wrong + counts.unread == 0;
    if !args.has("status") {
        for (count, one, several) in [
            (counts.improper, "line is improperly formatted", "lines are improperly formatted"),
            (counts.unread, "listed file could not be read", "listed files could not be read"),
            (counts.wrong, "computed checksum did NOT match", "computed checksums did NOT match"),
        ] {
            match count {
                0 => {}
                1 => eprintln!("{name}: WARNING: 1 {one}"),
                count => eprintln!("{name}: WARNING: {count} {several}"),
            }
        }
        if unverified {
            eprintln!("{name}: {}: no file was verified", shown(file));
        }
    }
    let strict = args.has("strict") && counts.improper > 0;
    !unverified && !strict && counts.wrong == 0 && counts.unread == 0
}
