//! What the programs that measure have in common: their arguments, their folder and how they end.

use crate::{accel, figure::Figure, paths};
use anyhow::{Context, Result, bail, ensure};
use std::{env, fs, path::PathBuf, process::ExitCode};

/// What to measure, and how often.
pub struct Choice {
    kinds: &'static str,
    /// How many pairs of runs.
    pub pairs: usize,
    only: Option<String>,
}

impl Choice {
    /// What this program's arguments choose of `kinds` (`ratio|memory`); `pairs` unless they say otherwise.
    ///
    /// # Errors
    /// When they are no choice.
    pub fn of_arguments(kinds: &'static str, pairs: usize) -> Result<Self> {
        let mut choice = Self { kinds, pairs, only: None };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{argument} needs a value"))?;
            match argument.as_str() {
                "--pairs" => choice.pairs = value.parse().context("--pairs needs a number")?,
                "--only" => choice.only = Some(value),
                _ => bail!("unknown: {argument}; known: --pairs N, --only {kinds}"),
            }
        }
        ensure!(choice.pairs > 0, "--pairs 0 measures nothing");
        let known = |only: &String| kinds.split('|').any(|kind| kind == only);
        ensure!(choice.only.iter().all(known), "nothing to measure: --only {}", choice.kinds);
        Ok(choice)
    }

    /// Whether this is to be measured.
    pub fn wants(&self, kind: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == kind)
    }
}

/// An empty folder of this name, where everything that is measured with is kept.
///
/// # Errors
/// When it cannot be made.
pub fn folder(name: &str) -> Result<PathBuf> {
    let folder = paths::target().join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    println!("Accelerator: {}. Everything is kept in {}.", accel::best(), folder.display());
    Ok(folder)
}

/// Prints the figures, or why there are none; a failure when one is beyond its limit.
pub fn end(figures: Result<Vec<Figure>>) -> ExitCode {
    let figures = match figures {
        Ok(figures) => figures,
        Err(error) => {
            eprintln!("bench: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    println!();
    figures.iter().for_each(|figure| println!("{figure}"));
    if figures.iter().any(Figure::over) {
        eprintln!("a figure is beyond its limit");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
