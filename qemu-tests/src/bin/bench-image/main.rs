//! `cargo xtask bench image`: an image written to a disk by `xb image write`, beside what an administrator would
//! write instead, `curl | zstd -d | dd` and a final `sha256sum`: in the same virtual machine, from the same server.

mod content;
mod machine;
mod memory;
mod rate;
mod ratios;

use anyhow::Result;
use content::Content;
use machine::Machine;
use qemu_tests::{
    bench::{self, Choice},
    figure::Figure,
};
use std::process::ExitCode;

/// What can be measured.
const KINDS: &str = "ratios|rate|memory";
/// How often, unless it is said.
const PAIRS: usize = 3;

fn main() -> ExitCode {
    bench::end(run())
}

fn run() -> Result<Vec<Figure>> {
    let choice = Choice::of_arguments(KINDS, PAIRS)?;
    let folder = bench::folder("bench-image")?;
    let mut figures: Vec<Figure> = Vec::new();
    if choice.wants("ratios") || choice.wants("rate") {
        let machine = Machine::prepare(&folder)?;
        let content = Content::prepare(&folder, &machine.operator)?;
        if choice.wants("ratios") {
            figures.extend(ratios::measure(&machine, &content, choice.pairs)?);
        }
        if choice.wants("rate") {
            figures.push(rate::measure(&machine, &content, choice.pairs)?);
        }
    }
    if choice.wants("memory") {
        figures.extend(memory::measure(&folder)?);
    }
    Ok(figures)
}
