//! `gzip`, `gunzip`, `zcat`: files compressed with gzip.

use crate::{
    applet::{Applet, Args},
    compress::{
        Format,
        command::{self, Family, OPTIONS, Task},
    },
};

const FAMILY: Family = Family {
    name: "gzip",
    format: Format::Gzip,
    endings: &[(".gz", ""), (".tgz", ".tar"), (".taz", ".tar"), (".z", ""), (".Z", "")],
    level: 6,
    keeps: false,
    skipped: 2,
    damaged: 1,
};

pub(crate) static APPLET: Applet = Applet {
    name: "gzip",
    summary: "Compresses files with gzip, or standard input to standard output.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "gzip -k /mnt/var/log/syslog",
    run: |args: &Args| command::run(args, &FAMILY, Task::Pack),
};

/// The reverse.
pub(crate) static UNPACK: Applet = Applet {
    name: "gunzip",
    summary: "Restores files that gzip has compressed.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "gunzip -k file.gz",
    run: |args: &Args| command::run(args, &FAMILY, Task::Unpack),
};

/// To standard output.
pub(crate) static SHOW: Applet = Applet {
    name: "zcat",
    summary: "Prints what files that gzip has compressed hold.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "zcat file.gz | head",
    run: |args: &Args| command::run(args, &FAMILY, Task::Show),
};
