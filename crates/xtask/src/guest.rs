//! The static programs that run on the machine.

use crate::run::{cargo, check, target};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Naming the target keeps the flags for a static binary away from build scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Where they are.
pub(crate) fn folder(root: &Path) -> PathBuf {
    target(root).join(TARGET).join("guest")
}

/// Builds init, agent and toolkit. Each by itself: built together, they would share the union of the
/// features that each asks of a crate.
pub(crate) fn build(root: &Path) -> Result<()> {
    for package in ["xenoboot-init", "xenoboot-agent", "xenoboot-toolkit"] {
        check(
            cargo(root, &["build", "--profile", "guest", "--target", TARGET, "-p", package])
                .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
                // uutils takes its messages for the language of whoever builds.
                .env("LANG", "C"),
        )?;
    }
    Ok(())
}
