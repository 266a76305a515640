//! How machines become known without an operator at the moment, and how their keys are replaced.

use super::{approve_in, labels::relabel_in};
use crate::{
    api,
    store::{Result, Store, StoreError, Tx, audit, failing::flag},
    time::now_ms,
};
use serde_json::json;
use sqlx::FromRow;
use xenoboot_wire::{Digest, MachineKey};

/// Most invitations that are kept; the oldest go.
const MAX_INVITATIONS: i64 = 10_000;

/// How many characters of a token's digest name an invitation.
const ID: usize = 8;

/// A machine that is to be approved before it is seen.
pub(crate) struct Expected {
    pub(crate) key: Option<MachineKey>,
    pub(crate) fingerprint: String,
    pub(crate) approve: api::Approve,
}

#[derive(FromRow)]
struct Row {
    hash: String,
    name: Option<String>,
    groups: String,
    labels: String,
    expires_ms: i64,
    used_ms: Option<i64>,
    machine_name: Option<String>,
    fingerprint: Option<String>,
}

impl From<Row> for api::Invitation {
    fn from(row: Row) -> Self {
        Self {
            id: row.hash.chars().take(ID).collect(),
            name: row.name,
            expires_ms: row.expires_ms,
            used_ms: row.used_ms,
            machine: row.machine_name.or(row.fingerprint),
        }
    }
}

const SELECT: &str = "SELECT i.*, m.name AS machine_name, m.fingerprint FROM invitations i \
                      LEFT JOIN machines m ON m.id = i.machine";

/// A token as it was meant: people mix up what Crockford's base 32 leaves out.
fn digest(token: &str) -> String {
    let meant = |c: char| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let token: String = token.chars().filter(char::is_ascii_alphanumeric).map(meant).collect();
    Digest::of(token.as_bytes()).to_string()
}

/// Refuses a key that was revoked.
pub(super) async fn check_not_revoked(tx: &mut Tx, fingerprint: &str) -> Result<()> {
    let revoked = sqlx::query_scalar("SELECT 1 FROM revoked_keys WHERE fingerprint = $1");
    let revoked: Option<i64> = revoked.bind(fingerprint).fetch_optional(&mut **tx).await?;
    match revoked {
        None => Ok(()),
        Some(_) => Err(StoreError::KeyRevoked(fingerprint.to_owned())),
    }
}

async fn revoke_key(tx: &mut Tx, fingerprint: &str) -> Result<()> {
    let revoke = sqlx::query(
        "INSERT INTO revoked_keys (fingerprint, at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    );
    revoke.bind(fingerprint).bind(now_ms()).execute(&mut **tx).await?;
    Ok(())
}

/// Gives a machine the key that takes the place of its own, if this is one; whether it is.
pub(super) async fn succeed(tx: &mut Tx, key: &MachineKey) -> Result<bool> {
    let fingerprint = key.fingerprint();
    let old = sqlx::query_as("SELECT id, fingerprint FROM machines WHERE next_fingerprint = $1");
    let old: Option<(i64, String)> = old.bind(&fingerprint).fetch_optional(&mut **tx).await?;
    let Some((id, old)) = old else { return Ok(false) };
    revoke_key(tx, &old).await?;
    replace_key(tx, id, Some(key), &fingerprint).await?;
    audit::note_of(tx, id, "machine.key", json!({ "old": old, "new": fingerprint })).await?;
    Ok(true)
}

async fn replace_key(
    tx: &mut Tx,
    id: i64,
    key: Option<&MachineKey>,
    fingerprint: &str,
) -> Result<()> {
    let replace = sqlx::query(
        "UPDATE machines SET key = $2, fingerprint = $3, next_fingerprint = NULL, state = 'approved', \
         generation = generation + 1 WHERE id = $1",
    );
    let replace = replace.bind(id).bind(key.map(ToString::to_string)).bind(fingerprint);
    replace.execute(&mut **tx).await?;
    Ok(())
}

/// Approves a machine that shows a token, if the token is good.
pub(super) async fn accept(tx: &mut Tx, machine: i64, token: &str) -> Result<bool> {
    let sql = format!("{SELECT} WHERE i.hash = $1 AND i.used_ms IS NULL AND i.expires_ms > $2");
    let row = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(digest(token)).bind(now_ms());
    let row: Option<Row> = row.fetch_optional(&mut **tx).await?;
    let Some(row) = row else { return Ok(false) };
    let corrupt = |_| StoreError::Corrupt("an invitation");
    let approve = api::Approve {
        name: row.name,
        groups: serde_json::from_str(&row.groups).map_err(corrupt)?,
        labels: serde_json::from_str(&row.labels).map_err(corrupt)?,
    };
    match approve_in(tx, machine, &approve).await {
        // Somebody has got that name meanwhile: the machine is welcome under another.
        Err(StoreError::NameTaken(_)) => {
            approve_in(tx, machine, &api::Approve { name: None, ..approve }).await?;
        }
        other => other?,
    }
    let used = sqlx::query("UPDATE invitations SET used_ms = $2, machine = $3 WHERE hash = $1");
    used.bind(row.hash).bind(now_ms()).bind(machine).execute(&mut **tx).await?;
    Ok(true)
}

/// Approves a machine that was never seen; one that is known already is approved as it is.
async fn expect_in(tx: &mut Tx, expected: &Expected) -> Result<i64> {
    let Expected { key, fingerprint, approve } = expected;
    let new = sqlx::query(
        "INSERT INTO machines (key, fingerprint, state, created_ms) VALUES ($1, $2, 'pending', $3) \
         ON CONFLICT DO NOTHING",
    );
    let new = new.bind(key.map(|key| key.to_string())).bind(fingerprint).bind(now_ms());
    new.execute(&mut **tx).await?;
    let id = sqlx::query_scalar("SELECT id FROM machines WHERE fingerprint = $1");
    let id = id.bind(fingerprint).fetch_one(&mut **tx).await?;
    approve_in(tx, id, approve).await?;
    Ok(id)
}

impl Store {
    /// Approves machines that were never seen, all or none; their numbers and names.
    pub(crate) async fn expect(&self, machines: &[Expected]) -> Result<Vec<(i64, String)>> {
        let mut tx = self.begin().await?;
        let mut done = Vec::with_capacity(machines.len());
        for machine in machines {
            let id = expect_in(&mut tx, machine).await?;
            let name = sqlx::query_scalar("SELECT name FROM machines WHERE id = $1").bind(id);
            done.push((id, name.fetch_one(&mut *tx).await?));
        }
        tx.commit().await?;
        Ok(done)
    }

    /// Keeps an invitation whose token is `token`.
    pub(crate) async fn invite(
        &self,
        invite: &api::Invite,
        token: &str,
    ) -> Result<api::Invitation> {
        let json = |_| StoreError::Corrupt("an invitation");
        let (now, hash) = (now_ms(), digest(token));
        let expires_ms = now + i64::from(invite.expires_s) * 1000;
        let mut tx = self.begin().await?;
        let old = sqlx::query(
            "DELETE FROM invitations WHERE hash NOT IN \
             (SELECT hash FROM invitations ORDER BY created_ms DESC LIMIT $1)",
        );
        old.bind(MAX_INVITATIONS - 1).execute(&mut *tx).await?;
        let new = sqlx::query(
            "INSERT INTO invitations (hash, name, groups, labels, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6)",
        );
        let new = new.bind(&hash).bind(&invite.name);
        let new = new.bind(serde_json::to_string(&invite.groups).map_err(json)?);
        let new = new.bind(serde_json::to_string(&invite.labels).map_err(json)?);
        new.bind(now).bind(expires_ms).execute(&mut *tx).await?;
        let detail =
            json!({ "name": invite.name, "groups": invite.groups, "expires_ms": expires_ms });
        let id: String = hash.chars().take(ID).collect();
        audit::note(&mut tx, "invitation.new", &id, detail).await?;
        tx.commit().await?;
        Ok(api::Invitation {
            id,
            name: invite.name.clone(),
            expires_ms,
            used_ms: None,
            machine: None,
        })
    }

    /// All invitations, the latest first.
    pub(crate) async fn invitations(&self) -> Result<Vec<api::Invitation>> {
        let sql = format!("{SELECT} ORDER BY i.created_ms DESC");
        let rows: Vec<Row> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&self.reader).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Takes an invitation back.
    pub(crate) async fn disinvite(&self, id: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM invitations WHERE substr(hash, 1, 8) = $1").bind(id);
        if gone.execute(&mut *tx).await?.rows_affected() == 0 {
            let (what, wanted) = ("invitation", id.to_owned());
            return Err(StoreError::NotFound { what, wanted, near: Vec::new() });
        }
        audit::note(&mut tx, "invitation.take_back", id, json!({})).await?;
        Ok(tx.commit().await?)
    }

    /// Refuses a machine and its key for ever; returns its number.
    pub(crate) async fn revoke(&self, wanted: &str) -> Result<i64> {
        let id = self.find_machine(wanted).await?;
        let mut tx = self.begin().await?;
        let fingerprint = sqlx::query_scalar(
            "UPDATE machines SET state = 'refused', next_fingerprint = NULL WHERE id = $1 RETURNING fingerprint",
        );
        let fingerprint: String = fingerprint.bind(id).fetch_one(&mut *tx).await?;
        revoke_key(&mut tx, &fingerprint).await?;
        audit::note_of(&mut tx, id, "machine.revoke", json!({ "key": fingerprint })).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Gives a machine another key; returns its number.
    pub(crate) async fn rotate(
        &self,
        wanted: &str,
        key: Option<MachineKey>,
        fingerprint: &str,
        now: bool,
    ) -> Result<i64> {
        let id = self.find_machine(wanted).await?;
        let mut tx = self.begin().await?;
        check_not_revoked(&mut tx, fingerprint).await?;
        // It may have asked already, as a stranger.
        let stranger = sqlx::query(
            "DELETE FROM machines WHERE fingerprint = $1 AND state = 'pending' AND id <> $2",
        );
        stranger.bind(fingerprint).bind(id).execute(&mut *tx).await?;
        let taken = sqlx::query_scalar(
            "SELECT 1 FROM machines WHERE fingerprint = $1 OR (next_fingerprint = $1 AND id <> $2)",
        );
        let taken: Option<i64> = taken.bind(fingerprint).bind(id).fetch_optional(&mut *tx).await?;
        if taken.is_some() {
            return Err(StoreError::KeyTaken(fingerprint.to_owned()));
        }
        let row = sqlx::query_as("SELECT fingerprint, state FROM machines WHERE id = $1");
        let (old, state): (String, String) = row.bind(id).fetch_one(&mut *tx).await?;
        if now || state != "approved" {
            revoke_key(&mut tx, &old).await?;
            replace_key(&mut tx, id, key.as_ref(), fingerprint).await?;
            // It has a name if it was ever approved.
            approve_in(&mut tx, id, &api::Approve::default()).await?;
        } else {
            let next = sqlx::query("UPDATE machines SET next_fingerprint = $2 WHERE id = $1");
            next.bind(id).bind(fingerprint).execute(&mut *tx).await?;
        }
        let detail = json!({ "key": fingerprint, "now": now });
        audit::note_of(&mut tx, id, "machine.rotate", detail).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Notes that a machine's key is used in two places.
    pub(crate) async fn flag_clone(&self, machine: i64, reason: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        flag(&mut tx, machine, "cloned", reason).await?;
        Ok(tx.commit().await?)
    }
}

/// Labels that go with an approval.
pub(super) async fn label(tx: &mut Tx, machine: i64, approve: &api::Approve) -> Result<()> {
    let labels = api::Labels { set: approve.labels.clone(), remove: Vec::new() };
    relabel_in(tx, machine, &labels).await
}
