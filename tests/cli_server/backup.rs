//! `xenoboot backup` of a server at work, and `xenoboot restore`, of whole backups and of damaged ones.

use crate::{
    machine::{Machine, line},
    program::{Server, fails},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};
use tokio::runtime::Runtime;
use xenoboot_bundle::{Manifest, SigningKey, sign};
use xenoboot_wire::{FleetId, RunId};

fn xenoboot(words: &[&str], paths: &[&Path]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xenoboot"));
    command.args(words).args(paths);
    command
}

/// Modes and bytes of all files below a folder, but for the database and what is not the server's: the lock, and what
/// the operator's commands leave beside the operator file. A blob's mode does not matter: the folder is closed.
fn files(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    fn walk(dir: &Path, root: &Path, found: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            let text = name.to_string_lossy();
            if path.is_dir() {
                walk(&path, root, found);
            } else if !matches!(&*text, "lock" | "known_hosts") && !text.starts_with("xenoboot.") {
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
                let mode = if text.starts_with("blobs/") { 0 } else { mode };
                found.insert(name, (mode, fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, dir, &mut found);
    found
}

/// What an operator sees of everything.
fn seen(server: &Server) -> Vec<Value> {
    let questions: [&[&str]; 6] = [
        &["machine", "list"],
        &["run", "list"],
        &["bundle", "list"],
        &["audit", "verify"],
        &["webhook", "list"],
        &["token", "list"],
    ];
    let asked = questions.iter().map(|words| {
        let mut answer = server.json(words);
        // What changes with time, and by asking.
        for machine in answer.as_array_mut().into_iter().flatten() {
            if let Some(machine) = machine.as_object_mut() {
                machine.remove("online");
                machine.remove("observed");
                machine.remove("seen_ms");
            }
        }
        answer
    });
    asked.collect()
}

/// A server with something of everything.
fn at_work(server: &Server, runtime: &Runtime) -> Machine {
    let mut machine = Machine::new(server.address);
    server.json(&["machine", "approve", "--key", &machine.key.to_string(), "--name", "web-1"]);
    runtime.block_on(machine.boot()).unwrap();
    let run = RunId([7; 16]);
    let lines = (1..=100).map(|n| line(n, run, &format!("line {n}"))).collect();
    runtime.block_on(machine.events(lines)).unwrap();
    let mut manifest = Manifest::of_script("b", FleetId([1; 16]), 1_800_000_000, b"#!/bin/sh\n");
    manifest.serial = 1;
    let file = server.dir.path().join("b.bundle");
    fs::write(&file, sign(&manifest, &[SigningKey::from_seed(&[9; 32]).unwrap()]).unwrap())
        .unwrap();
    server.json(&["bundle", "push", file.to_str().unwrap()]);
    server.json(&["assign", "b", "--default"]);
    server.json(&["webhook", "add", "http://127.0.0.1:1/"]);
    let programs = server.folder().join("power.d");
    fs::create_dir_all(&programs).unwrap();
    fs::write(programs.join("switch"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(programs.join("switch"), fs::Permissions::from_mode(0o755)).unwrap();
    machine
}

#[test]
fn a_server_is_backed_up_at_work_and_the_restored_one_is_the_same() {
    let mut server = Server::start();
    let runtime = Runtime::new().unwrap();
    let mut machine = at_work(&server, &runtime);
    let backup = server.dir.path().join("a.backup");
    let (before, folder) = (seen(&server), server.folder());
    let made = xenoboot(&["--json", "backup"], &[&folder, &backup]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert!(made["files"].as_u64().unwrap() >= 7, "{made}");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let error = fails(&mut xenoboot(&["backup"], &[&folder, &backup]));
    assert!(error.contains("overwrites nothing"), "{error}");

    // What comes after it is not in it.
    let after = (101..=110).map(|n| line(n, RunId([7; 16]), "later")).collect();
    runtime.block_on(machine.events(after)).unwrap();
    server.kill();
    let old = files(&folder);
    let error = fails(&mut xenoboot(&["restore"], &[&backup, &folder]));
    assert!(error.contains("is not empty"), "{error}");
    assert_eq!(files(&folder), old);

    fs::rename(&folder, server.dir.path().join("old")).unwrap();
    let restored = xenoboot(&["restore"], &[&backup, &folder]).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(files(&folder), old);
    server.start_again();
    assert_eq!(seen(&server), before);
    let log = server.json(&["run", "log", &RunId([7; 16]).to_string()]);
    assert_eq!(log["events"].as_array().unwrap().len(), 100);
}

#[test]
fn a_damaged_backup_makes_no_server() {
    let mut server = Server::start();
    at_work(&server, &Runtime::new().unwrap());
    let (folder, backup) = (server.folder(), server.dir.path().join("whole"));
    assert!(xenoboot(&["backup"], &[&folder, &backup]).status().unwrap().success());
    server.kill();
    let whole = fs::read(&backup).unwrap();
    let (bad, to) = (server.dir.path().join("bad"), server.dir.path().join("new"));
    let refused = |bytes: &[u8]| {
        fs::write(&bad, bytes).unwrap();
        let error = fails(&mut xenoboot(&["restore"], &[&bad, &to]));
        assert!(!to.exists(), "{error}");
        error
    };
    for length in [600, whole.len() / 3, whole.len() / 2, whole.len() - 2000] {
        let error = refused(&whole[..length]);
        assert!(error.contains("cut short") || error.contains("not a backup"), "{length}: {error}");
    }
    assert!(refused(b"").contains("not a backup"));
    assert!(refused(&[7; 5000]).contains("not a backup"));
    // Anywhere in it, headers and contents; not in the zeros that fill blocks up, which mean nothing.
    let places: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    for place in places.iter().step_by(places.len() / 20) {
        let mut bytes = whole.clone();
        bytes[*place] ^= 1;
        refused(&bytes);
    }
    let left = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".xenoboot");
    let entries = fs::read_dir(server.dir.path()).unwrap().map(Result::unwrap);
    assert_eq!(entries.filter(left).count(), 0, "something is left behind");
    let error = fails(&mut xenoboot(&["backup"], &[server.dir.path(), &to]));
    assert!(error.contains("not the folder of a server"), "{error}");
}
