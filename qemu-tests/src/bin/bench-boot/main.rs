//! `cargo xtask bench boot`: how long our initramfs takes from the kernel's start of PID 1 to the first line of
//! a script that was fetched and verified, beside what an administrator would build instead; how many
//! round trips of the network that is; the least memory in which it works; how long an assignment
//! takes to reach a machine that waits; and what the toolbox costs a script that does not need it.

mod baseline;
mod files;
mod memory;
mod ours;
mod ratio;
mod stamps;
mod toolbox;
mod trips;
mod wake;

use anyhow::Result;

use ours::Ours;
use qemu_tests::{
    bench::{self, Choice},
    figure::Figure,
};
use std::process::ExitCode;

/// What can be measured.
const KINDS: &str = "ratio|round-trips|memory|wake|toolbox";
/// How often, unless it is said.
const PAIRS: usize = 5;

fn main() -> ExitCode {
    bench::end(run())
}

fn run() -> Result<Vec<Figure>> {
    let choice = Choice::of_arguments(KINDS, PAIRS)?;
    let folder = bench::folder("bench-boot")?;
    let ours = Ours::prepare(&folder)?;
    let mut figures: Vec<Figure> = Vec::new();
    if choice.wants("ratio") {
        figures.push(ratio::measure(&folder, &ours, choice.pairs)?);
    }
    if choice.wants("round-trips") {
        figures.push(trips::measure(&folder, &ours)?);
    }
    if choice.wants("memory") {
        figures.push(memory::measure(&folder, &ours)?);
    }
    if choice.wants("wake") {
        figures.push(wake::measure(&ours)?);
    }
    if choice.wants("toolbox") {
        figures.push(toolbox::measure(&ours, choice.pairs)?);
    }
    Ok(figures)
}
