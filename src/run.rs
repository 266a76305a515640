//! `xenoboot run`: what machines have run, and what came of it.

mod log;
mod show;
mod verify;

pub(crate) use show::state_of;

use crate::{
    machine::{escaped, of},
    operator::{Access, Client, text, watch::Watch},
    ui::{Output, WithHint},
};
use anyhow::anyhow;
use clap::Subcommand;
use xenoboot_server::api::{Run, RunDetails};

/// Arguments of `xenoboot run`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "A run is named by its id or the first four or more characters of it."
)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List runs, the latest first
    #[command(
        after_help = "Examples:\n  xenoboot run list\n  xenoboot run list --watch\n  xenoboot run list --machine cupboard --limit 5"
    )]
    List {
        /// Only this machine's
        #[arg(long)]
        machine: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u16,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show a run: how it ended, how long each phase took, what it reported
    #[command(
        after_help = "Examples:\n  xenoboot run show 3fa9\n  xenoboot run show --machine cupboard      its last run"
    )]
    Show(Which),
    /// Print a run's log
    #[command(after_help = "\
With --follow the log is printed as it comes until the run ends; the exit status is 0 if it succeeded and 1 if not. With
--machine too, it waits for the run of what the machine is assigned now, and prints that from its beginning: after
`assign` nothing is missed. With --json each event is one line, and the run itself the last one.

Examples:
  xenoboot run log 3fa9
  xenoboot run log --machine cupboard                       its last run
  xenoboot assign repair --machine cupboard && xenoboot run log --machine cupboard --follow
  xenoboot run log --machine cupboard --follow --timeout 600")]
    Log(log::Args),
    /// Check the signatures of what a run reported with `xb report --sign`
    #[command(after_help = "\
Every signed report is printed, and whether the machine's key signed just that, for that run of that bundle. The
exit status is 0 only if all are right and there is one. The machine's key comes from the server; with --signed-by
the server need not be believed.

Examples:
  xenoboot run verify-report 3fa9
  xenoboot run verify-report --machine cupboard --signed-by 7ZQ4-0M3K-V9RB-22TC-HX5E")]
    VerifyReport(verify::Args),
}

/// Which run.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// The run
    #[arg(required_unless_present = "machine", conflicts_with = "machine")]
    run: Option<String>,
    /// The last run of this machine
    #[arg(long)]
    machine: Option<String>,
}

impl Which {
    /// The run's id, or the beginning of it.
    fn find(&self, client: &mut Client) -> anyhow::Result<String> {
        if let Some(run) = &self.run {
            return Ok(run.clone());
        }
        let machine = self.machine.as_deref().unwrap_or_default();
        let run: Option<Run> = client.get(&of(machine, "/run"))?;
        let run = run.ok_or_else(|| anyhow!("{machine} has run nothing yet"));
        Ok(run.hint("`xenoboot run log --machine MACHINE --follow` waits for its next run")?.run)
    }
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let mut client = args.access.client()?;
    match args.verb {
        Verb::List { machine, limit, watch } => {
            let machine = machine.map(|machine| format!("&machine={}", escaped(&machine)));
            let path = format!("runs?limit={limit}{}", machine.unwrap_or_default());
            watch.run(|| {
                let runs: Vec<Run> = client.get(&path)?;
                if output.json {
                    println!("{}", text::json(&runs)?);
                    return Ok(());
                }
                show::list(&runs)
            })
        }
        Verb::Show(which) => {
            let run = which.find(&mut client)?;
            let details: RunDetails = client.get(&path(&run, ""))?;
            show::one(&details, output)
        }
        Verb::Log(args) => log::run(&args, &mut client, output),
        Verb::VerifyReport(args) => verify::run(&args, &mut client, output),
    }
}

/// The path of a run.
fn path(run: &str, rest: &str) -> String {
    format!("runs/{}{rest}", escaped(run))
}
