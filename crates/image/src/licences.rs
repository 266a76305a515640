//! What the image redistributes: each package's licences, and where its source is.

use crate::{apt::Package, build::CRATES, kernel::Made};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Component, Path, PathBuf},
};

const INTRODUCTION: &str = "\
Xenoboot itself: Apache License 2.0. What its programs on this medium are linked with:
- the crates in crates.txt, with their licences and where their sources are;
- the Rust standard library: MIT or Apache License 2.0, https://github.com/rust-lang/rust;
- the GNU C Library: GNU Lesser General Public License 2.1 or later,
  https://sourceware.org/glibc/. With the sources of all the rest at hand, the programs can be
  linked anew with another version of it.

What this medium redistributes from Debian, unchanged: binary package and version, source
package and version. The sources are in Debian's archive under these names; the licences
are in the files beside this one.

";

/// The kernel's configuration, beside the licences, where it is not Debian's.
const CONFIGURATION: &str = "kernel-config.txt";

/// Writes the folder `licenses` of the medium: `packages` with the folders that they are unpacked in; a kernel that was `made`
/// comes with what it was made by.
pub(crate) fn write(
    disk: &Path,
    packages: &[(&Package, PathBuf)],
    crates: &[u8],
    made: Option<&Made>,
) -> Result<()> {
    let folder = disk.join("licenses");
    fs::write(folder.join(CRATES), crates)?;
    let mut index = String::from(INTRODUCTION);
    for (package, tree) in packages {
        let Package { name, version, source, .. } = package;
        index += &format!("{name} {version} (source: {source})\n");
        let text = copyright(name, tree, packages)
            .with_context(|| format!("the licences of the package {name}"))?;
        fs::write(folder.join(format!("{name}.txt")), text)?;
    }
    if let Some(made) = made {
        let Package { name, version, .. } = &made.source;
        index += &format!(
            "\nThe kernel was built from {name} {version}, unchanged, with the configuration in {CONFIGURATION}.\n"
        );
        fs::write(folder.join(CONFIGURATION), made.configuration()?)?;
    }
    Ok(fs::write(folder.join("index.txt"), index)?)
}

/// The file of a package, which may be another package's: then its folder, or the file, is a link.
fn copyright(name: &str, tree: &Path, packages: &[(&Package, PathBuf)]) -> Result<Vec<u8>> {
    let documents = tree.join("usr/share/doc").join(name);
    for link in [documents.clone(), documents.join("copyright")] {
        let Ok(target) = fs::read_link(&link) else { continue };
        let mut parts = target.components().rev().filter_map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        });
        let other = parts.find(|part| *part != "copyright").context("a link to nowhere")?;
        let other = packages.iter().find(|(package, _)| package.name == other);
        let (other, tree) = other.with_context(|| format!("link to {}", target.display()))?;
        return copyright(&other.name, tree, packages);
    }
    let path = documents.join("copyright");
    fs::read(&path).with_context(|| path.display().to_string())
}
