//! Who is told of what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Of what people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A script failed, or a machine went to rescue.
    Failed,
    /// Nothing was heard of a machine for some time.
    Silent,
    /// A key is used in two places.
    Cloned,
    /// A machine waits for approval.
    Pending,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Failed, Self::Silent, Self::Cloned, Self::Pending];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Silent => "silent",
            Self::Cloned => "cloned",
            Self::Pending => "pending",
        }
    }
}

/// `POST webhooks`: a URL that is told.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where a [`Notice`] is sent by POST: `https://…`, `http://…`; or `mailto:ADDRESS`.
    pub url: String,
    /// Of what; without any, of everything.
    #[serde(default)]
    pub kinds: Vec<Kind>,
}

/// A URL that is told.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Its number.
    pub id: i64,
    /// The URL.
    pub url: String,
    /// Of what.
    pub kinds: Vec<Kind>,
}

/// What is sent: for each machine and kind at most one an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// What it is about.
    pub kind: Kind,
    /// The machine's name, or its fingerprint.
    pub machine: String,
    /// The machine's fingerprint.
    pub fingerprint: String,
    /// What happened, in words.
    pub text: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}
