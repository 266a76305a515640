//! `xz`, `unxz`, `xzcat`: files compressed with xz.

use crate::{
    applet::{Applet, Args},
    compress::{
        Format,
        command::{self, Family, OPTIONS, Task},
    },
};

const FAMILY: Family = Family {
    name: "xz",
    format: Format::Xz,
    endings: &[(".xz", ""), (".txz", ".tar")],
    level: 6,
    keeps: false,
    skipped: 2,
    damaged: 1,
};

pub(crate) static APPLET: Applet = Applet {
    name: "xz",
    summary: "Compresses files with xz, or standard input to standard output.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "xz -dc image.xz | dd of=/dev/sda bs=1M",
    run: |args: &Args| command::run(args, &FAMILY, Task::Pack),
};

/// The reverse.
pub(crate) static UNPACK: Applet = Applet {
    name: "unxz",
    summary: "Restores files that xz has compressed.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "unxz -k file.xz",
    run: |args: &Args| command::run(args, &FAMILY, Task::Unpack),
};

/// To standard output.
pub(crate) static SHOW: Applet = Applet {
    name: "xzcat",
    summary: "Prints what files that xz has compressed hold.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "",
    example: "xzcat file.xz | head",
    run: |args: &Args| command::run(args, &FAMILY, Task::Show),
};
