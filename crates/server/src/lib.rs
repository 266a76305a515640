//! The central server: machines ask it what to do and report to it, operators tell it what it shall answer.
//!
//! One process: TLS 1.3 on one port for machines (known by the key of their client certificate) and
//! operators (known by a token), a database for what changes, a folder of content-addressed files for
//! bundles and blobs. What it has acknowledged is on the disk. It holds no signing key: what it hands
//! out is believed by machines for its signatures alone.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that panics has failed, which is what it is for"
    )
)]

pub mod api;
pub mod backup;
mod blobs;
mod claims;
mod dashboard;
mod database;
mod doors;
mod fellows;
mod handlers;
mod home;
mod hub;
mod keeper;
mod listen;
mod mail;
mod near;
mod notify;
mod oidc;
mod openapi;
mod outgoing;
mod power;
mod problem;
mod registrations;
mod router;
mod selector;
mod server;
mod store;
pub mod text;
mod time;
mod tls;
mod turns;

pub use database::{Database, DatabaseError};
pub use home::HomeError;
pub use server::{OpenError, Server};
