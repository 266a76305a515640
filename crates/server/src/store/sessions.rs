//! Who has logged in to the dashboard.

use super::{Result, Store, audit};
use crate::{api, time::now_ms};
use serde_json::json;
use xenoboot_wire::Digest;

fn hash(secret: &str) -> String {
    Digest::of(secret.as_bytes()).to_string()
}

impl Store {
    /// Begins a session for whoever shows a good token; `secret` is what goes into the cookie. Only digests are kept.
    pub(crate) async fn log_in(
        &self,
        token: &str,
        secret: &str,
        lasts_ms: i64,
    ) -> Result<Option<api::Token>> {
        let Some(about) = self.token(token).await? else { return Ok(None) };
        let mut tx = self.begin().await?;
        let over = sqlx::query("DELETE FROM sessions WHERE expires_ms <= $1").bind(now_ms());
        over.execute(&mut *tx).await?;
        let new = sqlx::query("INSERT INTO sessions (hash, token, expires_ms) VALUES ($1, $2, $3)");
        let new = new.bind(hash(secret)).bind(hash(token)).bind(now_ms() + lasts_ms);
        new.execute(&mut *tx).await?;
        let noted = audit::note(&mut tx, "dashboard.login", &about.name, json!({}));
        audit::as_actor(about.name.clone(), noted).await?;
        tx.commit().await?;
        Ok(Some(about))
    }

    /// Whose session it is, while it and its token are good.
    pub(crate) async fn session(&self, secret: &str) -> Result<Option<api::Token>> {
        let token =
            sqlx::query_scalar("SELECT token FROM sessions WHERE hash = $1 AND expires_ms > $2");
        let token: Option<String> =
            token.bind(hash(secret)).bind(now_ms()).fetch_optional(&self.reader).await?;
        match token {
            Some(token) => self.token_by_hash(&token).await,
            None => Ok(None),
        }
    }

    /// Ends a session.
    pub(crate) async fn log_out(&self, secret: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        let end = sqlx::query("DELETE FROM sessions WHERE hash = $1").bind(hash(secret));
        end.execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }
}
