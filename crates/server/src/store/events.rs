//! What machines report: each event once, and what follows from it for its run.

use super::{Result, Store, StoreError, Tx};
use crate::time::now_ms;
use sqlx::{QueryBuilder, Sqlite};
use std::collections::HashMap;
use xenoboot_wire::{
    BootId, RunId,
    boot::Outcome,
    event::{Event, EventBatch, What},
};

/// Most keys that a run may report.
const MAX_REPORTS: i64 = 1000;

/// A power-on: its number in the database, and up to which event it is stored.
pub(super) async fn boot_row(tx: &mut Tx, machine: i64, boot: &str) -> Result<(i64, i64)> {
    let known = sqlx::query_as("SELECT id, through FROM boots WHERE machine = $1 AND boot = $2");
    if let Some(row) = known.bind(machine).bind(boot).fetch_optional(&mut **tx).await? {
        return Ok(row);
    }
    let new =
        "INSERT INTO boots (machine, boot, first_ms) VALUES ($1, $2, $3) RETURNING id, through";
    Ok(sqlx::query_as(new).bind(machine).bind(boot).bind(now_ms()).fetch_one(&mut **tx).await?)
}

/// An event's kind, by which it can be found.
fn kind(what: &What) -> &'static str {
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
    pub(crate) async fn add_events(&self, machine: i64, batch: &EventBatch) -> Result<u64> {
        let mut tx = self.begin().await?;
        let (boot, through) = boot_row(&mut tx, machine, &batch.boot.to_string()).await?;
        let is_new = |event: &&Event| number(event.number) > through;
        let new: Vec<&Event> = batch.events.iter().filter(is_new).collect();
        let Some(last) = new.last() else { return Ok(through.unsigned_abs()) };
        note_gap(machine, &batch.boot, through, &new);

        let mut runs = HashMap::new();
        for event in &new {
            if let Some(run) = event.run
                && !runs.contains_key(&run)
            {
                runs.insert(run, run_row(&mut tx, machine, boot, run, event).await?);
            }
        }
        insert(&mut tx, boot, &new, &runs).await?;
        for event in &new {
            let run = event.run.and_then(|run| runs.get(&run)).copied();
            follow(&mut tx, machine, run, event).await?;
        }
        let done = sqlx::query("UPDATE boots SET through = $2 WHERE id = $1");
        done.bind(boot).bind(number(last.number)).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(last.number)
    }
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

async fn insert(
    tx: &mut Tx,
    boot: i64,
    events: &[&Event],
    runs: &HashMap<RunId, i64>,
) -> Result<()> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO events (boot, number, at_ms, received_ms, run, kind, body) ",
    );
    let now = now_ms();
    let mut bodies = Vec::with_capacity(events.len());
    for event in events {
        bodies
            .push(serde_json::to_string(&event.what).map_err(|_| StoreError::Corrupt("an event"))?);
    }
    query.push_values(events.iter().zip(bodies), |mut row, (event, body)| {
        row.push_bind(boot)
            .push_bind(number(event.number))
            .push_bind(number(event.at_ms))
            .push_bind(now)
            .push_bind(event.run.and_then(|run| runs.get(&run)).copied())
            .push_bind(kind(&event.what))
            .push_bind(body);
    });
    query.build().execute(&mut **tx).await?;
    Ok(())
}

/// What an event means for its machine and run.
async fn follow(tx: &mut Tx, machine: i64, run: Option<i64>, event: &Event) -> Result<()> {
    if let What::Failure { code, cause, .. } = &event.what {
        let failure = format!("{code} {cause}");
        let note = sqlx::query("UPDATE machines SET failure = $2, failure_ms = $3 WHERE id = $1");
        note.bind(machine).bind(failure).bind(now_ms()).execute(&mut **tx).await?;
    }
    let Some(run) = run else { return Ok(()) };
    match &event.what {
        What::RunStarted { bundle, name, serial } => {
            let note =
                sqlx::query("UPDATE runs SET bundle = $2, name = $3, serial = $4 WHERE id = $1");
            let note = note.bind(run).bind(bundle.to_string()).bind(name).bind(number(*serial));
            note.execute(&mut **tx).await?;
        }
        What::Progress { percent, text } => {
            let note = sqlx::query(
                "UPDATE runs SET progress_percent = $2, progress_text = $3 WHERE id = $1",
            );
            note.bind(run).bind(i64::from(*percent)).bind(text).execute(&mut **tx).await?;
        }
        What::Report { key, value } => report(tx, run, key, value).await?,
        What::RunEnded { outcome, duration_ms } => {
            end(tx, run, outcome, *duration_ms, event).await?
        }
        What::Line { .. }
        | What::Phase { .. }
        | What::Failure { .. }
        | What::Dropped { .. }
        | What::Console { .. } => {}
    }
    Ok(())
}

async fn report(tx: &mut Tx, run: i64, key: &str, value: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO reports (run, key, value) SELECT $1, $2, $3 \
         WHERE (SELECT COUNT(*) FROM reports WHERE run = $1) < $4 \
         ON CONFLICT (run, key) DO UPDATE SET value = excluded.value",
    )
    .bind(run)
    .bind(key)
    .bind(value)
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
            ("failed", Some(code.id()), Some(cause), exit.map(i64::from))
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
