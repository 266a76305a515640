//! `cargo xtask bench image`: an image written to a disk by `xb image write`, beside what an administrator would
//! write instead, `curl | zstd -d | dd` and a final `sha256sum`: in the same virtual machine, from the same server.

mod content;
mod machine;
mod memory;
mod rate;
mod ratios;

use anyhow::{Context, Result, bail, ensure};
use content::Content;
use machine::Machine;
use qemu_tests::{accel, figure::Figure, paths};
use std::{env, fs, process::ExitCode};

/// What can be measured.
const KINDS: &str = "ratios|rate|memory";

/// What to measure, and how often.
struct Choice {
    pairs: usize,
    only: Option<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a figure is beyond its limit");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("bench image: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all figures are within their limits.
fn run() -> Result<bool> {
    let choice = choice(env::args().skip(1))?;
    let folder = paths::target().join("bench-image");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    println!("Accelerator: {}. Everything is kept in {}.", accel::best(), folder.display());
    let wants = |name: &str| choice.only.as_deref().is_none_or(|only| only == name);
    let mut figures: Vec<Figure> = Vec::new();
    if wants("ratios") || wants("rate") {
        let machine = Machine::prepare(&folder)?;
        let content = Content::prepare(&folder, &machine.operator)?;
        if wants("ratios") {
            figures.extend(ratios::measure(&machine, &content, choice.pairs)?);
        }
        if wants("rate") {
            figures.push(rate::measure(&machine, &content, choice.pairs)?);
        }
    }
    if wants("memory") {
        figures.extend(memory::measure(&folder)?);
    }
    ensure!(!figures.is_empty(), "nothing to measure: --only {KINDS}");
    println!();
    figures.iter().for_each(|figure| println!("{figure}"));
    Ok(!figures.iter().any(Figure::over))
}

fn choice(mut arguments: impl Iterator<Item = String>) -> Result<Choice> {
    let mut choice = Choice { pairs: 3, only: None };
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
