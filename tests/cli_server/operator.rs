//! From an unknown machine to a finished run, by the operator's commands.

use crate::{
    machine::{Machine, event, line},
    program::{Server, command_with, fails, stderr, stdout, wait_until},
};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use xenoboot_bundle::{File, Manifest, SigningKey, sign};
use xenoboot_wire::{
    Code, Digest, FleetId, RunId,
    boot::{Order, Outcome},
    event::What,
};

const RUN: RunId = RunId([0xab; 16]);

/// Writes a signed bundle with one blob.
pub(crate) fn bundle(server: &Server, name: &str, serial: u64) -> (PathBuf, Digest) {
    let content: Vec<u8> =
        (0..200_000u32).flat_map(|n| (n ^ serial as u32).to_le_bytes()).collect();
    let mut manifest =
        Manifest::of_script(name, FleetId([1; 16]), serial, b"#!/bin/sh\necho hello\n");
    let blob = Digest::of(&content);
    let size = content.len() as u64;
    let path = "data".parse().unwrap();
    manifest.files.insert(0, File { path, mode: 0o644, size, digest: blob, content: None });
    let envelope = sign(&manifest, &[SigningKey::from_seed(&[9; 32]).unwrap()]).unwrap();
    let file = server.dir.path().join(format!("{name}.bundle"));
    fs::create_dir_all(file.with_extension("blobs")).unwrap();
    fs::write(file.with_extension("blobs").join(blob.to_string()), content).unwrap();
    fs::write(&file, &envelope).unwrap();
    (file, Digest::of(&envelope))
}

fn started(digest: Digest) -> What {
    What::RunStarted { bundle: digest, name: "repair".into(), serial: 1, generation: None }
}

#[test]
fn from_an_unknown_machine_to_a_finished_run() {
    let mut server = Server::start();
    let runtime = Runtime::new().unwrap();
    let mut machine = Machine::new(server.address);
    assert_eq!(runtime.block_on(machine.boot()).unwrap().order, Order::Pending);
    let fingerprint = machine.key.fingerprint();

    let list = server.text(&["machine", "list"]);
    assert!(
        list.contains(&fingerprint) && list.contains("pending") && list.contains("(suggested?)"),
        "{list}"
    );
    server.text(&[
        "machine",
        "approve",
        &fingerprint[..9],
        "--name",
        "cupboard",
        "--group",
        "attic",
    ]);
    let shown = server.text(&["machine", "show", "cupboard"]);
    assert!(
        shown.contains("attic") && shown.contains("Box\\u{1b}[2J") && !shown.contains('\u{1b}'),
        "{shown}"
    );
    assert!(server.text(&["machine", "group", "cupboard"]).contains("attic"));

    let (file, digest) = bundle(&server, "repair", 1);
    let pushed = server.text(&["bundle", "push", file.to_str().unwrap()]);
    assert!(pushed.contains("1 blob of 781 KiB"), "{pushed}");
    let again = server.text(&["bundle", "push", file.to_str().unwrap()]);
    assert!(!again.contains("blob"), "{again}");
    let list = server.text(&["bundle", "list"]);
    assert!(list.contains("repair") && list.contains(&digest.to_string()[..12]), "{list}");
    assert_eq!(server.json(&["bundle", "list"])[0]["serial"], 1);

    let generation = runtime.block_on(machine.boot()).unwrap().order.generation();
    let waiting = runtime.spawn(async move {
        let reply = machine.wait(generation).await.unwrap();
        (machine, reply, Instant::now())
    });
    let assigned = server.text(&["assign", "repair", "--group", "attic"]);
    let done = Instant::now();
    assert!(assigned.contains("1 machine is concerned"), "{assigned}");
    let (mut machine, reply, woken) = runtime.block_on(waiting).unwrap();
    assert!(woken.saturating_duration_since(done) < Duration::from_secs(2));
    let Order::Run(assignment) = reply.changed.unwrap().order else { panic!() };
    assert_eq!(assignment.bundle, digest);

    // The follower waits for the run, prints each line as it comes, and ends with it.
    let mut follower = server.command(&["run", "log", "--machine", "cupboard", "--follow"]);
    let mut follower = follower.stdout(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || printed.next().unwrap().unwrap();
    runtime.block_on(machine.events(vec![event(1, RUN, started(digest))])).unwrap();
    assert!(next().starts_with("* repair serial 1 ("));
    let begun = Instant::now();
    runtime.block_on(machine.events(vec![line(2, RUN, "evil \u{1b}[2J\u{202e}")])).unwrap();
    assert_eq!(next(), "evil \\u{1b}[2J\\u{202e}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // The server may go away meanwhile.
    server.kill();
    server.start_again();
    let (outcome, report) =
        (Outcome::Succeeded, What::Report { key: "disk".into(), value: "sda".into() });
    let rest = vec![
        event(3, RUN, What::Progress { percent: 100, text: "done".into() }),
        event(4, RUN, report),
        event(5, RUN, What::RunEnded { outcome, duration_ms: 1234 }),
    ];
    wait_until(|| runtime.block_on(machine.events(rest.clone())).ok());
    assert_eq!(
        [next(), next(), next()],
        ["* 100 % done", "* report disk=sda", "* succeeded after 1.23 s"]
    );
    assert!(follower.wait().unwrap().success());

    let shown = server.text(&["run", "show", "--machine", "cupboard"]);
    assert!(shown.contains("report     disk=sda") && shown.contains("succeeded"), "{shown}");
    let runs = server.json(&["run", "list", "--machine", "cupboard"]);
    assert_eq!(
        (&runs[0]["state"], &runs[0]["run"]),
        (&"succeeded".into(), &RUN.to_string().into())
    );
    assert!(server.text(&["run", "list"]).contains("cupboard"));
    server.stop(Signal::TERM);
}

#[test]
fn a_failed_run_is_a_failed_command() {
    let mut server = Server::start();
    let runtime = Runtime::new().unwrap();
    let mut machine = Machine::new(server.address);
    server.json(&["machine", "approve", "--key", &machine.key.fingerprint(), "--name", "m"]);
    runtime.block_on(machine.boot()).unwrap();
    let error = server.fails(&["run", "log", "--machine", "m"]);
    assert!(error.contains("m has run nothing yet"), "{error}");
    let error = server.fails(&["run", "log", "--machine", "m", "--follow", "--timeout", "1"]);
    assert!(error.contains("in time"), "{error}");

    let outcome =
        Outcome::Failed { code: Code::ScriptFailed, cause: "exit status 3".into(), exit: Some(3) };
    let events = vec![
        event(1, RUN, started(Digest::of(b"x"))),
        line(2, RUN, "three"),
        event(3, RUN, What::RunEnded { outcome, duration_ms: 5 }),
    ];
    runtime.block_on(machine.events(events)).unwrap();
    let output = server.command(&["run", "log", "abab", "--follow"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output)
            .contains("three\n* failed after 5 ms: XB-RUN-01, the script failed: exit status 3\n")
    );
    assert!(
        stderr(&output).contains("run abababab failed: XB-RUN-01: exit status 3"),
        "{}",
        stderr(&output)
    );
    // Without following it is only a log.
    assert!(server.text(&["run", "log", "abab"]).contains("three"));
    let output = server.command(&["run", "log", "abab", "--follow", "--json"]).output().unwrap();
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[3]["run"]["state"]), (4, &"failed".into()));
    server.stop(Signal::INT);
}

#[test]
fn errors_say_what_failed_why_and_what_to_do() {
    let mut server = Server::start();
    let machine = Machine::new(server.address);
    server.json(&["machine", "approve", "--key", &machine.key.to_string(), "--name", "cupboard"]);

    let error = server.fails(&["machine", "show", "cupbord"]);
    assert!(
        error.contains("there is no machine `cupbord`") && error.contains("did you mean cupboard?"),
        "{error}"
    );
    let error = server.fails(&["assign", "nothing", "--machine", "cupboard"]);
    assert!(error.contains("there is no bundle `nothing`"), "{error}");
    let error = server.fails(&["run", "show", "ffff"]);
    assert!(error.contains("there is no run `ffff`"), "{error}");
    let unseen = Machine::new(server.address).key.fingerprint();
    let error = server.fails(&["machine", "approve", &unseen]);
    assert!(error.contains("there is no machine") && error.contains("--key"), "{error}");
    let error = server.fails(&["machine", "approve", "cupboard", "--name", "a b"]);
    assert!(error.contains("`a b` cannot be the name of a machine"), "{error}");
    let missing = server.dir.path().join("missing.bundle");
    let error = server.fails(&["bundle", "push", missing.to_str().unwrap()]);
    assert!(error.contains("cannot read") && error.contains("missing.bundle"), "{error}");
    let (file, _) = bundle(&server, "cut", 1);
    fs::remove_dir_all(file.with_extension("blobs")).unwrap();
    let error = server.fails(&["bundle", "push", file.to_str().unwrap()]);
    assert!(error.contains("cannot use the blob") && error.contains("NAME.blobs"), "{error}");

    // A second server of the same folder.
    let mut second = Command::new(env!("CARGO_BIN_EXE_xenoboot"));
    let error = fails(second.arg("serve").arg(server.folder()).args(["--listen", "127.0.0.1:0"]));
    assert!(error.contains("another xenoboot serves"), "{error}");

    let operator = fs::read_to_string(server.operator_file()).unwrap();
    let with = |name: &str, text: &str| {
        let path = server.dir.path().join(name);
        fs::copy(server.operator_file(), &path).unwrap();
        fs::write(&path, text).unwrap();
        fails(&mut command_with(&path, &["machine", "list"]))
    };
    let token = operator.lines().find(|line| line.starts_with("token")).unwrap();
    let error = with("token.toml", &operator.replace(token, "token = \"00\""));
    assert!(error.contains("the token is not one of this server's"), "{error}");
    let pin = operator.lines().find(|line| line.starts_with("pin")).unwrap();
    let other = "pin = \"sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"";
    let error = with("pin.toml", &operator.replace(pin, other));
    assert!(
        error.contains("has the key sha256//") && error.contains("not sha256//47DEQ"),
        "{error}"
    );
    assert!(!error.contains(token.trim_start_matches("token = ")), "the token is in the error");
    let error = with("bad.toml", "nonsense");
    assert!(error.contains("is not an operator file"), "{error}");
    let error =
        fails(&mut command_with(&server.dir.path().join("none.toml"), &["machine", "list"]));
    assert!(
        error.contains("cannot read the operator file") && error.contains("--operator"),
        "{error}"
    );
    server.stop(Signal::TERM);
    let error = server.fails(&["machine", "list"]);
    assert!(error.contains("cannot reach the server") && error.contains("refused"), "{error}");
}
