//! What the static programs are made of, with licences: it goes onto the image beside the packages'.

use crate::run::cargo;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// What `cargo metadata` says, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    manifest_path: PathBuf,
    /// `None` for a package of this workspace.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// `None` for what is linked in; `build` and `dev` are not.
    kind: Option<String>,
}

/// A text that lists every crate in `programs` (packages of this workspace) with its licence and where
/// its source is, and each licence text once, with the crates that it comes from.
pub(crate) fn collect(root: &Path, target: &str, programs: &[&str]) -> Result<String> {
    let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", target];
    let out = cargo(root, &arguments).output().context("cargo metadata")?;
    ensure!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
    let metadata: Metadata = serde_json::from_slice(&out.stdout).context("cargo metadata")?;
    let linked = linked(&metadata, programs)?;
    let mut packages: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| linked.contains(package.id.as_str()))
        .filter(|package| {
            package.source.is_some() || package.manifest_path.starts_with(root.join("third_party"))
        })
        .collect();
    packages.sort_by_key(|package| (&package.name, &package.version));
    let mut list = String::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let Package { name, version, license, repository, manifest_path, .. } = package;
        let license = license.as_deref().unwrap_or("see its text below");
        let repository = repository.as_deref().unwrap_or_default();
        writeln!(list, "{name} {version}: {license} {repository}")?;
        let folder = manifest_path.parent().context("a manifest without a folder")?;
        for text in texts_in(folder)? {
            texts.entry(text).or_default().push(format!("{name} {version}"));
        }
    }
    ensure!(!list.is_empty(), "none of {programs:?} is linked with anything");
    let rule = "-".repeat(80);
    for (text, crates) in texts {
        write!(list, "\n{rule}\nFrom {}:\n\n{text}\n", crates.join(", "))?;
    }
    Ok(list)
}

/// Identifiers of everything that is linked into the programs.
fn linked<'a>(metadata: &'a Metadata, programs: &[&str]) -> Result<BTreeSet<&'a str>> {
    let nodes: BTreeMap<_, _> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut found = BTreeSet::new();
    let mut open: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| programs.contains(&package.name.as_str()))
        .map(|package| package.id.as_str())
        .collect();
    ensure!(open.len() == programs.len(), "not all of {programs:?} are packages");
    while let Some(id) = open.pop() {
        if found.insert(id) {
            let dependencies = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            let linked = dependencies
                .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            open.extend(linked.map(|dependency| dependency.pkg.as_str()));
        }
    }
    Ok(found)
}

/// The licence texts at the top of a crate's folder.
fn texts_in(folder: &Path) -> Result<Vec<String>> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && is_licence(path))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        // The same text with other line ends is the same text.
        Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim().to_owned())
    };
    paths.iter().map(read).collect()
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    ["license", "licence", "copying", "copyright", "notice", "unlicense"]
        .iter()
        .any(|word| name.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_into_init_is_listed_with_its_licence() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let text = collect(root, "x86_64-unknown-linux-gnu", &["xenoboot-init"]).unwrap();
        assert!(text.lines().any(|line| line.starts_with("rustix ") && line.contains("MIT")));
        assert!(text.contains("TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION"));
        assert!(!text.contains("\nproptest "), "a test's dependency is not in the program");
        assert!(collect(root, "x86_64-unknown-linux-gnu", &["no-such"]).is_err());
    }
}
