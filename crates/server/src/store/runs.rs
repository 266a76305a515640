//! Runs as operators see them.

use super::{Result, Store, StoreError, is_hex_prefix, only};
use crate::api::{self, LogEvent, Phase, RunState};
use sqlx::FromRow;
use std::collections::{BTreeMap, HashMap};

/// Most runs in a list.
const MAX_LIST: i64 = 1000;

/// Most events in a page of a log.
const PAGE: i64 = 1000;

#[derive(FromRow)]
pub(super) struct Row {
    machine: i64,
    boot: i64,
    run: String,
    machine_name: Option<String>,
    fingerprint: String,
    bundle: Option<String>,
    name: Option<String>,
    serial: Option<i64>,
    state: String,
    code: Option<String>,
    cause: Option<String>,
    exit_status: Option<i64>,
    duration_ms: Option<i64>,
    progress_percent: Option<i64>,
    progress_text: Option<String>,
    started_ms: i64,
    ended_ms: Option<i64>,
    first_number: i64,
    last_number: Option<i64>,
}

impl TryFrom<Row> for api::Run {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self> {
        let state = match row.state.as_str() {
            "running" => RunState::Running,
            "succeeded" => RunState::Succeeded,
            "failed" => RunState::Failed,
            "lost" => RunState::Lost,
            _ => return Err(StoreError::Corrupt("a run's state")),
        };
        let text = row.progress_text.unwrap_or_default();
        Ok(Self {
            run: row.run,
            machine: row.machine_name.unwrap_or(row.fingerprint),
            bundle: row.bundle,
            name: row.name,
            serial: row.serial,
            state,
            code: row.code,
            cause: row.cause,
            exit: row.exit_status,
            duration_ms: row.duration_ms,
            progress: row.progress_percent.map(|percent| api::Progress { percent, text }),
            started_ms: row.started_ms,
            ended_ms: row.ended_ms,
        })
    }
}

/// A machine's last run, with the power-on's number in the database.
pub(super) struct LastRun {
    pub(super) boot: i64,
    pub(super) run: api::Run,
}

/// Which of a run's events to read.
#[derive(Clone, Copy)]
pub(crate) struct LogPage {
    /// The run's number in the database.
    pub(crate) run: i64,
    /// Only events with higher numbers.
    pub(crate) after: i64,
}

const SELECT: &str = "SELECT r.*, m.name AS machine_name, m.fingerprint FROM runs r JOIN machines m ON m.id = r.machine";

/// `SELECT` with a condition; both are ours.
pub(super) fn select(condition: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("{SELECT} {condition}"))
}

/// An event as it is kept: its number, the machine's time, ours, and what happened.
pub(super) fn event(
    (number, at_ms, received_ms, body): (i64, i64, i64, String),
) -> Result<LogEvent> {
    let what = serde_json::from_str(&body).map_err(|_| StoreError::Corrupt("an event"))?;
    Ok(LogEvent { number, at_ms, received_ms, what })
}

impl Store {
    /// Runs, of one machine or of all, the latest first.
    pub(crate) async fn runs(&self, machine: Option<i64>, limit: i64) -> Result<Vec<api::Run>> {
        let rows =
            sqlx::query_as(select("WHERE r.machine = $1 OR $1 = 0 ORDER BY r.id DESC LIMIT $2"));
        let rows = rows.bind(machine.unwrap_or_default()).bind(limit.clamp(0, MAX_LIST));
        let rows: Vec<Row> = rows.fetch_all(&self.reader).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Each machine's last run, and on which power-on that was.
    pub(super) async fn last_runs(&self, only: Option<i64>) -> Result<HashMap<i64, LastRun>> {
        let rows = sqlx::query_as(select(
            "WHERE r.id IN (SELECT MAX(id) FROM runs WHERE machine = $1 OR $1 = 0 GROUP BY machine)",
        ));
        let rows: Vec<Row> = rows.bind(only.unwrap_or_default()).fetch_all(&self.reader).await?;
        let last = |row: Row| {
            let (machine, boot) = (row.machine, row.boot);
            Ok((machine, LastRun { boot, run: row.try_into()? }))
        };
        rows.into_iter().map(last).collect()
    }

    /// A machine's last run; `current`: only one of what it was assigned by an operator last, begun after that. What
    /// was to be done once may be over by now, and another assignment in force.
    pub(crate) async fn last_run(&self, machine: i64, current: bool) -> Result<Option<api::Run>> {
        let row = sqlx::query_as(select(
            "LEFT JOIN assignments a ON a.id = m.asked LEFT JOIN bundles b ON b.id = a.bundle \
             WHERE r.machine = $1 AND (NOT $2 OR (r.bundle = b.digest AND r.started_ms >= a.assigned_ms)) \
             ORDER BY r.id DESC LIMIT 1",
        ));
        let row: Option<Row> = row.bind(machine).bind(current).fetch_optional(&self.reader).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// The run that `wanted` names: its number in the database, and its machine's.
    pub(crate) async fn find_run(&self, wanted: &str) -> Result<(i64, i64)> {
        let missing =
            || StoreError::NotFound { what: "run", wanted: wanted.to_owned(), near: Vec::new() };
        if !is_hex_prefix(wanted) {
            return Err(missing());
        }
        // Not LIKE, for which the index is of no use: no identifier has a `g`.
        let rows = sqlx::query_as(
            "SELECT id, machine, run FROM runs WHERE run >= $1 AND run < $1 || 'g' LIMIT 5",
        );
        let rows: Vec<(i64, i64, String)> = rows.bind(wanted).fetch_all(&self.reader).await?;
        let found = only("run", wanted, rows, |(_, _, run)| run.clone())?;
        found.map(|(id, machine, _)| (id, machine)).ok_or_else(missing)
    }

    async fn run_row(&self, id: i64) -> Result<Row> {
        Ok(sqlx::query_as(select("WHERE r.id = $1")).bind(id).fetch_one(&self.reader).await?)
    }

    /// One run with its phases and reports.
    pub(crate) async fn run(&self, id: i64) -> Result<api::RunDetails> {
        let row = self.run_row(id).await?;
        let phases = self.phases(&row).await?;
        let reports = sqlx::query_as("SELECT key, value FROM reports WHERE run = $1").bind(id);
        let reports: Vec<(String, String)> = reports.fetch_all(&self.reader).await?;
        let lines =
            sqlx::query_scalar("SELECT COUNT(*) FROM events WHERE run = $1 AND kind = 'line'")
                .bind(id);
        let lines = lines.fetch_one(&self.reader).await?;
        let boot = sqlx::query_scalar("SELECT boot FROM boots WHERE id = $1").bind(row.boot);
        let boot = boot.fetch_one(&self.reader).await?;
        let reports = BTreeMap::from_iter(reports);
        Ok(api::RunDetails { run: row.try_into()?, boot, phases, reports, lines })
    }

    /// The phases from the run before on this power-on to the run after; each lasts until the next begins.
    async fn phases(&self, row: &Row) -> Result<Vec<Phase>> {
        let before = sqlx::query_scalar(
            "SELECT COALESCE(MAX(COALESCE(last_number, first_number)), 0) FROM runs WHERE boot = $1 AND first_number < $2",
        );
        let before: i64 =
            before.bind(row.boot).bind(row.first_number).fetch_one(&self.reader).await?;
        let after = sqlx::query_scalar(
            "SELECT MIN(first_number) FROM runs WHERE boot = $1 AND first_number > $2",
        );
        let after: Option<i64> =
            after.bind(row.boot).bind(row.first_number).fetch_one(&self.reader).await?;
        let rows = sqlx::query_as(
            "SELECT number, at_ms, body FROM events WHERE boot = $1 AND kind = 'phase' AND number > $2 \
             AND number < $3 ORDER BY number LIMIT 1000",
        );
        let rows = rows.bind(row.boot).bind(before).bind(after.unwrap_or(i64::MAX));
        let rows: Vec<(i64, i64, String)> = rows.fetch_all(&self.reader).await?;
        let last = row.last_number.unwrap_or(row.first_number);
        let mut phases: Vec<Phase> = Vec::with_capacity(rows.len());
        for (number, at_ms, body) in rows {
            if let Some(previous) = phases.last_mut() {
                previous.duration_ms = Some(at_ms - previous.at_ms);
            }
            let Ok(xenoboot_wire::event::What::Phase { name }) = serde_json::from_str(&body) else {
                return Err(StoreError::Corrupt("an event"));
            };
            // What follows the run's end up to its waiting belongs to it, and the way to the next run does not.
            let waits = number > last && name == "wait";
            phases.push(Phase { name, at_ms, duration_ms: None });
            if waits {
                break;
            }
        }
        Ok(phases)
    }

    /// A part of a run's log, and the run as it is at that time.
    pub(crate) async fn log(&self, page: LogPage) -> Result<api::Log> {
        // The run first: when it has ended by now, its events are all there.
        let run = self.run_row(page.run).await?.try_into()?;
        let rows = sqlx::query_as(
            "SELECT number, at_ms, received_ms, body FROM events WHERE run = $1 AND number > $2 \
             ORDER BY number LIMIT $3",
        );
        let rows: Vec<(i64, i64, i64, String)> =
            rows.bind(page.run).bind(page.after).bind(PAGE).fetch_all(&self.reader).await?;
        Ok(api::Log { events: rows.into_iter().map(event).collect::<Result<_>>()?, run })
    }

    /// After which event the last `count` ones of a run come; zero when there are no more.
    pub(crate) async fn log_tail(&self, run: i64, count: i64) -> Result<i64> {
        let after = sqlx::query_scalar(
            "SELECT number FROM events WHERE run = $1 ORDER BY number DESC LIMIT 1 OFFSET $2",
        );
        let after = after.bind(run).bind(count).fetch_optional(&self.reader).await?;
        Ok(after.unwrap_or_default())
    }
}
