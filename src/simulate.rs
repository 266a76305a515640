//! `xenoboot simulate`: a fleet that is not there, to see what a server stands.
//!
//! Each machine has a key of its own and a connection of its own, and speaks the machine's protocol as the agent does:
//! it asks what to do, fetches and checks the bundle, reports a script's lines and result, leaves a request for the
//! console and waits. Only the script is not run.

mod check;
mod connection;
mod download;
mod keys;
mod machine;
mod script;
mod spool;
mod summary;
mod tally;

use crate::{
    fleet::{read_trust, trusted},
    operator::{Access, Client},
    ui::{Output, WithHint, interactive},
    units,
};
use anyhow::{Context, anyhow, bail, ensure};
use connection::Route;
use indicatif::ProgressBar;
use keys::Identity;
use ring::rand::{SecureRandom, SystemRandom};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tally::Tally;
use tokio::{runtime::Runtime, task::JoinSet, time::sleep};
use xenoboot_bundle::TrustedSigners;
use xenoboot_server::api::{Expect, Import, Imported};
use xenoboot_site::ServerUrl;
use xenoboot_wire::{Pin, timing};

/// How often progress is shown, and the end looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Arguments of `xenoboot simulate`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
The machines are told apart by keys that are made from --seed: the same seed makes the same machines. They are pending
until they are approved, which --enrol does. Scripts are not run: a machine that is given a bundle checks it, reports
--lines lines and success, and waits for the next assignment. After a failure it tries again as a real one does, and the
failure is counted.

A server takes at most 2,000 connections from one address. One on this computer is come to from several addresses of the
loopback (127.1.0.1, ...); for another, use as many computers as that takes.

With --json a line is printed each time when all machines have done a run, and the summary at the end.

Examples:
  xenoboot simulate --machines 100 --enrol
  xenoboot simulate --machines 10000 --enrol --runs 1 --for 2m --check --operator home/server/operator.toml
  xenoboot simulate --machines 500 --server https://192.0.2.10:7443 --pin sha256//PIN= --seed lab --for 1h
  xenoboot simulate --machines 8 --download /machine/v1/bundle/DIGEST --for 10s --json"
)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    /// How many machines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    machines: u32,
    /// The server, as site files have it; may be given several times: machines begin with one each [default: the operator file's]
    #[arg(long = "server", value_name = "URL", requires = "pins")]
    servers: Vec<ServerUrl>,
    /// The servers' pins [default: the operator file's]
    #[arg(long = "pin", value_name = "PIN")]
    pins: Vec<Pin>,
    /// What the machines' keys are made from
    #[arg(long, value_name = "TEXT", default_value = "simulated")]
    seed: String,
    /// Approve the machines first, as sim-SEED-NUMBER; needs an operator's token
    #[arg(long)]
    enrol: bool,
    /// Believe only this fleet's signers, as its machines do: its folder or trust file [default: signatures are not checked]
    #[arg(long, value_name = "DIR")]
    fleet: Option<PathBuf>,
    /// How many lines each script prints
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(..=100_000))]
    lines: u32,
    /// How long each script runs, between its first and its last lines
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::duration)]
    takes: u64,
    /// Power the machines on one after the other within this time [default: all at once]
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = units::duration)]
    over: u64,
    /// End when each machine has reported so many runs
    #[arg(long, value_name = "N", conflicts_with = "download")]
    runs: Option<u32>,
    /// End after this time; with --runs it is a failure [default: until it is interrupted]
    #[arg(long = "for", value_name = "TIME", value_parser = units::duration)]
    limit: Option<u64>,
    /// At the end read the runs' logs from the server: every line that it acknowledged must be there, once
    #[arg(long, conflicts_with = "download")]
    check: bool,
    /// Fetch this path again and again, and nothing else, to measure downloads; from any server
    #[arg(long, value_name = "PATH")]
    download: Option<String>,
}

/// What all machines share.
struct World {
    route: Route,
    tally: Arc<Tally>,
    trust: Option<TrustedSigners>,
    lines: u32,
    takes: Duration,
}

pub(crate) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let needed = u64::from(args.machines) + 64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        ensure!(
            limit.maximum.is_none_or(|most| most >= needed),
            "{} machines need {needed} open files, the limit is {}: ulimit -n",
            args.machines,
            limit.maximum.unwrap_or_default()
        );
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    let mut client = match args.servers.is_empty() || args.enrol {
        true => Some(args.access.client()?),
        false => None,
    };
    let identities = keys::of_seed(&args.seed, args.machines)?;
    if let Some(client) = client.as_mut().filter(|_| args.enrol) {
        enrol(client, args, &identities)?;
    }
    let world = Arc::new(World {
        route: route(args, client.as_ref())?,
        tally: Arc::new(Tally::new(args.machines)),
        trust: args.fleet.as_deref().map(read_trust).transpose()?.as_ref().map(trusted),
        lines: args.lines,
        takes: Duration::from_secs(args.takes),
    });
    let outcome =
        Runtime::new().context("no runtime")?.block_on(live(args, &world, identities, output));
    // Anew: the connection may have ended long ago.
    let checked = match args.check {
        true => Some(check::run(&mut args.access.client()?, &world)?),
        false => None,
    };
    summary::print(&world.tally, checked.as_ref(), output)?;
    outcome?;
    match checked {
        Some(checked) => checked.verdict(),
        None => Ok(()),
    }
}

/// When to try again: as the agent.
fn backoff(attempt: u32, hint: Option<Duration>) -> Duration {
    let drawn = |bytes| f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX);
    timing::delay(attempt, hint, random().map_or(1.0, drawn))
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok().context("no random numbers")?;
    Ok(bytes)
}

/// The servers and their pins.
fn route(args: &Args, client: Option<&Client>) -> anyhow::Result<Route> {
    let (mut servers, mut pins) = (args.servers.clone(), args.pins.clone());
    if let Some(client) = client.filter(|_| servers.is_empty()) {
        let (url, pin) = client.server();
        let parsed: Result<ServerUrl, String> = url.parse();
        servers.push(parsed.map_err(|e| anyhow!("the operator file's URL {url}: {e}"))?);
        pins.push(pin);
    }
    Route::new(&servers, pins)
}

/// Approves the machines, in parts that a request may have.
fn enrol(client: &mut Client, args: &Args, identities: &[Identity]) -> anyhow::Result<()> {
    const PART: usize = 1000;
    let bar =
        if interactive() { ProgressBar::new(args.machines.into()) } else { ProgressBar::hidden() };
    let expect = |identity: &Identity| Expect {
        key: identity.key.to_string(),
        name: Some(format!("sim-{}-{}", args.seed, identity.number)),
        groups: Vec::new(),
        labels: std::collections::BTreeMap::new(),
    };
    for part in identities.chunks(PART) {
        let machines = part.iter().map(expect).collect();
        let _: Imported = client
            .post("import", &Import { machines })
            .hint("the name has the seed in it: --seed takes letters, digits, `-`, `_` and `.`")?;
        bar.inc(part.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Lets the machines live until the end.
async fn live(
    args: &Args,
    world: &Arc<World>,
    identities: Vec<Identity>,
    output: &Output,
) -> anyhow::Result<()> {
    let mut lives = JoinSet::new();
    let gap = Duration::from_secs(args.over) / args.machines;
    world.tally.begin();
    for identity in identities {
        let (world, begin) = (Arc::clone(world), gap * identity.number);
        match args.download.clone() {
            Some(path) => lives.spawn(download::repeat(world, identity, path)),
            None => lives.spawn(machine::live(world, identity, begin)),
        };
    }
    let limit = args.limit.map_or(Duration::MAX, Duration::from_secs);
    let ended = tokio::select! {
        () = watch(world, args.runs, output) => Ok(()),
        () = sleep(limit) => match args.runs.map(|runs| world.tally.short_of(runs)) {
            Some(left @ 1..) => bail!("{left} of {} machines have not reported enough runs", args.machines),
            _ => Ok(()),
        },
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
    };
    world.tally.end();
    ended
}

/// Shows how it goes, until each machine has reported `runs` runs.
async fn watch(world: &World, runs: Option<u32>, output: &Output) {
    let bar = if interactive() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let mut rounds = 0;
    loop {
        bar.set_message(world.tally.line());
        bar.tick();
        while world.tally.short_of(rounds + 1) == 0 {
            rounds += 1;
            if output.json {
                summary::round(&world.tally, rounds);
            }
        }
        if runs.is_some_and(|runs| rounds >= runs && world.tally.short_of(runs) == 0) {
            bar.finish_and_clear();
            return;
        }
        sleep(LOOK).await;
    }
}
