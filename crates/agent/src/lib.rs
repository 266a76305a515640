//! The agent: finds the server, proves it, fetches and verifies what is to be run, runs it, reports.
//!
//! [`app`] puts the parts together; the phases are in [`phase`], one file each.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that cannot go on shall panic"
    )
)]

pub mod app;
pub mod backoff;
pub mod confirm;
pub mod console;
pub mod context;
pub mod enrolment;
pub mod environment;
pub mod events;
pub mod failure;
pub mod history;
pub mod http;
pub mod identity;
pub mod init;
pub mod inventory;
pub mod layout;
pub mod life;
pub mod masks;
pub mod phase;
pub mod random;
pub mod report;
pub mod run_state;
pub mod screen;
pub mod secrets;
pub mod server;
pub mod settings;
pub mod sftp;
pub mod socket;
pub mod ssh;
pub mod status;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
pub mod tls;
pub mod toolbox;
