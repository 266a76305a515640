//! The packages' files in one tree, with what their installation would have made.

use super::List;
use crate::apt::{Apt, Package};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

/// Folders of old that are links into `usr`.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib64"];

/// Certificate authorities: one file of all, as most programs look for it.
const AUTHORITIES: &str = "usr/share/ca-certificates/mozilla";
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

/// Where names of users, groups and hosts are looked up.
const NAMES: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n\
                     services: files\nprotocols: files\n";

/// Makes the tree in the folder `to`, which is not there yet.
pub(super) fn stage(packages: &[Package], list: &List, apt: &Apt, to: &Path) -> Result<()> {
    let stage = Stage { list, to };
    fs::create_dir_all(to)
        .and_then(|()| fs::set_permissions(to, fs::Permissions::from_mode(0o755)))
        .with_context(|| to.display().to_string())?;
    let mut authorities = Vec::new();
    for package in packages {
        let tree = apt.unpack(package)?;
        stage.add(&tree, Path::new("")).with_context(|| format!("package {}", package.name))?;
        authorities.extend(certificates(&tree.join(AUTHORITIES))?);
        for name in ["passwd", "group"] {
            let master = tree.join("usr/share/base-passwd").join(format!("{name}.master"));
            if master.exists() {
                stage.write(&format!("etc/{name}"), &fs::read(master)?)?;
            }
        }
    }
    if !authorities.is_empty() {
        stage.write(BUNDLE, &authorities)?;
    }
    stage.write("etc/nsswitch.conf", NAMES.as_bytes())?;
    for (path, target) in &list.links {
        let path = stage.place(Path::new(path))?;
        symlink(target, &path).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The certificates of a folder, one after the other.
fn certificates(folder: &Path) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for entry in sorted(folder).unwrap_or_default() {
        all.extend(fs::read(&entry)?);
        if !all.ends_with(b"\n") {
            all.push(b'\n');
        }
    }
    Ok(all)
}

struct Stage<'a> {
    list: &'a List,
    to: &'a Path,
}

impl Stage<'_> {
    /// Adds what is in the folder `below` of a package.
    fn add(&self, package: &Path, below: &Path) -> Result<()> {
        for from in sorted(&package.join(below))? {
            let path = from.strip_prefix(package).context("a path outside of its package")?;
            let to = merged(path);
            if self.list.leaves_out(&to) {
                continue;
            }
            let kind = fs::symlink_metadata(&from)?.file_type();
            if kind.is_dir() {
                self.add(package, path)?;
            } else {
                self.file(&from, &to).with_context(|| to.display().to_string())?;
            }
        }
        Ok(())
    }

    fn file(&self, from: &Path, to: &Path) -> Result<()> {
        let to = self.place(to)?;
        ensure!(fs::symlink_metadata(&to).is_err(), "it is in two packages");
        let kind = fs::symlink_metadata(from)?.file_type();
        if kind.is_symlink() {
            return Ok(symlink(fs::read_link(from)?, to)?);
        }
        ensure!(kind.is_file(), "neither file, folder nor symbolic link");
        // A link costs nothing; across file systems a copy will do.
        Ok(fs::hard_link(from, &to).or_else(|_| fs::copy(from, &to).map(drop))?)
    }

    fn write(&self, path: &str, content: &[u8]) -> Result<()> {
        let to = self.place(Path::new(path))?;
        fs::write(&to, content)
            .and_then(|()| fs::set_permissions(&to, fs::Permissions::from_mode(0o644)))
            .with_context(|| to.display().to_string())
    }

    /// Where `path` is in the tree; the folders above it are there then, all with one mode whatever the
    /// umask.
    fn place(&self, path: &Path) -> Result<PathBuf> {
        let mut at = self.to.to_path_buf();
        for part in path.parent().into_iter().flat_map(Path::components) {
            at.push(part);
            if !at.exists() {
                fs::create_dir(&at)
                    .and_then(|()| fs::set_permissions(&at, fs::Permissions::from_mode(0o755)))
                    .with_context(|| at.display().to_string())?;
            }
        }
        Ok(self.to.join(path))
    }
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|e| Ok(e?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// `sbin/x` is `usr/sbin/x`.
fn merged(path: &Path) -> PathBuf {
    if MERGED.iter().any(|old| path.starts_with(old)) {
        Path::new("usr").join(path)
    } else {
        path.to_path_buf()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xenoboot-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn package(at: &Path, files: &[&str]) -> PathBuf {
        for file in files {
            let path = at.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        at.to_path_buf()
    }

    #[test]
    fn packages_share_one_tree() {
        let at = folder("toolbox-tree");
        let one = package(&at.join("1"), &["sbin/mkfs", "usr/share/man/mkfs.8", "usr/lib/a.so.1"]);
        symlink("a.so.1", one.join("usr/lib/a.so")).unwrap();
        let two = package(&at.join("2"), &["usr/sbin/fsck", "lib64/ld.so"]);
        let list = List::parse("good\n!usr/share/man\n").unwrap();
        let to = at.join("to");
        fs::create_dir(&to).unwrap();
        let stage = Stage { list: &list, to: &to };
        stage.add(&one, Path::new("")).unwrap();
        stage.add(&two, Path::new("")).unwrap();
        for there in ["usr/sbin/mkfs", "usr/sbin/fsck", "usr/lib64/ld.so"] {
            assert!(to.join(there).is_file(), "{there}");
        }
        assert_eq!(fs::read_link(to.join("usr/lib/a.so")).unwrap(), Path::new("a.so.1"));
        assert!(!to.join("usr/share").exists());
        let error = stage.add(&one, Path::new("")).unwrap_err();
        assert!(format!("{error:#}").contains("in two packages"), "{error:#}");
        fs::remove_dir_all(at).unwrap();
    }
}
