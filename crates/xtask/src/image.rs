//! The image without a site, made again only when something that it is made from has changed.

use crate::{
    guest,
    run::{build_program, check, target},
};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use xenoboot_image::{apt::Apt, cache_folder, kernel::Made};

/// Which image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Without a toolbox: what most scenarios boot.
    Small,
    /// With the toolbox of `toolbox/packages.list`.
    Whole,
    /// With the kernel that was made for it, without a toolbox; [`crate::kernel::build`] comes before.
    Purpose,
    /// With both.
    PurposeWhole,
}

impl Kind {
    /// Its name, and what asks for it.
    fn choice(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Small => ("xenoboot", &["--no-toolbox"]),
            Self::Whole => ("xenoboot-toolbox", &[]),
            Self::Purpose => ("xenoboot-purpose", &["--no-toolbox", "--kernel", "purpose"]),
            Self::PurposeWhole => ("xenoboot-purpose-toolbox", &["--kernel", "purpose"]),
        }
    }
}

/// The image without a toolbox.
pub(crate) fn base(root: &Path) -> Result<PathBuf> {
    of_kind(root, Kind::Small)
}

/// An image, from the static programs as they are; [`guest::build`] comes before.
pub(crate) fn of_kind(root: &Path, kind: Kind) -> Result<PathBuf> {
    let (name, choice) = kind.choice();
    check(&mut build_program(root, "xenoboot"))?;
    let (iso, stamp) =
        (target(root).join(format!("{name}.iso")), target(root).join(format!("{name}.iso.inputs")));
    let inputs = inputs(root, kind)?;
    if iso.exists() && fs::read(&stamp).is_ok_and(|kept| kept == inputs) {
        return Ok(iso);
    }
    let command = target(root).join("debug/xenoboot");
    check(
        Command::new(command)
            .args(["image", "build", "--force"])
            .args(choice)
            .arg("-o")
            .arg(&iso)
            .arg("--guest")
            .arg(guest::folder(root))
            .arg("--lock")
            .arg(iso.with_extension("lock")),
    )?;
    fs::write(stamp, inputs)?;
    Ok(iso)
}

/// What the image is made from, as far as it is in this tree.
fn inputs(root: &Path, kind: Kind) -> Result<Vec<u8>> {
    let mut paths: Vec<_> = ["init", "agent", "toolkit", xenoboot_image::build::CRATES]
        .map(|name| guest::folder(root).join(name))
        .into();
    paths.push(root.join("initramfs/modules.list"));
    paths.push(root.join("toolbox/packages.list"));
    if matches!(kind, Kind::Purpose | Kind::PurposeWhole) {
        paths.push(Made::newest(&cache_folder()?).join("vmlinuz"));
    }
    for folder in ["crates/image/src", "crates/image/src/toolbox"] {
        let sources = fs::read_dir(root.join(folder))?;
        let sources = sources.filter_map(|entry| Some(entry.ok()?.path()));
        paths.extend(sources.filter(|path| path.is_file()));
    }
    paths.sort();
    let mut known = String::new();
    for path in paths {
        let content = fs::read(&path).with_context(|| path.display().to_string())?;
        known += &format!("{} {}\n", xenoboot_image::sha256(&content), path.display());
    }
    Ok(known.into_bytes())
}

/// A folder with that package of Debian unpacked: the one of the last time if there is one, so that nothing
/// is asked of the network, else the newest.
pub(crate) fn package(root: &Path, name: &str) -> Result<PathBuf> {
    let apt = Apt::new(&cache_folder()?.join("apt"))?;
    let lock = target(root).join(format!("{name}.lock"));
    let found = apt.kept(&lock, &[name])?;
    apt.unpack(found.first().with_context(|| format!("{} is empty", lock.display()))?)
}
