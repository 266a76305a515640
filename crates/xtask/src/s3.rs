//! Storage that speaks S3, for the server's tests: moto, on a free port of the loopback, gone when they have ended.

use anyhow::{Context, Result, bail, ensure};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Longer than it takes to start, even on a busy computer.
const SOON: Duration = Duration::from_secs(60);

/// One that runs.
pub(crate) struct S3 {
    process: Child,
    urls: String,
}

impl S3 {
    /// Starts the program, which says when it is ready, and where.
    pub(crate) fn start(python: &Path, program: &Path) -> Result<Self> {
        let mut command = Command::new(python);
        // It ends when its input does, so that it does not outlive us.
        command.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().with_context(|| python.display().to_string())?;
        let out = process.stdout.take().context("its output")?;
        let mut s3 = Self { process, urls: String::new() };
        let (said, heard) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(out).read_line(&mut line);
            // Nobody may be waiting any more.
            let _ = said.send(read.map(|_| line));
        });
        let Ok(line) = heard.recv_timeout(SOON) else {
            bail!("{} does not start", program.display())
        };
        line?.trim().clone_into(&mut s3.urls);
        ensure!(s3.urls.starts_with("http://"), "{} does not start", program.display());
        Ok(s3)
    }

    /// Where it is, and with which keys: for one who may do everything, and for one who may read.
    pub(crate) fn urls(&self) -> &str {
        &self.urls
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
