//! Machines as operators see them.

use super::{
    Result, Store, StoreError,
    observed::{Context, observed},
    state,
};
use crate::{
    api::{self, Assigned, Target},
    hub::Hub,
    store::{assignments::ONCE, ends::desired, runs::LastRun},
    time::now_ms,
};
use sqlx::{AssertSqlSafe, FromRow};
use std::collections::{BTreeMap, HashMap};

#[derive(FromRow)]
pub(super) struct Row {
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
    boot: Option<i64>,
    /// When that power-on was heard of first.
    pub(super) boot_ms: Option<i64>,
    pub(super) phase: Option<String>,
    pub(super) phase_ms: Option<i64>,
    pub(super) booted_ms: Option<i64>,
    pub(super) confirm_ms: Option<i64>,
    scope: Option<String>,
    group_name: Option<String>,
    selector: Option<String>,
    desired: Option<String>,
    once: i64,
    confirm_s: Option<i64>,
    reason: Option<String>,
    assigned_ms: Option<i64>,
    digest: Option<String>,
    bundle_name: Option<String>,
    serial: Option<i64>,
}

impl Row {
    fn assigned(&self) -> Result<Option<Assigned>> {
        let (Some(scope), Some(state), Some(assigned_ms)) =
            (&self.scope, &self.desired, self.assigned_ms)
        else {
            return Ok(None);
        };
        let by = match (scope.as_str(), &self.group_name, &self.selector) {
            ("machine" | "rescue", ..) => Target::Machine(self.name.clone().unwrap_or_default()),
            (_, Some(group), _) => Target::Group(group.clone()),
            (_, _, Some(selector)) => Target::Labels(selector.clone()),
            _ => Target::Default,
        };
        Ok(Some(Assigned {
            state: desired(state)?,
            bundle: self.digest.clone(),
            name: self.bundle_name.clone(),
            serial: self.serial,
            by,
            once: self.once != 0,
            confirm_within_s: self.confirm_s,
            reason: self.reason.clone(),
            assigned_ms,
        }))
    }

    pub(super) fn failure(&self) -> Option<api::Failure> {
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
        let sql = format!(
            "SELECT m.*, a.scope, a.group_name, a.selector, a.state AS desired, {ONCE}, a.confirm_s, a.reason, a.assigned_ms, \
             b.digest, b.name AS bundle_name, b.serial, p.first_ms AS boot_ms \
             FROM machines m LEFT JOIN assignments a ON a.id = m.assignment LEFT JOIN bundles b ON b.id = a.bundle \
             LEFT JOIN boots p ON p.id = m.boot \
             WHERE m.id = $1 OR $1 = 0 \
             ORDER BY CASE m.state WHEN 'pending' THEN 0 WHEN 'approved' THEN 1 ELSE 2 END, m.name NULLS FIRST, m.id",
        );
        let rows = sqlx::query_as(AssertSqlSafe(sql)).bind(only.unwrap_or_default());
        let rows: Vec<Row> = rows.fetch_all(&self.reader).await?;
        let mut about = About {
            groups: self.groups(only).await?,
            labels: self.labels(only).await?,
            flags: self.flags(only).await?,
            runs: self.last_runs(only).await?,
            silent_ms: i64::from(self.stored_policy().await?.silent_s) * 1000,
            now_ms: now_ms(),
        };
        let shown = |row: Row| {
            let inventory = json(row.inventory.as_ref());
            Ok(api::MachineDetails { machine: shown(row, &mut about, hub)?, inventory })
        };
        rows.into_iter().map(shown).collect()
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

/// What is kept of machines elsewhere than in their rows.
struct About {
    groups: HashMap<i64, Vec<String>>,
    labels: HashMap<i64, BTreeMap<String, String>>,
    flags: HashMap<i64, Vec<api::Flag>>,
    runs: HashMap<i64, LastRun>,
    silent_ms: i64,
    now_ms: i64,
}

fn shown(row: Row, about: &mut About, hub: &Hub) -> Result<api::Machine> {
    let last = about.runs.remove(&row.id);
    let key = row.key.as_ref().and_then(|key| key.parse().ok());
    let online = key.is_some_and(|key| hub.online(&key));
    let seen_ms = hub.seen(row.id).max(row.seen_ms);
    let observed = observed(
        &row,
        &Context {
            online,
            seen_ms,
            run: last.as_ref().filter(|last| Some(last.boot) == row.boot).map(|last| &last.run),
            now_ms: about.now_ms,
            silent_ms: about.silent_ms,
        },
    );
    Ok(api::Machine {
        state: state(&row.state)?,
        online,
        seen_ms,
        groups: about.groups.remove(&row.id).unwrap_or_default(),
        labels: about.labels.remove(&row.id).unwrap_or_default(),
        flags: about.flags.remove(&row.id).unwrap_or_default(),
        assigned: row.assigned()?,
        observed,
        last_run: last.map(|last| last.run),
        image: json(row.image.as_ref()),
        failure: row.failure(),
        name: row.name,
        suggested_name: row.suggested_name,
        fingerprint: row.fingerprint,
        key: row.key,
        address: row.address,
        generation: row.generation,
    })
}
