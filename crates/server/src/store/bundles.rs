//! Bundles that were pushed.

use super::{
    Result, Store, StoreError, assignments::ONCE, audit, is_hex_prefix, only, without_nul,
};
use crate::{api, near::near, time::now_ms};
use serde_json::json;
use sqlx::FromRow;
use xenoboot_bundle::{Inspection, Manifest};
use xenoboot_wire::Digest;

#[derive(FromRow)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) digest: String,
    name: String,
    serial: i64,
    fleet: String,
    not_after_s: i64,
    files: i64,
    total_size: i64,
    signatures: i64,
    pushed_ms: i64,
}

impl From<Row> for api::Bundle {
    fn from(row: Row) -> Self {
        Self {
            bundle: row.digest,
            name: row.name,
            serial: row.serial,
            fleet: row.fleet,
            not_after: row.not_after_s,
            files: row.files,
            total_size: row.total_size,
            signatures: row.signatures,
            pushed_ms: row.pushed_ms,
        }
    }
}

/// An assignment of a bundle.
#[derive(FromRow)]
pub(crate) struct AssignedTo {
    /// `machine`, `group`, `labels`, `default`, or `rescue`.
    pub(crate) scope: String,
    /// Which of them.
    pub(crate) whom: Option<String>,
    /// The state.
    pub(crate) state: String,
    /// For one time, unless zero.
    pub(crate) once: i64,
    /// When, milliseconds since 1970.
    pub(crate) assigned_ms: i64,
}

/// Numbers past the range of the database's are shown as its largest: machines read the envelope.
fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Store {
    /// Notes a bundle whose envelope and blobs are stored. Pushing it again moves it to the front of its name.
    pub(crate) async fn add_bundle(
        &self,
        digest: &Digest,
        found: &Inspection,
    ) -> Result<api::Bundle> {
        let m: &Manifest = &found.manifest;
        let mut tx = self.begin().await?;
        let row: Row = sqlx::query_as(
            "INSERT INTO bundles (digest, name, serial, fleet, not_after_s, files, total_size, signatures, pushed_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (digest) DO UPDATE SET pushed_ms = excluded.pushed_ms RETURNING *",
        )
        .bind(digest.to_string())
        .bind(&m.name)
        .bind(number(m.serial))
        .bind(m.fleet.to_string())
        .bind(number(m.not_after))
        .bind(number(m.files.len() as u64))
        .bind(number(m.total_size()))
        .bind(number(found.signers.len() as u64))
        .bind(now_ms())
        .fetch_one(&mut *tx)
        .await?;
        let detail = json!({ "name": m.name, "serial": m.serial });
        audit::note(&mut tx, "bundle.push", &digest.to_string(), detail).await?;
        tx.commit().await?;
        Ok(row.into())
    }

    /// All bundles, the latest first.
    pub(crate) async fn bundles(&self) -> Result<Vec<api::Bundle>> {
        let rows: Vec<Row> =
            sqlx::query_as("SELECT * FROM bundles ORDER BY pushed_ms DESC, id DESC")
                .fetch_all(&self.reader)
                .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// One bundle, and to whom it is assigned.
    pub(crate) async fn bundle(&self, wanted: &str) -> Result<(api::Bundle, Vec<AssignedTo>)> {
        let row = self.find_bundle(wanted).await?;
        let sql = format!(
            "SELECT a.scope, COALESCE(m.name, m.fingerprint, a.group_name, a.selector) AS whom, a.state, {ONCE}, \
             a.assigned_ms FROM assignments a LEFT JOIN machines m ON m.id = a.machine \
             WHERE a.bundle = $1 OR a.then_bundle = $1 ORDER BY a.id DESC LIMIT 200",
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql));
        let assigned = rows.bind(row.id).fetch_all(&self.reader).await?;
        Ok((row.into(), assigned))
    }

    /// The names of bundles, those pushed last first.
    pub(crate) async fn bundle_names(&self) -> Result<Vec<String>> {
        let names = sqlx::query_scalar(
            "SELECT name FROM bundles GROUP BY name ORDER BY MAX(pushed_ms) DESC LIMIT 200",
        );
        Ok(names.fetch_all(&self.reader).await?)
    }

    /// The bundle that `wanted` names.
    pub(super) async fn find_bundle(&self, wanted: &str) -> Result<Row> {
        let wanted = &without_nul(wanted);
        // Of one name the highest serial; of one serial (signed anew, say) the one that was pushed last.
        let by_name = "SELECT * FROM bundles WHERE name = $1 ORDER BY serial DESC, pushed_ms DESC, id DESC LIMIT 1";
        if let Some(row) = sqlx::query_as(by_name).bind(wanted).fetch_optional(&self.reader).await?
        {
            return Ok(row);
        }
        if is_hex_prefix(wanted) {
            let rows = sqlx::query_as("SELECT * FROM bundles WHERE digest LIKE $1 || '%' LIMIT 5");
            let rows: Vec<Row> = rows.bind(wanted).fetch_all(&self.reader).await?;
            if let Some(row) = only("bundle", wanted, rows, |row| row.digest.clone())? {
                return Ok(row);
            }
        }
        let names = sqlx::query_scalar("SELECT DISTINCT name FROM bundles LIMIT 10000")
            .fetch_all(&self.reader);
        Err(StoreError::NotFound {
            what: "bundle",
            wanted: wanted.to_owned(),
            near: near(wanted, names.await?),
        })
    }
}
