//! Writes the test vectors into `crates/bundle/vectors`: `cargo run -p xenoboot-bundle --example vectors`.
//!
//! They are the same at each run; a test says when those that are checked in differ.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a generator that panics has failed before it wrote anything"
)]

mod build;
mod cases;

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let cases = cases::all();
    for case in &cases {
        fs::write(dir.join(case.file_name()), case.to_json())?;
    }
    println!("{} vectors in {}", cases.len(), dir.display());
    Ok(())
}
