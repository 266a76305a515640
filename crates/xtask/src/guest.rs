//! The static programs that run on the machine.

use crate::{
    licences,
    run::{cargo, check, target},
};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Naming the target keeps the flags for a static binary away from build scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";

const PROGRAMS: &[&str] = &["xenoboot-init", "xenoboot-agent", "xenoboot-toolkit"];

/// Static, and without what does not serve a program that is: its place is fixed, nothing unwinds it, and functions
/// that are alike are one.
const FLAGS: &str = "-C target-feature=+crt-static -C relocation-model=static -C force-unwind-tables=no \
                     -C link-arg=-Wl,--icf=all";
const C_FLAGS: &str = "-fno-asynchronous-unwind-tables -fno-unwind-tables";

/// Where they are.
pub(crate) fn folder(root: &Path) -> PathBuf {
    target(root).join(TARGET).join("guest")
}

/// Builds init, agent and toolkit, and lists what they are made of. Each by itself: built together, they would share the union of the
/// features that each asks of a crate.
pub(crate) fn build(root: &Path) -> Result<()> {
    for package in PROGRAMS {
        check(
            cargo(root, &["build", "--profile", "guest", "--target", TARGET, "-p", package])
                .env("RUSTFLAGS", FLAGS)
                .env("CFLAGS_x86_64_unknown_linux_gnu", C_FLAGS)
                // uutils takes its messages for the language of whoever builds.
                .env("LANG", "C"),
        )?;
    }
    let path = folder(root).join(xenoboot_image::build::CRATES);
    fs::write(&path, licences::collect(root, TARGET, PROGRAMS)?)
        .with_context(|| path.display().to_string())
}
