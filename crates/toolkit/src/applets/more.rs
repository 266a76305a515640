//! `more`: a text, a screen at a time.

use crate::{
    applet::{Applet, Args, Opt},
    pager::{self, Face},
};

pub(crate) static APPLET: Applet = Applet {
    name: "more",
    summary: "Shows text, a screen at a time, and ends at its end.",
    usage: "[OPTION]... [+LINE | +/PATTERN] [FILE]...",
    options: &[
        Opt { short: 'n', long: "lines", value: "LINES", help: "so many on a screen" },
        Opt { short: 's', long: "squeeze", value: "", help: "several empty lines are one" },
        Opt { short: 'f', long: "logical", value: "", help: "cut long lines" },
        Opt { short: 'd', long: "silent", value: "", help: "say which keys there are" },
        Opt { short: 'e', long: "exit-on-eof", value: "", help: "always so" },
        Opt { short: 'p', long: "print-over", value: "", help: "always so" },
        Opt { short: 'c', long: "clean-print", value: "", help: "always so" },
    ],
    notes: pager::KEYS,
    example: "more +20 /var/log/messages",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    pager::run(args, Face::More)
}
