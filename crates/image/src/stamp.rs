//! From an image one for another site, server or machine, with nothing rebuilt; and what an image holds.

use crate::{
    build::volume_date,
    iso9660::{DATE, DATES, Extent, Iso, PVD, uuid_of},
    recipe::Recipe,
    site::{SIZE, Stamp},
    toolbox::{FILE, Facts},
};
use anyhow::{Context, Result, ensure};
use std::{
    fs::{self, File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

/// Largest `image.toml` that is read, bytes.
const MAX_RECIPE: u32 = 1 << 20;

/// The files that name the volume, and the largest of each that is read, bytes.
const NAMING: [(&str, u32); 2] = [("boot/grub/grub.cfg", 64 << 10), ("boot/efi.img", 64 << 20)];

/// Parts that `inspect` names, with their paths in the image.
const PARTS: [(&str, &str); 4] = [
    ("kernel", "boot/kernel"),
    ("initramfs", "boot/base.img"),
    ("site", "boot/site.img"),
    ("EFI loaders", "boot/efi.img"),
];

/// What an image holds.
pub struct Contents {
    /// How it was made.
    pub recipe: Recipe,
    /// The volume's identifier.
    pub uuid: String,
    /// What it is stamped with; [`Stamp::is_blank`] when with nothing.
    pub stamp: Stamp,
    /// Name and size in bytes of each part.
    pub parts: Vec<(&'static str, u64)>,
}

/// Reads what the image at `path` (a file or a device) holds.
///
/// # Errors
/// When it is not an image of ours.
pub fn inspect(path: &Path) -> Result<Contents> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut iso = Iso::open(file).with_context(|| path.display().to_string())?;
    let ours = || format!("{} is not a Xenoboot image", path.display());
    let text = iso.read("image.toml", MAX_RECIPE).with_context(ours)?;
    let recipe = Recipe::parse(&String::from_utf8(text)?).with_context(ours)?;
    let site = iso.read("boot/site.img", SIZE as u32).with_context(ours)?;
    let stamp = Stamp::read(&site).with_context(ours)?;
    let mut parts = Vec::new();
    for (name, at) in PARTS {
        parts.push((name, iso.find(at).with_context(ours)?.size.into()));
    }
    if let Some(toolbox) = &recipe.toolbox {
        parts.push(("toolbox", toolbox.size));
    }
    Ok(Contents { recipe, uuid: iso.uuid()?, stamp, parts })
}

/// What the image at `path` knows of its toolbox, and the image's file, standing at the toolbox's first byte.
///
/// # Errors
/// When it is not an image of ours, or has no toolbox.
pub fn toolbox(path: &Path) -> Result<(Facts, File)> {
    let none = || format!("{} has no toolbox", path.display());
    let facts = inspect(path)?.recipe.toolbox.with_context(none)?;
    let extent = Iso::open(File::open(path)?)?.find(FILE).with_context(none)?;
    ensure!(u64::from(extent.size) == facts.size, "the toolbox has {} bytes", extent.size);
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(extent.offset))?;
    Ok((facts, file))
}

/// Makes `output` from the image `base`, stamped anew. Returns the new volume identifier.
///
/// # Errors
/// When `base` is not an image of ours or `output` cannot be written; it is then left as it was.
pub fn stamp(base: &Path, stamp: &Stamp, output: &Path) -> Result<String> {
    let contents = inspect(base)?;
    let mut iso = Iso::open(File::open(base)?)?;
    let date = volume_date(&contents.recipe.recipe, stamp);
    let uuid = uuid_of(&date).context("volume date")?;

    let mut changes: Vec<(u64, Vec<u8>)> = Vec::new();
    let site = iso.find("boot/site.img")?;
    ensure!(
        site.size as usize == SIZE,
        "the site initramfs has {} bytes instead of {SIZE}",
        site.size
    );
    changes.push((site.offset, stamp.archive(&uuid)?));
    for (path, limit) in NAMING {
        let extent = iso.find(path)?;
        let content = iso.read(path, limit)?;
        changes.push((
            place(&content, &contents.uuid, extent).with_context(|| path.to_owned())?,
            uuid.clone().into(),
        ));
    }
    // Creation and modification: both, because some tools look at the one and some at the other.
    for nth in 0..2 {
        changes.push((PVD + DATES + nth * DATE as u64, date.to_vec()));
    }

    let partial = output.with_extension("iso.partial");
    let result = write(base, &partial, &changes)
        .and_then(|()| fs::rename(&partial, output).with_context(|| output.display().to_string()));
    if result.is_err() {
        let _ = fs::remove_file(&partial);
    }
    result.map(|()| uuid)
}

/// Where the one occurrence of `uuid` lies in the image.
fn place(content: &[u8], uuid: &str, extent: Extent) -> Result<u64> {
    let mut found = (0..content.len())
        .filter(|at| content.get(*at..).is_some_and(|c| c.starts_with(uuid.as_bytes())));
    let at = found.next().context("the volume's identifier is not in it")?;
    ensure!(found.next().is_none(), "the volume's identifier is in it more than once");
    Ok(extent.offset + at as u64)
}

fn write(base: &Path, partial: &Path, changes: &[(u64, Vec<u8>)]) -> Result<()> {
    let to = || partial.display().to_string();
    let mut from = File::open(base)?;
    // It may hold a machine's key.
    let mut file = private(partial).with_context(to)?;
    std::io::copy(&mut from, &mut file).with_context(to)?;
    for (offset, bytes) in changes {
        file.seek(SeekFrom::Start(*offset)).with_context(to)?;
        file.write_all(bytes).with_context(to)?;
    }
    file.sync_all().with_context(to)
}

fn private(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let _ = fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
