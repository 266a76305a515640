//! The phases, one file each, and what they have in common.

pub mod act;
pub mod contact;
pub mod fetch;
pub mod network;
pub mod report;
pub mod run;
pub mod verify;
pub mod wait;

use crate::{backoff::Backoff, context::Context, failure::Failure, status::Next};
use std::time::Duration;

/// A phase: what it is called and how long it may go on without getting further. What a failure does is told
/// where each is defined; all but those of a script itself are tried again for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// As in events and on the screen.
    pub name: &'static str,
    /// Longest time without progress. Where data flows that is the time without a byte; a slow
    /// line is no failure.
    pub limit: Option<Duration>,
}

impl Phase {
    /// Enters the phase.
    pub fn enter(&self, context: &Context) {
        context.reporter.phase(self.name);
    }

    /// Says that the phase failed and what is next; gives the delay before that. A lost connection is
    /// said by whoever makes the next one.
    pub fn failed(&self, context: &Context, failure: &Failure, backoff: &mut Backoff) -> Duration {
        let (attempt, delay) = backoff.failed(failure.retry_after);
        if !failure.connection_lost {
            context.reporter.failure(failure, attempt, Next::after(delay));
        }
        delay
    }
}
