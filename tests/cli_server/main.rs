//! The server and the operator's commands as people use them: the real program, over the loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

mod backup;
mod console;
mod fleet;
mod killed;
mod log;
mod machine;
mod operator;
mod program;
#[path = "../../crates/server/tests/routes/scratch.rs"]
mod scratch;
mod several;
mod simulate;
