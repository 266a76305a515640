//! Runs `xb image`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]
#![allow(dead_code, reason = "not every test needs everything")]

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// What a whole run may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Noise that does not repeat, so that every chunk is another.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

/// How it ended.
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    /// The most memory that was seen, KiB.
    pub(crate) memory: u64,
}

/// Starts `xb image`.
pub(crate) fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_toolkit"))
        .args(["xb", "image"])
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn memory(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}

/// Runs it to its end.
pub(crate) fn image(args: &[&str]) -> Said {
    let (mut child, began) = (start(args), Instant::now());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = memory(&child).max(most);
        if began.elapsed() > LIMIT {
            child.kill().unwrap();
        }
        std::thread::yield_now();
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    Said { status: output.status.code(), out, err, memory: most }
}

/// A number of what `--json` printed.
pub(crate) fn number(said: &Said, key: &str) -> u64 {
    let at = said.out.find(&format!("\"{key}\":")).unwrap() + key.len() + 3;
    said.out[at..].split([',', '}']).next().unwrap().parse().unwrap()
}
