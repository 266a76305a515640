//! What is written: the file system of a Debian system, and a later state of it.

use anyhow::{Context, Result, ensure};
use qemu_tests::{Operator, programs};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use xenoboot_image::{apt::Apt, cache_folder, sha256};

/// What is installed on it, with all that these need.
const PACKAGES: &[&str] =
    &["linux-image-amd64", "systemd", "openssh-server", "python3", "perl", "vim", "git", "locales"];

/// The share of the files' bytes that an upgrade changes.
const CHANGED: f64 = 0.05;

/// The disk has so much room for each byte of files: it is half full.
const ROOM: u64 = 2;

/// As closely as `xenoboot image-pack` compresses.
const LEVEL: &str = "-9";

/// An image of a disk, both as it is packed by us and as one compressed file.
pub(crate) struct Image {
    /// The name of its root index, and its digest.
    pub(crate) index: String,
    pub(crate) digest: String,
    /// The name of the compressed file, and the digest of what is in it.
    pub(crate) raw: String,
    pub(crate) raw_digest: String,
}

/// The images in the folder of the server.
pub(crate) struct Content {
    /// The disk's size, bytes.
    pub(crate) size: u64,
    pub(crate) first: Image,
    /// When some packages were upgraded.
    pub(crate) second: Image,
}

impl Content {
    /// Builds both into `folder/www`.
    pub(crate) fn prepare(folder: &Path, operator: &Operator) -> Result<Self> {
        println!("\nThe images are being made.");
        let (tree, www) = (folder.join("tree"), folder.join("www"));
        let packages = unpacked(&tree)?;
        let sizes: u64 = packages.iter().map(|(_, size)| size).sum();
        let size = (sizes * ROOM).next_multiple_of(1 << 20);
        let first = image(folder, &tree, size, "first", operator)?;
        let changed = upgrade(&tree, packages, sizes)?;
        let second = image(folder, &tree, size, "second", operator)?;
        let mib = |bytes: u64| bytes >> 20;
        println!(
            "A disk of {} MiB with {} MiB of files; {} MiB of them are changed by the upgrade.",
            mib(size),
            mib(sizes),
            mib(changed)
        );
        let (one, other) =
            (fs::read(folder.join("first.raw"))?, fs::read(folder.join("second.raw"))?);
        let chunks = one.chunks(1 << 20).zip(other.chunks(1 << 20));
        let differ = chunks.filter(|(one, other)| one != other).count();
        println!("{differ} of the disk's {} chunks of 1 MiB are changed.", mib(size));
        ensure!(www.is_dir(), "nothing was packed");
        Ok(Self { size, first, second })
    }
}

/// The packages' files in `tree`; where each lies by itself, and how many bytes of files it has.
fn unpacked(tree: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let apt = Apt::new(&cache_folder()?.join("apt"))?;
    apt.update()?;
    fs::create_dir_all(tree)?;
    let mut packages = Vec::new();
    for package in apt.closure(PACKAGES, &[])? {
        let folder = apt.unpack(&package)?;
        programs::merge(&folder, tree)?;
        let sizes = files(&folder)?.into_iter().map(|path| Ok(fs::metadata(path)?.len()));
        packages.push((folder, sizes.sum::<Result<u64>>()?));
    }
    Ok(packages)
}

/// Every plain file below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let out = Command::new("find").arg(folder).args(["-type", "f", "-print0"]).output()?;
    ensure!(out.status.success(), "find {}", folder.display());
    let paths = out.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    paths.map(|path| Ok(String::from_utf8(path.to_vec())?.into())).collect()
}

/// Gives the files of some packages other bytes, as many; how many. An upgrade replaces whole packages, whose files lie
/// together.
fn upgrade(tree: &Path, mut packages: Vec<(PathBuf, u64)>, all: u64) -> Result<u64> {
    // An order that has nothing to do with what they are.
    packages.sort_by_key(|(folder, _)| {
        sha256(folder.file_name().unwrap_or_default().as_encoded_bytes())
    });
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share"
    )]
    let wanted = (all as f64 * CHANGED) as u64;
    let mut changed = 0;
    for (folder, size) in packages {
        if changed + size > wanted + wanted / 20 {
            continue;
        }
        changed += size;
        for file in files(&folder)? {
            let path = tree.join(file.strip_prefix(&folder)?);
            let mut bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            bytes.iter_mut().for_each(|byte| *byte ^= 0x15);
            fs::write(&path, bytes)?;
        }
    }
    ensure!(changed > wanted / 2, "no packages are small enough");
    Ok(changed)
}

fn image(folder: &Path, tree: &Path, size: u64, name: &str, operator: &Operator) -> Result<Image> {
    let raw = folder.join(format!("{name}.raw"));
    fs::File::create(&raw)?.set_len(size)?;
    let mut mkfs = Command::new("/usr/sbin/mke2fs");
    // Times and numbers that are the same each time, so that only what was upgraded differs.
    mkfs.env("E2FSPROGS_FAKE_TIME", "1700000000");
    mkfs.args(["-q", "-F", "-t", "ext4", "-m", "0", "-U", "6a1c0f0e-3c5d-4c8e-9d55-0d5b1f0d7a11"]);
    mkfs.args(["-E", "hash_seed=6a1c0f0e-3c5d-4c8e-9d55-0d5b1f0d7a12,nodiscard"]);
    let made = mkfs.arg("-d").arg(tree).arg(&raw).status().context("mke2fs")?;
    ensure!(made.success(), "mke2fs of {}", raw.display());
    let www = folder.join("www");
    let index = format!("{name}.xbi");
    let (from, to) = (raw.to_string_lossy(), www.to_string_lossy());
    let packed = operator.run(&["image-pack", &from, &to, "--name", &index])?;
    let digest = packed.get("sha256").and_then(|digest| digest.as_str());
    let digest = digest.with_context(|| format!("no digest in {packed}"))?.to_owned();
    let compressed = format!("{name}.raw.zst");
    let mut zstd = Command::new("zstd");
    zstd.args(["-q", "-T0", LEVEL]).arg(&raw).arg("-o").arg(www.join(&compressed));
    ensure!(zstd.status().context("zstd")?.success(), "zstd of {}", raw.display());
    let sum = Command::new("sha256sum").arg(&raw).output().context("sha256sum")?;
    let raw_digest = String::from_utf8_lossy(&sum.stdout).chars().take(64).collect();
    Ok(Image { index, digest, raw: compressed, raw_digest })
}
