//! What machines are called: finding one, and giving one a name of its own.

use super::{Result, Store, StoreError, Tx};
use crate::{
    near::near,
    store::{MIN_PREFIX, without_nul},
};
use sqlx::{AssertSqlSafe, FromRow};
use std::collections::BTreeSet;

impl Store {
    /// Names, or fingerprints, of these machines.
    pub(crate) async fn names(&self, machines: &BTreeSet<i64>) -> Result<Vec<String>> {
        if machines.is_empty() {
            return Ok(Vec::new());
        }
        // They are numbers: nothing needs to be quoted.
        let ids: Vec<String> = machines.iter().map(ToString::to_string).collect();
        let sql = format!(
            "SELECT COALESCE(name, fingerprint) FROM machines WHERE id IN ({}) ORDER BY id",
            ids.join(", ")
        );
        let names = sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false);
        Ok(names.fetch_all(&self.reader).await?)
    }

    /// The machine that `wanted` names.
    pub(crate) async fn find_machine(&self, wanted: &str) -> Result<i64> {
        #[derive(FromRow)]
        struct Row {
            id: i64,
            name: Option<String>,
            fingerprint: String,
        }
        let wanted = &without_nul(wanted);
        let fingerprint = fingerprint_prefix(wanted);
        // A name may look like the beginning of a key: names win, then whole identifiers, then beginnings.
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, name, fingerprint FROM machines \
             WHERE name = $1 OR key = $1 OR fingerprint = $2 LIMIT 2",
        )
        .bind(wanted)
        .bind(&fingerprint)
        .fetch_all(&self.reader)
        .await?;
        let named = rows
            .iter()
            .find(|row| row.name.as_deref() == Some(wanted.as_str()))
            .or_else(|| rows.first());
        if let Some(row) = named {
            return Ok(row.id);
        }
        if wanted.len() >= MIN_PREFIX
            && wanted.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            let rows = sqlx::query_as(
                "SELECT id, name, fingerprint FROM machines \
                 WHERE key LIKE $1 || '%' OR fingerprint LIKE $2 || '%' LIMIT 5",
            );
            let rows: Vec<Row> = rows
                .bind(wanted.to_ascii_lowercase())
                .bind(&fingerprint)
                .fetch_all(&self.reader)
                .await?;
            if let Some(row) =
                crate::store::only("machine", wanted, rows, |row| row.fingerprint.clone())?
            {
                return Ok(row.id);
            }
        }
        let names =
            sqlx::query_scalar("SELECT name FROM machines WHERE name IS NOT NULL LIMIT 10000");
        let near = near(wanted, names.fetch_all(&self.reader).await?);
        Err(StoreError::NotFound { what: "machine", wanted: wanted.to_owned(), near })
    }
}

/// A fingerprint as it is stored, whatever its case and with or without its hyphens; or its beginning.
pub(crate) fn fingerprint_prefix(text: &str) -> String {
    let mut out = String::with_capacity(24);
    for (i, c) in text.chars().filter(|c| *c != '-').take(20).enumerate() {
        if i > 0 && i % 4 == 0 {
            out.push('-');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

/// `name`, unless another machine has it.
pub(super) async fn available(tx: &mut Tx, name: &str, machine: i64) -> Result<String> {
    let other = sqlx::query_scalar("SELECT id FROM machines WHERE name = $1 AND id <> $2");
    let other: Option<i64> = other.bind(name).bind(machine).fetch_optional(&mut **tx).await?;
    if other.is_some() { Err(StoreError::NameTaken(name.to_owned())) } else { Ok(name.to_owned()) }
}

/// The name that a machine has; else the one stamped into its image; else one made of its fingerprint;
/// made unique by a number.
pub(super) async fn suggested(tx: &mut Tx, machine: i64) -> Result<String> {
    let row =
        sqlx::query_as("SELECT name, suggested_name, fingerprint FROM machines WHERE id = $1");
    let (name, stamped, fingerprint): (Option<String>, Option<String>, String) =
        row.bind(machine).fetch_one(&mut **tx).await?;
    if let Some(name) = name {
        return Ok(name);
    }
    let made = || format!("m-{}", fingerprint.to_lowercase().get(..9).unwrap_or_default());
    let wanted = stamped.unwrap_or_else(made);
    let mut name = wanted.clone();
    for number in 2.. {
        match available(tx, &name, machine).await {
            Err(StoreError::NameTaken(_)) => name = format!("{wanted}-{number}"),
            other => return other,
        }
    }
    Ok(name)
}
