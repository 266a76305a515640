//! The kernel of an image: Debian's, or one that was made for this one purpose.

use crate::{
    apt::Package,
    modules::{self, Modules},
    parts::Parts,
    tools::sha256,
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Memory in MB with which a machine starts and runs a script from an image with Debian's kernel.
const DEBIANS_MEMORY: u64 = 208;

/// The same with a kernel that was made for it.
const MADE_MEMORY: u64 = 112;

/// Where its kernel comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// The package `linux-image-*` among the packages.
    Debian,
    /// One that was built.
    Made(Made),
}

impl Kernel {
    /// The one that was built, if it was.
    pub(crate) fn made(&self) -> Option<&Made> {
        match self {
            Self::Debian => None,
            Self::Made(made) => Some(made),
        }
    }

    /// Memory in MB that a machine needs.
    #[must_use]
    pub fn memory(&self) -> u64 {
        match self {
            Self::Debian => DEBIANS_MEMORY,
            Self::Made(_) => MADE_MEMORY,
        }
    }
}

/// What a build leaves: path below the folder that the kernel is built in, and name in the folder where it is kept.
const FILES: &[(&str, &str)] = &[
    ("arch/x86/boot/bzImage", "vmlinuz"),
    (".config", "config"),
    ("System.map", "System.map"),
    ("include/config/kernel.release", "release"),
    ("modules.builtin", "modules.builtin"),
    ("modules.builtin.modinfo", "modules.builtin.modinfo"),
];

/// What names the source: a [`Package`] as TOML.
const SOURCE: &str = "source.toml";

/// A kernel that `cargo xtask kernel` built: the folder where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    folder: PathBuf,
    /// The package of the source that it was built from.
    pub source: Package,
    /// As in `uname -r`.
    pub release: String,
}

impl Made {
    /// The folder of the one that was built last, below the `cache`.
    #[must_use]
    pub fn newest(cache: &Path) -> PathBuf {
        cache.join("kernel/purpose")
    }

    /// Keeps of a kernel that was built in the folder `out` what an image needs, in the new folder `folder`.
    ///
    /// # Errors
    /// When something is missing, or cannot be written; then there is no such folder.
    pub fn keep(out: &Path, source: &Package, folder: &Path) -> Result<()> {
        let partial = folder.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial).with_context(|| partial.display().to_string())?;
        for (from, to) in FILES {
            fs::copy(out.join(from), partial.join(to)).with_context(|| (*from).to_owned())?;
        }
        fs::write(partial.join(SOURCE), toml::to_string(source)?)?;
        fs::rename(&partial, folder).with_context(|| folder.display().to_string())
    }

    /// The kernel in `folder`.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(folder: &Path) -> Result<Self> {
        let read = |name| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let release = read("release")?.trim().to_owned();
        let source: Package = toml::from_str(&read(SOURCE)?).context(SOURCE)?;
        ensure!(source.is_sound(), "{SOURCE}: not a package");
        let sound = release.chars().all(|c| c.is_ascii_alphanumeric() || "+-._~".contains(c));
        let sound = sound && release.starts_with(|c: char| c.is_ascii_digit());
        ensure!(sound, "release: {release:?} is not a kernel's");
        Ok(Self { folder: folder.to_owned(), source, release })
    }

    /// The bzImage.
    pub(crate) fn image(&self) -> Result<Vec<u8>> {
        self.read("vmlinuz")
    }

    /// Its `.config`.
    pub(crate) fn configuration(&self) -> Result<Vec<u8>> {
        self.read("config")
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.folder.join(name);
        fs::read(&path).with_context(|| path.display().to_string())
    }

    /// No modules, and indexes that name what is built in.
    pub(crate) fn modules(&self, parts: &Parts, work: &Path) -> Result<Modules> {
        let builtin = self.read("modules.builtin.modinfo")?;
        let key = ["built-in", &self.release, &sha256(&builtin)];
        let kept =
            parts.get(&key, || modules::indexes_of_none(&self.folder, &self.release, work))?;
        Ok(Modules {
            release: self.release.clone(),
            indexes: modules::kept_indexes(&kept)?,
            ..Modules::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_holds_no_kernel_is_an_error() {
        let folder = std::env::temp_dir().join(format!("xenoboot-made-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let error = || format!("{:#}", Made::open(&folder).unwrap_err());
        assert!(error().contains("release"));
        fs::write(folder.join("release"), "6.12.1-xenoboot\n").unwrap();
        assert!(error().contains(SOURCE));
        let source = |name: &str| {
            let digest = "0".repeat(64);
            format!(
                "name = '{name}'\nversion = '1'\nsource = 'linux (1)'\nfilename = 'f'\nsize = 1\nsha256 = '{digest}'\n"
            )
        };
        fs::write(folder.join(SOURCE), source("../linux")).unwrap();
        assert!(error().contains("not a package"));
        fs::write(folder.join(SOURCE), source("linux-source-6.12")).unwrap();
        assert_eq!(Made::open(&folder).unwrap().release, "6.12.1-xenoboot");
        fs::write(folder.join("release"), "6.12/../..").unwrap();
        assert!(error().contains("release"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
