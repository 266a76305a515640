//! What operators and the server say to each other: JSON under `/api/v1`.
//!
//! A machine is referred to by its name, its key, its fingerprint, or an unambiguous beginning (of at least four
//! characters) of the last two; a bundle by its name (the highest serial of that name) or by its digest or
//! its beginning; a run by its id or its beginning.

mod access;
mod enrolment;
mod power;
mod states;
mod upkeep;

pub use access::*;
pub use enrolment::*;
pub use power::*;
pub use states::*;
pub use upkeep::*;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Whether a machine may have anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has asked; an operator must compare its fingerprint.
    Pending,
    /// It gets what is assigned to it.
    Approved,
    /// It gets nothing.
    Refused,
}

/// A machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Machine {
    /// Its name; `None` while it is pending.
    pub name: Option<String>,
    /// The name stamped into its image, if any.
    pub suggested_name: Option<String>,
    /// What a person compares.
    pub fingerprint: String,
    /// Its Ed25519 public key, hexadecimal; `None` when it was approved by fingerprint and never seen.
    pub key: Option<String>,
    /// Whether it may have anything.
    pub state: State,
    /// Whether it is connected now.
    pub online: bool,
    /// When it was last heard of, milliseconds since 1970.
    pub seen_ms: Option<i64>,
    /// From where it connected last.
    pub address: Option<String>,
    /// The groups it is in.
    pub groups: Vec<String>,
    /// Its labels.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Grows with each change of what it is assigned.
    pub generation: i64,
    /// What it is assigned.
    pub assigned: Option<Assigned>,
    /// What it said last of what it does.
    pub observed: Observed,
    /// What an operator should look at.
    pub flags: Vec<Flag>,
    /// Its last run.
    pub last_run: Option<Run>,
    /// Its image (`wire::boot::ImageInfo`).
    pub image: Option<Value>,
    /// Its last failure outside a script.
    pub failure: Option<Failure>,
}

/// What failed on a machine outside a script.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// The error code, `XB-NET-04`.
    pub code: String,
    /// Its cause, in the machine's words.
    pub cause: String,
    /// When the server heard of it, milliseconds since 1970.
    pub at_ms: i64,
}

/// `GET machines/REF`: a machine with its hardware.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MachineDetails {
    /// The machine.
    #[serde(flatten)]
    pub machine: Machine,
    /// Its hardware (`wire::boot::Inventory`).
    pub inventory: Option<Value>,
}

/// `POST machines/REF/groups`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// Groups to add it to.
    #[serde(default)]
    pub add: Vec<String>,
    /// Groups to remove it from.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// A bundle that was pushed. What it says of itself is unverified: machines verify.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Bundle {
    /// SHA-256 of the envelope.
    pub bundle: String,
    /// Its name.
    pub name: String,
    /// Its serial.
    pub serial: i64,
    /// Its fleet.
    pub fleet: String,
    /// Until when it may be run, Unix seconds.
    pub not_after: i64,
    /// How many files it has.
    pub files: i64,
    /// Their total size in bytes.
    pub total_size: i64,
    /// How many signatures it has.
    pub signatures: i64,
    /// When it was pushed, milliseconds since 1970.
    pub pushed_ms: i64,
}

/// `POST blobs/missing`: digests of blobs; the answer has those of them that the server lacks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    /// Their digests.
    #[schema(value_type = Vec<String>)]
    pub blobs: Vec<xenoboot_wire::Digest>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It has not ended yet, as far as the machine has said.
    Running,
    /// Its script exited with 0.
    Succeeded,
    /// It did not.
    Failed,
    /// The machine restarted before it said how the run ended.
    Lost,
}

/// One execution of a bundle on a machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its id.
    pub run: String,
    /// The machine's name, or its fingerprint.
    pub machine: String,
    /// The bundle's digest.
    pub bundle: Option<String>,
    /// The bundle's name.
    pub name: Option<String>,
    /// The bundle's serial.
    pub serial: Option<i64>,
    /// How far it is.
    pub state: RunState,
    /// The error code, if it failed.
    pub code: Option<String>,
    /// The cause, if it failed.
    pub cause: Option<String>,
    /// The script's exit status, if it failed by exiting.
    pub exit: Option<i64>,
    /// From the script's start to its end, milliseconds.
    pub duration_ms: Option<i64>,
    /// What the script said last of its progress.
    pub progress: Option<Progress>,
    /// When the server heard of its start, milliseconds since 1970.
    pub started_ms: i64,
    /// When the server heard of its end, milliseconds since 1970.
    pub ended_ms: Option<i64>,
}

/// How far a script is, by its own account.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// 0 to 100.
    pub percent: i64,
    /// What is being done.
    pub text: String,
}

/// `GET runs/REF`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunDetails {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// The power-on.
    pub boot: String,
    /// What led to it and followed it: the phases since the run before it on this power-on.
    pub phases: Vec<Phase>,
    /// What the script reported, by key.
    pub reports: std::collections::BTreeMap<String, String>,
    /// How many lines of text its log has.
    pub lines: i64,
}

/// A phase of a machine's work.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// When it began, milliseconds since the kernel started.
    pub at_ms: i64,
    /// How long it lasted; `None` for one that goes on.
    pub duration_ms: Option<i64>,
}

/// `GET runs/REF/log?after=N&wait_s=S`: events of the run with numbers above N, at most a thousand; with none yet the answer
/// waits up to S seconds for one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Log {
    /// The events, in order.
    pub events: Vec<LogEvent>,
    /// The run as it is after them; it is over, and the log complete, when there are no events and its
    /// state is not `running`.
    pub run: Run,
}

/// An event of a run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogEvent {
    /// Its number in the power-on's stream.
    pub number: i64,
    /// Milliseconds since the kernel started.
    pub at_ms: i64,
    /// When the server stored it, milliseconds since 1970.
    pub received_ms: i64,
    /// What happened (`wire::event::What`).
    #[schema(value_type = Value)]
    pub what: xenoboot_wire::event::What,
}

/// What is said instead of an answer, with a status of 400 or more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Failed {
    /// What failed and why.
    pub error: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
