//! `xenoboot policy`: what is done about machines that fail, and what is kept.

use crate::{
    operator::{Access, text},
    ui::Output,
    units,
};
use xenoboot_server::api::Policy;

/// Arguments of `xenoboot policy`.
#[derive(clap::Args)]
#[command(after_help = "\
Without options it shows what is set. Failures of the network and of the server are tried again by the machine itself, for
ever. A script that fails is tried again as its bundle says (`on-failure`); where that says `wait`, the server tells the
machine to try again after --retry, twice as long each time, at most an hour. After --failures in a row in the same place
the machine goes to `rescue` and is flagged, until `xenoboot machine clear NAME` or an assignment that names it.

Examples:
  xenoboot policy
  xenoboot policy --failures 5 --retry 10m
  xenoboot policy --rescue rescue-shell
  xenoboot policy --no-rescue --retry 0s          machines in rescue wait; scripts are not tried again")]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    /// After so many failures in a row in the same place a machine goes to rescue; 0: never
    #[arg(long, value_name = "N")]
    failures: Option<u32>,
    /// Until a machine whose script failed, and that waits, is told to try again; 0s: never
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    retry: Option<u64>,
    /// After such a silence a machine is said to be silent
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    silent: Option<u64>,
    /// Logs and runs are kept for so many days; 0: for ever
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u32>,
    /// And at most so many MiB of logs, the oldest go first; 0: all
    #[arg(long, value_name = "MIB")]
    keep_mb: Option<u32>,
    /// What machines in rescue run
    #[arg(long, value_name = "BUNDLE")]
    rescue: Option<String>,
    /// Machines in rescue run nothing
    #[arg(long, conflicts_with = "rescue")]
    no_rescue: bool,
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let mut client = args.access.client()?;
    let before: Policy = client.get("policy")?;
    let seconds =
        |given: Option<u64>, before| given.map_or(before, |s| u32::try_from(s).unwrap_or(u32::MAX));
    let mut policy = Policy {
        failures: args.failures.unwrap_or(before.failures),
        retry_s: seconds(args.retry, before.retry_s),
        silent_s: seconds(args.silent, before.silent_s),
        keep_days: args.keep_days.unwrap_or(before.keep_days),
        keep_mb: args.keep_mb.unwrap_or(before.keep_mb),
        rescue: args.rescue.or_else(|| before.rescue.clone()),
    };
    if args.no_rescue {
        policy.rescue = None;
    }
    if policy != before {
        policy = client.put_json("policy", &policy)?;
    }
    if output.json {
        println!("{}", text::json(&policy)?);
        return Ok(());
    }
    let digest = policy.rescue.as_deref().and_then(|digest| digest.get(..12));
    println!("failures  {}", policy.failures);
    println!("retry     {} s", policy.retry_s);
    println!("silent    {} s", policy.silent_s);
    println!("keep      {} days, {} MiB", policy.keep_days, policy.keep_mb);
    println!("rescue    {}", digest.unwrap_or("-"));
    Ok(())
}
