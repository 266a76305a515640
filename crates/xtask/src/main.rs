//! Developer commands: `cargo xtask setup|image|kernel|package|demo|test|bench`.
//!
//! Each builds what it needs, and installs the packages that it needs after saying which.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that fails shall say where"
    )
)]

mod api;
mod bench;
mod clippy;
mod demo;
mod guest;
mod image;
mod kernel;
mod licences;
mod lint;
mod package;
mod postgres;
mod python;
mod run;
mod s3;
mod setup;
mod steps;
mod test;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Developer commands of Xenoboot.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install the packages that the other commands need
    Setup,
    /// Build the boot image, without a site
    Image,
    /// Watch a virtual machine boot the image and repair a broken disk by a signed script
    Demo,
    /// Run the tests: all of them, or some
    Test(test::Args),
    /// Build the kernel that is made for this one purpose, from kernel-config/; some 40 minutes on two processors the first time
    Kernel(kernel::Args),
    /// Make the Debian package of the command line and the server, and check what is in it
    Package,
    /// Measure
    Bench {
        #[command(subcommand)]
        what: bench::What,
    },
}

fn main() -> ExitCode {
    let result = root().and_then(|root| match Cli::parse().verb {
        Verb::Setup => setup::run(),
        Verb::Image => print_image(&root),
        Verb::Demo => demo::run(&root),
        Verb::Test(args) => test::run(&root, &args),
        Verb::Kernel(args) => kernel::run(&root, &args),
        Verb::Package => package::run(&root),
        Verb::Bench { what } => bench::run(&root, &what),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder.
fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.ancestors().nth(2).context("xtask is not in crates/xtask")?.to_path_buf())
}

fn print_image(root: &Path) -> Result<()> {
    setup::run()?;
    guest::build(root)?;
    println!("{}", image::base(root)?.display());
    Ok(())
}
