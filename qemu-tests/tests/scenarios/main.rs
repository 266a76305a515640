//! Scenarios in virtual machines with the real image, server and command line. One file a subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a scenario that cannot go on shall say where"
)]

mod boot;
mod console;
mod image;
mod installed;
mod kernel;
mod kexec;
mod legacy;
mod links;
mod local;
mod multiboot;
mod network;
mod power;
mod recipes;
mod repair;
mod reports;
mod runs;
mod server;
mod states;
mod toolbox;
mod trust;
