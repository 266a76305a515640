//! What can be booted: formats of kernels, checked before anything is handed to the running one.
//! Pure: bytes in, facts or a named error out.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )
)]

mod bytes;
pub mod elf;
pub mod linux;
pub mod memory;
pub mod multiboot;
pub mod params;
pub mod real;
pub mod screen;
