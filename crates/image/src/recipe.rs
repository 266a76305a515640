//! What an image says of itself: `/image.toml` on the medium and `/etc/xenoboot/image.toml` on the machine.

use crate::{apt::Package, toolbox::Facts};
use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// How an image was made. Nothing in it depends on when or where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// The release of Xenoboot, `MAJOR.MINOR.PATCH`.
    pub version: String,
    /// SHA-256 over all that the image is made of but its stamp, hexadecimal.
    pub recipe: String,
    /// The kernel's release, as in `uname -r`.
    pub kernel: String,
    /// The kernel's command line.
    pub command_line: String,
    /// SHA-256 of the overlay's archive, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// SHA-256 of each static program.
    pub programs: BTreeMap<String, String>,
    /// The toolbox, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toolbox: Option<Facts>,
    /// Debian's packages that were used, without the toolbox's.
    #[serde(rename = "package")]
    pub packages: Vec<Package>,
}

impl Recipe {
    /// Reads `image.toml`.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &str) -> Result<Self> {
        // What the parser quotes of the text may be anybody's: it does not go to a terminal.
        toml::from_str(text).map_err(|e| anyhow!("image.toml: {}", e.message().escape_debug()))
    }

    /// Writes `image.toml`.
    ///
    /// # Errors
    /// Never with what this crate makes.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("image.toml")
    }
}

/// `image.lock`: the packages that an image was built from, to build the same again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Every package but the toolbox's.
    #[serde(rename = "package")]
    pub packages: Vec<Package>,
    /// The toolbox's packages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub toolbox: Vec<Package>,
}

impl Lock {
    /// Reads a lock file.
    ///
    /// # Errors
    /// When it cannot be read or is not one.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let lock: Self = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let bad = lock.packages.iter().chain(&lock.toolbox).find(|package| !package.is_sound());
        ensure!(
            bad.is_none(),
            "{}: not a package: {:?}",
            path.display(),
            bad.map_or("", |package| &package.name)
        );
        Ok(lock)
    }

    /// Writes a lock file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = "# The packages an image was built from; `xenoboot image build --locked` uses just these.\n";
        let text = format!("{text}\n{}", toml::to_string(self)?);
        std::fs::write(path, text).with_context(|| path.display().to_string())
    }
}
