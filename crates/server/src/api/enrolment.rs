//! How machines become known, and how their keys are replaced.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// `POST machines/REF/approve`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Its name; without one the name that it suggests, else one made of its fingerprint.
    pub name: Option<String>,
    /// Groups to add it to.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Labels to set.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// `POST machines`: approves a machine that was never seen.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Its key, or its fingerprint.
    pub key: String,
    /// Its name.
    pub name: Option<String>,
    /// Its groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// `POST import`: approves many machines, all or none.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The machines.
    pub machines: Vec<Expect>,
}

/// The answer to [`Import`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    /// Their names, in the order of the question.
    pub names: Vec<String>,
}

/// `POST machines/REF/rotate`: another key for a machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// The new key, or its fingerprint.
    pub key: String,
    /// At once; otherwise the old key is good until the new one is seen.
    #[serde(default)]
    pub now: bool,
}

/// `POST invitations`: a token that approves the machine which shows it first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The machine's name.
    pub name: Option<String>,
    /// Its groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// For how long the token is good.
    pub expires_s: u32,
}

/// The answer to [`Invite`]; the only place where the token can be read.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invited {
    /// What is typed at the console, or given as `xenoboot.token=` on the kernel's command line.
    pub token: String,
    /// What is known of it.
    #[serde(flatten)]
    pub invitation: Invitation,
}

/// A token that was given out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// By what it is called; tells nothing of the token.
    pub id: String,
    /// The name that the machine will have.
    pub name: Option<String>,
    /// Until when it is good, milliseconds since 1970.
    pub expires_ms: i64,
    /// When it was used, milliseconds since 1970.
    pub used_ms: Option<i64>,
    /// The machine that used it: its name, or its fingerprint.
    pub machine: Option<String>,
}
