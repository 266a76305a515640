//! Where the things under test are. `cargo xtask` builds them and says so in the environment.

use anyhow::{Context, Result, ensure};
use std::{
    env,
    path::{Path, PathBuf},
};

/// The operator's command line, `xenoboot`: `$XENOBOOT_CLI`.
pub fn cli() -> Result<PathBuf> {
    from_environment("XENOBOOT_CLI")
}

/// The image under test, not stamped: `$XENOBOOT_ISO`.
pub fn iso() -> Result<PathBuf> {
    from_environment("XENOBOOT_ISO")
}

/// The image under test with its toolbox, not stamped: `$XENOBOOT_TOOLBOX_ISO`.
pub fn toolbox_iso() -> Result<PathBuf> {
    from_environment("XENOBOOT_TOOLBOX_ISO")
}

/// What `xenoboot image build` made the image under test from: its kernel, and the lock file.
pub fn made_from() -> Result<(&'static str, PathBuf)> {
    let iso = iso()?;
    let purpose = iso.file_stem().is_some_and(|stem| stem == "xenoboot-purpose");
    Ok((if purpose { "purpose" } else { "debian" }, iso.with_extension("lock")))
}

/// The same image with the kernel that is made for it: `$XENOBOOT_PURPOSE_ISO`.
pub fn purpose_iso() -> Result<PathBuf> {
    from_environment("XENOBOOT_PURPOSE_ISO")
}

/// The build's folder, where scenarios keep what they leave behind.
#[must_use]
pub fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from)
}

/// The folder of the recipes under test.
#[must_use]
pub fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes")
}

/// UEFI firmware and an empty variable store, as Debian's `ovmf` has them; older releases name them otherwise.
pub fn ovmf() -> Result<(PathBuf, PathBuf)> {
    let folder = Path::new("/usr/share/OVMF");
    ["_4M", ""]
        .map(|size| {
            let named = |part| folder.join(format!("OVMF_{part}{size}.fd"));
            (named("CODE"), named("VARS"))
        })
        .into_iter()
        .find(|(code, vars)| code.exists() && vars.exists())
        .context("no UEFI firmware in /usr/share/OVMF: install the package ovmf")
}

fn from_environment(name: &str) -> Result<PathBuf> {
    let path = env::var_os(name)
        .map(PathBuf::from)
        .with_context(|| format!("{name} is not set: run this through `cargo xtask test vm`"))?;
    ensure!(path.exists(), "{name}: {} does not exist", path.display());
    Ok(path)
}
