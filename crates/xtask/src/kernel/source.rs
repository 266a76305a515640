//! The kernel's source as Debian packages it.

use crate::run::check;
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use xenoboot_image::{
    apt::{Apt, Package},
    cache_folder,
};

/// The release that the image's default kernel is of, too.
const PACKAGE: &str = "linux-source-6.12";

/// What `make allnoconfig` reads.
const CONFIGURATION: &[&str] =
    &["*/Kconfig*", "*/scripts/*", "*/arch/x86/Makefile*", "linux-source-*/Makefile"];

/// One version of the source.
pub(super) struct Source {
    apt: Apt,
    package: Package,
}

impl Source {
    /// The version that `lock` names, else the newest, which is written there.
    ///
    /// # Errors
    /// When Debian's archive cannot be asked.
    pub(super) fn locked(lock: &Path) -> Result<Self> {
        let apt = Apt::new(&cache_folder()?.join("apt"))?;
        let mut found = apt.kept(lock, &[PACKAGE])?;
        let package = found.pop().with_context(|| format!("{} is empty", lock.display()))?;
        Ok(Self { apt, package })
    }

    /// The package that it is in.
    pub(super) fn package(&self) -> &Package {
        &self.package
    }

    /// Of the whole source just what a configuration is merged with, in a folder in `folder`.
    ///
    /// # Errors
    /// When it cannot be fetched or unpacked.
    pub(super) fn configuration(&self, folder: &Path) -> Result<PathBuf> {
        self.unpack(folder, "kconfig", CONFIGURATION)
    }

    /// All of it, in a folder in `folder`.
    ///
    /// # Errors
    /// As [`Self::configuration`].
    pub(super) fn whole(&self, folder: &Path) -> Result<PathBuf> {
        self.unpack(folder, "source", &[])
    }

    fn unpack(&self, folder: &Path, name: &str, patterns: &[&str]) -> Result<PathBuf> {
        let version = self.package.sha256.get(..16).unwrap_or_default();
        let tree = folder.join(format!("{name}-{version}"));
        if tree.exists() {
            return Ok(tree);
        }
        let archive =
            self.apt.unpack(&self.package)?.join("usr/src").join(format!("{PACKAGE}.tar.xz"));
        let partial = tree.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial).with_context(|| partial.display().to_string())?;
        let mut tar = Command::new("tar");
        tar.arg("-xJf").arg(archive).arg("-C").arg(&partial);
        tar.args(["--strip-components=1", "--wildcards"]).args(patterns);
        check(&mut tar)?;
        fs::rename(&partial, &tree)?;
        Ok(tree)
    }
}
