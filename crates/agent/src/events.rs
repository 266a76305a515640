//! The stream of events: numbered, kept on a tmpfs until the server has stored them, and sent.

pub mod sender;
pub mod spool;

use xenoboot_wire::{RunId, event::What};

/// An event before it has its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Milliseconds since the kernel started.
    pub at_ms: u64,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// What happened.
    pub what: What,
}
