//! Checks that no compiler makes: who imports whom, error codes that are explained, files that one
//! can hold in the head.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

/// A source file longer than this is not one thing.
const MAX_LINES: usize = 500;

/// Runs every check and reports all that they found, not only the first.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut faults = Vec::new();
    faults.extend(imports(root)?);
    faults.extend(error_codes(root)?);
    faults.extend(long_files(root)?);
    for fault in &faults {
        eprintln!("  {fault}");
    }
    ensure!(faults.is_empty(), "{} faults in the source tree", faults.len());
    Ok(())
}

/// The table in `docs/ARCHITECTURE.md` against what the manifests say.
fn imports(root: &Path) -> Result<Vec<String>> {
    let page = root.join("docs/ARCHITECTURE.md");
    let allowed = import_table(&read(&page)?);
    ensure!(allowed.len() > 5, "{} has no import table", page.display());
    let mut faults = Vec::new();
    for (package, imports) in manifests(root)? {
        let Some(may) = allowed.get(&package) else {
            faults.push(format!("{package}: not in the import table of docs/ARCHITECTURE.md"));
            continue;
        };
        for import in imports.difference(may) {
            faults
                .push(format!("{package} imports {import}, which the import table does not allow"));
        }
    }
    Ok(faults)
}

/// Lines such as `agent -> wire site bundle` (or `wire -`) in the section on imports.
fn import_table(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let section = page.split("## Parts and who may import whom").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("    "));
    rows.filter_map(|row| {
        let (name, rest) = row.trim().split_once(' ')?;
        let list = rest.trim_start().strip_prefix("->").unwrap_or_default();
        // Two spaces end the list: what follows describes the part.
        let list = list.trim_start().split("  ").next().unwrap_or_default();
        Some((name.to_owned(), list.split_whitespace().map(str::to_owned).collect()))
    })
    .collect()
}

/// Each package of the workspace, without the prefix of its name, with those that it depends on
/// outside of tests.
fn manifests(root: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(root)
        .output()
        .context("cargo metadata")?;
    ensure!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout)?;
    let Some(packages) = metadata.get("packages").and_then(Value::as_array) else {
        bail!("cargo metadata: no packages")
    };
    let short = |name: &str| name.strip_prefix("xenoboot-").unwrap_or(name).to_owned();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            let ours = dependencies
                .filter(|d| d["path"].is_string() && d["kind"].as_str() != Some("dev"))
                .map(|d| short(&text(&d["name"])));
            (short(&text(&package["name"])), ours.collect())
        })
        .collect())
}

/// Every error code has a row in `docs/OPERATING.md`, and every row there is a code.
fn error_codes(root: &Path) -> Result<Vec<String>> {
    let defined = codes_in(&read(&root.join("crates/wire/src/code.rs"))?, '"');
    let explained = codes_in(&read(&root.join("docs/OPERATING.md"))?, '`');
    ensure!(!defined.is_empty(), "no error codes found");
    let missing = defined.difference(&explained);
    let stale = explained.difference(&defined);
    Ok(missing
        .map(|code| format!("{code} is not explained in docs/OPERATING.md"))
        .chain(stale.map(|code| format!("{code} in docs/OPERATING.md does not exist")))
        .collect())
}

/// Identifiers `XB-AAA-NN` between two of `quote`.
fn codes_in(text: &str, quote: char) -> BTreeSet<String> {
    let like = |word: &&str| {
        let parts: Vec<_> = word.split('-').collect();
        matches!(parts[..], ["XB", area, number] if area.len() == 3
            && number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit()))
    };
    text.split(quote).filter(like).map(str::to_owned).collect()
}

fn long_files(root: &Path) -> Result<Vec<String>> {
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs", ":!third_party"])
        .current_dir(root)
        .output()
        .context("git ls-files")?;
    let mut faults = Vec::new();
    for name in String::from_utf8_lossy(&out.stdout).lines() {
        let path = root.join(name);
        if !path.exists() {
            continue;
        }
        let lines = read(&path)?.lines().count();
        if lines > MAX_LINES {
            faults.push(format!("{name} has {lines} lines, more than {MAX_LINES}"));
        }
    }
    Ok(faults)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_import_table() {
        let page = "x\n## Parts and who may import whom\n\n    wire      -            messages\n    \
            site      -> wire                    files\n    agent     -> wire site\n\n## Next\n\n    no -> way\n";
        let table = import_table(page);
        assert_eq!(table.keys().collect::<Vec<_>>(), ["agent", "site", "wire"]);
        assert!(table["wire"].is_empty());
        assert_eq!(table["agent"].iter().collect::<Vec<_>>(), ["site", "wire"]);
    }

    #[test]
    fn finds_codes() {
        let found = codes_in("`XB-NET-01` `XB-NET-1` `XB-NETX-01` `other`", '`');
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["XB-NET-01"]);
    }
}
