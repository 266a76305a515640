//! Running other programs.

use anyhow::{Context, Result, ensure};
use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// `cargo` in the workspace's folder, as a person's shell would start it. What the cargo that started us
/// says of our own package is taken away: build scripts watch such variables, and much would be built
/// again whenever a person builds in between.
pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(root);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            command.env_remove(name);
        }
    }
    command
}

/// The same for what runs on this machine, compiled by clippy's compiler where that is installed: it lints what it compiles,
/// so that lints, tests and programs need one build of everything and not two.
pub(crate) fn linting_cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = cargo(root, arguments);
    let driver = clippy_driver();
    if driver.exists() {
        command.env("RUSTC_WORKSPACE_WRAPPER", driver).env("CLIPPY_ARGS", "");
    }
    command
}

/// Where it is in the toolchain, if it has it.
pub(crate) fn clippy_driver() -> PathBuf {
    Path::new(env!("CARGO")).with_file_name("clippy-driver")
}

/// Builds one of the workspace's programs for this machine. Chosen from the whole workspace and together with a test, so
/// that what it depends on has the features that the tests built it with and is not built again.
pub(crate) fn build_program(root: &Path, name: &str) -> Command {
    let choice = ["--workspace", "--bin", name, "--test", "scenarios"];
    linting_cargo(root, &[&["build", "--quiet"], &choice[..]].concat())
}

/// Where cargo builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Runs a command with its output as ours; an exit status other than 0 is an error.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| shown(command))?;
    ensure!(status.success(), "{} failed ({status})", shown(command));
    Ok(())
}

/// Runs a command, printing what it prints and handing each line to `line` too; whether it exited with 0.
pub(crate) fn watch(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    // One pipe for both, so that lines stay in order: the shell joins them.
    let mut joined = Command::new("sh");
    joined
        .args(["-c", "exec \"$@\" 2>&1", "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        joined.current_dir(folder);
    }
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => joined.env(key, value),
            None => joined.env_remove(key),
        };
    }
    let mut child = joined.stdout(Stdio::piped()).spawn().with_context(|| shown(command))?;
    let output = child.stdout.take().context("a pipe was asked for")?;
    for text in BufReader::new(output).split(b'\n') {
        let text = text?;
        let text = String::from_utf8_lossy(&text);
        println!("{text}");
        line(&text);
    }
    Ok(child.wait()?.success())
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
