//! `xenoboot simulate`: many machines at a server that is killed in the middle.

use crate::program::{SOON, Server, fails, stderr, wait_until};
use serde_json::Value;
use std::{
    fs,
    process::{Command, Output, Stdio},
};
use xenoboot_bundle::{Manifest, SigningKey, sign};
use xenoboot_wire::FleetId;

/// Pushes a bundle and assigns it to all machines; returns the fleet's trust file.
fn order(server: &Server, serial: u64) -> std::path::PathBuf {
    let (folder, key) = (server.dir.path(), SigningKey::from_seed(&[9; 32]).unwrap());
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut manifest = Manifest::of_script("storm", FleetId([1; 16]), now, b"#!/bin/sh\n");
    manifest.serial = serial;
    let file = folder.join("storm.bundle");
    fs::write(&file, sign(&manifest, &[key]).unwrap()).unwrap();
    server.json(&["bundle", "push", file.to_str().unwrap()]);
    server.json(&["assign", "storm", "--default"]);
    file
}

fn simulate(server: &Server, words: &[&str]) -> Command {
    let mut command = server.command(&["simulate", "--json"]);
    command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The last line is the summary.
fn summary(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.trim().lines().last().unwrap()).unwrap()
}

#[test]
fn every_machine_comes_back_and_every_line_is_there_once_when_the_server_is_killed() {
    let mut server = Server::start();
    order(&server, 1);
    let words = ["--machines", "50", "--enrol", "--runs", "1", "--lines", "40", "--check"];
    let limit = SOON.as_secs().to_string();
    let child = simulate(&server, &words).args(["--for", &format!("{limit}s")]).spawn().unwrap();
    // Some have reported something, and all are at work for a second.
    wait_until(|| (server.json(&["run", "list"]).as_array().unwrap().len() > 5).then_some(()));
    server.kill();
    server.start_again();
    let summary = summary(&child.wait_with_output().unwrap());
    assert_eq!(summary["runs"], 50);
    assert_eq!(summary["lines"], 50 * 40);
    assert_eq!(summary["checked"], serde_json::json!({ "lost": 0, "twice": 0, "foreign": 0 }));
    assert!(
        !summary["errors"].as_object().unwrap().is_empty(),
        "nobody noticed that it was killed"
    );
    assert!(summary["latencies"]["events"]["p99_ms"].as_f64().unwrap() > 0.0);
    let machines = server.json(&["machine", "list"]);
    assert_eq!(machines.as_array().unwrap().len(), 50);
    assert_eq!(server.json(&["run", "list"]).as_array().unwrap().len(), 50);
}

#[test]
fn machines_are_downloaded_to_and_what_cannot_be_is_said() {
    let server = Server::start();
    let bundle = order(&server, 1);
    let digest = xenoboot_wire::Digest::of(&fs::read(bundle).unwrap());
    let first = ["--machines", "3", "--enrol", "--runs", "1", "--takes", "0s", "--for", "60s"];
    assert_eq!(
        summary(&simulate(&server, &first).output().unwrap())["errors"],
        serde_json::json!({})
    );
    let path = format!("/machine/v1/bundle/{digest}");
    let words = ["--machines", "3", "--download", &path, "--for", "1s"];
    let downloads = summary(&simulate(&server, &words).output().unwrap());
    assert!(downloads["latencies"]["download"]["count"].as_u64().unwrap() > 0, "{downloads}");
    assert_eq!(downloads["errors"], serde_json::json!({}));

    // Nobody has approved these: they report nothing.
    let words = ["simulate", "--machines", "2", "--seed", "other", "--runs", "1", "--for", "1s"];
    let error = server.fails(&words);
    assert!(error.contains("2 of 2 machines have not reported"), "{error}");
    let mut nowhere =
        server.command(&["simulate", "--machines", "2", "--server", "https://127.0.0.1:1"]);
    assert_eq!(nowhere.output().unwrap().status.code(), Some(2), "a server needs a pin");
    // A fleet that did not sign it.
    let fleet = server.dir.path().join("fleet");
    server.text(&["fleet", "new", "fleet", "--no-passphrase", "--dir", fleet.to_str().unwrap()]);
    let words =
        ["--fleet", fleet.to_str().unwrap(), "--machines", "1", "--runs", "1", "--for", "2s"];
    let error = fails(&mut simulate(&server, &words));
    assert!(error.contains("1 of 1 machines"), "{error}");
}
