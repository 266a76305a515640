//! Which of the kernel's modules go into the image, and their indexes.

use crate::{apt::Package, cpio, parts::Parts, tools::run};
use anyhow::{Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// Indexes that init and `modprobe` read.
const INDEXES: &[&str] = &[
    "modules.alias",
    "modules.alias.bin",
    "modules.builtin",
    "modules.builtin.alias.bin",
    "modules.builtin.bin",
    "modules.dep",
    "modules.dep.bin",
    "modules.softdep",
];

/// The chosen modules, and the indexes made for just these.
#[derive(Default)]
pub struct Modules {
    /// The kernel's release, as in `uname -r`.
    pub release: String,
    /// Path below the folder of the release and the file itself, packed as the distribution packed it.
    pub files: BTreeMap<String, PathBuf>,
    /// The same of those that are stored unpacked; the files are still packed.
    pub unpacked: BTreeMap<String, PathBuf>,
    /// Name and content of each index.
    pub indexes: BTreeMap<String, Vec<u8>>,
    /// Rules that fit none of this kernel's modules.
    pub unused: Vec<String>,
}

/// Rules of `initramfs/modules.list`: a line is a path prefix below `kernel/`. `-` before it leaves out
/// what an earlier line takes; `=` takes it and stores it unpacked, with all that it needs; `#` begins a
/// comment.
pub struct Rules(Vec<(Verdict, String)>);

/// What becomes of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not in the image, unless another needs it.
    Leave,
    /// It is.
    Take,
    /// It is, and the kernel need not unpack it.
    Unpack,
}

impl Rules {
    /// Reads the rules.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let rules = lines.filter(|line| !line.is_empty()).map(|line| {
            let (verdict, prefix) = match (line.strip_prefix('-'), line.strip_prefix('=')) {
                (Some(prefix), _) => (Verdict::Leave, prefix),
                (_, Some(prefix)) => (Verdict::Unpack, prefix),
                _ => (Verdict::Take, line),
            };
            (verdict, prefix.trim().to_owned())
        });
        Self(rules.collect())
    }

    /// What becomes of a module, by its path below `kernel/`: the last rule that fits decides.
    #[must_use]
    pub fn verdict(&self, path: &str) -> Verdict {
        let fits = |rule: &&(Verdict, String)| {
            path.strip_prefix(rule.1.as_str()).is_some_and(|rest| {
                rule.1.ends_with('/') || rest.is_empty() || rest.starts_with(".ko")
            })
        };
        self.0.iter().rev().find(fits).map_or(Verdict::Leave, |rule| rule.0)
    }

    /// Rules that ask for something and fit no module: a misspelling, or a driver that is gone.
    fn unused(&self, paths: &BTreeSet<String>) -> Vec<String> {
        let fits = |prefix: &str| paths.iter().any(|path| path.starts_with(prefix));
        let asks =
            self.0.iter().filter(|(verdict, prefix)| *verdict != Verdict::Leave && !fits(prefix));
        asks.map(|(_, prefix)| prefix.clone()).collect()
    }
}

/// Chooses from the kernel package unpacked in `tree`, with everything that the chosen depend on; works
/// in the empty folder `work`, and keeps what depmod says among the `parts`.
///
/// # Errors
/// When the tree is not a kernel's, or depmod fails.
pub(crate) fn choose(
    (kernel, tree): (&Package, &Path),
    rules: &Rules,
    parts: &Parts,
    work: &Path,
) -> Result<Modules> {
    let versions = tree.join("usr/lib/modules");
    let release = fs::read_dir(&versions)
        .with_context(|| versions.display().to_string())?
        .next()
        .context("the kernel package has no modules")??
        .file_name()
        .to_string_lossy()
        .into_owned();
    let source = versions.join(&release);
    let all = parts.get(&["modules.dep", &kernel.sha256], || dependencies(tree, &release, work))?;
    let all = parse_dependencies(&String::from_utf8(all)?);
    let below = |path: &str| path.strip_prefix("kernel/").map(str::to_owned);
    let paths: BTreeSet<_> = all.keys().filter_map(|path| below(path)).collect();
    let unused = rules.unused(&paths);

    let with_needs = |fits: fn(Verdict) -> bool| {
        let mut wanted: Vec<_> = paths
            .iter()
            .filter(|p| fits(rules.verdict(p)))
            .map(|p| format!("kernel/{p}"))
            .collect();
        let mut chosen = BTreeSet::new();
        while let Some(path) = wanted.pop() {
            if chosen.insert(path.clone()) {
                wanted.extend(all.get(&path).into_iter().flatten().cloned());
            }
        }
        chosen
    };
    let chosen: BTreeSet<String> = with_needs(|verdict| verdict != Verdict::Leave);
    let unpacked = with_needs(|verdict| verdict == Verdict::Unpack);
    let names: Vec<_> = chosen.iter().map(String::as_str).collect();
    let plain: Vec<_> = unpacked.iter().map(String::as_str).collect();
    let key = ["indexes", &kernel.sha256, &names.join("\n"), &plain.join("\n")];
    let kept = parts.get(&key, || {
        indexes(&source, &release, &Choice { chosen: &chosen, unpacked: &unpacked }, work)
    })?;
    let indexes = kept_indexes(&kept)?;
    let files =
        chosen.difference(&unpacked).map(|path| (path.clone(), source.join(path))).collect();
    let unpacked =
        unpacked.iter().map(|path| (plain_name(path).to_owned(), source.join(path))).collect();
    Ok(Modules { release, files, unpacked, indexes, unused })
}

/// Name and content of each index, from the archive that [`indexes`] made.
///
/// # Errors
/// When it is damaged.
pub(crate) fn kept_indexes(archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    cpio::entries(archive)
        .map(|entry| entry.map(|(name, _, content)| (name.to_owned(), content.to_vec())))
        .collect::<Option<_>>()
        .context("the kept indexes are damaged")
}

/// The name of a module's file when it is not packed: up to and with `.ko`.
fn plain_name(path: &str) -> &str {
    path.find(".ko").map_or(path, |at| path.get(..at + 3).unwrap_or(path))
}

/// A module's content, unpacked. Its signature stays at its end.
///
/// # Errors
/// When the file cannot be read or unpacked.
pub(crate) fn unpack(file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_some_and(|extension| extension == "xz") {
        return run(Command::new("xz").args(["--decompress", "--stdout"]).arg(file));
    }
    fs::read(file).with_context(|| file.display().to_string())
}

/// Paths below the folder of the release.
struct Choice<'a> {
    chosen: &'a BTreeSet<String>,
    /// Some of these.
    unpacked: &'a BTreeSet<String>,
}

/// `modules.dep` of the whole tree.
fn dependencies(tree: &Path, release: &str, work: &Path) -> Result<Vec<u8>> {
    let whole = work.join("whole");
    fs::create_dir_all(&whole)?;
    symlink(tree.join("usr/lib"), whole.join("lib"))?;
    run(Command::new("depmod").arg("-b").arg(&whole).arg(release))?;
    let path = whole.join("lib/modules").join(release).join("modules.dep");
    fs::read(&path).with_context(|| path.display().to_string())
}

/// Every module with those that it needs.
fn parse_dependencies(text: &str) -> BTreeMap<String, Vec<String>> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let split = |list: &str| list.split_whitespace().map(str::to_owned).collect();
    lines.map(|(path, needs)| (path.to_owned(), split(needs))).collect()
}

/// The indexes of a tree that holds only the chosen modules, in an archive.
fn indexes(source: &Path, release: &str, choice: &Choice, work: &Path) -> Result<Vec<u8>> {
    let pruned = work.join("pruned");
    let folder = pruned.join("lib/modules").join(release);
    for path in choice.chosen {
        let unpacked = choice.unpacked.contains(path);
        let to = folder.join(if unpacked { plain_name(path) } else { path });
        fs::create_dir_all(to.parent().unwrap_or(&folder))?;
        if unpacked {
            fs::write(&to, unpack(&source.join(path))?)?;
            continue;
        }
        // depmod looks at regular files; a link costs nothing, and across file systems a copy will do.
        fs::hard_link(source.join(path), &to)
            .or_else(|_| fs::copy(source.join(path), &to).map(drop))?;
    }
    let order = "modules.order";
    fs::copy(source.join(order), folder.join(order)).with_context(|| order.to_owned())?;
    archive_of_indexes(source, &pruned, release)
}

/// [`indexes`] of a kernel all of whose drivers are built in: `source` says which.
pub(crate) fn indexes_of_none(source: &Path, release: &str, work: &Path) -> Result<Vec<u8>> {
    let empty = work.join("empty");
    let folder = empty.join("lib/modules").join(release);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("modules.order"), "")?;
    archive_of_indexes(source, &empty, release)
}

/// Has depmod make the indexes of the tree in `base`, which has its modules; `source` lists what is built in.
fn archive_of_indexes(source: &Path, base: &Path, release: &str) -> Result<Vec<u8>> {
    let folder = base.join("lib/modules").join(release);
    for name in ["modules.builtin", "modules.builtin.modinfo"] {
        fs::copy(source.join(name), folder.join(name)).with_context(|| name.to_owned())?;
    }
    run(Command::new("depmod").arg("-b").arg(base).arg(release))?;
    let mut archive = cpio::Archive::new();
    for name in INDEXES {
        let content =
            fs::read(folder.join(name)).with_context(|| format!("depmod made no {name}"))?;
        archive.file(name, 0o644, &content);
    }
    Ok(archive.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_decides() {
        let rules = Rules::parse("fs/ # all\n-fs/ceph/\nnet/8021q/8021q\n=fs/isofs/isofs\n");
        assert_eq!(rules.verdict("fs/ext4/ext4.ko.xz"), Verdict::Take);
        assert_eq!(rules.verdict("fs/ceph/ceph.ko.xz"), Verdict::Leave);
        assert_eq!(rules.verdict("net/8021q/8021q.ko.xz"), Verdict::Take);
        assert_eq!(rules.verdict("net/8021q/8021q_more.ko.xz"), Verdict::Leave);
        assert_eq!(rules.verdict("fs/isofs/isofs.ko.xz"), Verdict::Unpack);
    }

    #[test]
    fn an_unpacked_module_is_named_so() {
        assert_eq!(plain_name("kernel/net/core/failover.ko.xz"), "kernel/net/core/failover.ko");
        assert_eq!(plain_name("kernel/net/core/failover.ko"), "kernel/net/core/failover.ko");
    }
}
