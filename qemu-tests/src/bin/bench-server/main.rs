//! `cargo xtask bench server`: the server, and on the same computer the machines, which `xenoboot simulate` plays: they
//! are switched on together, wait, are told of something new; the server is killed among them; and what it gives out in
//! a second stands beside nginx.

mod downloads;
mod storm;

use anyhow::{Context, Result, bail, ensure};
use qemu_tests::{Operator, bench, figure::Figure};
use serde_json::Value;
use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Lines, Write},
    os::unix::fs::OpenOptionsExt,
    process::{Child, ChildStdout, ExitCode, Stdio},
};

const KINDS: &str = "storm|killed|downloads";

/// What to measure, with how many machines.
struct Choice {
    machines: u32,
    only: Option<String>,
    /// The URL of a PostgreSQL's database, in place of SQLite.
    database: Option<String>,
}

impl Choice {
    fn of_arguments() -> Result<Self> {
        let mut choice = Self { machines: 10_000, only: None, database: None };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{argument} needs a value"))?;
            match argument.as_str() {
                "--machines" => {
                    choice.machines = value.parse().context("--machines needs a number")?
                }
                "--only" => choice.only = Some(value),
                "--database" => choice.database = Some(value),
                _ => bail!(
                    "unknown: {argument}; known: --machines N, --only {KINDS}, --database URL"
                ),
            }
        }
        ensure!(choice.machines >= 10, "with fewer than 10 machines there is nothing to measure");
        let known = |only: &String| KINDS.split('|').any(|kind| kind == only);
        ensure!(choice.only.iter().all(known), "nothing to measure: --only {KINDS}");
        Ok(choice)
    }

    fn wants(&self, kind: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == kind)
    }
}

fn main() -> ExitCode {
    bench::end(run())
}

fn run() -> Result<Vec<Figure>> {
    let choice = Choice::of_arguments()?;
    let folder = bench::folder("bench-server")?;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("Load of this computer before: {}", load.trim());
    if let Some(url) = &choice.database {
        let server = folder.join("server");
        fs::create_dir(&server)?;
        let file = server.join("database.toml");
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(file)?;
        writeln!(file, "url = {}", Value::from(url.as_str()))?;
    }
    let mut operator = Operator::in_folder(&folder)?;
    let mut figures = Vec::new();
    if choice.wants("storm") {
        figures.extend(storm::measure(&operator, choice.machines)?);
    }
    if choice.wants("killed") {
        figures.extend(storm::killed(&mut operator, choice.machines)?);
    }
    if choice.wants("downloads") {
        figures.push(downloads::measure(&operator)?);
    }
    Ok(figures)
}

/// Machines that are played by a process of its own.
struct Fleet {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // It has ended by itself unless something failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Fleet {
    fn start(operator: &Operator, words: &[&str]) -> Result<Self> {
        let log = operator.folder().join("simulate.log");
        let errors = File::options().create(true).append(true).open(log)?;
        let mut command = operator.plain(&[&["simulate", "--json"], words].concat())?;
        let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("a pipe was asked for")?).lines();
        Ok(Self { child, lines })
    }

    /// What it says next.
    fn next(&mut self) -> Result<Value> {
        let line = self.lines.next().context("the machines have ended, see simulate.log")??;
        Ok(serde_json::from_str(&line)?)
    }

    /// What it says last.
    fn summary(mut self) -> Result<Value> {
        loop {
            let said = self.next()?;
            if said.get("machines").is_some() {
                println!("{said}");
                return Ok(said);
            }
        }
    }
}

/// A number in what the machines said.
fn number(said: &Value, pointer: &str) -> Result<f64> {
    said.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer} in {said}"))
}

/// How many failures there were.
fn failures(said: &Value) -> f64 {
    let errors = said.get("errors").and_then(Value::as_object);
    let counts = errors.into_iter().flat_map(|errors| errors.values()).filter_map(Value::as_f64);
    // The sum of none would be -0.
    counts.fold(0.0, |sum, count| sum + count)
}
