//! Who has logged in to the dashboard: with a token, with which the session ends, or by the provider of `oidc.toml`.

use super::{Result, Store, StoreError, audit, tokens::role, without_nul};
use crate::{
    api::{self, Role},
    oidc::Person,
    time::now_ms,
};
use serde_json::json;
use sqlx::FromRow;
use xenoboot_wire::Digest;

/// How much of a session's digest names it.
const ID: usize = 16;
/// How long it is remembered that a log-in by a provider was used, longer than it may take.
const REMEMBERED_MS: i64 = 3_600_000;

fn hash(secret: &str) -> String {
    Digest::of(secret.as_bytes()).to_string()
}

/// Whose session it is.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// What the audit log calls him.
    pub(crate) name: String,
    pub(crate) role: Role,
}

#[derive(FromRow)]
struct Row {
    hash: String,
    name: String,
    role: String,
    subject: Option<String>,
    issuer: Option<String>,
    begun_ms: i64,
    expires_ms: i64,
}

impl TryFrom<Row> for api::Session {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self> {
        let Row { hash, name, subject, issuer, begun_ms, expires_ms, .. } = row;
        let id = hash.get(..ID).ok_or(StoreError::Corrupt("a session"))?.to_owned();
        Ok(Self { id, name, role: role(&row.role)?, subject, issuer, begun_ms, expires_ms })
    }
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
        let (mut tx, now) = (self.begin().await?, now_ms());
        let over = sqlx::query("DELETE FROM sessions WHERE expires_ms <= $1").bind(now);
        over.execute(&mut *tx).await?;
        let new = sqlx::query(
            "INSERT INTO sessions (hash, token, begun_ms, expires_ms) VALUES ($1, $2, $3, $4)",
        );
        let new = new.bind(hash(secret)).bind(hash(token)).bind(now).bind(now + lasts_ms);
        new.execute(&mut *tx).await?;
        let noted = audit::note(&mut tx, "dashboard.login", &about.name, json!({}));
        audit::as_actor(about.name.clone(), noted).await?;
        tx.commit().await?;
        Ok(Some(about))
    }

    /// The same for somebody whom the provider knows. Whether it was done: each log-in is good once.
    pub(crate) async fn log_in_by(
        &self,
        person: &Person,
        secret: &str,
        lasts_ms: i64,
    ) -> Result<bool> {
        let Person { issuer, subject, name, role, .. } = person;
        let (mut tx, now) = (self.begin().await?, now_ms());
        for table in ["DELETE FROM sessions", "DELETE FROM logins"] {
            let sql = format!("{table} WHERE expires_ms <= $1");
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now).execute(&mut *tx).await?;
        }
        let once = sqlx::query(
            "INSERT INTO logins (hash, expires_ms) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING",
        );
        let once = once.bind(hash(&person.once)).bind(now + REMEMBERED_MS);
        if once.execute(&mut *tx).await?.rows_affected() == 0 {
            return Ok(false);
        }
        let new = sqlx::query(
            "INSERT INTO sessions (hash, issuer, subject, name, role, begun_ms, expires_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        );
        let new = new.bind(hash(secret)).bind(issuer).bind(subject).bind(name).bind(role.word());
        new.bind(now).bind(now + lasts_ms).execute(&mut *tx).await?;
        let detail = json!({ "issuer": issuer, "subject": subject, "role": role });
        let noted = audit::note(&mut tx, "dashboard.login", name, detail);
        audit::as_actor(name.clone(), noted).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Whose session it is, while it is good: its token too, or the provider, who is still the one of `oidc.toml`.
    pub(crate) async fn session(
        &self,
        secret: &str,
        provider: Option<&str>,
    ) -> Result<Option<Who>> {
        type Found = (Option<String>, Option<String>, Option<String>, Option<String>);
        let found = sqlx::query_as(
            "SELECT token, issuer, name, role FROM sessions WHERE hash = $1 AND expires_ms > $2",
        );
        let found = found.bind(hash(secret)).bind(now_ms());
        let found: Option<Found> = found.fetch_optional(&self.reader).await?;
        match found {
            Some((Some(token), ..)) => {
                let token = self.token_by_hash(&token).await?;
                Ok(token.map(|token| Who { name: token.name, role: token.role }))
            }
            Some((None, issuer, Some(name), Some(word))) if issuer.as_deref() == provider => {
                Ok(Some(Who { name, role: role(&word)? }))
            }
            _ => Ok(None),
        }
    }

    /// Ends a session.
    pub(crate) async fn log_out(&self, secret: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        let end = sqlx::query("DELETE FROM sessions WHERE hash = $1").bind(hash(secret));
        end.execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// All sessions that are good, the oldest first.
    pub(crate) async fn sessions(&self) -> Result<Vec<api::Session>> {
        let rows = sqlx::query_as(
            "SELECT s.hash, COALESCE(s.name, t.name) AS name, COALESCE(s.role, t.role) AS role, \
             s.subject, s.issuer, s.begun_ms, s.expires_ms \
             FROM sessions s LEFT JOIN tokens t ON t.hash = s.token \
             WHERE s.expires_ms > $1 AND (s.token IS NULL OR \
             (t.name IS NOT NULL AND (t.expires_ms IS NULL OR t.expires_ms > $1))) \
             ORDER BY s.begun_ms, s.hash",
        );
        let rows: Vec<Row> = rows.bind(now_ms()).fetch_all(&self.reader).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Ends the session of that name, or all of somebody.
    pub(crate) async fn end_sessions(&self, whose: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        let end = sqlx::query(
            "DELETE FROM sessions WHERE SUBSTR(hash, 1, 16) = $1 OR name = $1 \
             OR token IN (SELECT hash FROM tokens WHERE name = $1)",
        );
        let ended = end.bind(without_nul(whose)).execute(&mut *tx).await?.rows_affected();
        if ended == 0 {
            let (what, wanted) = ("session", whose.to_owned());
            return Err(StoreError::NotFound { what, wanted, near: Vec::new() });
        }
        audit::note(&mut tx, "session.end", whose, json!({ "sessions": ended })).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Scratch;

    fn person(once: &str) -> Person {
        Person {
            issuer: "https://id.example.org".into(),
            subject: "0815".into(),
            name: "oidc:alice@example.org".into(),
            role: Role::Operator,
            once: once.into(),
            back: "/ui".into(),
        }
    }

    #[tokio::test]
    async fn a_log_in_by_a_provider_is_good_once_and_for_its_time() {
        let scratch = Scratch::new();
        let store = scratch.store().await;
        let provider = Some("https://id.example.org");
        assert!(store.log_in_by(&person("a"), "cookie", 60_000).await.unwrap());
        assert!(!store.log_in_by(&person("a"), "other", 60_000).await.unwrap(), "used");
        assert!(store.session("other", provider).await.unwrap().is_none());
        assert!(store.log_in_by(&person("b"), "short", 0).await.unwrap());
        assert!(store.session("short", provider).await.unwrap().is_none(), "over");
        let who = store.session("cookie", provider).await.unwrap().unwrap();
        assert_eq!((&*who.name, who.role), ("oidc:alice@example.org", Role::Operator));
        for other in [None, Some("https://other.example.org")] {
            assert!(store.session("cookie", other).await.unwrap().is_none(), "{other:?}");
        }
        let entry = store.audit(0).await.unwrap().remove(0);
        assert_eq!((&*entry.actor, &*entry.action), ("oidc:alice@example.org", "dashboard.login"));
        assert_eq!(entry.detail["subject"], "0815");
        store.log_out("cookie").await.unwrap();
        assert!(store.session("cookie", provider).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn sessions_are_listed_and_ended() {
        let scratch = Scratch::new();
        let store = scratch.store().await;
        store.set_token("admin", "token").await.unwrap();
        store.log_in("token", "one", 60_000).await.unwrap().unwrap();
        for (once, secret) in [("a", "two"), ("b", "three")] {
            assert!(store.log_in_by(&person(once), secret, 60_000).await.unwrap());
        }
        let listed = store.sessions().await.unwrap();
        let names: Vec<_> =
            listed.iter().map(|s| (&*s.name, s.role, s.subject.as_deref())).collect();
        let alice = ("oidc:alice@example.org", Role::Operator, Some("0815"));
        assert!(names.contains(&("admin", Role::Admin, None)), "{names:?}");
        assert_eq!(names.iter().filter(|name| **name == alice).count(), 2);
        let one = listed.iter().find(|s| s.name == "admin").unwrap();
        store.end_sessions(&one.id).await.unwrap();
        assert!(store.session("one", None).await.unwrap().is_none());
        store.end_sessions("oidc:alice@example.org").await.unwrap();
        assert!(store.sessions().await.unwrap().is_empty());
        for nobodys in ["oidc:alice@example.org", "", "%", "a\0"] {
            assert!(store.end_sessions(nobodys).await.is_err(), "{nobodys}");
        }
    }
}
