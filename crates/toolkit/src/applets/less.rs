//! `less`: a text, a screen at a time, forwards and backwards.

use crate::{
    applet::{Applet, Args, Opt},
    pager::{self, Face},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "less",
    summary: "Shows text, a screen at a time, forwards and backwards.",
    usage: "[OPTION]... [+COMMAND] [FILE]...",
    options: &[
        flag('S', "chop-long-lines", "cut long lines; the arrows move sideways"),
        flag('N', "LINE-NUMBERS", "number the lines"),
        flag('R', "RAW-CONTROL-CHARS", "show colours (SGR sequences, no others)"),
        flag('i', "ignore-case", "capitals are small letters, but for patterns with capitals"),
        flag('I', "IGNORE-CASE", "and for those, too"),
        flag('F', "quit-if-one-screen", "end at once if it fits on the screen"),
        flag('X', "no-init", "no screen of its own"),
        flag('e', "quit-at-eof", "end when going on at the end"),
        flag('E', "QUIT-AT-EOF", "end at the end"),
        flag('s', "squeeze-blank-lines", "several empty lines are one"),
        flag('K', "quit-on-intr", "Ctrl-C ends it"),
        Opt { short: 'p', long: "pattern", value: "PATTERN", help: "begin there" },
        flag('f', "force", "any kind of file"),
        flag('M', "LONG-PROMPT", "say where it is"),
        flag('m', "long-prompt", "the same"),
        flag('r', "raw-control-chars", "as -R"),
        flag('q', "quiet", "never beeps anyway"),
    ],
    notes: pager::KEYS,
    example: "dmesg | less +G",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    pager::run(args, Face::Less)
}
