//! Who may use the operator's API.

use super::{Result, Store};
use crate::time::now_ms;
use xenoboot_wire::Digest;

impl Store {
    /// Sets the token of `name`, in place of the one it had. Only its digest is kept.
    pub(crate) async fn set_token(&self, name: &str, token: &str) -> Result<()> {
        let hash = Digest::of(token.as_bytes()).to_string();
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO tokens (name, hash, created_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, created_ms = excluded.created_ms \
             WHERE tokens.hash <> excluded.hash",
        )
        .bind(name)
        .bind(hash)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// The digests of all tokens.
    pub(crate) async fn tokens(&self) -> Result<Vec<Digest>> {
        let hashes: Vec<String> =
            sqlx::query_scalar("SELECT hash FROM tokens").fetch_all(&self.reader).await?;
        Ok(hashes.iter().filter_map(|hash| hash.parse().ok()).collect())
    }
}
