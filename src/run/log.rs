//! A run's log, as it is or as it grows.

use super::{Which, path};
use crate::{
    machine::of,
    operator::{
        Client, Unreachable,
        text::{self, cell, duration, shown},
    },
    ui::Output,
};
use anyhow::{anyhow, bail};
use serde_json::json;
use std::{
    io::{self, Write},
    thread::sleep,
    time::{Duration, Instant},
};
use xenoboot_server::api::{Log, LogEvent, Run, RunState};
use xenoboot_wire::{
    boot::Outcome,
    event::{Source, What},
};

/// How long a question is left with the server.
const HOLD_S: u64 = 25;

/// Between tries when the server is away.
const AGAIN: Duration = Duration::from_millis(500);

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Print the log as it comes, until the run ends
    #[arg(long, short)]
    follow: bool,
    /// With --machine and --follow: wait for the next run that begins, whatever ran before
    #[arg(long, requires_all = ["machine", "follow"])]
    next: bool,
    /// With --follow: give up after so many seconds
    #[arg(long, value_name = "SECONDS", requires = "follow")]
    timeout: Option<u64>,
    /// Begin each line with the time since the run began
    #[arg(long, short)]
    times: bool,
}

pub(super) fn run(args: &Args, client: &mut Client, output: &Output) -> anyhow::Result<()> {
    if args.follow {
        return follow(args, client, output);
    }
    let run = args.which.find(client)?;
    let (mut events, mut after) = (Vec::new(), 0);
    let run = loop {
        let page: Log = client.get(&path(&run, &format!("/log?after={after}")))?;
        let Some(last) = page.events.last() else { break page.run };
        after = last.number;
        events.extend(page.events);
    };
    if output.json {
        println!("{}", text::json(&json!({ "run": run, "events": events }))?);
        return Ok(());
    }
    let mut printer = Printer::new(args.times, false);
    events.iter().try_for_each(|event| printer.print(event))
}

fn follow(args: &Args, client: &mut Client, output: &Output) -> anyhow::Result<()> {
    let patience = args.timeout.map(Duration::from_secs);
    let mut server =
        Patient { client, until: patience.map(|patience| Instant::now() + patience), away: false };
    let id = match (&args.which.run, &args.which.machine) {
        (None, Some(machine)) => find(&mut server, machine, args.next)?,
        (run, _) => run.clone().unwrap_or_default(),
    };
    let (mut after, mut printer) = (0, Printer::new(args.times, output.json));
    loop {
        let hold = server.hold_s()?;
        let page: Log = server.get(&path(&id, &format!("/log?after={after}&wait_s={hold}")))?;
        for event in &page.events {
            printer.print(event)?;
            after = event.number;
        }
        if page.events.is_empty() && page.run.state != RunState::Running {
            return ended(&page.run, output);
        }
    }
}

/// The run of what the machine is assigned now, or the next one; waits until there is one.
fn find(server: &mut Patient<'_>, machine: &str, next: bool) -> anyhow::Result<String> {
    let wanted = if next {
        let last: Option<Run> = server.get(&of(machine, "/run"))?;
        last.map(|run| format!("&other_than={}", run.run)).unwrap_or_default()
    } else {
        let details: xenoboot_server::api::MachineDetails = server.get(&of(machine, ""))?;
        format!("&current={}", details.machine.assigned.is_some())
    };
    loop {
        let hold = server.hold_s()?;
        let run: Option<Run> = server.get(&of(machine, &format!("/run?wait_s={hold}{wanted}")))?;
        if let Some(run) = run {
            return Ok(run.run);
        }
    }
}

fn ended(run: &Run, output: &Output) -> anyhow::Result<()> {
    if output.json {
        println!("{}", text::json(&json!({ "run": run }))?);
    }
    let id = run.run.get(..8).unwrap_or_default();
    match run.state {
        RunState::Running | RunState::Succeeded => Ok(()),
        RunState::Lost => {
            bail!("run {id} is lost: the machine restarted before it said how the run ended")
        }
        RunState::Failed => {
            let (code, cause) =
                (run.code.as_deref().unwrap_or("?"), run.cause.as_deref().unwrap_or("?"));
            bail!("run {id} failed: {}: {}", cell(code), shown(cause))
        }
    }
}

/// A server that may go away and come back meanwhile.
struct Patient<'a> {
    client: &'a mut Client,
    until: Option<Instant>,
    away: bool,
}

impl Patient<'_> {
    /// For how long to leave the next question with the server.
    fn hold_s(&self) -> anyhow::Result<u64> {
        let Some(until) = self.until else { return Ok(HOLD_S) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!("the run did not end in time");
        }
        Ok(left.as_secs().clamp(1, HOLD_S))
    }

    fn get<A: serde::de::DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<A> {
        loop {
            match self.client.get(path) {
                Ok(answer) => {
                    self.away = false;
                    return Ok(answer);
                }
                Err(error) if error.downcast_ref::<Unreachable>().is_some() => {
                    if self.until.is_some_and(|until| Instant::now() >= until) {
                        return Err(error);
                    }
                    if !self.away {
                        self.away = true;
                        eprintln!("{}; trying again", anyhow!("{error:#}"));
                    }
                    sleep(AGAIN);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Prints events; each line is on its way when it has been printed.
struct Printer {
    times: bool,
    json: bool,
    began_ms: Option<i64>,
}

impl Printer {
    fn new(times: bool, json: bool) -> Self {
        Self { times, json, began_ms: None }
    }

    fn print(&mut self, event: &LogEvent) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        let began = *self.began_ms.get_or_insert(event.at_ms);
        let line = if self.json { Some(text::json(event)?) } else { line(&event.what) };
        let Some(line) = line else { return Ok(()) };
        if self.times && !self.json {
            let ms = event.at_ms.saturating_sub(began);
            write!(out, "{:>6}.{:03}  ", ms / 1000, ms % 1000)?;
        }
        writeln!(out, "{line}")?;
        out.flush()?;
        Ok(())
    }
}

/// An event for people: what the script printed as it is, anything else marked by an asterisk.
fn line(what: &What) -> Option<String> {
    Some(match what {
        What::Line { source: Source::Stdout | Source::Stderr, text } => shown(text),
        What::Line { source: Source::Agent, text } => format!("* agent: {}", shown(text)),
        What::Line { source: Source::Init, text } => format!("* init: {}", shown(text)),
        What::Phase { .. } => return None,
        What::RunStarted { bundle, name, serial, .. } => {
            let digest = bundle.to_string();
            format!(
                "* {} serial {serial} ({}) began",
                cell(name),
                digest.get(..12).unwrap_or_default()
            )
        }
        What::Progress { percent, text } => format!("* {percent} % {}", shown(text)),
        What::Report { key, value } => format!("* report {}={}", cell(key), shown(value)),
        What::RunEnded { outcome: Outcome::Succeeded, duration_ms } => {
            format!(
                "* succeeded after {}",
                duration(i64::try_from(*duration_ms).unwrap_or(i64::MAX))
            )
        }
        What::RunEnded { outcome: Outcome::Failed { code, cause, .. }, duration_ms } => {
            let after = duration(i64::try_from(*duration_ms).unwrap_or(i64::MAX));
            format!("* failed after {after}: {code}, {}: {}", code.title(), shown(cause))
        }
        What::Failure { code, cause, attempt } => format!("* {code} ({attempt}): {}", shown(cause)),
        What::Console { who, key, lasted_ms: None } => {
            format!("* console: {} came, with the key {}", shown(who), cell(key))
        }
        What::Console { who, lasted_ms: Some(ms), .. } => {
            let after = duration(i64::try_from(*ms).unwrap_or(i64::MAX));
            format!("* console: {} left after {after}", shown(who))
        }
        What::Dropped { count } => {
            format!("* {count} events are missing: the machine could keep no more")
        }
    })
}
