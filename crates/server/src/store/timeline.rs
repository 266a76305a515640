//! A machine's power-ons, with what it did in each.

use super::{Result, Store, StoreError, runs::select};
use crate::api::{self, LogEvent, Phase};
use xenoboot_wire::event::What;

/// How many power-ons are told of.
const BOOTS: i64 = 8;
/// How many phases of each, the latest.
const PHASES: i64 = 60;
/// How many runs of each, the latest.
const RUNS: i64 = 12;
/// Most events in a part of a log.
const EVENTS: i64 = 1000;

/// A power-on.
pub(crate) struct PowerOn {
    /// Its number in the database.
    pub(crate) id: i64,
    /// When it was heard of first, and last, milliseconds since 1970.
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// Up to which event it is stored.
    pub(crate) through: i64,
    /// Its phases in order; each lasts until the next begins.
    pub(crate) phases: Vec<Phase>,
    /// Whether earlier phases were left out.
    pub(crate) cut: bool,
    /// Its runs, the latest first.
    pub(crate) runs: Vec<api::Run>,
}

impl Store {
    /// A machine's power-ons, the latest first.
    pub(crate) async fn power_ons(&self, machine: i64) -> Result<Vec<PowerOn>> {
        let rows = sqlx::query_as(
            "SELECT id, first_ms, last_ms, through FROM boots WHERE machine = $1 ORDER BY id DESC LIMIT $2",
        );
        let rows: Vec<(i64, i64, i64, i64)> =
            rows.bind(machine).bind(BOOTS).fetch_all(&self.reader).await?;
        let mut found = Vec::with_capacity(rows.len());
        for (id, first_ms, last_ms, through) in rows {
            let phases = self.phases_of(id).await?;
            let cut = phases.len() as i64 >= PHASES;
            let runs = sqlx::query_as(select("WHERE r.boot = $1 ORDER BY r.id DESC LIMIT $2"));
            let runs: Vec<super::runs::Row> =
                runs.bind(id).bind(RUNS).fetch_all(&self.reader).await?;
            let runs = runs.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
            found.push(PowerOn { id, first_ms, last_ms, through, phases, cut, runs });
        }
        Ok(found)
    }

    async fn phases_of(&self, boot: i64) -> Result<Vec<Phase>> {
        let rows = sqlx::query_as(
            "SELECT at_ms, body FROM events WHERE boot = $1 AND kind = 'phase' ORDER BY number DESC LIMIT $2",
        );
        let rows: Vec<(i64, String)> = rows.bind(boot).bind(PHASES).fetch_all(&self.reader).await?;
        let mut phases: Vec<Phase> = Vec::with_capacity(rows.len());
        for (at_ms, body) in rows.into_iter().rev() {
            let Ok(What::Phase { name }) = serde_json::from_str(&body) else {
                return Err(StoreError::Corrupt("an event"));
            };
            if let Some(before) = phases.last_mut() {
                before.duration_ms = Some(at_ms - before.at_ms);
            }
            phases.push(Phase { name, at_ms, duration_ms: None });
        }
        Ok(phases)
    }

    /// What a machine said in a power-on of its, after the event `after`.
    pub(crate) async fn boot_log(
        &self,
        machine: i64,
        boot: i64,
        after: i64,
    ) -> Result<Vec<LogEvent>> {
        let rows = sqlx::query_as(
            "SELECT e.number, e.at_ms, e.received_ms, e.body FROM events e JOIN boots b ON b.id = e.boot \
             WHERE e.boot = $1 AND b.machine = $2 AND e.number > $3 ORDER BY e.number LIMIT $4",
        );
        let rows = rows.bind(boot).bind(machine).bind(after).bind(EVENTS);
        let rows = rows.fetch_all(&self.reader).await?;
        rows.into_iter().map(super::runs::event).collect()
    }
}
