//! `sed`: changes text as it passes.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    sed::{Machine, NoPrevious, Origin, Piece, Refused, Settings, parse},
};
use anyhow::Context as _;
use std::{ffi::OsString, fs, io::Read as _, os::unix::ffi::OsStrExt as _};

/// GNU's exit status when a file cannot be read or written.
const IO_ERROR: u8 = 4;

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "sed",
    summary: "Changes text line by line.",
    usage: "[OPTION]... SCRIPT [FILE]...\n[OPTION]... -e SCRIPT | -f FILE ... [FILE]...",
    options: &[
        opt('n', "quiet", "", "print only what the script prints"),
        opt('\0', "silent", "", "the same"),
        opt('e', "expression", "SCRIPT", "commands; may be given again"),
        opt('f', "file", "FILE", "a file of commands; may be given again"),
        opt('E', "regexp-extended", "", "extended regular expressions"),
        opt('r', "regexp-extended", "", "the same"),
        opt('i', "in-place", "[SUFFIX]", "change the files, keep copies with SUFFIX"),
        opt('s', "separate", "", "each file has its own line numbers and last line"),
        opt('z', "null-data", "", "lines end with NUL"),
        opt('u', "unbuffered", "", "write each line at once"),
        opt('l', "line-length", "N", "characters a line of the command l"),
        opt('\0', "follow-symlinks", "", "with -i change what links lead to"),
        opt('\0', "sandbox", "", "refuse the commands e, r and w"),
        opt('\0', "posix", "", "refuse what is GNU's alone"),
        opt('b', "binary", "", "understood, without effect"),
    ],
    notes: "The language is that of POSIX with GNU's commands, addresses, flags and escapes.",
    example: "sed -i 's/^PermitRootLogin.*/PermitRootLogin no/' /mnt/etc/ssh/sshd_config",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut expressions = 0;
    for (option, value) in args.all() {
        match option {
            "expression" => {
                expressions += 1;
                let origin = Origin::Expression(expressions);
                pieces.push(Piece { origin, text: value.as_bytes().to_vec() });
            }
            "file" => match script_file(value) {
                Ok(text) => {
                    let origin = Origin::File(value.to_string_lossy().into_owned());
                    pieces.push(Piece { origin, text });
                }
                Err(error) => {
                    eprintln!("sed: {error:#}");
                    return Ok(IO_ERROR);
                }
            },
            _ => {}
        }
    }
    let mut operands = args.operands.as_slice();
    if pieces.is_empty() {
        let Some((script, rest)) = operands.split_first() else {
            eprintln!("sed: no script (see sed --help)");
            return Ok(1);
        };
        operands = rest;
        expressions = 1;
        pieces.push(Piece { origin: Origin::Expression(1), text: script.as_bytes().to_vec() });
    }
    let settings = Settings {
        quiet: args.has("quiet") || args.has("silent"),
        extended: args.has("regexp-extended"),
        separate: args.has("separate"),
        in_place: args.text("in-place")?.map(str::to_owned),
        nul: args.has("null-data"),
        unbuffered: args.has("unbuffered"),
        posix: args.has("posix"),
        correct: args.has("posix") || std::env::var_os("POSIXLY_CORRECT").is_some(),
        sandbox: args.has("sandbox"),
        follow: args.has("follow-symlinks"),
        width: args.number("line-length")?.or_else(columns).unwrap_or(70),
    };
    let script = match parse(&pieces, &settings) {
        Ok(script) => script,
        Err(Refused { text, status }) => {
            eprintln!("sed: {text}");
            return Ok(status);
        }
    };
    let name = |name: &OsString| name.to_str().map(str::to_owned);
    let Some(mut names) = operands.iter().map(name).collect::<Option<Vec<_>>>() else {
        return usage_error("a file's name is not UTF-8");
    };
    if names.is_empty() && settings.in_place.is_some() {
        eprintln!("sed: no input files");
        return Ok(IO_ERROR);
    }
    if names.is_empty() {
        names.push("-".into());
    }
    let status = Machine::new(&script, &settings).and_then(|mut machine| machine.run(names));
    Ok(status.unwrap_or_else(|error| {
        if error.is::<NoPrevious>() {
            // GNU's finds it at no place of the script.
            eprintln!("sed: -e expression #{expressions}, char 0: {error}");
            return 1;
        }
        let cause = error.root_cause().downcast_ref().map(crate::applet::reason);
        match cause.filter(|_| error.chain().count() > 1) {
            Some(cause) => eprintln!("sed: {error}: {cause}"),
            None => eprintln!("sed: {error:#}"),
        }
        IO_ERROR
    }))
}

/// A line's length for `l` from the environment, where it has one that is of use.
fn columns() -> Option<usize> {
    let columns: usize = std::env::var("COLS").ok()?.parse().ok()?;
    columns.checked_sub(1).filter(|width| *width > 0)
}

fn script_file(name: &std::ffi::OsStr) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    if name == "-" {
        std::io::stdin().read_to_end(&mut text)?;
    } else {
        text = fs::read(name).with_context(|| format!("couldn't open {}", name.display()))?;
    }
    // An escaped newline is a line of its own, though empty.
    if !text.ends_with(b"\\\n") && text.pop_if(|last| *last == b'\n').is_some() {
        text.pop_if(|last| *last == b'\r');
    }
    Ok(text)
}
