//! The server's routes: a real database, real TLS, machines with keys of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

mod access;
mod assignments;
mod browser;
mod bucket;
mod client;
mod connections;
mod dashboard;
mod enrolment;
mod events;
mod machines;
mod mail;
mod oidc;
mod power;
mod scratch;
mod states;
mod storage;
mod transfers;
mod upkeep;
