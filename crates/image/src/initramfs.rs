//! The base initramfs: what every machine gets, whatever its site.
//!
//! Two archives one after the other. The first is not compressed: it holds the modules, which are
//! compressed already and which the kernel unpacks when it loads them. The second, with programs and
//! indexes, is compressed with zstd.

use crate::{cpio::Archive, modules::Modules, tools::sha256};
use anyhow::{Context, Result};
use std::{collections::BTreeSet, fs, path::Path};

/// zstd's level: the image is made once and read by many over slow virtual media.
const LEVEL: i32 = 19;

/// Static programs of the image.
pub(crate) struct Programs {
    pub(crate) init: Vec<u8>,
    pub(crate) agent: Vec<u8>,
    pub(crate) toolkit: Vec<u8>,
    /// Names under which the toolkit is called.
    pub(crate) applets: Vec<String>,
}

/// The archive of modules.
pub(crate) fn modules(modules: &Modules) -> Result<Vec<u8>> {
    let root = format!("usr/lib/modules/{}", modules.release);
    let mut archive = Archive::new();
    let mut made = BTreeSet::new();
    for (path, file) in &modules.files {
        let path = format!("{root}/{path}");
        folders(&mut archive, &mut made, &path);
        let content = fs::read(file).with_context(|| file.display().to_string())?;
        archive.file(&path, 0o644, &content);
    }
    Ok(archive.finish())
}

/// The archive of programs, indexes and settings, compressed.
pub(crate) fn programs(
    programs: &Programs,
    modules: &Modules,
    image_toml: &str,
) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    let mut made = BTreeSet::new();
    for folder in
        ["dev", "proc", "sys", "run", "tmp", "mnt", "root", "etc", "usr", "usr/bin", "usr/lib"]
    {
        folders(&mut archive, &mut made, &format!("{folder}/"));
    }
    // The kernel opens /dev/console for init before anything is mounted.
    archive.device("dev/console", 0o600, 5, 1);
    archive.device("dev/null", 0o666, 1, 3);
    for (link, target) in
        [("bin", "usr/bin"), ("sbin", "usr/bin"), ("lib", "usr/lib"), ("usr/sbin", "bin")]
    {
        archive.symlink(link, target);
    }
    let essential = [
        ("init", &programs.init),
        ("usr/lib/xenoboot/agent", &programs.agent),
        ("usr/lib/xenoboot/toolkit", &programs.toolkit),
    ];
    let mut manifest = String::new();
    for (path, content) in essential {
        folders(&mut archive, &mut made, path);
        archive.file(path, 0o755, content);
        manifest += &format!("{} {} /{path}\n", sha256(content), content.len());
    }
    for applet in &programs.applets {
        archive.symlink(&format!("usr/bin/{applet}"), "../lib/xenoboot/toolkit");
    }
    for (name, content) in &modules.indexes {
        let path = format!("usr/lib/modules/{}/{name}", modules.release);
        folders(&mut archive, &mut made, &path);
        archive.file(&path, 0o644, content);
        manifest += &format!("{} {} /{path}\n", sha256(content), content.len());
    }
    folders(&mut archive, &mut made, "etc/xenoboot/site/");
    archive.file("etc/xenoboot/image.toml", 0o644, image_toml.as_bytes());
    archive.file("etc/xenoboot/manifest", 0o644, manifest.as_bytes());
    zstd::bulk::compress(&archive.finish(), LEVEL).context("compressing the initramfs")
}

/// Adds the folders above `path` that are not there yet.
fn folders(archive: &mut Archive, made: &mut BTreeSet<String>, path: &str) {
    for (at, _) in path.match_indices('/') {
        let folder = path.get(..at).unwrap_or_default();
        if made.insert(folder.to_owned()) {
            archive.folder(folder, if folder == "tmp" { 0o1777 } else { 0o755 });
        }
    }
}

/// Reads a program.
pub(crate) fn program(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    fs::read(&path).with_context(|| format!("the static program {}", path.display()))
}
