//! How machines are switched, and which of them have to be.

use super::{Result, Store, StoreError, Tx, audit, failing::flag};
use crate::{api::Power, time::now_ms};
use serde_json::json;

/// What is kept of a machine's settings.
pub(crate) struct Kept<'a> {
    pub(crate) driver: &'a str,
    pub(crate) address: &'a str,
    pub(crate) sealed: &'a str,
    pub(crate) attempts: u32,
    pub(crate) wait_s: u32,
}

/// A machine was heard of again: nothing needs to be done.
pub(super) async fn came_back(tx: &mut Tx, machine: i64) -> Result<()> {
    let back = sqlx::query("UPDATE power SET due_ms = NULL, cycles = 0 WHERE machine = $1");
    back.bind(machine).execute(&mut **tx).await?;
    Ok(())
}

/// A machine promised to come back, and did not: it is switched off and on, if it can be.
pub(super) async fn missing(tx: &mut Tx, machine: i64) -> Result<()> {
    let due =
        sqlx::query("UPDATE power SET due_ms = $2, cycles = 0 WHERE machine = $1 AND attempts > 0");
    due.bind(machine).bind(now_ms()).execute(&mut **tx).await?;
    Ok(())
}

fn none(wanted: String) -> StoreError {
    StoreError::NotFound { what: "power driver for", wanted, near: Vec::new() }
}

impl Store {
    /// Keeps how a machine is switched.
    pub(crate) async fn set_power(&self, machine: i64, kept: &Kept<'_>) -> Result<()> {
        let mut tx = self.begin().await?;
        let set = sqlx::query(
            "INSERT INTO power (machine, driver, address, sealed, attempts, wait_s) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (machine) DO UPDATE SET driver = excluded.driver, address = excluded.address, \
             sealed = excluded.sealed, attempts = excluded.attempts, wait_s = excluded.wait_s, cycles = 0, due_ms = NULL",
        );
        let set = set.bind(machine).bind(kept.driver).bind(kept.address).bind(kept.sealed);
        let (attempts, wait_s) = (i64::from(kept.attempts), i64::from(kept.wait_s));
        set.bind(attempts).bind(wait_s).execute(&mut *tx).await?;
        let detail = json!({ "driver": kept.driver, "address": kept.address });
        audit::note_of(&mut tx, machine, "power.set", detail).await?;
        Ok(tx.commit().await?)
    }

    /// Forgets how a machine is switched.
    pub(crate) async fn forget_power(&self, machine: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM power WHERE machine = $1").bind(machine);
        if gone.execute(&mut *tx).await?.rows_affected() == 0 {
            return Err(none(self.power_name(machine).await?));
        }
        audit::note_of(&mut tx, machine, "power.forget", json!({})).await?;
        Ok(tx.commit().await?)
    }

    async fn power_name(&self, machine: i64) -> Result<String> {
        let name =
            sqlx::query_scalar("SELECT COALESCE(name, fingerprint) FROM machines WHERE id = $1");
        Ok(name.bind(machine).fetch_one(&self.reader).await?)
    }

    /// How a machine is switched, without secrets.
    pub(crate) async fn power(&self, machine: i64) -> Result<Power> {
        let row = sqlx::query_as(
            "SELECT driver, address, attempts, wait_s, cycles FROM power WHERE machine = $1",
        );
        let row: Option<(String, String, i64, i64, i64)> =
            row.bind(machine).fetch_optional(&self.reader).await?;
        let Some((driver, address, attempts, wait_s, cycles)) = row else {
            return Err(none(self.power_name(machine).await?));
        };
        Ok(Power { driver, address, attempts, wait_s, cycles })
    }

    /// A machine's name, and the settings as they are kept.
    pub(crate) async fn power_sealed(&self, machine: i64) -> Result<(String, String)> {
        let name = self.power_name(machine).await?;
        let sealed = sqlx::query_scalar("SELECT sealed FROM power WHERE machine = $1");
        let sealed: Option<String> = sealed.bind(machine).fetch_optional(&self.reader).await?;
        match sealed {
            Some(sealed) => Ok((name, sealed)),
            None => Err(none(name)),
        }
    }

    /// Notes that a machine is about to be switched.
    pub(crate) async fn note_power(&self, machine: i64, act: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        audit::note_of(&mut tx, machine, "power.switch", json!({ "act": act })).await?;
        Ok(tx.commit().await?)
    }

    /// Machines that must be switched off and on now. Each is counted; one for which that was in vain often enough is
    /// flagged instead.
    pub(crate) async fn power_due(&self) -> Result<Vec<i64>> {
        let due = sqlx::query_scalar("SELECT machine FROM power WHERE due_ms <= $1");
        let due: Vec<i64> = due.bind(now_ms()).fetch_all(&self.reader).await?;
        let mut machines = Vec::new();
        for machine in due {
            let mut tx = self.begin().await?;
            // It may have come back meanwhile.
            let row = sqlx::query_as(
                "UPDATE power SET cycles = cycles + 1, due_ms = $2 + wait_s * 1000 \
                 WHERE machine = $1 AND due_ms <= $2 RETURNING cycles, attempts",
            );
            let row: Option<(i64, i64)> =
                row.bind(machine).bind(now_ms()).fetch_optional(&mut *tx).await?;
            match row {
                None => {}
                Some((cycles, attempts)) if cycles > attempts => {
                    let enough = sqlx::query(
                        "UPDATE power SET due_ms = NULL, cycles = $2 WHERE machine = $1",
                    );
                    enough.bind(machine).bind(attempts).execute(&mut *tx).await?;
                    let why = format!(
                        "it was switched off and on {attempts} times, and did not come back"
                    );
                    flag(&mut tx, machine, "power", &why).await?;
                    audit::note_of(&mut tx, machine, "power.give-up", json!({})).await?;
                }
                Some((cycles, _)) => {
                    let detail = json!({ "act": "cycle", "attempt": cycles });
                    audit::note_of(&mut tx, machine, "power.switch", detail).await?;
                    machines.push(machine);
                }
            }
            tx.commit().await?;
        }
        Ok(machines)
    }
}
