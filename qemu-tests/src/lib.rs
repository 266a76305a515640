//! The virtual-machine harness: boots the real image in QEMU against the real server.
//!
//! A scenario is one function in `tests/`: it takes a [`Scenario`] (a folder that is kept when it fails,
//! and one of the few places for virtual machines that run at a time), starts an [`Operator`] (server,
//! fleet and keys, all by the real command line), boots a [`Vm`] and says what must appear on its console.
//! Hostile surroundings are made by [`lab`] (a network in user space) and by [`relay`] (a bad path).
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that fails shall say where"
    )
)]

pub mod accel;
pub mod bare;
pub mod bench;
pub mod bmc;
pub mod bundle;
pub mod console;
pub mod debian;
pub mod figure;
pub mod lab;
pub mod mirror;
pub mod operator;
pub mod paths;
pub mod programs;
pub mod qmp;
pub mod relay;
pub mod root_image;
pub mod scenario;
pub mod screen;
pub mod server;
pub mod tls12;
pub mod vm;
pub mod wait;
pub mod web;

pub use bare::Bare;
pub use bundle::Bundle;
pub use operator::{NewKey, Operator};
pub use scenario::Scenario;
pub use vm::{Bus, Nic, Vm, VmBuilder};
pub use web::Web;
