//! The recipes of `recipes/`, each run as it is there with settings for the machine at hand.

mod boot_once;
mod install_debian_image;
mod install_debootstrap;
mod netboot;
mod repair;
mod rescue;
mod wipe;

use anyhow::{Context, Result, ensure};
use qemu_tests::{Bundle, Operator};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// A bundle whose script prepares something for a recipe, with the toolbox.
fn preparing(name: &str, script: &str) -> Bundle {
    Bundle::new(name, &format!("set -e\n{script}")).set("needs", "[\"toolbox\"]")
}

/// An empty disk.
fn disk(path: &Path, mb: u64) -> Result<PathBuf> {
    File::create(path)?.set_len(mb << 20)?;
    Ok(path.to_path_buf())
}

/// What the last run of the machine reported.
fn reports(operator: &Operator, machine: &str) -> Result<BTreeMap<String, String>> {
    let run = operator.run(&["run", "show", "--machine", machine])?;
    let reports = run.get("reports").and_then(Value::as_object).context("no reports")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(reports.iter().map(|(key, value)| (key.clone(), text(value))).collect())
}

/// The digest of a disk as the host has it.
fn digest(disk: &Path) -> Result<String> {
    Ok(xenoboot_image::sha256(&fs::read(disk)?))
}

/// A file of an installed system's root file system, which is the disk's third partition after an ESP of 64 MiB.
///
/// The machine was switched off while the system ran, so the journal is replayed first, as the next mount would do.
fn file(disk: &Path, path: &str) -> Result<String> {
    const START: u64 = (1 + 1 + 64) << 20;
    let partition = format!("{}?offset={START}", disk.display());
    let check = Command::new("e2fsck").args(["-f", "-y", &partition]).output()?;
    // 1: something was mended.
    ensure!(matches!(check.status.code(), Some(0 | 1)), "e2fsck: {check:?}");
    let output =
        Command::new("debugfs").args(["-R", &format!("cat {path}"), &partition]).output()?;
    // The first line is its version; the exit status tells nothing.
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.lines().count() < 2, "{path} on {partition}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
