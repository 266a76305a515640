//! What is put around commands of uutils where they do not do what their originals do.

pub(crate) mod cp;

use rustix::fs::Mode;
use std::ffi::OsString;

/// Of `timeout -s KILL` the status is that of the command, which then is 137, as GNU's is; uutils gives 124.
pub(crate) fn timeout(mut args: Vec<OsString>) -> i32 {
    let mut kills = false;
    let mut words = args.iter().skip(1).map_while(|arg| arg.to_str());
    while let Some(word) = words.next().filter(|word| word.len() > 1 && word.starts_with('-')) {
        let signal = match word {
            // With -k it gives the signal's bare number when the status is to be kept.
            _ if word.starts_with("-k") || word.starts_with("--k") => return run_timeout(args),
            "-s" | "--signal" => words.next(),
            word => word.strip_prefix("--signal=").or_else(|| word.strip_prefix("-s")),
        };
        let Some(name) = signal else { continue };
        kills = matches!(name.strip_prefix("SIG").unwrap_or(name), "KILL" | "9");
    }
    let kept = args.iter().any(|arg| arg.to_str().is_some_and(|arg| arg.starts_with("--p")));
    if kills && !kept {
        args.insert(1, "--preserve-status".into());
    }
    run_timeout(args)
}

fn run_timeout(args: Vec<OsString>) -> i32 {
    uu_timeout::uumain(args.into_iter())
}

/// An error of `sort` is 2: 1 says that `-c` found the lines in disorder. uutils gives 1 when it cannot write.
pub(crate) fn sort(args: Vec<OsString>) -> i32 {
    let checks = args.iter().skip(1).map(|arg| arg.as_encoded_bytes()).any(|arg| match arg {
        [b'-', b'-', long @ ..] => long.starts_with(b"c"),
        [b'-', short @ ..] => short.iter().any(|letter| matches!(letter, b'c' | b'C')),
        _ => false,
    });
    match uu_sort::uumain(args.into_iter()) {
        1 if !checks => 2,
        status => status,
    }
}

/// An empty name is none: uutils takes it for the current folder, and so would `cd "$(readlink -f "$nothing")"`.
pub(crate) fn readlink(mut args: Vec<OsString>) -> i32 {
    let given = args.len();
    args.retain(|arg| !arg.is_empty());
    if args.len() == given {
        return uu_readlink::uumain(args.into_iter());
    }
    if args.iter().skip(1).any(|arg| !arg.as_encoded_bytes().starts_with(b"-")) {
        uu_readlink::uumain(args.into_iter());
    }
    1
}

/// The folders that `install` makes on the way are for everybody, whatever the mask says.
pub(crate) fn install(args: Vec<OsString>) -> i32 {
    rustix::process::umask(Mode::from_raw_mode(0o022));
    uu_install::uumain(args.into_iter())
}

/// uutils does not know `split -u`, and never holds lines back.
pub(crate) fn split(mut args: Vec<OsString>) -> i32 {
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let mut number = 0;
    args.retain(|arg| {
        number += 1;
        number > end || (arg != "-u" && arg != "--unbuffered")
    });
    uu_split::uumain(args.into_iter())
}
