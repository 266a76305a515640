//! Builds, stamps and inspects boot images.
//!
//! An image is one hybrid ISO 9660 file: a CD for BIOS (ISOLINUX) and UEFI (GRUB), and a disk for both
//! when it is written raw to a USB stick. It is made from Debian's packages ([`apt`]), our static
//! programs, and a site initramfs that [`stamp`] replaces in place. The same inputs give the same bytes.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )
)]

pub mod apt;
pub mod build;
pub mod cpio;
pub mod efi;
mod initramfs;
pub mod iso9660;
pub mod kernel;
mod licences;
mod loader;
pub mod modules;
mod overlay;
mod parts;
pub mod recipe;
pub mod site;
pub mod stamp;
pub mod toolbox;
mod tools;
pub mod verity;
mod xorriso;

pub use tools::sha256;

/// The folder that keeps downloads and built parts between runs: `$XDG_CACHE_HOME/xenoboot`, or
/// `~/.cache/xenoboot`.
///
/// # Errors
/// When neither variable is set.
pub fn cache_folder() -> anyhow::Result<std::path::PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = set("XDG_CACHE_HOME").map(Into::into);
    let base = base.or_else(|| set("HOME").map(|home| std::path::Path::new(&home).join(".cache")));
    Ok(base
        .ok_or_else(|| anyhow::anyhow!("neither XDG_CACHE_HOME nor HOME is set"))?
        .join("xenoboot"))
}
