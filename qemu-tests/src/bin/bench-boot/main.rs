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

use anyhow::{Context, Result, bail, ensure};

use ours::Ours;
use qemu_tests::{accel, figure::Figure, paths};
use std::{env, fs, process::ExitCode};

/// What can be measured.
const KINDS: &str = "ratio|round-trips|memory|wake|toolbox";

/// What to measure, and how often.
struct Choice {
    pairs: usize,
    only: Option<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a figure is over its limit");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("bench boot: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all figures are within their limits.
fn run() -> Result<bool> {
    let choice = choice(env::args().skip(1))?;
    let folder = paths::target().join("bench-boot");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    println!("Accelerator: {}. Everything is kept in {}.", accel::best(), folder.display());
    let ours = Ours::prepare(&folder)?;
    let wants = |name: &str| choice.only.as_deref().is_none_or(|only| only == name);
    let mut figures: Vec<Figure> = Vec::new();
    if wants("ratio") {
        figures.push(ratio::measure(&folder, &ours, choice.pairs)?);
    }
    if wants("round-trips") {
        figures.push(trips::measure(&folder, &ours)?);
    }
    if wants("memory") {
        figures.push(memory::measure(&folder, &ours)?);
    }
    if wants("wake") {
        figures.push(wake::measure(&ours)?);
    }
    if wants("toolbox") {
        figures.push(toolbox::measure(&ours, choice.pairs)?);
    }
    ensure!(!figures.is_empty(), "nothing to measure: --only {KINDS}");
    println!();
    for figure in &figures {
        println!("{figure}");
    }
    Ok(!figures.iter().any(Figure::over))
}

fn choice(mut arguments: impl Iterator<Item = String>) -> Result<Choice> {
    let mut choice = Choice { pairs: 5, only: None };
    while let Some(argument) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--pairs" => choice.pairs = value.parse().context("--pairs needs a number")?,
            "--only" => choice.only = Some(value),
            _ => bail!("unknown: {argument}; known: --pairs N, --only {KINDS}"),
        }
    }
    ensure!(choice.pairs > 0, "--pairs 0 measures nothing");
    Ok(choice)
}
