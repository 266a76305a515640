//! Clippy, in the build that the tests run.

use crate::run::{clippy_driver, linting_cargo};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

/// Builds all that there is for this machine. Warnings are errors, but do not keep the tests from being run.
pub(crate) fn run(root: &Path) -> Result<()> {
    let driver = clippy_driver();
    // Without it everything would be built, and nothing be said.
    ensure!(driver.exists(), "no {}: rustup component add clippy", driver.display());
    let mut warnings = 0;
    // The scenarios are not among all targets, because they are no test by default.
    for targets in [&["--all-targets"][..], &["--test", "scenarios"]] {
        let mut build = linting_cargo(root, &["build", "--workspace", "--quiet"]);
        build.args(["--message-format", "json"]).args(targets).stdout(Stdio::piped());
        let mut child = build.spawn().context("cargo")?;
        let output = child.stdout.take().context("a pipe was asked for")?;
        for line in BufReader::new(output).lines() {
            if let Some(text) = warning(&line?) {
                print!("{text}");
                warnings += 1;
            }
        }
        ensure!(child.wait()?.success(), "the build failed");
    }
    ensure!(warnings == 0, "{warnings} warnings");
    Ok(())
}

/// What the compiler says for people, when a line of cargo's is a warning or an error.
fn warning(line: &str) -> Option<String> {
    let said: Value = serde_json::from_str(line).ok()?;
    let message = said.get("message")?;
    let level = message.get("level")?.as_str()?;
    let text = message.get("rendered")?.as_str()?;
    ["warning", "error"].iter().any(|bad| level.starts_with(bad)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_and_errors_are_told_from_the_rest() {
        let line = |level: &str| {
            format!(
                r#"{{"reason":"compiler-message","message":{{"level":"{level}","rendered":"x\n"}}}}"#
            )
        };
        assert_eq!(warning(&line("warning")).as_deref(), Some("x\n"));
        assert_eq!(warning(&line("error: internal compiler error")).as_deref(), Some("x\n"));
        assert_eq!(warning(&line("failure-note")), None);
        assert_eq!(warning(r#"{"reason":"compiler-artifact","fresh":true}"#), None);
        assert_eq!(warning("Blocking waiting for file lock"), None);
    }
}
