//! `cargo xtask kernel`: the kernel that is made for this one purpose, from `kernel-config/` and Debian's source.

mod build;
mod config;
mod fragments;
mod kconfig;
mod recommendations;
mod source;

use crate::{run::target, setup};
use anyhow::Result;
use fragments::Options;
use source::Source;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only merge the configuration and hold it against what was asked for: seconds
    #[arg(long)]
    check: bool,
    /// Also merge this fragment: a file, or a name in kernel-config/ such as debug; may be given again
    #[arg(long = "with", value_name = "FRAGMENT")]
    with: Vec<String>,
}

/// Builds the kernel, or only merges its configuration, and says where it is.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    setup::run()?;
    if args.check {
        return merge(root, &args.with);
    }
    println!("{}", build(root, &args.with)?.display());
    Ok(())
}

/// The configuration as it is in the tree; what the default test run looks at.
pub(crate) fn check(root: &Path) -> Result<()> {
    merge(root, &[])
}

/// The folder with the kernel of the fragments in the tree and of `more`; built when it is not there yet.
pub(crate) fn build(root: &Path, more: &[String]) -> Result<PathBuf> {
    let (source, options) = inputs(root, more)?;
    build::run(&folder(root), &source, &options)
}

fn merge(root: &Path, more: &[String]) -> Result<()> {
    let (source, options) = inputs(root, more)?;
    let tree = source.configuration(&folder(root))?;
    let (path, config) = config::merge(&tree, &folder(root), &options)?;
    let (asked, set) = (options.len(), config.len());
    println!("{}: {asked} options were asked for, {set} are set", path.display());
    if !more.is_empty() {
        return Ok(());
    }
    let recommendations::Count { taken, not_taken } =
        recommendations::check(&root.join("kernel-config"), &config)?;
    println!("of the recommendations for hardening {taken} are taken and {not_taken} are not");
    Ok(())
}

fn inputs(root: &Path, more: &[String]) -> Result<(Source, Options)> {
    let options = fragments::load(&root.join("kernel-config"), more)?;
    Ok((Source::locked(&target(root).join("kernel.lock"))?, options))
}

fn folder(root: &Path) -> PathBuf {
    target(root).join("kernel")
}
