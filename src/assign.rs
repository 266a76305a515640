//! `xenoboot assign`: what machines shall run.

use crate::{
    operator::{
        Access,
        text::{self, cell},
    },
    ui::Output,
};
use anyhow::bail;
use xenoboot_server::api::{Assign, Done, Target};

/// Arguments of `xenoboot assign`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Of a machine's assignments the most specific is in force: its own, then the latest of its groups', then the default.
A machine that waits takes a new assignment at once; the same bundle assigned again runs again.

Examples:
  xenoboot assign repair --machine cupboard
  xenoboot assign repair --group attic
  xenoboot assign 3fa9c1 --default              a bundle by the beginning of its digest
  xenoboot assign --clear --machine cupboard"
)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    /// The bundle: its name (the highest serial that was pushed), or its digest or the beginning of it
    #[arg(required_unless_present = "clear", conflicts_with = "clear")]
    bundle: Option<String>,
    /// Take the assignment back
    #[arg(long)]
    clear: bool,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// For this machine
    #[arg(long)]
    machine: Option<String>,
    /// For all machines of this group
    #[arg(long)]
    group: Option<String>,
    /// For all machines that have no other
    #[arg(long)]
    default: bool,
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let target = match args.target {
        TargetArgs { machine: Some(machine), .. } => Target::Machine(machine),
        TargetArgs { group: Some(group), .. } => Target::Group(group),
        TargetArgs { default: true, .. } => Target::Default,
        TargetArgs { .. } => bail!("it is not said for whom"),
    };
    let done: Done =
        args.access.client()?.post("assignments", &Assign { bundle: args.bundle, target })?;
    if output.json {
        println!("{}", text::json(&done)?);
        return Ok(());
    }
    let whom = match &done.target {
        Target::Machine(machine) => format!("machine {}", cell(machine)),
        Target::Group(group) => format!("group {}", cell(group)),
        Target::Default => "all machines without another".to_owned(),
    };
    let changed = match done.machines {
        0 => "no machine is concerned now".to_owned(),
        1 => "1 machine is concerned".to_owned(),
        n => format!("{n} machines are concerned"),
    };
    match &done.bundle {
        Some(bundle) => {
            let digest = bundle.bundle.get(..12).unwrap_or_default();
            println!(
                "assigned {} serial {} ({digest}) to {whom}: {changed}",
                cell(&bundle.name),
                bundle.serial
            );
        }
        None => println!("cleared the assignment of {whom}: {changed}"),
    }
    Ok(())
}
