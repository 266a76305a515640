//! Who may do what, and who did what.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use xenoboot_wire::Digest;

/// What somebody with a token may do; each role may do what the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at everything but tokens, sessions and webhooks.
    Viewer,
    /// Approve machines, push bundles, assign.
    Operator,
    /// Give out tokens, and say who is told.
    Admin,
}

impl Role {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Whose token it is: `GET whoami`, `GET tokens`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its name, which the audit log has.
    pub name: String,
    /// What it is good for.
    pub role: Role,
    /// When it was given out, milliseconds since 1970.
    pub created_ms: i64,
    /// Until when it is good, milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

/// `POST tokens`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// What it is good for.
    pub role: Role,
    /// For how long; without it, until it is revoked.
    pub expires_s: Option<u32>,
}

/// The answer to [`NewToken`]; the only place where the token can be read.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GivenToken {
    /// What goes after `Bearer`.
    pub token: String,
    /// What is known of it.
    #[serde(flatten)]
    pub about: Token,
}

/// Somebody who has logged in to the dashboard: `GET sessions`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// What it is ended by.
    pub id: String,
    /// Who: the name of a token, or `oidc:` and an e-mail address or the name at the provider.
    pub name: String,
    /// What he may do.
    pub role: Role,
    /// By a provider: his name there, which is never another's.
    pub subject: Option<String>,
    /// By a provider: which.
    pub issuer: Option<String>,
    /// When he logged in, milliseconds since 1970.
    pub begun_ms: i64,
    /// When it ends by itself, milliseconds since 1970.
    pub expires_ms: i64,
}

/// Something that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its number, from 1 without gaps.
    pub number: i64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// By whom: the name of a token, `oidc:WHO`, `machine FINGERPRINT`, or `server`.
    pub actor: String,
    /// What was done: `machine.approve`.
    pub action: String,
    /// To what.
    pub object: String,
    /// More about it.
    pub detail: Value,
    /// The hash of the entry before; 64 zeros for the first.
    pub before: String,
    /// The hash of this entry: [`AuditEntry::hash_of`].
    pub hash: String,
}

impl AuditEntry {
    /// What stands for the hash before the first entry.
    pub const NONE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    /// SHA-256 of the JSON array of `before`, `number`, `at_ms`, `actor`, `action`, `object` and `detail` (as JSON in
    /// a string, its keys in order), without spaces.
    #[must_use]
    pub fn hash_of(&self) -> String {
        let detail = self.detail.to_string();
        let fields = (
            &self.before,
            self.number,
            self.at_ms,
            &self.actor,
            &self.action,
            &self.object,
            detail,
        );
        // Text and numbers alone: nothing of this can fail.
        Digest::of(&serde_json::to_vec(&fields).unwrap_or_default()).to_string()
    }
}

/// `GET audit?after=N`: entries with higher numbers, in order, at most a thousand.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Audit {
    /// The entries.
    pub entries: Vec<AuditEntry>,
}

/// One message of `GET stream`: something changed, and where to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A machine: what it shall do, what it said, or its runs.
    Machine {
        /// Its name, or its fingerprint.
        machine: String,
    },
    /// More changed than could be told: ask for everything again.
    Everything,
}
