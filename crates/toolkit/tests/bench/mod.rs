//! Runs commands of the toolkit: a folder with a link for each, as in the image.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
#![allow(dead_code, reason = "not every test needs all of it")]

use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    fmt,
    io::Read,
    os::unix::{
        fs::symlink,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::PathBuf,
    process::{Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Where the host's commands are.
const HOST: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// The folder with the links.
pub(crate) struct Bench {
    links: tempfile::TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
    /// Its exit status, or 128 and the signal, as a shell has it; `None` when it had to be ended.
    pub(crate) status: Option<i32>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(stderr: {})(status: {:?})", self.stdout, self.stderr.trim_end(), self.status)
    }
}

impl Bench {
    /// Links for every command that `toolkit --list` prints.
    pub(crate) fn new() -> Self {
        let links = tempfile::tempdir().unwrap();
        let toolkit = env!("CARGO_BIN_EXE_toolkit");
        let list = Command::new(toolkit).arg("--list").output().unwrap();
        for name in String::from_utf8(list.stdout).unwrap().lines() {
            symlink(toolkit, links.path().join(name)).unwrap();
        }
        Self { links }
    }

    /// The path of a command.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.links.path().join(name)
    }

    /// Runs a command that finds the toolkit's commands before the host's, with an empty standard
    /// input, in an empty folder, for at most `limit`.
    pub(crate) fn run(&self, command: Command, limit: Duration) -> Outcome {
        self.run_in(command, &format!("{}:{HOST}", self.links.path().display()), limit)
    }

    /// The same, but it finds the host's commands only.
    pub(crate) fn run_with_host_path(&self, command: Command, limit: Duration) -> Outcome {
        self.run_in(command, HOST, limit)
    }

    /// The folder with the links.
    pub(crate) fn folder(&self) -> PathBuf {
        self.links.path().to_owned()
    }

    fn run_in(&self, command: Command, path: &str, limit: Duration) -> Outcome {
        let work = tempfile::tempdir().unwrap();
        let mut command = as_root(command);
        command.env_clear().env("PATH", path).env("HOME", "/").env("TMPDIR", work.path());
        command.env("LC_ALL", "C.UTF-8").current_dir(work.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn().unwrap();
        let group = Pid::from_child(&child);
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let deadline = Instant::now() + limit;
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status.code().or(status.signal().map(|s| 128 + s)),
                None if Instant::now() > deadline => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    break None;
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        // What a script that failed has left behind holds the pipes open.
        let _ = kill_process_group(group, Signal::KILL);
        Outcome { stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), status }
    }
}

/// The command as root, which it is in the image: who runs the tests as somebody else gets a
/// namespace where root is that user.
fn as_root(command: Command) -> Command {
    if rustix::process::geteuid().is_root() {
        return command;
    }
    let mut wrapped = Command::new("/usr/bin/unshare");
    wrapped.arg("--map-root-user").arg(command.get_program()).args(command.get_args());
    wrapped
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
