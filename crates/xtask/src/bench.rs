//! `cargo xtask bench`: builds what a measurement needs and runs it.

use crate::{
    guest, image,
    run::{cargo, check, target},
    setup,
};
use anyhow::Result;
use std::{path::Path, process::Command};

#[derive(clap::Subcommand)]
pub(crate) enum What {
    /// From the kernel's start of PID 1 to the script's first line, against what an administrator would build
    Boot {
        /// `--only ratio|round-trips|memory|wake` for one of the measurements, `--pairs N` for more pairs of boots
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

pub(crate) fn run(root: &Path, what: &What) -> Result<()> {
    let What::Boot { arguments } = what;
    setup::run()?;
    guest::build(root)?;
    let iso = image::base(root)?;
    check(&mut cargo(root, &["build", "--quiet", "-p", "qemu-tests", "--bin", "bench-boot"]))?;
    let mut bench = Command::new(target(root).join("debug/bench-boot"));
    bench.args(arguments).current_dir(root);
    bench.env("XENOBOOT_ISO", iso).env("XENOBOOT_CLI", target(root).join("debug/xenoboot"));
    check(&mut bench)
}
