//! The audit log: what was changed, and by whom; each entry in the transaction of the change itself.

use super::{Result, Store, StoreError, Tx, without_nul};
use crate::{api::AuditEntry, time::now_ms};
use serde_json::Value;
use sqlx::FromRow;
use std::future::Future;

/// Most entries in an answer.
const PAGE: i64 = 1000;

/// Who changes something by himself, without a token.
const SERVER: &str = "server";

tokio::task_local! {
    /// Who asked for what this task does.
    static ACTOR: String;
}

/// Does something in somebody's name.
pub(crate) async fn as_actor<T>(actor: String, task: impl Future<Output = T>) -> T {
    ACTOR.scope(actor, task).await
}

/// In whose name this task works; the server's, if in nobody's.
pub(crate) fn actor() -> String {
    ACTOR.try_with(Clone::clone).unwrap_or_else(|_| SERVER.to_owned())
}

#[derive(FromRow)]
struct Row {
    number: i64,
    at_ms: i64,
    actor: String,
    action: String,
    object: String,
    detail: String,
    before: String,
    hash: String,
}

impl TryFrom<Row> for AuditEntry {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self> {
        let detail = serde_json::from_str(&row.detail);
        Ok(Self {
            number: row.number,
            at_ms: row.at_ms,
            actor: row.actor,
            action: row.action,
            object: row.object,
            detail: detail.map_err(|_| StoreError::Corrupt("an entry of the audit log"))?,
            before: row.before,
            hash: row.hash,
        })
    }
}

/// Adds an entry, in the name of whoever asked.
pub(super) async fn note(tx: &mut Tx, action: &str, object: &str, detail: Value) -> Result<()> {
    let last = sqlx::query_as("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1");
    let last: Option<(i64, String)> = last.fetch_optional(&mut **tx).await?;
    let (number, before) = last.unwrap_or_else(|| (0, AuditEntry::NONE.to_owned()));
    let mut entry = AuditEntry {
        number: number + 1,
        at_ms: now_ms(),
        actor: actor(),
        action: action.to_owned(),
        object: object.to_owned(),
        detail,
        before,
        hash: String::new(),
    };
    entry.hash = entry.hash_of();
    sqlx::query(
        "INSERT INTO audit (number, at_ms, actor, action, object, detail, before, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(entry.number)
    .bind(entry.at_ms)
    .bind(&entry.actor)
    .bind(&entry.action)
    .bind(&entry.object)
    .bind(entry.detail.to_string())
    .bind(&entry.before)
    .bind(&entry.hash)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The same for a machine by its number, in its own name unless somebody asked.
pub(super) async fn note_of(tx: &mut Tx, machine: i64, action: &str, detail: Value) -> Result<()> {
    let row = sqlx::query_as("SELECT name, fingerprint FROM machines WHERE id = $1");
    let (name, fingerprint): (Option<String>, String) =
        row.bind(machine).fetch_one(&mut **tx).await?;
    note(tx, action, &name.unwrap_or(fingerprint), detail).await
}

impl Store {
    /// Entries with numbers above `after`.
    pub(crate) async fn audit(&self, after: i64) -> Result<Vec<AuditEntry>> {
        let rows = sqlx::query_as("SELECT * FROM audit WHERE number > $1 ORDER BY number LIMIT $2");
        let rows: Vec<Row> = rows.bind(after).bind(PAGE).fetch_all(&self.reader).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// The latest entries with numbers below `before` in which `search` occurs, the latest first.
    pub(crate) async fn audit_before(
        &self,
        before: i64,
        search: &str,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        let rows = sqlx::query_as(
            "SELECT * FROM audit WHERE number < $1 AND \
             ($2 = '' OR REPLACE(actor, $2, '') <> actor OR REPLACE(action, $2, '') <> action OR REPLACE(object, $2, '') <> object) \
             ORDER BY number DESC LIMIT $3",
        );
        let rows: Vec<Row> =
            rows.bind(before).bind(without_nul(search)).bind(limit).fetch_all(&self.reader).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}
