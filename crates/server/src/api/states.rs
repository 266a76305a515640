//! What machines shall do, and what they said that they do.

use super::Bundle;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a machine shall do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// Run what boots its system, or whatever else it is there for.
    #[default]
    Boot,
    /// Run what installs its system.
    Install,
    /// Run what it is repaired with; with no bundle for that, wait for an operator.
    Rescue,
    /// Wait, and run nothing.
    Disabled,
}

impl Desired {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Install => "install",
            Self::Rescue => "rescue",
            Self::Disabled => "disabled",
        }
    }
}

/// For whom an assignment is. The most specific one of a machine is in force: its own, then the latest of its
/// groups', then that of the most labels, then the default; of one kind that for one time goes before the lasting one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One machine.
    Machine(String),
    /// All machines of a group.
    Group(String),
    /// All machines with such labels: `rack=a3,role!=db`.
    Labels(String),
    /// All machines.
    Default,
}

/// A state, with what is run for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// The state.
    #[serde(default)]
    pub state: Desired,
    /// The bundle; none when the state is `disabled`.
    pub bundle: Option<String>,
}

/// `POST assignments`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// The bundle. Without one, and without a state, the assignment is taken back.
    pub bundle: Option<String>,
    /// For whom.
    pub target: Target,
    /// The state; `boot` when only a bundle is given.
    pub state: Option<Desired>,
    /// For one time: it ends when a run of it has succeeded, and the one before is in force again.
    #[serde(default)]
    pub once: bool,
    /// What a machine is assigned, by name, when it has done what was to be done once.
    pub then: Option<Goal>,
    /// For one time: the system that the run starts must say within so many seconds that it is up; otherwise the
    /// assignment before is in force again.
    pub confirm_within_s: Option<u32>,
}

/// The answer to [`Assign`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// The bundle, unless there is none.
    pub bundle: Option<Bundle>,
    /// The state, unless the assignment was taken back.
    pub state: Option<Desired>,
    /// For whom.
    pub target: Target,
    /// The machines whose order changed by it.
    pub machines: u64,
}

/// What a machine is assigned, and by which rule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Assigned {
    /// The state.
    pub state: Desired,
    /// The bundle's digest.
    pub bundle: Option<String>,
    /// The bundle's name.
    pub name: Option<String>,
    /// The bundle's serial.
    pub serial: Option<i64>,
    /// By which rule.
    pub by: Target,
    /// Only until a run of it has succeeded.
    pub once: bool,
    /// Within so many seconds after that the system that was started must say that it is up.
    pub confirm_within_s: Option<i64>,
    /// Why, when it was not an operator who assigned it.
    pub reason: Option<String>,
    /// When, milliseconds since 1970.
    pub assigned_ms: i64,
}

/// What a machine said last of what it does; nothing is concluded from what it shall do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// It was never heard of.
    Never,
    /// It has asked what to do.
    Seen,
    /// It brings up its network, or looks for the server.
    Network,
    /// It works on a bundle.
    Running {
        /// The phase: `verify`, `fetch`, `run`, `report`, `act`.
        phase: String,
        /// How far the script is, percent.
        percent: Option<i64>,
    },
    /// The last script succeeded.
    Succeeded {
        /// Until when the system that it started must say that it is up, milliseconds since 1970.
        confirm_by_ms: Option<i64>,
    },
    /// Something failed.
    Failed {
        /// The error code.
        code: String,
        /// The cause, in the machine's words.
        cause: String,
    },
    /// It waits for something to do.
    Waiting,
    /// The system that a script started has said that it is up.
    Booted {
        /// When, milliseconds since 1970.
        since_ms: i64,
    },
    /// It said nothing since.
    Silent {
        /// When it was last heard of, milliseconds since 1970.
        since_ms: i64,
    },
}

/// What an operator should look at.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Flag {
    /// `rescue`: it failed too often; `unconfirmed`: what was started did not come up in time; `cloned`: its key
    /// was seen in two places.
    pub kind: String,
    /// What happened.
    pub reason: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}

/// `POST machines/REF/labels`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Labels to set.
    #[serde(default)]
    pub set: std::collections::BTreeMap<String, String>,
    /// Labels to take away.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// `GET machines/REF/explain`: why a machine gets what it gets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The machine's name, or its fingerprint.
    pub machine: String,
    /// What was looked at, in that order.
    pub steps: Vec<Step>,
    /// What the machine is told.
    pub order: String,
    /// The generation of that.
    pub generation: i64,
    /// What it said of itself last.
    pub observed: Observed,
}

/// Something that bears on what a machine gets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// What.
    pub what: String,
    /// What follows from it.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

/// What follows from a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It decides.
    InForce,
    /// It would, if another did not go before it.
    Overridden,
    /// It is not for this machine, or no more.
    Passed,
    /// It is as it must be, or for information.
    Note,
}

/// `GET policy`, `PUT policy`: what is done about machines that fail, and what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// After so many failures in a row in the same place a machine goes to `rescue`; zero: never.
    pub failures: u32,
    /// A machine whose script failed and that waits is told to try again after so many seconds, twice as many each
    /// time; zero: never.
    pub retry_s: u32,
    /// What a machine in `rescue` runs; with none it waits.
    pub rescue: Option<String>,
    /// A machine that said nothing for so many seconds is silent.
    pub silent_s: u32,
    /// Logs and runs are kept for so many days; zero: for ever.
    pub keep_days: u32,
    /// And at most so many MiB of logs, the oldest go first; zero: all.
    pub keep_mb: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            failures: 3,
            retry_s: 300,
            rescue: None,
            silent_s: 180,
            keep_days: 90,
            keep_mb: 4096,
        }
    }
}
