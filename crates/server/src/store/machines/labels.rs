//! Labels of machines, by which assignments find them.

use super::Tx;
use crate::{
    api,
    store::{
        Result, Store,
        assignments::{By, refresh},
        audit,
    },
};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// Sets and takes away labels.
pub(super) async fn relabel_in(tx: &mut Tx, machine: i64, labels: &api::Labels) -> Result<()> {
    for key in &labels.remove {
        let remove = sqlx::query("DELETE FROM machine_labels WHERE machine = $1 AND key = $2");
        remove.bind(machine).bind(key).execute(&mut **tx).await?;
    }
    for (key, value) in &labels.set {
        let set = sqlx::query(
            "INSERT INTO machine_labels (machine, key, value) VALUES ($1, $2, $3) \
             ON CONFLICT (machine, key) DO UPDATE SET value = excluded.value",
        );
        set.bind(machine).bind(key).bind(value).execute(&mut **tx).await?;
    }
    Ok(())
}

impl Store {
    /// Sets and takes away labels of a machine; returns its number and the machines whose order changed.
    pub(crate) async fn relabel(
        &self,
        wanted: &str,
        labels: &api::Labels,
    ) -> Result<(i64, Vec<i64>)> {
        let id = self.find_machine(wanted).await?;
        let mut tx = self.begin().await?;
        relabel_in(&mut tx, id, labels).await?;
        let changed = refresh(&mut tx, By::Operator, Some(id)).await?;
        audit::note_of(&mut tx, id, "machine.label", json!(labels)).await?;
        tx.commit().await?;
        Ok((id, changed))
    }

    /// Labels of one machine or of all, by machine.
    pub(in crate::store) async fn labels(
        &self,
        only: Option<i64>,
    ) -> Result<HashMap<i64, BTreeMap<String, String>>> {
        let rows = sqlx::query_as(
            "SELECT machine, key, value FROM machine_labels WHERE machine = $1 OR $1 = 0",
        );
        let rows: Vec<(i64, String, String)> =
            rows.bind(only.unwrap_or_default()).fetch_all(&self.reader).await?;
        let mut labels: HashMap<i64, BTreeMap<String, String>> = HashMap::new();
        for (machine, key, value) in rows {
            labels.entry(machine).or_default().insert(key, value);
        }
        Ok(labels)
    }

    /// Flags of one machine or of all, by machine.
    pub(in crate::store) async fn flags(
        &self,
        only: Option<i64>,
    ) -> Result<HashMap<i64, Vec<api::Flag>>> {
        let rows = sqlx::query_as(
            "SELECT machine, kind, reason, since_ms FROM flags WHERE machine = $1 OR $1 = 0 ORDER BY since_ms",
        );
        let rows: Vec<(i64, String, String, i64)> =
            rows.bind(only.unwrap_or_default()).fetch_all(&self.reader).await?;
        let mut flags: HashMap<i64, Vec<api::Flag>> = HashMap::new();
        for (machine, kind, reason, since_ms) in rows {
            flags.entry(machine).or_default().push(api::Flag { kind, reason, since_ms });
        }
        Ok(flags)
    }
}
