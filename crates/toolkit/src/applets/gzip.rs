//! `gzip`, `gunzip`, `zcat`: files compressed with gzip.

use crate::{
    applet::{Applet, Args, Opt},
    compress::{
        Format,
        command::{self, Family, Task},
    },
};
use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

const FAMILY: Family = Family {
    name: "gzip",
    format: Format::Gzip,
    endings: &[
        (".gz", ""),
        (".z", ""),
        (".taz", ".tar"),
        (".tgz", ".tar"),
        ("-gz", ""),
        ("-z", ""),
        ("_z", ""),
        (".Z", ""),
    ],
    level: 6,
    keeps: false,
    skipped: 2,
    damaged: 1,
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

const OPTIONS: &[Opt] = &[
    flag('c', "stdout", "to standard output; keep the file"),
    flag('\0', "to-stdout", "the same"),
    flag('d', "decompress", "the reverse"),
    flag('\0', "uncompress", "the same"),
    flag('t', "test", "only look whether the data is whole"),
    flag('l', "list", "print the sizes; with -v more"),
    flag('k', "keep", "keep the file"),
    flag('f', "force", "overwrite, take links as well; with -dc pass on what is not compressed"),
    flag('q', "quiet", "say less"),
    flag('v', "verbose", "say what was saved"),
    flag('n', "no-name", "keep no name and no time in the file (so with -d: take none)"),
    flag('N', "name", "keep both (so if nothing is said); with -d take both from the file"),
    flag('r', "recursive", "all files below a folder"),
    value('S', "suffix", "END", "the ending instead of .gz"),
    flag('\0', "synchronous", "wait until the new file is on the disk"),
    flag('\0', "rsyncable", "understood, without effect"),
    flag('a', "ascii", "understood, without effect"),
    value('b', "bits", "N", "understood, without effect"),
    flag('\0', "fast", "the quickest level"),
    flag('\0', "best", "the closest level"),
    value('#', "level", "N", "-1 is quick, -9 is close"),
];

const NOTES: &str = "\
GZIP in the environment may hold some of -1 to -9, -n, -N, -q, -v, --rsyncable and --synchronous.
Status 1 is an error, 2 a warning. With -d, files of compress and of pack are read as well.";

pub(crate) static APPLET: Applet = Applet {
    name: "gzip",
    summary: "Compresses files with gzip, or standard input to standard output.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: NOTES,
    example: "gzip -k /mnt/var/log/syslog",
    run: |args: &Args| run(args, Task::Pack),
};

/// The reverse.
pub(crate) static UNPACK: Applet = Applet {
    name: "gunzip",
    summary: "Restores files that gzip has compressed.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: NOTES,
    example: "gunzip -k file.gz",
    run: |args: &Args| run(args, Task::Unpack),
};

/// To standard output.
pub(crate) static SHOW: Applet = Applet {
    name: "zcat",
    summary: "Prints what files that gzip has compressed hold.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: NOTES,
    example: "zcat file.gz | head",
    run: |args: &Args| run(args, Task::Show),
};

fn run(args: &Args, task: Task) -> anyhow::Result<u8> {
    let variable = std::env::var_os("GZIP").map(OsString::into_vec).unwrap_or_default();
    let mut options = Vec::new();
    for word in variable.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
    {
        match from_environment(word) {
            Some(some) => options.extend(some),
            None if word.starts_with(b"-") => anyhow::bail!(
                "{}: option not valid in GZIP environment variable",
                String::from_utf8_lossy(word)
            ),
            None => anyhow::bail!(
                "{}: non-option in GZIP environment variable",
                String::from_utf8_lossy(word)
            ),
        }
    }
    let mut args = args.clone();
    let said = !options.is_empty();
    args.precede(options);
    let quiet = args.all().any(|(option, _)| option == "quiet");
    if said && !quiet {
        eprintln!("gzip: warning: GZIP environment variable is deprecated; use an alias or script");
    }
    command::run(&args, &FAMILY, task)
}

/// The options that a word of the variable stands for. Those that say what is done to which files
/// may not be there: a script's command would do another thing.
fn from_environment(word: &[u8]) -> Option<Vec<(&'static str, OsString)>> {
    let long = ["no-name", "name", "quiet", "verbose", "fast", "best", "rsyncable", "synchronous"];
    if let Some(name) = word.strip_prefix(b"--") {
        let found = long.into_iter().find(|long| long.as_bytes() == name)?;
        return Some(vec![(found, OsString::new())]);
    }
    let letters = word.strip_prefix(b"-").filter(|letters| !letters.is_empty())?;
    let option = |letter: &u8| {
        Some(match letter {
            b'n' => ("no-name", OsString::new()),
            b'N' => ("name", OsString::new()),
            b'q' => ("quiet", OsString::new()),
            b'v' => ("verbose", OsString::new()),
            b'1'..=b'9' => ("level", OsString::from_vec(vec![*letter])),
            _ => return None,
        })
    };
    letters.iter().map(option).collect()
}
