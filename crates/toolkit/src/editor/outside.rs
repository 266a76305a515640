//! Commands of the system.

use super::ex::SHELL;
use crate::applet::reason;
use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    thread,
};
use xenoboot_sys::process::{Setup, prepare};

/// What a command prints when it is given that.
///
/// # Errors
/// Why it could not be run.
pub(super) fn output(line: &str, input: Vec<u8>) -> Result<Vec<u8>, String> {
    let said = |error: std::io::Error| format!("{line}: {}", reason(&error));
    // Both in one place, in the order in which they come.
    let merged = format!("exec 2>&1\n{line}");
    let mut command = Command::new(SHELL);
    command.args(["-c", &merged]).stdin(Stdio::piped()).stdout(Stdio::piped());
    prepare(&mut command, Setup::default()).map_err(said)?;
    let mut child = command.spawn().map_err(said)?;
    let stdin = child.stdin.take();
    let writer = thread::spawn(move || {
        // One that reads no further is no error.
        let _ = stdin.map(|mut stdin| stdin.write_all(&input));
    });
    let mut out = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut out).map_err(said)?;
    }
    let _ = writer.join();
    child.wait().map_err(said)?;
    Ok(out)
}

/// Runs a command on the terminal.
///
/// # Errors
/// Why it could not be run.
pub(super) fn interactive(line: &str) -> std::io::Result<()> {
    let mut command = Command::new(SHELL);
    command.args(["-c", line]);
    prepare(&mut command, Setup::default())?;
    command.status().map(drop)
}
