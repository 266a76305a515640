//! `xenoboot assign`: what machines shall do.

use crate::{
    operator::{
        Access,
        text::{self, cell},
    },
    ui::Output,
    units,
};
use anyhow::bail;
use clap::ValueEnum;
use xenoboot_server::api::{Assign, Desired, Done, Goal, Target};

/// Arguments of `xenoboot assign`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Of a machine's assignments the most specific is in force: its own, then the latest of its groups', then that of the most
labels, then the default. `xenoboot machine explain NAME` says which one and why. A machine that waits takes a new
assignment at once; the same bundle assigned again runs again.

With --once it is in force until a run of it has succeeded; then the one before is again, or what --then names. With
--confirm-within the system that the run starts must say by then that it is up (`xb confirm-url` in the script); if it does
not, or the machine comes back before, the assignment before is in force again.

Examples:
  xenoboot assign repair --machine cupboard
  xenoboot assign repair --group attic
  xenoboot assign web --labels 'rack=a3,role!=db'
  xenoboot assign 3fa9c1 --default              a bundle by the beginning of its digest
  xenoboot assign debian --machine cupboard --state install --once --then boot-disk
  xenoboot assign new-kernel --machine cupboard --once --confirm-within 10m
  xenoboot assign --state disabled --machine cupboard
  xenoboot assign --clear --machine cupboard"
)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    /// The bundle: its name (the highest serial that was pushed), or its digest or the beginning of it
    #[arg(required_unless_present_any = ["clear", "state"], conflicts_with = "clear")]
    bundle: Option<String>,
    /// What it is for: boot, install, rescue; or disabled, to wait and run nothing [default: boot]
    #[arg(long, value_enum, conflicts_with = "clear")]
    state: Option<State>,
    /// Only until a run of it has succeeded; the assignment before is in force again after that
    #[arg(long)]
    once: bool,
    /// With --once: what a machine is assigned then, by name: a bundle, or `disabled`
    #[arg(long, value_name = "BUNDLE", requires = "once", conflicts_with = "clear")]
    then: Option<String>,
    /// With --once: within so long the system that the run starts must say that it is up, like 10m
    #[arg(long, value_name = "TIME", value_parser = units::duration, requires = "once", conflicts_with = "clear")]
    confirm_within: Option<u64>,
    /// Take the assignment back; with --once only the one for one time
    #[arg(long)]
    clear: bool,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Boot,
    Install,
    Rescue,
    Disabled,
}

impl From<State> for Desired {
    fn from(state: State) -> Self {
        match state {
            State::Boot => Self::Boot,
            State::Install => Self::Install,
            State::Rescue => Self::Rescue,
            State::Disabled => Self::Disabled,
        }
    }
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
    /// For all machines with such labels: KEY=VALUE, KEY!=VALUE, KEY or !KEY, with commas between
    #[arg(long, value_name = "SELECTOR")]
    labels: Option<String>,
    /// For all machines that have no other
    #[arg(long)]
    default: bool,
}

impl TargetArgs {
    fn target(self) -> anyhow::Result<Target> {
        Ok(match self {
            Self { machine: Some(machine), .. } => Target::Machine(machine),
            Self { group: Some(group), .. } => Target::Group(group),
            Self { labels: Some(labels), .. } => Target::Labels(labels),
            Self { default: true, .. } => Target::Default,
            Self { .. } => bail!("it is not said for whom"),
        })
    }
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let then = args.then.map(|then| match then.as_str() {
        "disabled" => Goal { state: Desired::Disabled, bundle: None },
        _ => Goal { state: Desired::Boot, bundle: Some(then) },
    });
    let assign = Assign {
        bundle: args.bundle,
        target: args.target.target()?,
        state: args.state.map(Into::into),
        once: args.once,
        then,
        confirm_within_s: args.confirm_within.map(|s| u32::try_from(s).unwrap_or(u32::MAX)),
    };
    let done: Done = args.access.client()?.post("assignments", &assign)?;
    if output.json {
        println!("{}", text::json(&done)?);
        return Ok(());
    }
    let changed = match done.machines {
        0 => "no machine is concerned now".to_owned(),
        1 => "1 machine is concerned".to_owned(),
        n => format!("{n} machines are concerned"),
    };
    println!("{}: {changed}", what(&done, assign.once));
    Ok(())
}

fn what(done: &Done, once: bool) -> String {
    let whom = match &done.target {
        Target::Machine(machine) => format!("machine {}", cell(machine)),
        Target::Group(group) => format!("group {}", cell(group)),
        Target::Labels(labels) => format!("machines with {}", cell(labels)),
        Target::Default => "all machines without another".to_owned(),
    };
    let once = if once { ", once" } else { "" };
    match (&done.bundle, done.state) {
        (Some(bundle), state) => {
            let digest = bundle.bundle.get(..12).unwrap_or_default();
            let state = match state {
                None | Some(Desired::Boot) => String::new(),
                Some(state) => format!(", for {}", state.word()),
            };
            let (name, serial) = (cell(&bundle.name), bundle.serial);
            format!("assigned {name} serial {serial} ({digest}) to {whom}{state}{once}")
        }
        (None, Some(state)) => format!("assigned {} to {whom}{once}", state.word()),
        (None, None) => format!("cleared the assignment of {whom}"),
    }
}
