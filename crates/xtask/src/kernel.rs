//! `cargo xtask kernel`: the configuration of a kernel that is made for this one purpose, from `kernel-config/` and Debian's source.

mod config;
mod fragments;
mod kconfig;
mod source;

use crate::{run::target, setup};
use anyhow::Result;
use source::Source;
use std::path::Path;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also merge this fragment: a file, or a name in kernel-config/ such as debug; may be given again
    #[arg(long = "with", value_name = "FRAGMENT")]
    with: Vec<String>,
}

/// Merges the configuration, holds it against what was asked for, and says where it is.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    setup::run()?;
    merge(root, &args.with)
}

/// The configuration as it is in the tree; what the default test run looks at.
pub(crate) fn check(root: &Path) -> Result<()> {
    merge(root, &[])
}

fn merge(root: &Path, more: &[String]) -> Result<()> {
    let options = fragments::load(&root.join("kernel-config"), more)?;
    let folder = target(root).join("kernel");
    let source = Source::locked(&target(root).join("kernel.lock"))?;
    let tree = source.configuration(&folder)?;
    let (path, set) = config::merge(&tree, &folder, &options)?;
    println!("{}: {} options were asked for, {set} are set", path.display(), options.len());
    Ok(())
}
