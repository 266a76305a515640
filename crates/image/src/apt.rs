//! Debian's packages, downloaded by apt and unpacked without installing them.
//!
//! apt checks the archive's signature with Debian's own keyring. It works in a private state folder
//! with an empty list of installed packages, so that neither root nor a change to the host is needed. The
//! mirror is the one that the host itself uses.

use crate::tools::{run, sha256};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The release that packages are taken from.
pub const SUITE: &str = "trixie";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One package as it was used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Binary package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The source package and its version, where the corresponding source is to be found.
    pub source: String,
    /// Path below the mirror.
    pub filename: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the `.deb` file, hexadecimal.
    pub sha256: String,
}

/// An apt with a state folder of its own.
pub struct Apt {
    folder: PathBuf,
    mirror: String,
}

impl Apt {
    /// Prepares the state in `folder`. Nothing is fetched yet.
    ///
    /// # Errors
    /// When the host has no apt, no Debian keyring or no Debian mirror in its configuration.
    pub fn new(folder: &Path) -> Result<Self> {
        ensure!(
            Path::new(KEYRING).exists(),
            "{KEYRING} is missing: install the package debian-archive-keyring"
        );
        let folder = std::path::absolute(folder)?;
        for part in ["lists/partial", "cache/archives/partial", "debs", "trees"] {
            fs::create_dir_all(folder.join(part))
                .with_context(|| format!("cannot make {}", folder.join(part).display()))?;
        }
        let (main, security) = mirrors()?;
        fs::write(folder.join("status"), "")?;
        let mut sources = String::new();
        for suite in [SUITE.to_owned(), format!("{SUITE}-updates")] {
            sources += &format!("deb [signed-by={KEYRING}] {main} {suite} main\n");
        }
        if let Some(security) = security {
            sources += &format!("deb [signed-by={KEYRING}] {security} {SUITE}-security main\n");
        }
        fs::write(folder.join("sources.list"), sources)?;
        let at = folder.display();
        // As root, apt would hand over to its own user, who may not enter our folder.
        let config = format!(
            "Dir::State \"{at}\";\nDir::State::lists \"{at}/lists\";\nDir::State::status \"{at}/status\";\n\
             Dir::Cache \"{at}/cache\";\nDir::Etc::sourcelist \"{at}/sources.list\";\n\
             Dir::Etc::sourceparts \"-\";\nDir::Etc::preferencesparts \"-\";\nAPT::Architecture \"amd64\";\n\
             APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n"
        );
        fs::write(folder.join("apt.conf"), config)?;
        Ok(Self { folder, mirror: main })
    }

    /// Fetches the archive's lists, checked against its signature.
    ///
    /// # Errors
    /// When the mirror cannot be reached or a signature is wrong.
    pub fn update(&self) -> Result<()> {
        let said = run(self.apt("apt-get").args(["update", "-q", "--error-on=any"]));
        said.map(drop).with_context(|| format!("fetching the package lists from {}", self.mirror))
    }

    /// The newest version of each of `names` in the archive.
    ///
    /// # Errors
    /// When one is not there.
    pub fn newest(&self, names: &[&str]) -> Result<Vec<Package>> {
        names.iter().map(|name| self.show(name)).collect()
    }

    /// The packages that `names` depend on, themselves among them.
    ///
    /// # Errors
    /// When apt cannot resolve them.
    pub fn closure(&self, names: &[&str]) -> Result<Vec<Package>> {
        let out = run(self
            .apt("apt-get")
            .args(["install", "--simulate", "--no-install-recommends", "-q", "-y"])
            .args(names))?;
        let text = String::from_utf8_lossy(&out).into_owned();
        // Inst NAME (VERSION ...)
        let installed =
            text.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
        let installed: BTreeSet<_> = installed.collect();
        ensure!(!installed.is_empty(), "apt resolved {names:?} to nothing");
        installed.into_iter().map(|name| self.show(name)).collect()
    }

    /// The kernel image that `linux-image-amd64` depends on.
    ///
    /// # Errors
    /// When the archive has none.
    pub fn kernel_package(&self) -> Result<String> {
        let out = run(self.apt("apt-cache").args(["depends", "--important", "linux-image-amd64"]))?;
        let text = String::from_utf8_lossy(&out);
        let found = text.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
        let suffix = found.context("linux-image-amd64 depends on no kernel image")?;
        Ok(format!("linux-image-{}", suffix.trim()))
    }

    fn show(&self, name: &str) -> Result<Package> {
        let out = run(self.apt("apt-cache").args(["show", "--no-all-versions", name]))
            .with_context(|| format!("{name} is not in the archive"))?;
        let text = String::from_utf8_lossy(&out);
        let field = |key: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            found.map(|value| value.trim().to_owned())
        };
        let need =
            |key| field(key).with_context(|| format!("{name}: the archive's list has no {key}"));
        let (package, version) = (need("Package")?, need("Version")?);
        // `Source: NAME (VERSION)`, or nothing where it equals the binary package's.
        let source = field("Source").unwrap_or_else(|| package.clone());
        let source = match source.split_once(" (") {
            Some((name, version)) => format!("{name} {}", version.trim_end_matches(')')),
            None => format!("{source} {version}"),
        };
        let (filename, size) = (need("Filename")?, need("Size")?.parse()?);
        Ok(Package { name: package, version, source, filename, size, sha256: need("SHA256")? })
    }

    /// The `.deb` file of exactly this package: from the cache, else from the archive.
    ///
    /// # Errors
    /// When the archive no longer has that version, or what came has another digest.
    pub fn fetch(&self, package: &Package) -> Result<PathBuf> {
        let kept = self.folder.join("debs").join(format!("{}.deb", package.sha256));
        if kept.exists() {
            return Ok(kept);
        }
        let partial = self.folder.join("debs").join(format!("{}.d", package.sha256));
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial)?;
        let wanted = format!("{}={}", package.name, package.version);
        run(self.apt("apt-get").args(["download", "-q", &wanted]).current_dir(&partial))
            .with_context(|| {
                format!("{wanted} is gone from the archive: build without --locked for the newest")
            })?;
        let file = fs::read_dir(&partial)?.next().context("apt-get download left no file")??.path();
        let found = sha256(&fs::read(&file)?);
        if found != package.sha256 {
            bail!("{wanted} has SHA-256 {found}, expected {}", package.sha256);
        }
        fs::rename(&file, &kept)?;
        fs::remove_dir_all(&partial)?;
        Ok(kept)
    }

    /// The package's files, unpacked in a folder of the cache.
    ///
    /// # Errors
    /// As [`Apt::fetch`]; when it cannot be unpacked.
    pub fn unpack(&self, package: &Package) -> Result<PathBuf> {
        let tree = self.folder.join("trees").join(&package.sha256);
        if tree.exists() {
            return Ok(tree);
        }
        let deb = self.fetch(package)?;
        let partial = tree.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&partial))
            .with_context(|| format!("unpacking {} {}", package.name, package.version))?;
        fs::rename(&partial, &tree)?;
        Ok(tree)
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.folder.join("apt.conf")).env("LC_ALL", "C");
        command
    }
}

/// The host's mirrors of Debian: the archive and, where there is one, security updates.
fn mirrors() -> Result<(String, Option<String>)> {
    let format = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"];
    let out = run(Command::new("apt-get").args(format))
        .context("reading the host's apt configuration")?;
    let text = String::from_utf8_lossy(&out).into_owned();
    let ending = |end: &str| {
        let found =
            text.lines().map(str::trim).find(|uri| uri.trim_end_matches('/').ends_with(end));
        found.map(str::to_owned)
    };
    let main = ending("/debian").or_else(|| std::env::var("XENOBOOT_DEBIAN_MIRROR").ok()).context(
        "the host's apt knows no mirror of Debian: set XENOBOOT_DEBIAN_MIRROR to the URL of one",
    )?;
    Ok((main, ending("/debian-security")))
}
