//! `zstd`, `unzstd`, `zstdcat`: files compressed with zstd.

use crate::{
    applet::{Applet, Args},
    compress::{
        Format,
        command::{self, Family, OPTIONS, Task},
    },
};

const FAMILY: Family = Family {
    name: "zstd",
    format: Format::Zstd,
    endings: &[(".zst", ""), (".tzst", ".tar")],
    level: 3,
    keeps: true,
    skipped: 1,
    damaged: 1,
};

pub(crate) static APPLET: Applet = Applet {
    name: "zstd",
    summary: "Compresses files with zstd, or standard input to standard output.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "zstd -dc image.zst | dd of=/dev/sda bs=1M",
    run: |args: &Args| command::run(args, &FAMILY, Task::Pack),
};

/// The reverse.
pub(crate) static UNPACK: Applet = Applet {
    name: "unzstd",
    summary: "Restores files that zstd has compressed.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "unzstd -k file.zst",
    run: |args: &Args| command::run(args, &FAMILY, Task::Unpack),
};

/// To standard output.
pub(crate) static SHOW: Applet = Applet {
    name: "zstdcat",
    summary: "Prints what files that zstd has compressed hold.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "zstdcat file.zst | head",
    run: |args: &Args| command::run(args, &FAMILY, Task::Show),
};
