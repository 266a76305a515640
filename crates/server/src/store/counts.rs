//! Figures for whoever watches over the server.

use super::{Result, Store};

/// How many there are.
pub(crate) struct Counts {
    /// Machines by state.
    pub(crate) machines: Vec<(String, i64)>,
    /// Flags by kind.
    pub(crate) flags: Vec<(String, i64)>,
    /// Runs by state.
    pub(crate) runs: Vec<(String, i64)>,
    /// Bytes of events.
    pub(crate) bytes: i64,
    /// Bundles.
    pub(crate) bundles: i64,
}

impl Store {
    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> Result<()> {
        let one = sqlx::query_scalar("SELECT COUNT(*) FROM settings");
        let _: i64 = one.fetch_one(&self.reader).await?;
        Ok(())
    }

    /// How many there are of what.
    pub(crate) async fn counts(&self) -> Result<Counts> {
        let by = async |sql: &'static str| -> Result<Vec<(String, i64)>> {
            Ok(sqlx::query_as(sql).fetch_all(&self.reader).await?)
        };
        let one = async |sql: &'static str| -> Result<i64> {
            Ok(sqlx::query_scalar(sql).fetch_one(&self.reader).await?)
        };
        Ok(Counts {
            machines: by("SELECT state, COUNT(*) FROM machines GROUP BY state ORDER BY state")
                .await?,
            flags: by("SELECT kind, COUNT(*) FROM flags GROUP BY kind ORDER BY kind").await?,
            runs: by("SELECT state, COUNT(*) FROM runs GROUP BY state ORDER BY state").await?,
            bytes: one("SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM boots").await?,
            bundles: one("SELECT COUNT(*) FROM bundles").await?,
        })
    }
}
