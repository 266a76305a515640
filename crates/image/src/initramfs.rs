//! The base initramfs: what every machine gets, whatever its site.
//!
//! Several archives one after the other. The first is not compressed: it holds the modules, which are
//! compressed already and which the kernel unpacks when it loads them. Then the programs, the indexes and those
//! modules that are stored unpacked, compressed with zstd as one: the programs have much code in common, half a
//! megabyte of it. Last what tells about all these.

use crate::{
    cpio::Archive,
    modules::{self, Modules},
    parts::Parts,
    tools::sha256,
};
use anyhow::{Context, Result};
use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

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

/// Reads a program, or the list of what they are made of.
pub(crate) fn program(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    fs::read(&path).with_context(|| format!("among the static programs, {}", path.display()))
}

/// The archive of modules.
pub(crate) fn modules(modules: &Modules) -> Result<Vec<u8>> {
    let root = format!("usr/lib/modules/{}", modules.release);
    let mut tree = Tree::default();
    for (path, file) in &modules.files {
        let content = fs::read(file).with_context(|| file.display().to_string())?;
        tree.file(&format!("{root}/{path}"), 0o644, &content);
    }
    Ok(tree.archive.finish())
}

/// The archive of programs and indexes, compressed; and the manifest of what is in it, by which init
/// sees that all of it arrived.
pub(crate) fn programs(
    programs: &Programs,
    modules: &Modules,
    parts: &Parts,
) -> Result<(Vec<u8>, String)> {
    let mut tree = layout();
    tree.essential("init", 0o755, &programs.init);
    tree.essential("usr/lib/xenoboot/agent", 0o755, &programs.agent);
    tree.essential("usr/lib/xenoboot/toolkit", 0o755, &programs.toolkit);
    for applet in &programs.applets {
        tree.archive.symlink(&format!("usr/bin/{applet}"), "../lib/xenoboot/toolkit");
    }
    for (name, content) in &modules.indexes {
        let path = format!("usr/lib/modules/{}/{name}", modules.release);
        tree.essential(&path, 0o644, content);
    }
    for (path, file) in &modules.unpacked {
        let path = format!("usr/lib/modules/{}/{path}", modules.release);
        tree.essential(&path, 0o644, &modules::unpack(file)?);
    }
    Ok((compressed(&tree.archive.finish(), parts)?, tree.manifest))
}

/// The archive of what the image says of itself.
pub(crate) fn about(image_toml: &str, manifest: &str) -> Vec<u8> {
    let mut tree = Tree::default();
    tree.file("etc/xenoboot/image.toml", 0o644, image_toml.as_bytes());
    tree.file("etc/xenoboot/manifest", 0o644, manifest.as_bytes());
    tree.folders("etc/xenoboot/site/");
    tree.archive.finish()
}

/// Folders, links and devices.
fn layout() -> Tree {
    let mut tree = Tree::default();
    for folder in
        ["dev", "proc", "sys", "run", "tmp", "mnt", "root", "etc", "usr", "usr/bin", "usr/lib"]
    {
        tree.folders(&format!("{folder}/"));
    }
    // The kernel opens /dev/console for init before anything is mounted.
    tree.archive.device("dev/console", 0o600, 5, 1);
    tree.archive.device("dev/null", 0o666, 1, 3);
    for (link, target) in
        [("bin", "usr/bin"), ("sbin", "usr/bin"), ("lib", "usr/lib"), ("usr/sbin", "bin")]
    {
        tree.archive.symlink(link, target);
    }
    tree
}

/// Compressing takes longest of all that a build does.
fn compressed(archive: &[u8], parts: &Parts) -> Result<Vec<u8>> {
    let library = zstd::zstd_safe::version_number().to_string();
    parts.get(&["zstd", &library, &LEVEL.to_string(), &sha256(archive)], || {
        let mut packed =
            zstd::bulk::compress(archive, LEVEL).context("compressing the initramfs")?;
        // The kernel looks for what follows at multiples of four.
        packed.resize(packed.len().next_multiple_of(4), 0);
        Ok(packed)
    })
}

/// An archive that makes the folders above its files.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) archive: Archive,
    made: BTreeSet<String>,
    /// Lines `SHA-256 SIZE PATH` of what must be there.
    pub(crate) manifest: String,
}

impl Tree {
    fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.folders(path);
        self.archive.file(path, mode, content);
    }

    /// A file that stands in the manifest.
    pub(crate) fn essential(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.file(path, mode, content);
        // Writing to a string does not fail.
        let _ = writeln!(self.manifest, "{} {} /{path}", sha256(content), content.len());
    }

    /// Adds the folders above `path` that are not there yet.
    pub(crate) fn folders(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            let folder = path.get(..at).unwrap_or_default();
            if self.made.insert(folder.to_owned()) {
                self.archive.folder(folder, if folder == "tmp" { 0o1777 } else { 0o755 });
            }
        }
    }
}
