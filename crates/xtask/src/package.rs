//! `cargo xtask package`: the Debian package, made by cargo-deb and then looked at, and the unit in it.

use crate::{
    run::{cargo, check, target},
    setup,
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The release of cargo-deb that makes it.
const CARGO_DEB: &str = "3.8.0";
/// Most that `systemd-analyze security` may find the unit to be exposed, in tenths.
const EXPOSURE: u32 = 15;
const UNIT: &str = "usr/lib/systemd/system/xenoboot.service";
/// What must be in the package, with its permissions.
const FILES: &[(&str, u32)] = &[
    ("usr/bin/xenoboot", 0o755),
    (UNIT, 0o644),
    ("usr/share/doc/xenoboot/README.md", 0o644),
    ("usr/share/doc/xenoboot/copyright", 0o644),
];

/// Makes it, beside the container's file and in the build's folder.
pub(crate) fn run(root: &Path) -> Result<()> {
    setup::run()?;
    let tool = cargo_deb(root)?;
    check(&mut cargo(
        root,
        &["build", "--quiet", "--release", "--workspace", "--bin", "xenoboot"],
    ))?;
    let package = target(root).join("xenoboot.deb");
    let mut make = Command::new(tool);
    make.args(["-p", "xenoboot", "--no-build", "--quiet", "--output"]).arg(&package);
    check(make.current_dir(root))?;
    inspect(root, &package)?;
    println!("{}", package.display());
    Ok(())
}

/// cargo-deb, in the build's folder: nothing else needs it.
fn cargo_deb(root: &Path) -> Result<PathBuf> {
    let folder = target(root).join("tools");
    let tool = folder.join("bin/cargo-deb");
    let version = Command::new(&tool).arg("--version").output();
    if version.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains(CARGO_DEB)) {
        return Ok(tool);
    }
    let mut install = cargo(root, &["install", "--quiet", "--locked", "--version", CARGO_DEB]);
    install.args(["cargo-deb", "--no-default-features", "--root"]).arg(folder);
    // Not among what is built of ours.
    check(install.env_remove("CARGO_TARGET_DIR"))?;
    Ok(tool)
}

fn inspect(root: &Path, package: &Path) -> Result<()> {
    let tree = target(root).join("package");
    let _ = fs::remove_dir_all(&tree);
    check(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&tree))?;
    for (name, mode) in FILES {
        let file = tree.join(name);
        let found = fs::metadata(&file).with_context(|| format!("the package has no {name}"))?;
        let found = found.permissions().mode() & 0o7777;
        ensure!(found == *mode, "{name} has mode {found:o}, not {mode:o}");
    }
    check(
        Command::new("dpkg-deb")
            .arg("--field")
            .arg(package)
            .args(["Package", "Version", "Depends"]),
    )?;
    // It runs, on a Debian as this one is.
    check(Command::new(tree.join("usr/bin/xenoboot")).arg("--version"))?;
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no", "--root"]).arg(&tree);
    check(verify.arg("xenoboot.service"))?;
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager"]);
    security.arg(format!("--threshold={EXPOSURE}")).arg(tree.join(UNIT));
    let judged = security.output().context("systemd-analyze")?;
    let text = String::from_utf8_lossy(&judged.stdout);
    println!("{}", text.lines().last().unwrap_or_default());
    ensure!(judged.status.success(), "the unit is more exposed than {EXPOSURE} tenths:\n{text}");
    Ok(())
}
