//! What `xb`, inside a script, asks of the agent: over `/run/xenoboot/agent.sock`, each message
//! preceded by its length as four bytes, big-endian.

use crate::boot::Bytes;
use serde::{Deserialize, Serialize};

/// The socket's path.
pub const SOCKET: &str = "/run/xenoboot/agent.sock";

/// Largest request or response, bytes.
pub const MAX_FRAME: usize = 64 << 10;

/// One request a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// `xb progress PERCENT [TEXT]`
    Progress {
        /// 0 to 100.
        percent: u8,
        /// What is being done.
        text: String,
    },
    /// `xb report KEY=VALUE`
    Report {
        /// Letters, digits, `-`, `_`, `.`; 1 to 64 of them.
        key: String,
        /// At most [`crate::event::MAX_TEXT`] bytes.
        value: String,
    },
    /// `xb report --sign KEY=VALUE`: as `Report`, with the machine's signature reported beside it.
    SignedReport {
        /// As in `Report`, at most 60 of them.
        key: String,
        /// As in `Report`.
        value: String,
    },
    /// `xb log TEXT`: a line to screen and server, marked as the agent's.
    Log {
        /// The line.
        text: String,
    },
    /// `xb kexec`: the kernel that is loaded now is started when the script has succeeded.
    Kexec {
        /// How long it has until the hardware watchdog resets the machine, seconds.
        watchdog_s: u32,
    },
    /// `xb secret NAME`: a secret of the script's bundle.
    Secret {
        /// Its name: 1 to 64 letters, digits, `-`, `_` and `.`, a letter or digit first.
        name: String,
    },
    /// `xb confirm-url`: how the system that this script starts says that it is up.
    ConfirmUrl,
    /// `xb status`: what the agent knows, for people.
    Status,
    /// What the consoles have shown, for an operator who watches.
    Console {
        /// How many bytes of it he has seen.
        after: u64,
    },
}

/// The agent's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Done; it will reach the server.
    Done,
    /// The answer to [`Request::Status`], lines of `key: value`.
    Status(String),
    /// The answer to [`Request::Secret`]; at most half of [`MAX_FRAME`].
    Secret(Bytes),
    /// The answer to [`Request::Console`].
    Console {
        /// How many bytes came before these; more than he has seen when the agent could not keep so many.
        from: u64,
        /// Lines; at most half of [`MAX_FRAME`].
        text: Bytes,
    },
    /// The answer to [`Request::ConfirmUrl`].
    ConfirmUrl {
        /// To be asked once by `POST`, from anywhere.
        url: String,
        /// What curl's `--pinnedpubkey` takes: the server's pins, `;` between.
        pins: String,
    },
    /// Refused, with the reason in words.
    Refused(String),
}
