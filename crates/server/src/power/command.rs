//! A program of the operator's. The API only names it: what it is stands in the server's folder.

use super::{PATH, PowerError};
use crate::api::PowerAct;
use std::{path::Path, process::Stdio};
use tokio::process::Command;

/// Whether it can be a program's name.
pub(crate) fn is_program(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(fits)
}

/// Runs `PROGRAM ACT MACHINE`; with `status` its first word is `on` or `off`.
pub(super) async fn switch(
    folder: &Path,
    program: &str,
    machine: &str,
    act: PowerAct,
) -> Result<Option<bool>, PowerError> {
    if !is_program(program) {
        return Err(PowerError::Refused(format!("`{program}` is not a program's name")));
    }
    let path = folder.join(program);
    let mut command = Command::new(&path);
    command.args([act.word(), machine]).stdin(Stdio::null()).kill_on_drop(true);
    command.env_clear().env("PATH", PATH);
    let done = command.output().await;
    let failed = |why: String| PowerError::Refused(format!("{}: {why}", path.display()));
    let done = done.map_err(|error| failed(error.to_string()))?;
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr);
        return Err(failed(why.trim().lines().last().unwrap_or("it failed").to_owned()));
    }
    let said = String::from_utf8_lossy(&done.stdout);
    Ok(match said.split_whitespace().next() {
        Some("on") => Some(true),
        Some("off") => Some(false),
        _ => None,
    })
}
