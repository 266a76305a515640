//! What machines report: each event once, and what follows from it for its run.

use super::{Result, Store, StoreError, Tx, ends, failing, without_nul};
use crate::{database::Kind, time::now_ms};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;
use xenoboot_wire::{
    BootId, RunId,
    boot::Outcome,
    event::{Event, EventBatch, What},
};

/// How much of a script's last words on its progress say where it failed, characters.
const PLACE: usize = 100;

/// Most keys that a run may report.
const MAX_REPORTS: i64 = 1000;

/// A power-on: its number in the database, and up to which event it is stored.
pub(super) async fn boot_row(tx: &mut Tx, machine: i64, boot: &str) -> Result<(i64, i64)> {
    let known = sqlx::query_as("SELECT id, through FROM boots WHERE machine = $1 AND boot = $2");
    if let Some(row) = known.bind(machine).bind(boot).fetch_optional(&mut **tx).await? {
        return Ok(row);
    }
    let new = "INSERT INTO boots (machine, boot, first_ms, last_ms) VALUES ($1, $2, $3, $3) RETURNING id, through";
    Ok(sqlx::query_as(new).bind(machine).bind(boot).bind(now_ms()).fetch_one(&mut **tx).await?)
}

/// An event's kind, by which it can be found.
fn name(what: &What) -> &'static str {
    match what {
        What::Line { .. } => "line",
        What::Phase { .. } => "phase",
        What::RunStarted { .. } => "run_started",
        What::Progress { .. } => "progress",
        What::Report { .. } => "report",
        What::RunEnded { .. } => "run_ended",
        What::Failure { .. } => "failure",
        What::Dropped { .. } => "dropped",
        What::Console { .. } => "console",
    }
}

/// A number that may be past the range of the database's.
fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Store {
    /// Stores those events of a batch that are not stored yet, durably; returns up to which the power-on's
    /// are stored now. The batch's numbers follow one another.
    ///
    /// What is stored already is left out: an acknowledgement may be lost, and then the events come again.
    /// A machine forgets what was acknowledged. So when numbers are missing before the batch, they were
    /// acknowledged by a server that has lost them (a database restored from a backup) and do not
    /// come again: what comes is stored, and the log shows the gap.
    pub(crate) async fn add_events(&self, machine: i64, batch: EventBatch) -> Result<Stored> {
        let kind = self.writer.kind;
        self.together(move |tx| Box::pin(async move { add(tx, kind, machine, &batch).await })).await
    }
}

async fn add(tx: &mut Tx, kind: Kind, machine: i64, batch: &EventBatch) -> Result<Stored> {
    let (boot, through) = boot_row(tx, machine, &batch.boot.to_string()).await?;
    let is_new = |event: &&Event| number(event.number) > through;
    let new: Vec<&Event> = batch.events.iter().filter(is_new).collect();
    let Some(last) = new.last() else {
        let through = through.unsigned_abs();
        return Ok(Stored { through, changed: false, count: 0, failed: None });
    };
    note_gap(machine, &batch.boot, through, &new);

    let mut runs = HashMap::new();
    for event in &new {
        if let Some(run) = event.run
            && !runs.contains_key(&run)
        {
            runs.insert(run, run_row(tx, machine, boot, run, event).await?);
        }
    }
    let bytes = insert(tx, kind, boot, &new, &runs).await?;
    let mut changed = false;
    for event in &new {
        let run = event.run.and_then(|run| runs.get(&run)).copied();
        changed |= follow(tx, Of { machine, boot, run }, event).await?;
    }
    let done = sqlx::query(
        "UPDATE boots SET through = $2, bytes = bytes + $3, last_ms = $4 WHERE id = $1",
    );
    let done = done.bind(boot).bind(number(last.number)).bind(number(bytes as u64));
    done.bind(now_ms()).execute(&mut **tx).await?;
    let failed = new.iter().rev().find_map(|event| match &event.what {
        What::RunEnded { outcome: Outcome::Failed { code, cause, .. }, .. } => {
            Some(format!("{code}: {cause}"))
        }
        _ => None,
    });
    Ok(Stored { through: last.number, changed, count: new.len() as u64, failed })
}

/// What was stored.
pub(crate) struct Stored {
    /// Up to which event.
    pub(crate) through: u64,
    /// Whether the machine shall do something else now.
    pub(crate) changed: bool,
    /// How many events were new.
    pub(crate) count: u64,
    /// What failed, if a run did.
    pub(crate) failed: Option<String>,
}

/// Whose event it is.
#[derive(Clone, Copy)]
struct Of {
    machine: i64,
    boot: i64,
    run: Option<i64>,
}

fn note_gap(machine: i64, boot: &BootId, through: i64, new: &[&Event]) {
    let first = new.first().map_or(0, |event| number(event.number));
    if first > through + 1 {
        tracing::warn!(machine, %boot, through, first, "events are missing: another server has acknowledged them");
    }
}

/// The run's number in the database; a run that is not known begins with `event`.
async fn run_row(tx: &mut Tx, machine: i64, boot: i64, run: RunId, event: &Event) -> Result<i64> {
    let known = sqlx::query_scalar("SELECT id FROM runs WHERE machine = $1 AND run = $2");
    if let Some(id) = known.bind(machine).bind(run.to_string()).fetch_optional(&mut **tx).await? {
        return Ok(id);
    }
    let new = sqlx::query_scalar(
        "INSERT INTO runs (machine, boot, run, state, started_ms, started_at_ms, first_number) \
         VALUES ($1, $2, $3, 'running', $4, $5, $6) RETURNING id",
    );
    let new = new.bind(machine).bind(boot).bind(run.to_string()).bind(now_ms());
    Ok(new.bind(number(event.at_ms)).bind(number(event.number)).fetch_one(&mut **tx).await?)
}

/// Returns how many bytes they take.
async fn insert(
    tx: &mut Tx,
    kind: Kind,
    boot: i64,
    events: &[&Event],
    runs: &HashMap<RunId, i64>,
) -> Result<usize> {
    let sql = format!(
        "INSERT INTO events (boot, number, at_ms, received_ms, run, kind, body) VALUES {}",
        kind.rows(events.len(), 7)
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    let (now, mut bytes) = (now_ms(), 0);
    for event in events {
        let body =
            serde_json::to_string(&event.what).map_err(|_| StoreError::Corrupt("an event"))?;
        bytes += body.len();
        query = query
            .bind(boot)
            .bind(number(event.number))
            .bind(number(event.at_ms))
            .bind(now)
            .bind(event.run.and_then(|run| runs.get(&run)).copied())
            .bind(name(&event.what))
            .bind(body);
    }
    query.execute(&mut **tx).await?;
    Ok(bytes)
}

/// What an event means for its machine and run; whether the machine's order changed by it.
async fn follow(tx: &mut Tx, of: Of, event: &Event) -> Result<bool> {
    of_machine(tx, of, &event.what).await?;
    let Some(run) = of.run else { return Ok(false) };
    match &event.what {
        What::RunStarted { bundle, name, serial, generation } => {
            let note = sqlx::query(
                "UPDATE runs SET bundle = $2, name = $3, serial = $4, assignment = \
                 (SELECT m.assignment FROM machines m WHERE m.id = runs.machine AND m.generation = $5) WHERE id = $1",
            );
            let note = note
                .bind(run)
                .bind(bundle.to_string())
                .bind(without_nul(name))
                .bind(number(*serial));
            note.bind(generation.map(number)).execute(&mut **tx).await?;
        }
        What::Progress { percent, text } => {
            let note = sqlx::query(
                "UPDATE runs SET progress_percent = $2, progress_text = $3 WHERE id = $1",
            );
            note.bind(run)
                .bind(i64::from(*percent))
                .bind(without_nul(text))
                .execute(&mut **tx)
                .await?;
        }
        What::Report { key, value } => report(tx, run, key, value).await?,
        What::RunEnded { outcome, duration_ms } => {
            end(tx, run, outcome, *duration_ms, event).await?;
            return ended(tx, of.machine, run, outcome).await;
        }
        What::Line { .. }
        | What::Phase { .. }
        | What::Failure { .. }
        | What::Dropped { .. }
        | What::Console { .. } => {}
    }
    Ok(false)
}

async fn of_machine(tx: &mut Tx, of: Of, what: &What) -> Result<()> {
    match what {
        What::Failure { code, cause, .. } => {
            let failure = without_nul(&format!("{code} {cause}"));
            let note =
                sqlx::query("UPDATE machines SET failure = $2, failure_ms = $3 WHERE id = $1");
            note.bind(of.machine).bind(failure).bind(now_ms()).execute(&mut **tx).await?;
        }
        What::Phase { name } => {
            let note = sqlx::query(
                "UPDATE machines SET phase = $2, phase_ms = $3, booted_ms = NULL WHERE id = $1 AND (boot = $4 OR boot IS NULL)",
            );
            let note = note.bind(of.machine).bind(without_nul(name)).bind(now_ms()).bind(of.boot);
            note.execute(&mut **tx).await?;
        }
        What::RunStarted { .. } => {
            let note = sqlx::query("UPDATE machines SET retry_ms = NULL WHERE id = $1");
            note.bind(of.machine).execute(&mut **tx).await?;
        }
        _ => {}
    }
    Ok(())
}

/// What follows from the end of a run for what the machine shall do.
async fn ended(tx: &mut Tx, machine: i64, run: i64, outcome: &Outcome) -> Result<bool> {
    match outcome {
        Outcome::Succeeded => {
            let anew = sqlx::query(
                "UPDATE machines SET failures = 0, place = NULL, retry_ms = NULL WHERE id = $1",
            );
            anew.bind(machine).execute(&mut **tx).await?;
            ends::succeeded(tx, machine, run).await
        }
        Outcome::Failed { code, .. } => {
            let row = sqlx::query_as(
                "SELECT assignment, name, serial, progress_text FROM runs WHERE id = $1",
            );
            let (assignment, name, serial, text): (_, Option<String>, Option<i64>, Option<String>) =
                row.bind(run).fetch_one(&mut **tx).await?;
            let (name, serial) = (name.unwrap_or_default(), serial.unwrap_or_default());
            let at = text.filter(|text| !text.is_empty()).map(|text| {
                let text: String = text.chars().take(PLACE).collect();
                format!(", at \"{text}\"")
            });
            let place = format!("{code} in {name} serial {serial}{}", at.unwrap_or_default());
            failing::failed(tx, machine, assignment, &place).await
        }
    }
}

async fn report(tx: &mut Tx, run: i64, key: &str, value: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO reports (run, key, value) SELECT $1, $2, $3 \
         WHERE (SELECT COUNT(*) FROM reports WHERE run = $1) < $4 \
         ON CONFLICT (run, key) DO UPDATE SET value = excluded.value",
    )
    .bind(run)
    .bind(without_nul(key))
    .bind(without_nul(value))
    .bind(MAX_REPORTS)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn end(
    tx: &mut Tx,
    run: i64,
    outcome: &Outcome,
    duration_ms: u64,
    event: &Event,
) -> Result<()> {
    let (state, code, cause, exit) = match outcome {
        Outcome::Succeeded => ("succeeded", None, None, None),
        Outcome::Failed { code, cause, exit } => {
            ("failed", Some(code.id()), Some(without_nul(cause)), exit.map(i64::from))
        }
    };
    sqlx::query(
        "UPDATE runs SET state = $2, code = $3, cause = $4, exit_status = $5, duration_ms = $6, ended_ms = $7, \
         ended_at_ms = $8, last_number = $9 WHERE id = $1",
    )
    .bind(run)
    .bind(state)
    .bind(code)
    .bind(cause)
    .bind(exit)
    .bind(number(duration_ms))
    .bind(now_ms())
    .bind(number(event.at_ms))
    .bind(number(event.number))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
