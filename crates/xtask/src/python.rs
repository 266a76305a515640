//! Second implementations and other people's testers, in Python: each in a virtual environment of its own.

use crate::run::{check, target};
use anyhow::{Context, Result};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The environment's Python, with what `requirements` lists; made when `import` does not work there.
pub(crate) fn environment(
    root: &Path,
    name: &str,
    requirements: &Path,
    import: &str,
) -> Result<PathBuf> {
    let environment = target(root).join(name);
    let python = environment.join("bin/python3");
    let mut works = Command::new(&python);
    works.args(["-c", &format!("import {import}")]).stderr(std::process::Stdio::null());
    if works.status().is_ok_and(|status| status.success()) {
        return Ok(python);
    }
    let mut make = Command::new("python3");
    check(make.args(["-m", "venv", "--clear"]).arg(&environment))?;
    let mut install = Command::new(&python);
    // What is imported is compiled then; most of it never is.
    install.args(["-m", "pip", "install", "--no-compile"]);
    install.args(["--quiet", "--disable-pip-version-check"]);
    check(install.arg("-r").arg(requirements)).with_context(|| format!("{import}, from PyPI"))?;
    Ok(python)
}
