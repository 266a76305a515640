//! Every script of `scripts/` prints what it says. A script is a series of
//!
//! ```text
//! # a remark
//! $ command line, run by our own shell
//! what it prints, standard error included
//! ? 3            its exit status, when that is not 0
//! ```
//!
//! in one empty folder, so that a command finds what the one before it made. A line of `...` stands
//! for any lines. The comparison with the originals is in `differential.rs`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod bench;

use bench::Bench;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    thread,
    time::Duration,
};

/// One command and what it must do.
struct Step {
    command: String,
    expected: String,
    status: i32,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names, without extension, of the files in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.into(), expected: String::new(), status: 0 });
            continue;
        }
        let step = steps.last_mut().unwrap();
        match line.strip_prefix("? ") {
            Some(status) => step.status = status.trim().parse().unwrap(),
            None => {
                step.expected.push_str(line);
                step.expected.push('\n');
            }
        }
    }
    steps
}

/// Whether the output is as expected, a line `...` being any lines.
fn matches(expected: &str, output: &str) -> bool {
    match expected.split_once("...\n") {
        None => expected == output,
        Some((before, after)) => output.strip_prefix(before).is_some_and(|rest| {
            let starts = rest.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(starts).any(|at| matches(after, &rest[at..]))
        }),
    }
}

/// Runs a script; what was wrong.
fn script(bench: &Bench, name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let text = fs::read_to_string(folder("tests/scripts").join(format!("{name}.txt"))).unwrap();
    let work = tempfile::tempdir().unwrap();
    for step in steps(&text) {
        let mut command = Command::new(bench.path("sh"));
        let line = format!("cd {}; exec 2>&1\n{}", work.path().display(), step.command);
        command.args(["-c", &line]);
        let outcome = bench.run(command, Duration::from_secs(20));
        if outcome.status != Some(step.status) || !matches(&step.expected, &outcome.stdout) {
            let expected = format!("{}(status: {})", step.expected, step.status);
            wrong.push(format!(
                "== {name}: {}\n-- expected\n{expected}\n-- got\n{outcome}",
                step.command
            ));
        }
    }
    wrong
}

#[test]
fn commands_print_what_their_scripts_say() {
    let bench = Bench::new();
    let wrong = Mutex::new(Vec::new());
    let names = Mutex::new(names(&folder("tests/scripts")).into_iter());
    let next = || names.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() * 2 {
            scope.spawn(|| {
                while let Some(name) = next() {
                    wrong.lock().unwrap().extend(script(&bench, &name));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    if !wrong.is_empty() {
        panic!("{} commands:\n{}", wrong.len(), wrong.join("\n"));
    }
}

#[test]
fn the_table_and_the_folder_agree() {
    let list = Command::new(env!("CARGO_BIN_EXE_toolkit")).arg("--list").output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let listed: Vec<String> = list.lines().map(str::to_owned).collect();
    let unique: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(unique.len(), listed.len(), "a name is in the table twice");
    let files = names(&folder("src/applets"));
    assert!(files.is_subset(&unique), "no row for {:?}", files.difference(&unique));
    let scripts = names(&folder("tests/scripts"));
    assert!(files.is_subset(&scripts), "no script for {:?}", files.difference(&scripts));
}

#[test]
fn every_command_explains_itself() {
    let bench = Bench::new();
    let files = names(&folder("src/applets"));
    let list = Command::new(env!("CARGO_BIN_EXE_toolkit")).arg("--list").output().unwrap();
    for name in String::from_utf8(list.stdout).unwrap().lines() {
        // POSIX: these two have no options, and `test --help` asks whether a string is empty.
        if matches!(name, "[" | "test" | "true" | "false" | "echo" | "expr" | "printf") {
            continue;
        }
        let mut command = Command::new(bench.path(name));
        command.arg("--help");
        let outcome = bench.run(command, Duration::from_secs(20));
        assert_eq!(outcome.status, Some(0), "{name} --help: {outcome}");
        assert!(outcome.stdout.contains("Usage"), "{name} --help: {outcome}");
        // The messages of uutils have keys; one that is printed has lost its text.
        let keys = [format!("{name}-about"), format!("{name}-usage"), format!("{name}-help")];
        assert!(!keys.iter().any(|key| outcome.stdout.contains(key.as_str())), "{name}: {outcome}");
        if files.contains(name) {
            assert!(outcome.stdout.contains("\nExample:\n"), "{name}: {outcome}");
            let mut command = Command::new(bench.path(name));
            command.arg("--no-such-option");
            let outcome = bench.run(command, Duration::from_secs(20));
            // Of find's words, which are no options but an expression, the status is GNU's.
            let status = if name == "find" { 1 } else { 2 };
            assert_eq!(outcome.status, Some(status), "{name}: {outcome}");
            assert_eq!(outcome.stderr.lines().count(), 1, "{name}: {outcome}");
        }
    }
}
