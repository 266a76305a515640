//! What is done about machines that fail: they try again, and those that fail again and again in the same place go
//! to `rescue`, where an operator finds them.

use super::{
    Result, Store, Tx,
    assignments::{By, New, refresh},
    audit, policy,
};
use crate::{api::Desired, time::now_ms};
use serde_json::json;

/// Longest time before a machine is told to try again, milliseconds.
const LONGEST_MS: i64 = 3_600_000;

/// Notes something that an operator should look at.
pub(super) async fn flag(tx: &mut Tx, machine: i64, kind: &str, reason: &str) -> Result<()> {
    let note = sqlx::query(
        "INSERT INTO flags (machine, kind, reason, since_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (machine, kind) DO UPDATE SET reason = excluded.reason",
    );
    note.bind(machine).bind(kind).bind(reason).bind(now_ms()).execute(&mut **tx).await?;
    Ok(())
}

/// Ends what is done because a machine failed, and takes its flags away, but for that of a key in two places, which
/// another assignment does not mend; whether there were any.
pub(super) async fn lift(tx: &mut Tx, machine: i64) -> Result<bool> {
    let rescue = sqlx::query("DELETE FROM assignments WHERE scope = 'rescue' AND machine = $1");
    let rescue = rescue.bind(machine).execute(&mut **tx).await?.rows_affected();
    let flags = sqlx::query("DELETE FROM flags WHERE machine = $1 AND kind <> 'cloned'");
    let flags = flags.bind(machine);
    let flags = flags.execute(&mut **tx).await?.rows_affected();
    let anew = sqlx::query(
        "UPDATE machines SET failures = 0, place = NULL, retry_ms = NULL WHERE id = $1",
    );
    anew.bind(machine).execute(&mut **tx).await?;
    Ok(rescue + flags > 0)
}

/// A run of what the machine is assigned has failed; `place`: where. Whether its order changed by that.
pub(super) async fn failed(
    tx: &mut Tx,
    machine: i64,
    assignment: Option<i64>,
    place: &str,
) -> Result<bool> {
    let policy = policy::load(tx).await?;
    let count = sqlx::query_scalar(
        "UPDATE machines SET failures = CASE WHEN place = $3 THEN failures + 1 ELSE 1 END, place = $3 \
         WHERE id = $1 AND assignment = $2 \
         AND NOT EXISTS (SELECT 1 FROM assignments WHERE id = $2 AND scope = 'rescue') RETURNING failures",
    );
    let count = count.bind(machine).bind(assignment).bind(place);
    let count: Option<i64> = count.fetch_optional(&mut **tx).await?;
    // Something that is not assigned any more, or what a machine in rescue runs.
    let Some(count) = count else { return Ok(false) };
    if policy.failures > 0 && count >= i64::from(policy.failures) {
        return rescue(tx, machine, &policy, &format!("failed {count} times: {place}")).await;
    }
    if policy.retry_s > 0 {
        let doubled = 1i64 << (count - 1).clamp(0, 20);
        let delay = (i64::from(policy.retry_s) * 1000).saturating_mul(doubled).min(LONGEST_MS);
        let retry = sqlx::query("UPDATE machines SET retry_ms = $2 WHERE id = $1");
        retry.bind(machine).bind(now_ms() + delay).execute(&mut **tx).await?;
    }
    Ok(false)
}

async fn rescue(tx: &mut Tx, machine: i64, policy: &policy::Stored, reason: &str) -> Result<bool> {
    let new = New::of("rescue", Desired::Rescue, policy.rescue);
    New { machine: Some(machine), reason: Some(reason), ..new }.replace(tx).await?;
    flag(tx, machine, "rescue", reason).await?;
    audit::note_of(tx, machine, "machine.rescue", json!({ "reason": reason })).await?;
    Ok(!refresh(tx, By::Itself, Some(machine)).await?.is_empty())
}

impl Store {
    /// Ends what is done because a machine failed, and takes its flags away; its number and the machines whose
    /// order changed.
    pub(crate) async fn clear(&self, wanted: &str) -> Result<(i64, Vec<i64>)> {
        let id = self.find_machine(wanted).await?;
        let mut tx = self.begin().await?;
        lift(&mut tx, id).await?;
        let rest = sqlx::query("DELETE FROM flags WHERE machine = $1").bind(id);
        rest.execute(&mut *tx).await?;
        let changed = refresh(&mut tx, By::Operator, Some(id)).await?;
        audit::note_of(&mut tx, id, "machine.clear", json!({})).await?;
        tx.commit().await?;
        Ok((id, changed))
    }

    /// Tells machines whose script failed and that wait to try again, when it is time; returns them.
    pub(crate) async fn retry(&self) -> Result<Vec<i64>> {
        let due = "WHERE retry_ms <= $1 AND phase = 'wait' AND state = 'approved'";
        let any = format!("SELECT id FROM machines {due} LIMIT 1");
        let any = sqlx::query_scalar(sqlx::AssertSqlSafe(any)).bind(now_ms());
        let any: Option<i64> = any.fetch_optional(&self.reader).await?;
        if any.is_none() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let again = format!(
            "UPDATE machines SET generation = generation + 1, retry_ms = NULL {due} RETURNING id"
        );
        let again = sqlx::query_scalar(sqlx::AssertSqlSafe(again)).bind(now_ms());
        let again = again.fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(again)
    }
}
