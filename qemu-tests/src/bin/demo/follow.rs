//! The live log on the operator's side.

use anyhow::{Context, Result, bail};
use qemu_tests::{Operator, wait};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Instant,
};

/// Prints `xenoboot run log --follow` until the run has ended.
pub(crate) fn run(operator: &Operator, machine: &str) -> Result<()> {
    let mut follow = operator.plain(&["run", "log", "--machine", machine, "--follow"])?;
    let mut child = Killed(follow.stdout(Stdio::piped()).spawn().context("xenoboot run log")?);
    let output = child.0.stdout.take().context("a pipe was asked for")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let deadline = Instant::now() + wait::BOOT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) => println!("      {line}"),
            // The command ends with the run.
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("the run did not end in time"),
        }
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
