//! `cargo xtask bench`: builds what a measurement needs and runs it.

use crate::{
    guest, image, kernel,
    postgres::Postgres,
    run::{build_program, cargo, check, target},
    setup,
};
use anyhow::Result;
use std::{path::Path, process::Command};

#[derive(clap::Subcommand)]
pub(crate) enum What {
    /// From the kernel's start of PID 1 to the script's first line, against what an administrator would build
    Boot {
        /// `--only ratio|round-trips|memory|wake|toolbox` for one of the measurements, `--pairs N` for more pairs of boots
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Images written to a disk, against `curl | zstd -d | dd` and a final sha256sum
    Image {
        /// `--only ratios|rate|memory` for some of the measurements, `--pairs N` for more runs
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The kernel that is made for this one purpose, against the default one: time, memory, size
    Kernel {
        /// `--only time|memory|size` for one of the measurements, `--pairs N` for more pairs of boots
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The server with ten thousand machines, played on the same computer
    Server {
        /// With PostgreSQL, on the same computer too, instead of SQLite
        #[arg(long)]
        postgres: bool,
        /// So many machines [default: 10000]
        #[arg(long, value_name = "N")]
        machines: Option<u32>,
        /// One of the measurements
        #[arg(long, value_name = "WHICH", value_parser = ["storm", "killed", "downloads"])]
        only: Option<String>,
    },
    /// The toolkit's commands on real data, each against busybox's
    Toolkit {
        /// Only this command
        command: Option<String>,
    },
}

pub(crate) fn run(root: &Path, what: &What) -> Result<()> {
    setup::run()?;
    if !matches!(what, What::Server { .. }) {
        guest::build(root)?;
    }
    match what {
        What::Server { postgres, machines, only } => {
            let machines = machines.map(|number| ["--machines".to_owned(), number.to_string()]);
            let only = only.clone().map(|which| ["--only".to_owned(), which]);
            server(root, *postgres, machines.into_iter().chain(only).flatten())
        }
        What::Boot { arguments } => {
            let whole = image::of_kind(root, image::Kind::Whole)?;
            let mut bench = in_machines(root, "bench-boot", arguments)?;
            check(bench.env("XENOBOOT_TOOLBOX_ISO", whole))
        }
        What::Image { arguments } => check(&mut in_machines(root, "bench-image", arguments)?),
        What::Kernel { arguments } => {
            kernel::build(root, &[])?;
            let purpose = image::of_kind(root, image::Kind::Purpose)?;
            let mut bench = in_machines(root, "bench-kernel", arguments)?;
            check(bench.env("XENOBOOT_PURPOSE_ISO", purpose))
        }
        What::Toolkit { command } => {
            let mut bench = program(root, "bench-toolkit")?;
            check(bench.args(command).env("XENOBOOT_TOOLKIT", guest::folder(root).join("toolkit")))
        }
    }
}

/// The server as it is released, with optimised code.
fn server(root: &Path, postgres: bool, arguments: impl Iterator<Item = String>) -> Result<()> {
    let build = ["build", "--quiet", "--release", "--workspace", "--bin", "xenoboot"];
    check(&mut cargo(root, &build))?;
    let mut bench = program(root, "bench-server")?;
    bench.args(arguments).env("XENOBOOT_CLI", target(root).join("release/xenoboot"));
    let postgres = postgres.then(Postgres::start_durable).transpose()?;
    if let Some(postgres) = &postgres {
        bench.args(["--database", &format!("{}/postgres", postgres.url())]);
    }
    check(&mut bench)
}

/// A program that measures in virtual machines.
fn in_machines(root: &Path, name: &str, arguments: &[String]) -> Result<Command> {
    let iso = image::base(root)?;
    let mut bench = program(root, name)?;
    bench.args(arguments).env("XENOBOOT_ISO", iso);
    bench.env("XENOBOOT_TOOLKIT", guest::folder(root).join("toolkit"));
    bench.env("XENOBOOT_CLI", target(root).join("debug/xenoboot"));
    Ok(bench)
}

/// Builds a program that measures.
fn program(root: &Path, name: &str) -> Result<Command> {
    check(&mut build_program(root, name))?;
    let mut program = Command::new(target(root).join("debug").join(name));
    program.current_dir(root);
    Ok(program)
}
