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
    io::{self, Seek as _, SeekFrom},
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

/// A copy of an installed system's root file system, which is the disk's third partition after an ESP of 64 MiB.
///
/// The machine was switched off while the system ran, so its journal is replayed, as the next mount would do. (e2fsck
/// forgets the offset of a file system within a disk when it has replayed one.)
fn root_of(target: &Path) -> Result<PathBuf> {
    const START: u64 = (1 + 1 + 64) << 20;
    let root = target.with_extension("root");
    let mut from = File::open(target)?;
    from.seek(SeekFrom::Start(START))?;
    io::copy(&mut from, &mut File::create(&root)?)?;
    let check = Command::new("e2fsck").args(["-f", "-y"]).arg(&root).output()?;
    // 1: something was mended.
    ensure!(matches!(check.status.code(), Some(0 | 1)), "e2fsck: {check:?}");
    Ok(root)
}

/// A file of a file system.
fn file(root: &Path, path: &str) -> Result<String> {
    let output = Command::new("debugfs").args(["-R", &format!("cat {path}")]).arg(root).output()?;
    // The first line is its version; the exit status tells nothing.
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.lines().count() < 2, "{path}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
