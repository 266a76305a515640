//! The toolbox: packaged programs in a squashfs file on the medium, protected by dm-verity.
//!
//! The packages are unpacked into one tree without running their installation scripts, and packed with
//! everything fixed that could differ between two builds. The hash tree stands behind the file system in
//! the same file; the root hash goes into the initramfs.

mod list;
mod tree;

use crate::{
    apt::{Apt, Package},
    parts::Parts,
    tools::{run, sha256},
    verity,
};
use anyhow::{Context, Result, ensure};
pub use list::List;
use serde::{Deserialize, Serialize};
use std::{fs, path::Path, process::Command};

/// The file on the medium.
pub const FILE: &str = "toolbox.img";

/// A change to this makes every toolbox anew: how a tree is made is not told by what it is made from.
const EDITION: &str = "toolbox 1";

/// How the tree is packed: see docs/decisions/toolbox.md.
const PACKING: &[&str] = &["-comp", "xz", "-b", "262144", "-Xbcj", "x86"];

/// What the image knows of its toolbox: by this the machine checks what it reads of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Facts {
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Blocks of the file system; the hash tree begins after them.
    pub data_blocks: u64,
    /// Digest of the hash tree's top, hexadecimal.
    pub root_hash: String,
    /// Hashed before each block, hexadecimal.
    pub salt: String,
}

/// A toolbox.
pub struct Toolbox {
    /// The file.
    pub content: Vec<u8>,
    /// What is known of it.
    pub facts: Facts,
}

/// What a toolbox is made from.
pub struct Inputs {
    /// The list.
    pub list: List,
    /// What it came to.
    pub packages: Vec<Package>,
}

/// Makes the toolbox, or takes the one that was made from the same before; works in the folder `work`.
pub(crate) fn make(inputs: &Inputs, apt: &Apt, parts: &Parts, work: &Path) -> Result<Toolbox> {
    let mut packages = inputs.packages.clone();
    packages.sort();
    let digests: Vec<_> = packages.iter().map(|package| package.sha256.as_str()).collect();
    let (version, packing) = (version()?, PACKING.join(" "));
    let rules = format!("{:?}", inputs.list);
    let key = [&[EDITION, &version, &packing, &rules], &digests[..]].concat();
    let salt = sha256(key.join("\n").as_bytes());
    let packed = parts.get(&key, || {
        let staged = work.join("toolbox");
        tree::stage(&packages, &inputs.list, apt, &staged)?;
        let packed = pack(&staged, &work.join(FILE));
        let _ = fs::remove_dir_all(&staged);
        packed
    })?;
    Ok(protected(packed, salt))
}

/// A file system with its hash tree.
fn protected(mut content: Vec<u8>, salt: String) -> Toolbox {
    content.resize(content.len().next_multiple_of(verity::BLOCK), 0);
    let data_blocks = (content.len() / verity::BLOCK) as u64;
    let (tree, root) = verity::tree(&content, &unhex(&salt));
    content.extend(tree);
    let root_hash = root.iter().map(|byte| format!("{byte:02x}")).collect();
    let (size, sha256) = (content.len() as u64, sha256(&content));
    Toolbox { content, facts: Facts { size, sha256, data_blocks, root_hash, salt } }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, d| sum << 4 | *d as u8)).collect()
}

/// Every time is 1970, every owner root: the same files give the same bytes.
fn pack(tree: &Path, to: &Path) -> Result<Vec<u8>> {
    let _ = fs::remove_file(to);
    let mut command = Command::new("mksquashfs");
    // It takes the times from there, and refuses to be told otherwise then.
    command.env_remove("SOURCE_DATE_EPOCH").arg(tree).arg(to).args(PACKING);
    command.args(["-noappend", "-all-root", "-no-xattrs", "-no-exports", "-no-progress", "-quiet"]);
    command.args(["-mkfs-time", "0", "-all-time", "0"]);
    run(&mut command).context("packing the toolbox (Debian's package squashfs-tools)")?;
    let content = fs::read(to).with_context(|| to.display().to_string());
    let _ = fs::remove_file(to);
    content
}

/// Another version may pack otherwise.
fn version() -> Result<String> {
    let said = Command::new("mksquashfs")
        .arg("-version")
        .output()
        .context("cannot run mksquashfs; install Debian's package squashfs-tools")?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let first = text.lines().next().unwrap_or_default().to_owned();
    ensure!(first.contains("version"), "mksquashfs does not say its version");
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tree_stands_behind_the_blocks() {
        let Toolbox { content, facts } = protected(vec![7; 10_000], "0fA0".into());
        assert_eq!((facts.data_blocks, facts.size), (3, 4 * 4096));
        assert_eq!(content.len(), 4 * 4096);
        let (tree, root) = verity::tree(&content[..3 * 4096], &[0x0f, 0xa0]);
        assert_eq!(tree, content[3 * 4096..]);
        assert!(facts.root_hash.starts_with(&format!("{:02x}{:02x}", root[0], root[1])));
    }
}
