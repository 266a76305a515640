//! Packed disk images: a root index, pages, and chunks, each named by its digest.
//!
//! docs/IMAGE-FORMAT.md has the format. Whoever knows the root index's digest knows every byte of the
//! image: nothing is decompressed, and nothing believed, before its digest was found right.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")
)]

mod btrfs;
pub mod chunk;
mod ext;
mod fat;
mod free;
pub mod index;
mod ntfs;
pub mod packer;
mod partitions;
mod signatures;
pub mod source;
pub mod store;
pub mod sum;
pub mod usage;
mod xfs;

pub use chunk::is_zero;
pub use index::{Chunk, Index, Page, Run};
pub use packer::{Options, Packed, pack};
pub use source::Source;
pub use sum::Sum;
pub use usage::Usage;

/// A little-endian number of up to 8 bytes; 0 when it is not all there.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let field = bytes.get(at..).and_then(|b| b.get(..length)).unwrap_or(&[]);
    field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
