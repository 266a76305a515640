//! What the boot loaders installed on a machine would offer, and which of it they would start.
//!
//! Pure: files come through [`Files`], entries and faults go out. The configurations are hostile input: each
//! evaluation ends, and a damaged part costs no more than itself. [`scan`] looks everywhere.
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

mod bls;
mod convention;
mod entry;
mod files;
mod fstab;
mod grub;
mod lilo;
mod loader_conf;
pub mod memory;
mod metered;
mod pattern;
mod scan;
mod syslinux;
pub mod uki;
mod version;

pub use entry::{Entry, Fault, Kind, Loader, Menu, Module};
pub use files::{Device, Files, MAX_TEXT, Place, ReadError, Table, What};
pub use scan::{Firmware, Found, scan};

#[cfg(test)]
mod tests;
