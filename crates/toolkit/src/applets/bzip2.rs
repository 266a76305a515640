//! `bzip2`, `bunzip2`, `bzcat`: files compressed with bzip2.

use crate::{
    applet::{Applet, Args},
    compress::{
        Format,
        command::{self, Family, OPTIONS, Task},
    },
};

const FAMILY: Family = Family {
    name: "bzip2",
    format: Format::Bzip2,
    endings: &[(".bz2", ""), (".bz", ""), (".tbz2", ".tar"), (".tbz", ".tar")],
    level: 9,
    keeps: false,
    skipped: 1,
    damaged: 2,
};

pub(crate) static APPLET: Applet = Applet {
    name: "bzip2",
    summary: "Compresses files with bzip2, or standard input to standard output.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "bzip2 -dc dump.bz2 | head",
    run: |args: &Args| command::run(args, &FAMILY, Task::Pack),
};

/// The reverse.
pub(crate) static UNPACK: Applet = Applet {
    name: "bunzip2",
    summary: "Restores files that bzip2 has compressed.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "bunzip2 -k file.bz2",
    run: |args: &Args| command::run(args, &FAMILY, Task::Unpack),
};

/// To standard output.
pub(crate) static SHOW: Applet = Applet {
    name: "bzcat",
    summary: "Prints what files that bzip2 has compressed hold.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "bzcat file.bz2 | head",
    run: |args: &Args| command::run(args, &FAMILY, Task::Show),
};
