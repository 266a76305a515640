//! Which toolbox an image gets.

use anyhow::{Context, Result, ensure};
use std::{fs, path::PathBuf};
use xenoboot_image::{
    apt::{Apt, Package},
    toolbox::List,
};

/// The list that is used when none is named.
pub(super) const LIST: &str = include_str!("../../toolbox/packages.list");

#[derive(clap::Args)]
pub(super) struct Args {
    /// The list of the toolbox's packages [default: what `xenoboot image toolbox-list` prints]
    #[arg(long, value_name = "FILE")]
    toolbox: Option<PathBuf>,
    /// Build an image without a toolbox
    #[arg(long, conflicts_with = "toolbox")]
    no_toolbox: bool,
}

impl Args {
    /// The list of packages, if there shall be a toolbox.
    pub(super) fn list(&self) -> Result<Option<List>> {
        if self.no_toolbox {
            return Ok(None);
        }
        let Some(path) = &self.toolbox else { return List::parse(LIST).map(Some) };
        let text = fs::read_to_string(path);
        let list = text.context("cannot be read").and_then(|text| List::parse(&text));
        list.map(Some).with_context(|| path.display().to_string())
    }
}

/// The packages that a list comes to.
pub(super) fn resolve(list: &List, apt: &Apt) -> Result<Vec<Package>> {
    let names: Vec<_> = list.packages.iter().map(String::as_str).collect();
    let without: Vec<_> = list.without.iter().map(String::as_str).collect();
    apt.closure(&names, &without).context("resolving what the toolbox depends on")
}

/// Whether locked packages are what the list asks for.
pub(super) fn covers(locked: &[Package], list: &List) -> Result<()> {
    let has = |name: &&String| locked.iter().any(|package| package.name == **name);
    let lacking = list.packages.iter().find(|name| !has(name));
    ensure!(lacking.is_none(), "it has no {}", lacking.map_or("", String::as_str));
    let surplus = list.without.iter().find(has);
    ensure!(
        surplus.is_none(),
        "it has {}, which the list leaves out",
        surplus.map_or("", String::as_str)
    );
    Ok(())
}
