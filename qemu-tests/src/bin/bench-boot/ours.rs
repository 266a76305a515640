//! Our side: a server with an assigned bundle, and the image stamped for it.

use crate::stamps::SCRIPT;
use anyhow::{Context, Result};
use qemu_tests::{Bundle, Operator, Vm, VmBuilder};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};
use xenoboot_image::{iso9660::Iso, recipe::Recipe};

/// Largest kernel or initramfs, bytes.
const LARGEST: u32 = 256 << 20;

/// What our machine boots.
pub(crate) struct Ours {
    /// Its server and keys.
    pub(crate) operator: Operator,
    /// The stamped image.
    pub(crate) iso: PathBuf,
    /// The kernel on it, for both sides.
    pub(crate) kernel: PathBuf,
    /// What the image says of itself.
    pub(crate) recipe: Recipe,
    folder: PathBuf,
}

impl Ours {
    pub(crate) fn prepare(folder: &Path) -> Result<Self> {
        let operator = Operator::in_folder(folder)?;
        operator.order(&Bundle::new("first", SCRIPT))?;
        operator.approve_key(&operator.new_machine("bench")?, "bench")?;
        let iso = operator.image_of("bench")?;
        let kernel = folder.join("kernel");
        fs::write(&kernel, content(&iso, "boot/kernel")?)?;
        let recipe = String::from_utf8(content(&iso, "image.toml")?).context("image.toml")?;
        let recipe = Recipe::parse(&recipe)?;
        Ok(Self { operator, iso, kernel, recipe, folder: folder.to_path_buf() })
    }

    /// A machine without a boot loader: the initramfs of `iso` is handed over as the loader would.
    pub(crate) fn direct(&self, name: &str, iso: &Path, command_line: &str) -> Result<VmBuilder> {
        let initramfs = self.folder.join(format!("{name}.initramfs"));
        let mut parts = content(iso, "boot/base.img")?;
        // Loaders start each file at a multiple of four bytes.
        parts.resize(parts.len().next_multiple_of(4), 0);
        parts.extend(content(iso, "boot/site.img")?);
        fs::write(&initramfs, parts)?;
        Ok(Vm::in_folder(&self.folder, name).kernel(&self.kernel, &initramfs, command_line))
    }
}

fn content(iso: &Path, path: &str) -> Result<Vec<u8>> {
    let file = File::open(iso).with_context(|| iso.display().to_string())?;
    Iso::open(file)?.read(path, LARGEST).with_context(|| format!("{path} in {}", iso.display()))
}
