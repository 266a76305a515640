//! Who is told of what.

use super::{Result, Store, StoreError, audit};
use crate::{
    api::{Kind, Notice, Webhook},
    time::now_ms,
};
use serde_json::json;

/// For each machine and kind at most one in so many milliseconds.
const PAUSE_MS: i64 = 3_600_000;

fn webhook((id, url, kinds): (i64, String, String)) -> Webhook {
    let kinds = Kind::ALL.into_iter().filter(|kind| kinds.split(',').any(|k| k == kind.word()));
    Webhook { id, url, kinds: kinds.collect() }
}

impl Store {
    /// The notice to be sent, unless there was one a short while ago, or nobody wants to know.
    pub(crate) async fn notice(
        &self,
        machine: i64,
        kind: Kind,
        text: &str,
    ) -> Result<Option<Notice>> {
        let wanted = self.webhooks().await?.iter().any(|hook| hook.kinds.contains(&kind));
        if !wanted {
            return Ok(None);
        }
        let now = now_ms();
        let mut tx = self.begin().await?;
        let due = sqlx::query(
            "INSERT INTO notices (machine, kind, at_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (machine, kind) DO UPDATE SET at_ms = excluded.at_ms WHERE notices.at_ms <= $4",
        );
        let due = due.bind(machine).bind(kind.word()).bind(now).bind(now - PAUSE_MS);
        if due.execute(&mut *tx).await?.rows_affected() == 0 {
            return Ok(None);
        }
        let row = sqlx::query_as("SELECT name, fingerprint FROM machines WHERE id = $1");
        let (name, fingerprint): (Option<String>, String) =
            row.bind(machine).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        let machine = name.unwrap_or_else(|| fingerprint.clone());
        Ok(Some(Notice { kind, machine, fingerprint, text: text.to_owned(), at_ms: now }))
    }

    /// Approved machines of which nothing was heard for long, and nobody was told since.
    pub(crate) async fn fallen_silent(&self) -> Result<Vec<i64>> {
        let silent_ms = i64::from(self.stored_policy().await?.silent_s) * 1000;
        let rows = sqlx::query_scalar(
            "SELECT m.id FROM machines m LEFT JOIN notices n ON n.machine = m.id AND n.kind = 'silent' \
             WHERE m.state = 'approved' AND m.seen_ms <= $1 AND m.booted_ms IS NULL AND m.confirm_ms IS NULL \
             AND (n.at_ms IS NULL OR n.at_ms < m.seen_ms) LIMIT 1000",
        );
        Ok(rows.bind(now_ms() - silent_ms).fetch_all(&self.reader).await?)
    }

    /// The key of a machine, if it was ever seen.
    pub(crate) async fn key_of(&self, machine: i64) -> Result<Option<xenoboot_wire::MachineKey>> {
        let key = sqlx::query_scalar("SELECT key FROM machines WHERE id = $1").bind(machine);
        let key: Option<Option<String>> = key.fetch_optional(&self.reader).await?;
        Ok(key.flatten().and_then(|key| key.parse().ok()))
    }

    /// All URLs that are told.
    pub(crate) async fn webhooks(&self) -> Result<Vec<Webhook>> {
        let rows: Vec<(i64, String, String)> =
            sqlx::query_as("SELECT id, url, kinds FROM webhooks ORDER BY id")
                .fetch_all(&self.reader)
                .await?;
        Ok(rows.into_iter().map(webhook).collect())
    }

    /// Adds a URL, or changes of what it is told.
    pub(crate) async fn add_webhook(&self, url: &str, kinds: &[Kind]) -> Result<Webhook> {
        let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
        let mut tx = self.begin().await?;
        let row = sqlx::query_as(
            "INSERT INTO webhooks (url, kinds, created_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (url) DO UPDATE SET kinds = excluded.kinds RETURNING id, url, kinds",
        );
        let row: (i64, String, String) =
            row.bind(url).bind(words.join(",")).bind(now_ms()).fetch_one(&mut *tx).await?;
        // The URL itself may be a secret.
        let detail = json!({ "kinds": kinds });
        audit::note(&mut tx, "webhook.add", &row.0.to_string(), detail).await?;
        tx.commit().await?;
        Ok(webhook(row))
    }

    /// Takes a URL away.
    pub(crate) async fn remove_webhook(&self, id: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM webhooks WHERE id = $1").bind(id);
        if gone.execute(&mut *tx).await?.rows_affected() == 0 {
            let (what, wanted) = ("webhook", id.to_string());
            return Err(StoreError::NotFound { what, wanted, near: Vec::new() });
        }
        audit::note(&mut tx, "webhook.remove", &id.to_string(), json!({})).await?;
        Ok(tx.commit().await?)
    }
}
