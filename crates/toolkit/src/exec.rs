//! Starting other programs, with the statuses that shells know.

use std::{
    ffi::OsString,
    io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::Command,
};

/// Not found.
const NOT_FOUND: u8 = 127;
/// Found, but it cannot be run.
const NOT_RUN: u8 = 126;

/// A command line, or a shell when there is none.
pub(crate) fn command(words: &[OsString]) -> Command {
    match words {
        [program, rest @ ..] => {
            let mut command = Command::new(program);
            command.args(rest);
            command
        }
        [] => Command::new(std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())),
    }
}

/// Becomes the program; returns only when that fails, with the status for it.
pub(crate) fn replace(name: &str, mut command: Command) -> u8 {
    let error = command.exec();
    failed(name, &command, &error)
}

/// Runs the program and returns its status.
pub(crate) fn wait(name: &str, mut command: Command) -> u8 {
    match command.status() {
        Ok(status) => {
            let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
            code.and_then(|code| u8::try_from(code & 0xff).ok()).unwrap_or(1)
        }
        Err(error) => failed(name, &command, &error),
    }
}

fn failed(name: &str, command: &Command, error: &io::Error) -> u8 {
    let program = command.get_program().to_string_lossy();
    eprintln!("{name}: failed to execute {program}: {}", crate::partitions::plain(error));
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN }
}
