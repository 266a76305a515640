//! The same command line, once with the toolkit's commands and once with the host's originals (GNU,
//! util-linux, ...): standard output and exit status must be the same.
//!
//! To add cases, write `differential/NAME.txt`, one for each command:
//!
//! ```text
//! # a remark
//! < printf 'a\nb\n' > f           prepares the folder (host's shell and commands), once
//! @opts -n | -r |  | -u -k 2      a list: a case that names @opts is made once for every part
//! $ sort @opts f; cat g           one case: a line for the host's bash, in a fresh copy of the folder
//! ~ no colours                    the next case differs, for this reason; the test fails when it agrees
//! ```
//!
//! With the toolkit, PATH holds nothing but its commands; what bash has built in (`printf`, `echo`,
//! `test`, `kill`) is bash's in both, unless called as `env printf`. Both see `LC_ALL=C`, `TZ=UTC`,
//! and an empty standard input. Each case gets a copy, with the same times. Lists
//! combine: two of them in one line give every pair.
//!
//! `DIFFERENTIAL=awk` in the environment runs one file only and prints what differs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod bench;

use bench::Bench;
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// One command line and what it needs.
struct Case {
    file: String,
    setup: String,
    line: String,
    /// Why it is known to differ.
    known: Option<String>,
}

/// The cases of a file, its lists expanded.
fn cases(file: &str, text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let (mut setup, mut lists, mut known) = (String::new(), Vec::new(), None);
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("<", command)) => setup.extend([command, "\n"]),
            Some(("~", reason)) => known = Some(reason.to_owned()),
            Some(("$", command)) => {
                for line in expand(vec![command.to_owned()], &lists) {
                    let (file, setup, known) = (file.to_owned(), setup.clone(), known.clone());
                    cases.push(Case { file, setup, line, known });
                }
                known = None;
            }
            Some((name, parts)) if name.starts_with('@') => {
                // A case before it would have the name itself, and be the same for that.
                let unknown = |case: &&Case| case.line.contains(name);
                let known = lists.iter().any(|(other, _)| other == name);
                let early = cases.iter().find(unknown).filter(|_| !known);
                let early = early.map(|case| case.line.as_str());
                assert_eq!(early, None, "{file}: {name} stands behind a case of it");
                let parts: Vec<String> = parts.split('|').map(|p| p.trim().to_owned()).collect();
                lists.retain(|(other, _): &(String, _)| other != name);
                lists.push((name.to_owned(), parts));
                // A name that is the beginning of another one must not be taken for it.
                lists.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
            }
            _ => assert!(line.is_empty() || line.starts_with('#'), "{file}: {line}"),
        }
    }
    cases
}

fn expand(lines: Vec<String>, lists: &[(String, Vec<String>)]) -> Vec<String> {
    lists.iter().fold(lines, |lines, (name, parts)| {
        let each = |line: String| -> Vec<String> {
            if line.contains(name.as_str()) {
                parts.iter().map(|part| line.replace(name.as_str(), part)).collect()
            } else {
                vec![line]
            }
        };
        lines.into_iter().flat_map(each).collect()
    })
}

/// Runs a case with the given PATH; what it printed and its exit status.
fn run(bench: &Bench, case: &Case, prepared: &Prepared, path: &Path) -> (String, String) {
    let work = tempfile::tempdir().unwrap();
    let mut command = Command::new("/bin/bash");
    let line = format!(
        "export LC_ALL=C TZ=UTC; cp -a {}/. {work} && cd {work} || exit 99\nexport PATH={}\n{}\n",
        prepared[&case.setup].path().display(),
        path.display(),
        case.line,
        work = work.path().display(),
    );
    command.args(["--norc", "-c", &line]);
    let outcome = bench.run_with_host_path(command, Duration::from_secs(30));
    // Both would fail alike, and nothing be compared.
    assert_ne!(outcome.status, Some(99), "{}: no copy of the folder: {outcome}", case.file);
    let shown = format!("{}(status: {:?})\n", outcome.stdout, outcome.status);
    (shown, outcome.stderr)
}

/// The folders that the cases' preparations have made.
type Prepared = HashMap<String, tempfile::TempDir>;

fn prepare(bench: &Bench, cases: &[Case]) -> Prepared {
    let mut prepared = Prepared::new();
    for case in cases {
        if prepared.contains_key(&case.setup) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("/bin/bash");
        let place = folder.path().display();
        let line = format!("export LC_ALL=C TZ=UTC; umask 022; cd {place}\n{}", case.setup);
        command.args(["--norc", "-c", &line]);
        let outcome = bench.run_with_host_path(command, Duration::from_secs(60));
        assert!(outcome.status.is_some(), "{}: {outcome}", case.file);
        prepared.insert(case.setup.clone(), folder);
    }
    prepared
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential");
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The files of commands that need a network of their own: each of their cases takes longer.
const NETWORK: [&str; 8] = ["dns", "ethtool", "hostname", "ip", "nc", "ping", "sockets", "way"];

#[test]
fn commands_do_what_the_originals_do() {
    compare(|name| !NETWORK.contains(&name) && name != "http");
}

#[test]
fn curl_and_wget_do_what_the_originals_do() {
    compare(|name| name == "http");
}

#[test]
fn network_commands_do_what_the_originals_do() {
    compare(|name| NETWORK.contains(&name));
}

fn compare(wanted: impl Fn(&str) -> bool) {
    let only = std::env::var("DIFFERENTIAL").ok();
    let mut all = Vec::new();
    for path in files() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if wanted(&name) && only.as_ref().is_none_or(|only| *only == name) {
            all.extend(cases(&name, &fs::read_to_string(path).unwrap()));
        }
    }
    let bench = Bench::new();
    let prepared = prepare(&bench, &all);
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = thread::available_parallelism().unwrap().get() * 2;
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(text) = difference(&bench, case, &prepared) {
                        wrong.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    if !wrong.is_empty() {
        panic!("{} of {} cases:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    }
    println!("{} cases", all.len());
}

/// How often a case is tried while the machine changes under it.
const TRIES: usize = 20;

/// What is wrong with a case, if anything.
fn difference(bench: &Bench, case: &Case, prepared: &Prepared) -> Option<String> {
    let host = Path::new("/usr/bin:/bin:/usr/sbin:/sbin");
    let (mut theirs, _) = run(bench, case, prepared, host);
    let (mut ours, mut stderr) = run(bench, case, prepared, &bench.folder());
    // Some show the machine as it is: its clock, its processes, its disks. A difference counts only
    // if the original says the same before and after ours.
    for _ in 0..TRIES {
        if ours == theirs {
            break;
        }
        let (again, _) = run(bench, case, prepared, host);
        if again == theirs {
            break;
        }
        theirs = again;
        (ours, stderr) = run(bench, case, prepared, &bench.folder());
    }
    let title = format!("== {}: {}", case.file, case.line);
    match (&case.known, ours == theirs) {
        (None, false) => {
            Some(format!("{title}\n-- theirs\n{theirs}-- ours\n{ours}-- our stderr\n{stderr}"))
        }
        (Some(reason), true) => Some(format!("{title}\n-- no longer differs: {reason}")),
        _ => None,
    }
}

#[test]
#[should_panic = "c: @a stands behind a case of it"]
fn a_list_stands_before_its_cases() {
    cases("c", "$ c @a\n@a 1 | 2\n");
}

#[test]
fn lists_are_expanded() {
    let text = "@a -x | -y\n@ab 1 | 2\n< true\n~ why\n$ c @a @ab\n$ d\n";
    let made = cases("c", text);
    let lines: Vec<&str> = made.iter().map(|case| case.line.as_str()).collect();
    assert_eq!(lines, ["c -x 1", "c -y 1", "c -x 2", "c -y 2", "d"]);
    assert!(made.iter().all(|case| case.known.is_some() == case.line.starts_with('c')));
}
