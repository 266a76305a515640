//! Debian's programs with the libraries that they need, as something to be compared with.

use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};
use xenoboot_image::{apt::Apt, cache_folder};

/// Brings packages, and those that they depend on, unpacked into `tree`.
pub fn unpack(packages: &[&str], tree: &Path) -> Result<()> {
    let apt = Apt::new(&cache_folder()?.join("apt"))?;
    apt.update()?;
    fs::create_dir_all(tree)?;
    for package in apt.closure(packages, &[])? {
        merge(&apt.unpack(&package)?, tree)?;
    }
    Ok(())
}

/// Copies a package's files.
pub fn merge(unpacked: &Path, tree: &Path) -> Result<()> {
    let merged = Command::new("cp").arg("-a").arg(unpacked.join(".")).arg(tree).status()?;
    ensure!(merged.success(), "copying {}", unpacked.display());
    Ok(())
}

/// Puts programs of `tree` and their libraries into `root`, so that they run with `root` as their root.
pub fn install(tree: &Path, programs: &[&str], root: &Path) -> Result<()> {
    for folder in ["lib64", "usr/bin", "usr/lib"] {
        fs::create_dir_all(root.join(folder))?;
    }
    if !root.join("lib").exists() {
        symlink("usr/lib", root.join("lib"))?;
    }
    for program in programs {
        let from = tree.join("usr/bin").join(program);
        copy(&from, &root.join("usr/bin").join(program))?;
        for library in libraries(tree, &from)? {
            let name = library.file_name().context("library without a name")?;
            copy(&library, &root.join("usr/lib").join(name))?;
        }
    }
    copy(&loader(tree), &root.join("lib64/ld-linux-x86-64.so.2"))
}

/// The dynamic loader of `tree`.
#[must_use]
pub fn loader(tree: &Path) -> PathBuf {
    tree.join("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
}

/// The shared libraries of `program` inside `tree`, as the tree's own loader resolves them.
fn libraries(tree: &Path, program: &Path) -> Result<BTreeSet<PathBuf>> {
    let folder = tree.join("usr/lib/x86_64-linux-gnu");
    let out = Command::new(loader(tree))
        .arg("--library-path")
        .arg(&folder)
        .arg("--list")
        .arg(program)
        .output()
        .context("the packaged dynamic loader")?;
    ensure!(
        out.status.success(),
        "libraries of {}: {}",
        program.display(),
        String::from_utf8_lossy(&out.stderr)
    );
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let inside = |word: &&str| Path::new(word).starts_with(&folder);
    Ok(text.split_whitespace().filter(inside).map(PathBuf::from).collect())
}

/// Copies one file.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{} -> {}", from.display(), to.display()))?;
    Ok(())
}
