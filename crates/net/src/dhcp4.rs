//! DHCP for IPv4 (RFC 2131): a client as a state machine without a socket or a clock of its own, and
//! the task that gives it both.

mod client;
mod lease;
mod message;
mod task;

pub(crate) use lease::Lease;
pub(crate) use task::{Identity, run};

#[cfg(test)]
mod client_tests;
