//! The shell does what bash does: every script of `shell/` run by both gives the same output and the
//! same exit status.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod bench;

use bench::Bench;
use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Scripts of this name differ from bash; docs/decisions/shell.md explains each.
const KNOWN: &str = "known-";

/// Scripts of this name are run by a shell that is called `sh`, and keeps to POSIX.
const POSIX: &str = "posix-";

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shell");
    let mut scripts: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    scripts
}

#[test]
fn scripts_do_the_same_as_under_bash() {
    let bench = Bench::new();
    let scripts = scripts();
    assert!(scripts.len() >= 40);
    let mut wrong = Vec::new();
    for script in &scripts {
        let name = script.file_stem().unwrap().to_string_lossy();
        let called = if name.starts_with(POSIX) { "sh" } else { "bash" };
        let run = |shell: &Path| {
            let mut command = Command::new(shell);
            command.arg0(called).arg(script);
            bench.run(command, Duration::from_secs(20))
        };
        let (ours, theirs) = (run(&bench.path(called)), run(Path::new("/bin/bash")));
        let same = (&ours.stdout, ours.status) == (&theirs.stdout, theirs.status);
        if same == name.starts_with(KNOWN) {
            let what = if same { "is listed as different but is not" } else { "differs" };
            wrong.push(format!("== {name} {what}\n-- ours\n{ours}\n-- bash\n{theirs}"));
        }
    }
    if !wrong.is_empty() {
        panic!("{} scripts:\n{}", wrong.len(), wrong.join("\n"));
    }
}
