//! DHCP for IPv6 (RFC 8415): addresses where a router says that they are managed, else other settings
//! only. A client as a state machine without a socket or a clock of its own, and the task that gives it
//! both.

mod client;
mod lease;
mod message;
mod task;

pub(crate) use client::{Mode, News};
pub(crate) use lease::Lease;
pub(crate) use task::{Identity, run};

#[cfg(test)]
mod client_tests;
