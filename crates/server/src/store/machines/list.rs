//! Machines as operators see them.

use super::{Result, Store, StoreError, state};
use crate::{
    api::{self, Assigned, Target},
    hub::Hub,
};
use sqlx::FromRow;
use std::collections::HashMap;

#[derive(FromRow)]
struct Row {
    id: i64,
    key: Option<String>,
    fingerprint: String,
    name: Option<String>,
    suggested_name: Option<String>,
    state: String,
    generation: i64,
    seen_ms: Option<i64>,
    address: Option<String>,
    image: Option<String>,
    inventory: Option<String>,
    failure: Option<String>,
    failure_ms: Option<i64>,
    scope: Option<String>,
    group_name: Option<String>,
    assigned_ms: Option<i64>,
    digest: Option<String>,
    bundle_name: Option<String>,
    serial: Option<i64>,
}

impl Row {
    fn assigned(&self) -> Option<Assigned> {
        let by = match self.scope.as_deref()? {
            "machine" => Target::Machine(self.name.clone()?),
            "group" => Target::Group(self.group_name.clone()?),
            _ => Target::Default,
        };
        Some(Assigned {
            bundle: self.digest.clone()?,
            name: self.bundle_name.clone()?,
            serial: self.serial?,
            by,
            assigned_ms: self.assigned_ms?,
        })
    }

    fn failure(&self) -> Option<api::Failure> {
        let (code, cause) = self.failure.as_deref()?.split_once(' ')?;
        Some(api::Failure {
            code: code.to_owned(),
            cause: cause.to_owned(),
            at_ms: self.failure_ms?,
        })
    }
}

fn json(text: Option<&String>) -> Option<serde_json::Value> {
    text.and_then(|text| serde_json::from_str(text).ok())
}

impl Store {
    /// All machines, or one of them: pending ones first, then by name.
    pub(crate) async fn machines(
        &self,
        only: Option<i64>,
        hub: &Hub,
    ) -> Result<Vec<api::MachineDetails>> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT m.*, a.scope, a.group_name, a.assigned_ms, b.digest, b.name AS bundle_name, b.serial \
             FROM machines m LEFT JOIN assignments a ON a.id = m.assignment LEFT JOIN bundles b ON b.id = a.bundle \
             WHERE m.id = $1 OR $1 = 0 \
             ORDER BY CASE m.state WHEN 'pending' THEN 0 WHEN 'approved' THEN 1 ELSE 2 END, m.name, m.id",
        )
        .bind(only.unwrap_or_default())
        .fetch_all(&self.reader)
        .await?;
        let (mut groups, mut runs) = (self.groups(only).await?, self.last_runs(only).await?);
        rows.into_iter()
            .map(|row| {
                let machine = shown(&row, groups.remove(&row.id), runs.remove(&row.id), hub)?;
                Ok(api::MachineDetails { machine, inventory: json(row.inventory.as_ref()) })
            })
            .collect()
    }

    /// One machine.
    pub(crate) async fn machine(&self, id: i64, hub: &Hub) -> Result<api::MachineDetails> {
        self.machines(Some(id), hub)
            .await?
            .pop()
            .ok_or(StoreError::Corrupt("a machine that is gone"))
    }

    async fn groups(&self, only: Option<i64>) -> Result<HashMap<i64, Vec<String>>> {
        let rows = sqlx::query_as(
            "SELECT machine, name FROM machine_groups WHERE machine = $1 OR $1 = 0 ORDER BY machine, name",
        );
        let rows: Vec<(i64, String)> =
            rows.bind(only.unwrap_or_default()).fetch_all(&self.reader).await?;
        let mut groups: HashMap<i64, Vec<String>> = HashMap::new();
        for (machine, name) in rows {
            groups.entry(machine).or_default().push(name);
        }
        Ok(groups)
    }
}

fn shown(
    row: &Row,
    groups: Option<Vec<String>>,
    last_run: Option<api::Run>,
    hub: &Hub,
) -> Result<api::Machine> {
    Ok(api::Machine {
        name: row.name.clone(),
        suggested_name: row.suggested_name.clone(),
        fingerprint: row.fingerprint.clone(),
        state: state(&row.state)?,
        online: row
            .key
            .as_ref()
            .and_then(|key| key.parse().ok())
            .is_some_and(|key| hub.online(&key)),
        key: row.key.clone(),
        seen_ms: hub.seen(row.id).or(row.seen_ms),
        address: row.address.clone(),
        groups: groups.unwrap_or_default(),
        generation: row.generation,
        assigned: row.assigned(),
        last_run,
        image: json(row.image.as_ref()),
        failure: row.failure(),
    })
}
