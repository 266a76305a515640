//! The multi-call binary: shell and commands for scripts.
//!
//! The name it is started by decides what it is: `/bin/ls` is a symlink to it, and `toolkit ls` is
//! the same. [`table::TABLE`] has every command; a command of ours is one file in `applets/` and one
//! row there, one of uutils is a dependency and a row.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed test may panic"
    )
)]

mod applet;
mod applets;
mod archive;
mod arping;
mod awk;
mod backtracking;
mod beneath;
mod block;
mod columns;
mod compress;
mod conversion;
mod curl;
mod dates;
mod dd;
mod devices;
mod diff;
mod dns;
mod editor;
mod efi;
mod exec;
mod find;
mod glob;
mod http;
mod icmp;
mod imaging;
mod ip;
mod json;
mod kernel;
mod local;
mod longest;
mod loops;
mod magic;
mod matcher;
mod modes;
mod mounts;
mod names;
mod netcat;
mod netlink;
mod opens;
mod pager;
mod partitions;
mod patch;
mod pci;
mod ping;
mod posix_regex;
mod probe;
mod processes;
mod quoting;
mod resolver;
mod sed;
mod services;
mod shell;
mod signals;
mod signatures;
mod sizes;
mod smbios;
mod sntp;
mod sockdiag;
mod table;
mod terminal;
mod text_cells;
mod traceroute;
mod wrapped;

use std::{
    ffi::{OsStr, OsString},
    io::Write as _,
    path::Path,
    process::exit,
};

fn main() {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let name = command_name(args.first());
    if let Some(row) = table::row(&name) {
        exit(row.run(args));
    }
    // Not started by a command's name: the command is the first argument.
    if !args.is_empty() {
        args.remove(0);
    }
    let Some(first) = args.first() else { exit(usage(2)) };
    match (first.to_str(), table::row(&command_name(Some(first)))) {
        (Some("--list"), _) => exit(list()),
        (Some("--help"), _) => exit(usage(0)),
        (_, Some(row)) => {
            uucore::set_utility_is_second_arg();
            exit(row.run(args))
        }
        (_, None) => {
            eprintln!("toolkit: no command {first:?}; 'toolkit --list' prints all");
            exit(127)
        }
    }
}

/// The command that an argument 0 names: its last component, without the `-` of a login shell.
fn command_name(arg0: Option<&OsString>) -> String {
    let name = arg0.and_then(|arg| Path::new(arg).file_name()).unwrap_or(OsStr::new(""));
    let name = name.to_string_lossy();
    match name.strip_prefix('-') {
        Some(login) if !login.is_empty() => login.to_owned(),
        _ => name.into_owned(),
    }
}

/// Prints every command's name, one a line. The image builder makes the symlinks from this.
fn list() -> i32 {
    let text: String = table::TABLE.iter().flat_map(|row| [row.name, "\n"]).collect();
    i32::from(std::io::stdout().write_all(text.as_bytes()).is_err())
}

fn usage(status: i32) -> i32 {
    let text = "Usage: toolkit COMMAND [ARGUMENT]...\n       toolkit --list\n\n\
                Runs one of the commands that --list prints; a link of that name does the same.\n\n\
                Example: toolkit ls -l /dev\n";
    let written = if status == 0 {
        std::io::stdout().write_all(text.as_bytes())
    } else {
        std::io::stderr().write_all(text.as_bytes())
    };
    if written.is_err() { 1 } else { status }
}
