//! Debian's packages that scenarios start: fetched once, kept in the cache of the image's builder.

use crate::paths;
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};
use xenoboot_image::{apt::Apt, cache_folder};

/// The release before the one that images are made of.
pub const BEFORE: &str = "bookworm";
/// The release that images are made of.
pub const NOW: &str = xenoboot_image::apt::SUITE;

/// The folder with a package's files, not installed.
pub fn unpacked(release: &str, name: &str) -> Result<PathBuf> {
    let apt = apt(release)?;
    unpack(&apt, release, name)
}

/// The newest kernel of a release, its file.
pub fn kernel(release: &str) -> Result<PathBuf> {
    let apt = apt(release)?;
    // Without the package that depends on it, what the newest is cannot be known offline.
    let lock = paths::target().join(format!("{release}-kernel"));
    let name = match fs::read_to_string(&lock) {
        Ok(name) => name,
        Err(_) => {
            apt.update()?;
            let name = apt.kernel_package()?;
            fs::write(&lock, &name).with_context(|| lock.display().to_string())?;
            name
        }
    };
    file_in(&unpack(&apt, release, &name)?.join("boot"), "vmlinuz-")
}

/// The one file in `folder` whose name begins with `start`.
pub fn file_in(folder: &Path, start: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let named = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(start))
    };
    paths.find(named).with_context(|| format!("no {start}* in {}", folder.display()))
}

fn apt(release: &str) -> Result<Apt> {
    let name = if release == NOW { "apt".to_owned() } else { format!("apt-{release}") };
    Apt::of_release(&cache_folder()?.join(name), release)
}

fn unpack(apt: &Apt, release: &str, name: &str) -> Result<PathBuf> {
    let lock = paths::target().join(format!("{release}-{name}.lock"));
    let found = apt.kept(&lock, &[name])?;
    apt.unpack(found.first().with_context(|| format!("{} is empty", lock.display()))?)
}
