//! Debian's packages, downloaded by apt and unpacked without installing them.
//!
//! apt checks the archive's signature with Debian's own keyring. It works in a private state folder
//! with an empty list of installed packages, so that neither root nor a change to the host is needed. The
//! mirror is the one that the host itself uses.

use crate::{
    recipe::Lock,
    tools::{run, sha256},
};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
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

impl Package {
    /// Whether its fields are what they may be: they become words of commands and names of files.
    pub(crate) fn is_sound(&self) -> bool {
        let made_of = |text: &str, more: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        made_of(&self.name, "+.-")
            && made_of(&self.version, "+.-:~")
            && self.sha256.len() == 64
            && self.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    }
}

/// An apt with a state folder of its own.
pub struct Apt {
    folder: PathBuf,
    mirror: String,
}

impl Apt {
    /// Prepares the state in `folder`, for the release that images are made of. Nothing is fetched yet.
    ///
    /// # Errors
    /// When the host has no apt, no Debian keyring or no Debian mirror in its configuration.
    pub fn new(folder: &Path) -> Result<Self> {
        Self::of_release(folder, SUITE)
    }

    /// The same for another release of Debian, by its codename; each needs a folder of its own.
    ///
    /// # Errors
    /// As [`Apt::new`].
    pub fn of_release(folder: &Path, release: &str) -> Result<Self> {
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
        settle(&folder.join("status"), "")?;
        let mut sources = String::new();
        for suite in [release.to_owned(), format!("{release}-updates")] {
            sources += &format!("deb [signed-by={KEYRING}] {main} {suite} main\n");
        }
        if let Some(security) = security {
            sources += &format!("deb [signed-by={KEYRING}] {security} {release}-security main\n");
        }
        settle(&folder.join("sources.list"), &sources)?;
        let at = folder.display();
        // As root, apt would hand over to its own user, who may not enter our folder.
        let config = format!(
            "Dir::State \"{at}\";\nDir::State::lists \"{at}/lists\";\nDir::State::status \"{at}/status\";\n\
             Dir::Cache \"{at}/cache\";\nDir::Etc::sourcelist \"{at}/sources.list\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\nDir::Etc::preferences \"/dev/null\";\n\
             Dir::Etc::preferencesparts \"/dev/null\";\nAPT::Architecture \"amd64\";\n\
             APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n"
        );
        settle(&folder.join("apt.conf"), &config)?;
        Ok(Self { folder, mirror: main })
    }

    /// Fetches the archive's lists, checked against its signature.
    ///
    /// # Errors
    /// When the mirror cannot be reached or a signature is wrong.
    pub fn update(&self) -> Result<()> {
        let _alone = self.alone()?;
        let said = run(self.apt("apt-get").args(["update", "-q", "--error-on=any"]));
        said.map(drop).with_context(|| format!("fetching the package lists from {}", self.mirror))
    }

    /// Whether every one of `packages` is in the cache: nothing need be asked of the network then.
    #[must_use]
    pub fn has(&self, packages: &[Package]) -> bool {
        packages.iter().all(|p| self.tree(p).exists() || self.deb(p).exists())
    }

    /// Those of `packages` that are neither in the cache nor, by its lists, in the archive: each with the
    /// version that is there now, if any.
    #[must_use]
    pub fn gone<'a>(&self, packages: &'a [Package]) -> Vec<(&'a Package, Option<String>)> {
        let gone = packages
            .iter()
            .filter(|package| !self.has(std::slice::from_ref(*package)) && !self.lists(package));
        gone.map(|p| (p, self.show(&p.name).ok().map(|now| now.version))).collect()
    }

    /// Whether the archive's lists have this very file.
    fn lists(&self, package: &Package) -> bool {
        let wanted = format!("{}={}", package.name, package.version);
        let said = run(self.apt("apt-cache").args(["show", &wanted])).unwrap_or_default();
        String::from_utf8_lossy(&said).lines().any(|line| {
            line.strip_prefix("SHA256: ").is_some_and(|digest| digest.trim() == package.sha256)
        })
    }

    /// The newest version of each of `names` in the archive.
    ///
    /// # Errors
    /// When one is not there.
    pub fn newest(&self, names: &[&str]) -> Result<Vec<Package>> {
        let stanzas = self.stanzas(names)?;
        stanzas.iter().map(|stanza| package(stanza)).collect()
    }

    /// The packages that `names` depend on, themselves among them; not those in `without`, nor what only
    /// those need: apt is told that they are installed.
    ///
    /// # Errors
    /// When apt cannot resolve them.
    pub fn closure(&self, names: &[&str], without: &[&str]) -> Result<Vec<Package>> {
        let status = self.folder.join("status.without");
        let mut installed = String::new();
        for stanza in self.stanzas(without)? {
            let kept = ["Package", "Version", "Architecture", "Multi-Arch", "Provides"];
            let kept = kept.into_iter().filter_map(|key| Some((key, field(&stanza, key)?)));
            installed.extend(kept.map(|(key, value)| format!("{key}: {value}\n")));
            installed += "Status: install ok installed\n\n";
        }
        settle(&status, &installed)?;
        let out = run(self
            .apt("apt-get")
            .args(["install", "--simulate", "--no-install-recommends", "-q", "-y"])
            .arg(format!("-oDir::State::status={}", status.display()))
            .args(names))?;
        let text = String::from_utf8_lossy(&out).into_owned();
        // Inst NAME (VERSION ...)
        let installed =
            text.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
        let installed: BTreeSet<_> = installed.collect();
        ensure!(!installed.is_empty(), "apt resolved {names:?} to nothing");
        // apt would install again what it does not find as its lists have it.
        let installed: Vec<_> =
            installed.into_iter().filter(|name| !without.contains(name)).collect();
        self.newest(&installed)
    }

    /// The packages that `lock` has, if all are in the cache, so that nothing is asked of the network; else
    /// the newest of `names`, which `lock` has from then on.
    ///
    /// # Errors
    /// When the archive cannot be reached or has not all of them.
    pub fn kept(&self, lock: &Path, names: &[&str]) -> Result<Vec<Package>> {
        if let Ok(kept) = Lock::load(lock)
            && self.has(&kept.packages)
            && names.iter().all(|name| kept.packages.iter().any(|p| p.name == *name))
        {
            return Ok(kept.packages);
        }
        self.update()?;
        let packages = self.newest(names)?;
        Lock { packages: packages.clone(), toolbox: Vec::new() }.save(lock)?;
        Ok(packages)
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
        package(self.stanzas(&[name])?.first().context("no package was named")?)
    }

    /// What the archive's lists say of the newest version of each of `names`, in their order.
    fn stanzas(&self, names: &[&str]) -> Result<Vec<String>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let out = run(self.apt("apt-cache").args(["show", "--no-all-versions"]).args(names))?;
        let text = String::from_utf8_lossy(&out);
        let found: BTreeMap<String, &str> = text
            .split("\n\n")
            .filter_map(|stanza| Some((field(stanza, "Package")?, stanza)))
            .collect();
        let one = |name: &&str| {
            let stanza =
                found.get(*name).with_context(|| format!("{name} is not in the archive"))?;
            Ok((*stanza).to_owned())
        };
        names.iter().map(one).collect()
    }

    /// Fetches all of `packages` that are not in the cache, at once.
    ///
    /// # Errors
    /// As [`Apt::fetch`].
    pub fn fetch_all(&self, packages: &[Package]) -> Result<()> {
        let _alone = self.alone()?;
        let missing: Vec<_> =
            packages.iter().filter(|p| !self.tree(p).exists() && !self.deb(p).exists()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let partial = self.folder.join("debs/partial");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial)?;
        let wanted = missing.iter().map(|p| format!("{}={}", p.name, p.version));
        run(self.apt("apt-get").args(["download", "-q"]).args(wanted).current_dir(&partial))
            .context("downloading packages")?;
        for entry in fs::read_dir(&partial)? {
            let file = entry?.path();
            let found = sha256(&fs::read(&file)?);
            if let Some(package) = missing.iter().find(|p| p.sha256 == found) {
                fs::rename(&file, self.deb(package))?;
            }
        }
        fs::remove_dir_all(&partial)?;
        let lacking = missing.iter().find(|p| !self.deb(p).exists());
        ensure!(
            lacking.is_none(),
            "what was downloaded for {} has another digest",
            lacking.map_or("", |package| &package.name)
        );
        Ok(())
    }

    /// The `.deb` file of exactly this package: from the cache, else from the archive.
    ///
    /// # Errors
    /// When it cannot be downloaded, or what came has another digest.
    pub fn fetch(&self, package: &Package) -> Result<PathBuf> {
        let kept = self.deb(package);
        if kept.exists() {
            return Ok(kept);
        }
        let _alone = self.alone()?;
        if kept.exists() {
            return Ok(kept);
        }
        let partial = kept.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial)?;
        let wanted = format!("{}={}", package.name, package.version);
        run(self.apt("apt-get").args(["download", "-q", &wanted]).current_dir(&partial))
            .with_context(|| format!("downloading {wanted}"))?;
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
        let tree = self.tree(package);
        if tree.exists() {
            return Ok(tree);
        }
        let deb = self.fetch(package)?;
        let _alone = self.alone()?;
        if tree.exists() {
            return Ok(tree);
        }
        let partial = tree.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&partial))
            .with_context(|| format!("unpacking {} {}", package.name, package.version))?;
        fs::rename(&partial, &tree)?;
        Ok(tree)
    }

    fn deb(&self, package: &Package) -> PathBuf {
        self.folder.join("debs").join(format!("{}.deb", package.sha256))
    }

    fn tree(&self, package: &Package) -> PathBuf {
        self.folder.join("trees").join(&package.sha256)
    }

    /// Waits until no other process changes the cache. The lock ends with what is returned.
    fn alone(&self) -> Result<File> {
        let path = self.folder.join("busy");
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        file.lock().with_context(|| path.display().to_string())?;
        Ok(file)
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.folder.join("apt.conf")).env("LC_ALL", "C");
        command
    }
}

/// The value of a field that stands on one line.
fn field(stanza: &str, key: &str) -> Option<String> {
    let found = stanza.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    found.map(|value| value.trim().to_owned())
}

fn package(stanza: &str) -> Result<Package> {
    let name = field(stanza, "Package").unwrap_or_default();
    let need = |key| {
        field(stanza, key).with_context(|| format!("{name}: the archive's list has no {key}"))
    };
    let version = need("Version")?;
    // `Source: NAME (VERSION)`, or nothing where it equals the binary package's.
    let source = field(stanza, "Source").unwrap_or_else(|| name.clone());
    let source = match source.split_once(" (") {
        Some((name, version)) => format!("{name} {}", version.trim_end_matches(')')),
        None => format!("{source} {version}"),
    };
    let (filename, size) = (need("Filename")?, need("Size")?.parse()?);
    let sha256 = need("SHA256")?;
    Ok(Package { name, version, source, filename, size, sha256 })
}

/// Writes a file in one piece: an apt that runs meanwhile reads the one or the other.
fn settle(path: &Path, text: &str) -> Result<()> {
    if fs::read(path).is_ok_and(|now| now == text.as_bytes()) {
        return Ok(());
    }
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    fs::write(&partial, text)
        .and_then(|()| fs::rename(&partial, path))
        .with_context(|| path.display().to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_from_a_file_is_not_believed() {
        let package = |name: &str, version: &str, sha256: &str| Package {
            name: name.into(),
            version: version.into(),
            source: String::new(),
            filename: String::new(),
            size: 0,
            sha256: sha256.into(),
        };
        let digest = "0f".repeat(32);
        assert!(
            package("linux-image-6.12+deb13-amd64", "1:6.04~git+dfsg1-3.1", &digest).is_sound()
        );
        assert!(!package("-oDir::Bin::dpkg=x", "1", &digest).is_sound());
        assert!(!package("a", "1 b", &digest).is_sound());
        assert!(!package("a", "1", "../../etc/passwd").is_sound());
        assert!(!package("", "1", &digest).is_sound());
    }
}
