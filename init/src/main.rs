//! PID 1.
//!
//! `keeper` is PID 1 itself: it forks the `worker`, reaps, and starts the worker again should it die.
//! Everything else is the worker's: so a panic, which in the guest profile is an abort, ends a process
//! that can be replaced and never PID 1, which would be a kernel panic.
//!
//! Run by the kernel as anything but PID 1, the same file is the kernel's helper (`helper`).
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

mod agent;
mod backoff;
mod button;
mod command_line;
mod console;
mod drivers;
mod early;
mod helper;
mod image;
mod journal;
mod keeper;
mod medium;
mod paths;
mod quiet;
mod shutdown;
mod watchdogs;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    if rustix::process::getpid() == rustix::process::Pid::INIT {
        keeper::run()
    } else {
        helper::run(std::env::args().collect())
    }
}
