//! What operators set for all machines.

use super::{Result, Store, Tx, audit};
use crate::api;
use serde_json::json;
use std::collections::HashMap;

/// A policy with its bundle's number.
pub(super) struct Stored {
    pub(super) failures: u32,
    pub(super) retry_s: u32,
    pub(super) rescue: Option<i64>,
    pub(super) silent_s: u32,
    pub(super) keep_days: u32,
    pub(super) keep_mb: u32,
}

const SELECT: &str = "SELECT key, value FROM settings";

impl From<Vec<(String, String)>> for Stored {
    fn from(rows: Vec<(String, String)>) -> Self {
        let rows: HashMap<_, _> = rows.into_iter().collect();
        let default = api::Policy::default();
        let number = |key: &str, default| {
            rows.get(key).and_then(|value| value.parse().ok()).unwrap_or(default)
        };
        Self {
            failures: number("failures", default.failures),
            retry_s: number("retry_s", default.retry_s),
            rescue: rows.get("rescue").and_then(|value| value.parse().ok()),
            silent_s: number("silent_s", default.silent_s),
            keep_days: number("keep_days", default.keep_days),
            keep_mb: number("keep_mb", default.keep_mb),
        }
    }
}

/// The policy, inside a transaction.
pub(super) async fn load(tx: &mut Tx) -> Result<Stored> {
    let rows: Vec<(String, String)> = sqlx::query_as(SELECT).fetch_all(&mut **tx).await?;
    Ok(rows.into())
}

impl Store {
    pub(super) async fn stored_policy(&self) -> Result<Stored> {
        let rows: Vec<(String, String)> = sqlx::query_as(SELECT).fetch_all(&self.reader).await?;
        Ok(rows.into())
    }

    /// The policy.
    pub(crate) async fn policy(&self) -> Result<api::Policy> {
        let Stored { failures, retry_s, rescue, silent_s, keep_days, keep_mb } =
            self.stored_policy().await?;
        let rescue = match rescue {
            None => None,
            Some(id) => {
                let digest = sqlx::query_scalar("SELECT digest FROM bundles WHERE id = $1");
                digest.bind(id).fetch_optional(&self.reader).await?
            }
        };
        Ok(api::Policy { failures, retry_s, rescue, silent_s, keep_days, keep_mb })
    }

    /// Sets the policy.
    pub(crate) async fn set_policy(&self, policy: &api::Policy) -> Result<()> {
        let rescue = match &policy.rescue {
            Some(wanted) => Some(self.find_bundle(wanted).await?.id.to_string()),
            None => None,
        };
        let mut tx = self.begin().await?;
        for (key, value) in [
            ("failures", Some(policy.failures.to_string())),
            ("retry_s", Some(policy.retry_s.to_string())),
            ("silent_s", Some(policy.silent_s.to_string())),
            ("keep_days", Some(policy.keep_days.to_string())),
            ("keep_mb", Some(policy.keep_mb.to_string())),
            ("rescue", rescue),
        ] {
            let query = match value {
                None => sqlx::query("DELETE FROM settings WHERE key = $1").bind(key),
                Some(value) => sqlx::query(
                    "INSERT INTO settings (key, value) VALUES ($1, $2) \
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )
                .bind(key)
                .bind(value),
            };
            query.execute(&mut *tx).await?;
        }
        audit::note(&mut tx, "policy.set", "", json!(policy)).await?;
        Ok(tx.commit().await?)
    }
}
