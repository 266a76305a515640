//! The program: as a server that can be killed, and as an operator's command.

use crate::scratch::Scratch;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longer than anything takes, even on a busy computer.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// `xenoboot serve`; killed when dropped.
pub(crate) struct Server {
    pub(crate) dir: TempDir,
    pub(crate) address: SocketAddr,
    /// Its database, when that is one of PostgreSQL.
    pub(crate) scratch: Option<Arc<Scratch>>,
    /// Where its log goes, as JSON, if it is kept.
    log: Option<PathBuf>,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut server = Self::new();
        server.start_again();
        server
    }

    /// One more of the same database, with the same keys and blobs.
    pub(crate) fn beside(&self) -> Self {
        let mut server = Self::of(self.scratch.clone());
        let (ours, theirs) = (self.folder(), server.folder());
        fs::create_dir(&theirs).unwrap();
        for name in ["server.key", "power.key", "web.pem", "operator.toml"] {
            fs::copy(ours.join(name), theirs.join(name)).unwrap();
        }
        symlink(ours.join("blobs"), theirs.join("blobs")).unwrap();
        server.start_again();
        server
    }

    /// Keeps its log, as JSON.
    pub(crate) fn start_with_log() -> Self {
        let mut server = Self::new();
        server.log = Some(server.dir.path().join("log"));
        server.start_again();
        server
    }

    fn new() -> Self {
        Self::of(Scratch::new().map(Arc::new))
    }

    fn of(scratch: Option<Arc<Scratch>>) -> Self {
        let (dir, address) = (tempfile::tempdir().unwrap(), "127.0.0.1:0".parse().unwrap());
        Self { dir, address, scratch, log: None, child: None }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("server")
    }

    pub(crate) fn operator_file(&self) -> PathBuf {
        self.folder().join("operator.toml")
    }

    /// Starts it again, on the port that it had.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xenoboot"));
        command.arg("serve").arg(self.folder()).args([
            "--json",
            "--listen",
            &self.address.to_string(),
        ]);
        if let Some(scratch) = &self.scratch {
            command.args(["--database", &scratch.url()]);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(log) = &self.log {
            command.args(["--log-format", "json"]).env("RUST_LOG", "info,xenoboot_server=debug");
            command.stderr(File::options().create(true).append(true).open(log).unwrap());
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect(&line);
        self.address =
            ready["url"].as_str().unwrap().strip_prefix("https://").unwrap().parse().unwrap();
        self.child = Some(child);
    }

    /// SIGKILL, in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it in an orderly manner; it must exit with 0.
    pub(crate) fn stop(&mut self, signal: Signal) {
        let mut child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = wait_until(|| child.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log.as_ref().expect("its log is kept")).unwrap()
    }

    /// An operator's command, not started.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        command_with(&self.operator_file(), words)
    }

    /// Runs an operator's command, which must succeed; returns its JSON.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let output = self.command(words).arg("--json").output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs an operator's command, which must succeed; returns what it prints for people.
    pub(crate) fn text(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// Runs an operator's command, which must fail with 1; returns its error.
    pub(crate) fn fails(&self, words: &[&str]) -> String {
        fails(&mut self.command(words))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn command_with(operator: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xenoboot"));
    command.args(words).env("XENOBOOT_OPERATOR", operator).stdin(Stdio::null());
    command
}

pub(crate) fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{command:?}: {}", stdout(&output));
    stderr(&output)
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Asks until there is an answer.
pub(crate) fn wait_until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it did not come to pass");
        std::thread::sleep(Duration::from_millis(10));
    }
}
