//! Who may use the operator's API.

use super::{Result, Store, StoreError, audit};
use crate::{
    api::{self, Role},
    time::now_ms,
};
use serde_json::json;
use sqlx::FromRow;
use xenoboot_wire::Digest;

#[derive(FromRow)]
struct Row {
    name: String,
    role: String,
    created_ms: i64,
    expires_ms: Option<i64>,
}

impl TryFrom<Row> for api::Token {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self> {
        let Row { name, created_ms, expires_ms, .. } = row;
        Ok(Self { name, role: role(&row.role)?, created_ms, expires_ms })
    }
}

/// A role by its word.
pub(super) fn role(word: &str) -> Result<Role> {
    let all = [Role::Viewer, Role::Operator, Role::Admin];
    let found = all.into_iter().find(|role| role.word() == word);
    found.ok_or(StoreError::Corrupt("a role"))
}

const SELECT: &str = "SELECT name, role, created_ms, expires_ms FROM tokens";

impl Store {
    /// Sets the server's own token, in place of the one it had. Only its digest is kept.
    pub(crate) async fn set_token(&self, name: &str, token: &str) -> Result<()> {
        let hash = Digest::of(token.as_bytes()).to_string();
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO tokens (name, hash, created_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, created_ms = excluded.created_ms, \
             role = 'admin', expires_ms = NULL WHERE tokens.hash <> excluded.hash",
        )
        .bind(name)
        .bind(hash)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Whose token it is, if it is good. It is found by its digest: how long that takes says nothing of the token.
    pub(crate) async fn token(&self, token: &str) -> Result<Option<api::Token>> {
        self.token_by_hash(&Digest::of(token.as_bytes()).to_string()).await
    }

    /// The same by its digest.
    pub(super) async fn token_by_hash(&self, hash: &str) -> Result<Option<api::Token>> {
        let sql = format!("{SELECT} WHERE hash = $1 AND (expires_ms IS NULL OR expires_ms > $2)");
        let row = sqlx::query_as(sqlx::AssertSqlSafe(sql));
        let row: Option<Row> = row.bind(hash).bind(now_ms()).fetch_optional(&self.reader).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// All tokens, without themselves.
    pub(crate) async fn tokens(&self) -> Result<Vec<api::Token>> {
        let sql = format!("{SELECT} ORDER BY name");
        let rows: Vec<Row> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&self.reader).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Keeps the digest of a token that is given out.
    pub(crate) async fn add_token(&self, new: &api::NewToken, token: &str) -> Result<api::Token> {
        let created_ms = now_ms();
        let expires_ms = new.expires_s.map(|seconds| created_ms + i64::from(seconds) * 1000);
        let mut tx = self.begin().await?;
        let insert = sqlx::query(
            "INSERT INTO tokens (name, hash, created_ms, role, expires_ms) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (name) DO NOTHING",
        );
        let insert = insert.bind(&new.name).bind(Digest::of(token.as_bytes()).to_string());
        let insert = insert.bind(created_ms).bind(new.role.word()).bind(expires_ms);
        if insert.execute(&mut *tx).await?.rows_affected() == 0 {
            return Err(StoreError::TokenExists(new.name.clone()));
        }
        let detail = json!({ "role": new.role, "expires_ms": expires_ms });
        audit::note(&mut tx, "token.new", &new.name, detail).await?;
        tx.commit().await?;
        Ok(api::Token { name: new.name.clone(), role: new.role, created_ms, expires_ms })
    }

    /// Makes a token worthless.
    pub(crate) async fn revoke_token(&self, name: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM tokens WHERE name = $1").bind(name);
        if gone.execute(&mut *tx).await?.rows_affected() == 0 {
            let (what, wanted) = ("token", name.to_owned());
            return Err(StoreError::NotFound { what, wanted, near: Vec::new() });
        }
        audit::note(&mut tx, "token.revoke", name, json!({})).await?;
        Ok(tx.commit().await?)
    }
}
