//! What a machine reports while it works: one numbered stream of events for each power-on.
//!
//! Events are numbered from 1 without gaps. The machine keeps each until the server has said in an
//! [`EventAck`] that it is stored, and sends it again otherwise; the server stores each once.

use crate::{BootId, Code, Digest, RunId, boot::Outcome};
use serde::{Deserialize, Serialize};

/// `POST /machine/v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBatch {
    /// The power-on that the numbers belong to.
    pub boot: BootId,
    /// Events with consecutive numbers, at most [`MAX_BATCH`].
    pub events: Vec<Event>,
}

/// Most events in one batch.
pub const MAX_BATCH: usize = 1000;

/// Longest text in an event, bytes; longer lines are cut by the machine, with a mark.
pub const MAX_TEXT: usize = 4096;

/// The server has stored, durably, every event up to and including `through`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventAck {
    /// Number of the last stored event of this boot; zero when there is none.
    pub through: u64,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Number in this power-on's stream, from 1.
    pub number: u64,
    /// Milliseconds since the kernel started (CLOCK_BOOTTIME).
    pub at_ms: u64,
    /// The run it belongs to, if any.
    pub run: Option<RunId>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A line of text.
    Line {
        /// Who said it.
        source: Source,
        /// The line, without its newline; invalid UTF-8 was replaced.
        text: String,
    },
    /// A phase began.
    Phase {
        /// `network`, `contact`, `verify`, `fetch`, `run`, `report`, `act`, `wait`.
        name: String,
    },
    /// A run began.
    RunStarted {
        /// The bundle, by the digest of its envelope.
        bundle: Digest,
        /// The bundle's name, from its manifest.
        name: String,
        /// The bundle's serial.
        serial: u64,
        /// The generation of the assignment that it carries out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u64>,
    },
    /// `xb progress`.
    Progress {
        /// 0 to 100.
        percent: u8,
        /// What is being done.
        text: String,
    },
    /// `xb report KEY=VALUE`.
    Report {
        /// The key: letters, digits, `-`, `_`, `.`.
        key: String,
        /// The value.
        value: String,
    },
    /// The run ended.
    RunEnded {
        /// How.
        outcome: Outcome,
        /// From the start of the script to its end, milliseconds.
        duration_ms: u64,
    },
    /// Something failed outside a script; it will be tried again.
    Failure {
        /// The error code.
        code: Code,
        /// Its cause, in words.
        cause: String,
        /// How often it failed in a row.
        attempt: u32,
    },
    /// An operator has come to the console, or has left it.
    Console {
        /// His name, as the machine's image or its bundle has it.
        who: String,
        /// The fingerprint of the key that he proved to have, `SHA256:...`.
        key: String,
        /// How long he was there, milliseconds; `None` when he has just come.
        lasted_ms: Option<u64>,
    },
    /// Events were given up because the machine could keep no more of them.
    Dropped {
        /// How many.
        count: u64,
    },
}

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The script's standard output.
    Stdout,
    /// The script's standard error.
    Stderr,
    /// The agent.
    Agent,
    /// init, or what an agent that died had printed last.
    Init,
}
