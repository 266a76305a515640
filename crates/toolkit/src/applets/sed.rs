//! `sed`: changes text as it passes.

use crate::{
    applet::{Applet, Args, Opt},
    sed::{Machine, NoPrevious, Refused, Settings, parse},
};
use anyhow::Context as _;
use std::{fs, io::Read as _, os::unix::ffi::OsStrExt as _};

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
        opt('\0', "posix", "", "N without a next line prints nothing"),
    ],
    notes: "The language is that of POSIX with GNU's commands, addresses, flags and escapes.",
    example: "sed -i 's/^PermitRootLogin.*/PermitRootLogin no/' /mnt/etc/ssh/sshd_config",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for (option, value) in args.all() {
        match option {
            "expression" => pieces.push(value.as_bytes().to_vec()),
            "file" => match script_file(value) {
                Ok(piece) => pieces.push(piece),
                Err(error) => {
                    eprintln!("sed: {error:#}");
                    return Ok(IO_ERROR);
                }
            },
            _ => {}
        }
    }
    let mut operands = args.words()?.into_iter();
    if pieces.is_empty() {
        let Some(script) = operands.next() else {
            eprintln!("sed: no script (see sed --help)");
            return Ok(1);
        };
        pieces.push(script.as_bytes().to_vec());
    }
    let settings = Settings {
        quiet: args.has("quiet") || args.has("silent"),
        extended: args.has("regexp-extended"),
        separate: args.has("separate"),
        in_place: args.text("in-place")?.map(str::to_owned),
        nul: args.has("null-data"),
        unbuffered: args.has("unbuffered"),
        posix: args.has("posix"),
        width: args.number("line-length")?.unwrap_or(70),
    };
    let script = match parse(&pieces.join(&b'\n'), &settings) {
        Ok(script) => script,
        Err(Refused { text, status }) => {
            eprintln!("sed: {text}");
            return Ok(status);
        }
    };
    let mut names: Vec<String> = operands.map(str::to_owned).collect();
    if names.is_empty() {
        names.push("-".into());
    }
    let status = Machine::new(&script, &settings).and_then(|mut machine| machine.run(names));
    Ok(status.unwrap_or_else(|error| {
        eprintln!("sed: {error:#}");
        if error.is::<NoPrevious>() { 1 } else { IO_ERROR }
    }))
}

fn script_file(name: &std::ffi::OsStr) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    if name == "-" {
        std::io::stdin().read_to_end(&mut text)?;
    } else {
        text = fs::read(name).with_context(|| format!("couldn't open {}", name.display()))?;
    }
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    Ok(text)
}
