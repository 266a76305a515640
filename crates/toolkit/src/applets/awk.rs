//! `awk`: patterns and actions on lines.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    awk::{Machine, parse},
};
use anyhow::Context as _;
use std::{
    fs,
    io::{self, Read as _},
    os::unix::ffi::OsStrExt as _,
};

pub(crate) static APPLET: Applet = Applet {
    name: "awk",
    summary: "Does something with each line that fits a pattern.",
    usage: "[OPTION]... PROGRAM [FILE | NAME=VALUE]... (a COMMAND's options end at PROGRAM)",
    options: &[
        Opt { short: 'F', long: "field-separator", value: "FS", help: "what divides fields" },
        Opt {
            short: 'v',
            long: "assign",
            value: "NAME=VALUE",
            help: "set a variable before anything runs",
        },
        Opt { short: 'f', long: "file", value: "FILE", help: "the program; may be given again" },
        Opt { short: '\0', long: "posix", value: "", help: "understood, without effect" },
        Opt { short: '\0', long: "traditional", value: "", help: "understood, without effect" },
        Opt { short: '\0', long: "re-interval", value: "", help: "understood: so always" },
        Opt { short: '\0', long: "lint", value: "[WHAT]", help: "understood, without effect" },
        Opt { short: 'e', long: "source", value: "TEXT", help: "the same from the command line" },
    ],
    notes: "The language is that of POSIX with gensub, match with groups, strtonum, asort, systime,\nstrftime, mktime, nextfile and the bit functions of GNU's. Text is bytes.",
    example: "awk -F: '$3 >= 1000 { print $1 }' /mnt/etc/passwd",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut source = Vec::new();
    let mut operands = args.operands.as_slice();
    for (option, value) in args.all() {
        match option {
            "file" if value == "-" => {
                io::stdin().read_to_end(&mut source)?;
            }
            "file" => {
                let shown = || format!("cannot open {}", value.display());
                source.extend(fs::read(value).with_context(shown)?);
            }
            "source" => source.extend(value.as_bytes()),
            _ => continue,
        }
        source.push(b'\n');
    }
    if !args.has("file") && !args.has("source") {
        let Some((first, rest)) = operands.split_first() else { return usage_error("no program") };
        (source, operands) = (first.as_bytes().to_vec(), rest);
    }
    let program = match parse(&source) {
        Ok(program) => program,
        Err(error) => return fatal(&error, 1),
    };
    let mut words = vec![b"awk".to_vec()];
    words.extend(operands.iter().map(|operand| operand.as_bytes().to_vec()));
    let mut machine = Machine::new(&program, &words);
    for (option, value) in args.all() {
        match option {
            "assign" if !machine.assign(value.as_bytes()) => {
                return fatal(&format!("{}: not NAME=VALUE", value.display()), 2);
            }
            "field-separator" => {
                let value = if value == "t" { b"\t" } else { value.as_bytes() };
                machine.assign(&[b"FS=", value].concat());
            }
            _ => {}
        }
    }
    machine.run().or_else(|error| fatal(&error, 2))
}

fn fatal(text: &str, status: u8) -> anyhow::Result<u8> {
    eprintln!("awk: {text}");
    Ok(status)
}
