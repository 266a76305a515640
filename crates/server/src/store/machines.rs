//! Machines: how they become known, what state they are in, what they are called.

mod enrolment;
mod labels;
mod list;
mod names;
mod observed;

use super::{
    Result, Store, StoreError, Tx,
    assignments::{By, refresh},
    audit, ends, failing, power,
};
use crate::{api, time::now_ms};
pub(crate) use enrolment::Expected;
pub(crate) use names::fingerprint_prefix;
use names::{available, suggested};
use serde_json::json;
use sqlx::FromRow;
use xenoboot_wire::{Digest, MachineKey, boot::BootRequest};

/// Most machines that wait for approval; for one more, the one that was not heard of for longest is dropped.
const MAX_PENDING: i64 = 1000;

/// Where a machine stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its number in the database.
    pub(crate) id: i64,
    /// Its state.
    pub(crate) state: api::State,
    /// Its generation.
    pub(crate) generation: u64,
    /// The bundle that it is assigned.
    pub(crate) bundle: Option<Digest>,
}

/// A machine that asks what to do.
pub(crate) struct Boot {
    /// Its key.
    pub(crate) key: MachineKey,
    /// What it says, within bounds.
    pub(crate) request: BootRequest,
    /// From where.
    pub(crate) address: String,
}

#[derive(FromRow)]
struct StandingRow {
    id: i64,
    state: String,
    generation: i64,
    digest: Option<String>,
}

impl TryFrom<StandingRow> for Standing {
    type Error = StoreError;
    fn try_from(row: StandingRow) -> Result<Self> {
        let bundle = row.digest.map(|digest| digest.parse()).transpose();
        Ok(Self {
            id: row.id,
            state: state(&row.state)?,
            generation: row.generation.unsigned_abs(),
            bundle: bundle.map_err(|_| StoreError::Corrupt("a bundle's digest"))?,
        })
    }
}

fn state(text: &str) -> Result<api::State> {
    match text {
        "pending" => Ok(api::State::Pending),
        "approved" => Ok(api::State::Approved),
        "refused" => Ok(api::State::Refused),
        _ => Err(StoreError::Corrupt("a machine's state")),
    }
}

const STANDING: &str = "\
    SELECT m.id, m.state, m.generation, b.digest FROM machines m \
    LEFT JOIN assignments a ON a.id = m.assignment LEFT JOIN bundles b ON b.id = a.bundle WHERE m.key = $1";

impl Store {
    /// Where the machine of `key` stands; `None` when it is not known.
    pub(crate) async fn standing(&self, key: &MachineKey) -> Result<Option<Standing>> {
        let row = sqlx::query_as::<_, StandingRow>(STANDING).bind(key.to_string());
        row.fetch_optional(&self.reader).await?.map(TryInto::try_into).transpose()
    }

    /// Notes that a machine has booted; one that is not known becomes pending, unless it was approved
    /// by its fingerprint beforehand. Returns the machines dropped for it too: pending ones,
    /// those first for which `online` is false.
    pub(crate) async fn boot(
        &self,
        boot: Boot,
        online: impl Fn(&MachineKey) -> bool + Send + Sync + 'static,
    ) -> Result<(Standing, Vec<i64>)> {
        self.together(move |tx| Box::pin(async move { note_power_on(tx, &boot, online).await }))
            .await
    }

    /// Approves a machine, or renames an approved one; returns its number.
    pub(crate) async fn approve(&self, wanted: &str, approve: &api::Approve) -> Result<i64> {
        let id = self.find_machine(wanted).await?;
        let mut tx = self.begin().await?;
        approve_in(&mut tx, id, approve).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Refuses a machine; returns its number.
    pub(crate) async fn refuse(&self, wanted: &str) -> Result<i64> {
        let id = self.find_machine(wanted).await?;
        let mut tx = self.begin().await?;
        let refuse = sqlx::query("UPDATE machines SET state = 'refused' WHERE id = $1");
        refuse.bind(id).execute(&mut *tx).await?;
        audit::note_of(&mut tx, id, "machine.refuse", json!({})).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Adds a machine to groups and removes it from others; returns its number and the machines whose order changed.
    pub(crate) async fn regroup(
        &self,
        wanted: &str,
        groups: &api::Groups,
    ) -> Result<(i64, Vec<i64>)> {
        let id = self.find_machine(wanted).await?;
        let mut tx = self.begin().await?;
        add_groups(&mut tx, id, &groups.add).await?;
        for group in &groups.remove {
            let remove = sqlx::query("DELETE FROM machine_groups WHERE machine = $1 AND name = $2");
            remove.bind(id).bind(group).execute(&mut *tx).await?;
        }
        let changed = refresh(&mut tx, By::Operator, Some(id)).await?;
        audit::note_of(&mut tx, id, "machine.group", json!(groups)).await?;
        tx.commit().await?;
        Ok((id, changed))
    }

    /// Notes when machines were heard of.
    pub(crate) async fn note_seen(&self, seen: &[(i64, i64)]) -> Result<()> {
        if seen.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for (id, at) in seen {
            let note = sqlx::query("UPDATE machines SET seen_ms = $2 WHERE id = $1");
            note.bind(id).bind(at).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }
}

async fn note_power_on(
    tx: &mut Tx,
    boot: &Boot,
    online: impl Fn(&MachineKey) -> bool,
) -> Result<(Standing, Vec<i64>)> {
    let (key, fingerprint) = (boot.key.to_string(), boot.key.fingerprint());
    enrolment::check_not_revoked(tx, &fingerprint).await?;
    let known = "UPDATE machines SET key = $1 WHERE key = $1 OR (fingerprint = $2 AND key IS NULL)";
    let known =
        sqlx::query(known).bind(&key).bind(&fingerprint).execute(&mut **tx).await?.rows_affected()
            > 0;
    let mut dropped = Vec::new();
    if !known && !enrolment::succeed(tx, &boot.key).await? {
        dropped = make_room(tx, online).await?;
        let new = "INSERT INTO machines (key, fingerprint, state, created_ms) VALUES ($1, $2, 'pending', $3)";
        sqlx::query(new).bind(&key).bind(&fingerprint).bind(now_ms()).execute(&mut **tx).await?;
    }
    note_boot(tx, boot).await?;
    if let Some(token) = &boot.request.token {
        let pending =
            sqlx::query_scalar("SELECT id FROM machines WHERE key = $1 AND state = 'pending'");
        let pending: Option<i64> = pending.bind(&key).fetch_optional(&mut **tx).await?;
        if let Some(id) = pending
            && !enrolment::accept(tx, id, token).await?
        {
            tracing::info!(machine = id, "a token that is not good was shown");
        }
    }
    let approved =
        sqlx::query_scalar("SELECT id FROM machines WHERE key = $1 AND state = 'approved'");
    let approved: Option<i64> = approved.bind(&key).fetch_optional(&mut **tx).await?;
    if let Some(id) = approved {
        begin_boot(tx, id, &boot.request.boot.to_string()).await?;
    }
    let row: StandingRow = sqlx::query_as(STANDING).bind(&key).fetch_one(&mut **tx).await?;
    Ok((row.try_into()?, dropped))
}

/// Approval counts the generation up even when nothing is assigned, so that a machine that waits hears of it.
async fn approve_in(tx: &mut Tx, id: i64, approve: &api::Approve) -> Result<()> {
    let fingerprint = sqlx::query_scalar("SELECT fingerprint FROM machines WHERE id = $1");
    let fingerprint: String = fingerprint.bind(id).fetch_one(&mut **tx).await?;
    enrolment::check_not_revoked(tx, &fingerprint).await?;
    let name = match &approve.name {
        Some(name) => available(tx, name, id).await?,
        None => suggested(tx, id).await?,
    };
    sqlx::query(
        "UPDATE machines SET generation = generation + CASE state WHEN 'approved' THEN 0 ELSE 1 END, \
         state = 'approved', name = $2 WHERE id = $1",
    )
    .bind(id)
    .bind(name)
    .execute(&mut **tx)
    .await?;
    add_groups(tx, id, &approve.groups).await?;
    enrolment::label(tx, id, approve).await?;
    audit::note_of(
        tx,
        id,
        "machine.approve",
        json!({ "key": fingerprint, "groups": approve.groups }),
    )
    .await?;
    refresh(tx, By::Operator, Some(id)).await?;
    Ok(())
}

/// Drops pending machines until one more may become known.
async fn make_room(tx: &mut Tx, online: impl Fn(&MachineKey) -> bool) -> Result<Vec<i64>> {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM machines WHERE state = 'pending'");
    let count: i64 = count.fetch_one(&mut **tx).await?;
    if count < MAX_PENDING {
        return Ok(Vec::new());
    }
    let oldest = sqlx::query_as(
        "SELECT id, key FROM machines WHERE state = 'pending' ORDER BY seen_ms NULLS FIRST, id LIMIT $1",
    );
    let oldest: Vec<(i64, Option<String>)> = oldest.bind(MAX_PENDING).fetch_all(&mut **tx).await?;
    let absent = |key: &Option<String>| {
        key.as_ref().and_then(|key| key.parse().ok()).is_none_or(|key| !online(&key))
    };
    let victim = oldest.iter().find(|(_, key)| absent(key)).or_else(|| oldest.first());
    let Some((id, _)) = victim else { return Ok(Vec::new()) };
    sqlx::query("DELETE FROM machines WHERE id = $1").bind(id).execute(&mut **tx).await?;
    Ok(vec![*id])
}

async fn note_boot(tx: &mut Tx, boot: &Boot) -> Result<()> {
    let json =
        |value| serde_json::to_string(value).map_err(|_| StoreError::Corrupt("an inventory"));
    let image =
        serde_json::to_string(&boot.request.image).map_err(|_| StoreError::Corrupt("an image"))?;
    sqlx::query(
        "UPDATE machines SET suggested_name = $2, seen_ms = $3, address = $4, image = $5, inventory = $6 \
         WHERE key = $1",
    )
    .bind(boot.key.to_string())
    .bind(&boot.request.name)
    .bind(now_ms())
    .bind(&boot.address)
    .bind(image)
    .bind(json(&boot.request.inventory)?)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Begins a power-on, unless it has begun; the runs of those before will say no more.
async fn begin_boot(tx: &mut Tx, machine: i64, boot: &str) -> Result<()> {
    let (boot, _) = super::events::boot_row(tx, machine, boot).await?;
    let begun = sqlx::query(
        "UPDATE machines SET boot = $2, phase = NULL, phase_ms = NULL, booted_ms = NULL \
         WHERE id = $1 AND boot IS DISTINCT FROM $2",
    );
    if begun.bind(machine).bind(boot).execute(&mut **tx).await?.rows_affected() == 0 {
        return Ok(());
    }
    power::came_back(tx, machine).await?;
    let why = "the machine came back before the system that was started had said that it is up";
    ends::unconfirmed(tx, machine, why).await?;
    let lost = sqlx::query_as(
        "UPDATE runs SET state = 'lost', ended_ms = $3 WHERE machine = $1 AND state = 'running' AND boot <> $2 \
         RETURNING assignment, name, serial",
    );
    let lost: Vec<(Option<i64>, Option<String>, Option<i64>)> =
        lost.bind(machine).bind(boot).bind(now_ms()).fetch_all(&mut **tx).await?;
    for (assignment, name, serial) in lost {
        let (name, serial) = (name.unwrap_or_default(), serial.unwrap_or_default());
        let place = format!("the machine restarted in the middle of {name} serial {serial}");
        failing::failed(tx, machine, assignment, &place).await?;
    }
    Ok(())
}

async fn add_groups(tx: &mut Tx, machine: i64, groups: &[String]) -> Result<()> {
    for group in groups {
        let add = sqlx::query(
            "INSERT INTO machine_groups (machine, name) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        );
        add.bind(machine).bind(group).execute(&mut **tx).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Scratch;
    use xenoboot_wire::{
        BootId, Nonce, PROTOCOL, Version,
        boot::{ImageInfo, Inventory},
    };

    fn request() -> BootRequest {
        let version = Version { major: 0, minor: 1, patch: 0 };
        BootRequest {
            protocol: PROTOCOL,
            nonce: Nonce([0; 32]),
            boot: BootId([0; 16]),
            image: ImageInfo { version, recipe: String::new(), kernel: String::new() },
            name: None,
            inventory: Inventory::default(),
            last_run: None,
            token: None,
            uptime_ms: 0,
        }
    }

    #[tokio::test]
    async fn pending_machines_are_bounded_and_those_present_stay_longest() {
        let scratch = Scratch::new();
        let store = scratch.store().await;
        // As many as there may be, the first heard of longest ago; and one that is not pending.
        sqlx::query(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
             INSERT INTO machines (key, fingerprint, state, created_ms, seen_ms) \
             SELECT SUBSTR($2 || i, LENGTH(CAST(i AS TEXT)) + 1), 'f' || i, CASE i WHEN 1 THEN 'refused' ELSE 'pending' END, 0, i FROM n",
        )
        .bind(MAX_PENDING + 1)
        .bind("0".repeat(64))
        .execute(&store.writer.pool)
        .await
        .unwrap();
        let (request, address) = (request(), String::new());
        let boot = |n| Boot {
            key: MachineKey([n; 32]),
            request: request.clone(),
            address: address.clone(),
        };
        let key = |n: u8| {
            let mut key = [0; 32];
            key[31] = n;
            MachineKey(key)
        };
        // The second is connected: the third goes, then the fourth.
        let second = key(2);
        let online = move |other: &MachineKey| *other == second;
        assert_eq!(store.boot(boot(200), online).await.unwrap().1, [3]);
        assert_eq!(store.boot(boot(201), online).await.unwrap().1, [4]);
        assert_eq!(store.boot(boot(201), online).await.unwrap().1, [0i64; 0], "it is known now");
        // When all are connected the one heard of longest ago goes.
        assert_eq!(store.boot(boot(202), |_| true).await.unwrap().1, [2]);
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM machines");
        let count: i64 = count.fetch_one(&store.reader).await.unwrap();
        assert_eq!(count, MAX_PENDING + 1);
    }
}
