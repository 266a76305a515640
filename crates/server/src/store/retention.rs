//! How long logs and runs are kept: so long, and so much.

use super::{Result, Store, audit};
use crate::time::now_ms;
use serde_json::json;

/// So many power-ons are looked at in one transaction: others must write in between.
const AT_ONCE: i64 = 50;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) events: u64,
    pub(crate) runs: u64,
    pub(crate) boots: u64,
}

impl Store {
    /// Removes what is older than the policy says, and then the oldest until the rest is small enough. What runs, and
    /// the power-on that a machine is in, stay.
    pub(crate) async fn tidy(&self) -> Result<Removed> {
        let policy = self.stored_policy().await?;
        let mut removed = Removed::default();
        if policy.keep_days > 0 {
            let before = now_ms() - i64::from(policy.keep_days) * 86_400_000;
            self.remove_old(before, &mut removed).await?;
        }
        if policy.keep_mb > 0 {
            self.remove_much(i64::from(policy.keep_mb) << 20, &mut removed).await?;
        }
        if removed != Removed::default() {
            let mut tx = self.begin().await?;
            let Removed { events, runs, boots } = removed;
            let detail = json!({ "events": events, "runs": runs, "boots": boots });
            audit::note(&mut tx, "logs.tidy", "", detail).await?;
            tx.commit().await?;
        }
        Ok(removed)
    }

    async fn remove_old(&self, before: i64, removed: &mut Removed) -> Result<()> {
        let mut last = 0;
        loop {
            let boots = sqlx::query_scalar(
                "SELECT id FROM boots WHERE first_ms < $1 AND id > $2 ORDER BY id LIMIT $3",
            );
            let boots: Vec<i64> =
                boots.bind(before).bind(last).bind(AT_ONCE).fetch_all(&self.reader).await?;
            let Some(highest) = boots.last() else { return Ok(()) };
            last = *highest;
            let mut tx = self.begin().await?;
            for boot in boots {
                let events = sqlx::query(
                    "DELETE FROM events WHERE boot = $1 AND received_ms < $2 AND (run IS NULL OR NOT EXISTS \
                     (SELECT 1 FROM runs r WHERE r.id = events.run AND (r.ended_ms IS NULL OR r.ended_ms >= $2)))",
                );
                let events =
                    events.bind(boot).bind(before).execute(&mut *tx).await?.rows_affected();
                let runs = sqlx::query("DELETE FROM runs WHERE boot = $1 AND ended_ms < $2");
                removed.runs +=
                    runs.bind(boot).bind(before).execute(&mut *tx).await?.rows_affected();
                removed.events += events;
                if events > 0 {
                    let bytes = sqlx::query(
                        "UPDATE boots SET bytes = (SELECT COALESCE(SUM(LENGTH(e.body)), 0) FROM events e \
                         WHERE e.boot = boots.id) WHERE id = $1",
                    );
                    bytes.bind(boot).execute(&mut *tx).await?;
                }
                let whole = sqlx::query(
                    "DELETE FROM boots WHERE id = $1 AND last_ms < $2 \
                     AND NOT EXISTS (SELECT 1 FROM events e WHERE e.boot = $1) \
                     AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.boot = $1) \
                     AND NOT EXISTS (SELECT 1 FROM machines m WHERE m.boot = $1)",
                );
                removed.boots +=
                    whole.bind(boot).bind(before).execute(&mut *tx).await?.rows_affected();
            }
            tx.commit().await?;
        }
    }

    async fn remove_much(&self, most: i64, removed: &mut Removed) -> Result<()> {
        loop {
            let all =
                sqlx::query_scalar("SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM boots");
            let mut all: i64 = all.fetch_one(&self.reader).await?;
            if all <= most {
                return Ok(());
            }
            let oldest = sqlx::query_as(
                "SELECT id, bytes FROM boots WHERE NOT EXISTS (SELECT 1 FROM machines m WHERE m.boot = boots.id) \
                 ORDER BY last_ms, id LIMIT $1",
            );
            let oldest: Vec<(i64, i64)> = oldest.bind(AT_ONCE).fetch_all(&self.reader).await?;
            if oldest.is_empty() {
                tracing::warn!(
                    bytes = all,
                    most,
                    "logs of machines at work alone are more than is to be kept"
                );
                return Ok(());
            }
            let mut tx = self.begin().await?;
            for (boot, bytes) in oldest {
                if all <= most {
                    break;
                }
                let count = sqlx::query_as(
                    "SELECT (SELECT COUNT(*) FROM events WHERE boot = $1), (SELECT COUNT(*) FROM runs WHERE boot = $1)",
                );
                let (events, runs): (i64, i64) = count.bind(boot).fetch_one(&mut *tx).await?;
                sqlx::query("DELETE FROM boots WHERE id = $1").bind(boot).execute(&mut *tx).await?;
                removed.events += events.unsigned_abs();
                removed.runs += runs.unsigned_abs();
                removed.boots += 1;
                all -= bytes;
            }
            tx.commit().await?;
        }
    }
}
