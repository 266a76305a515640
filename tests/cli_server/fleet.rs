//! States, enrolment and access, by the operator's commands.

use crate::{
    machine::{Machine, event},
    operator::bundle,
    program::{Server, command_with, fails, stdout, wait_until},
};
use std::{fs, process::Command};
use tokio::runtime::Runtime;
use xenoboot_wire::{
    Digest, RunId,
    boot::{Order, Outcome},
    event::What,
};

fn pushed(server: &Server, name: &str) -> Digest {
    let (file, digest) = bundle(server, name, 1);
    server.text(&["bundle", "push", file.to_str().unwrap()]);
    digest
}

fn told(runtime: &Runtime, machine: &mut Machine) -> Option<(Digest, u64)> {
    match runtime.block_on(machine.boot()).unwrap().order {
        Order::Run(assignment) => Some((assignment.bundle, assignment.generation)),
        _ => None,
    }
}

#[test]
fn what_is_assigned_is_explained_and_once_is_once() {
    let server = Server::start();
    let runtime = Runtime::new().unwrap();
    let mut machine = Machine::new(server.address);
    let key = machine.key.to_string();
    server.json(&["machine", "approve", "--key", &key, "--name", "m", "--label", "rack=a3"]);
    let (web, install) = (pushed(&server, "web"), pushed(&server, "install"));
    server.text(&["assign", "web", "--labels", "rack=a3,role!=db"]);
    assert_eq!(told(&runtime, &mut machine).unwrap().0, web);
    let said =
        server.text(&["assign", "install", "--machine", "m", "--state", "install", "--once"]);
    assert!(said.contains("for install, once: 1 machine"), "{said}");
    let explained = server.text(&["machine", "explain", "m"]);
    assert!(
        explained.contains("=> install install serial 1 to this machine, once: the most specific"),
        "{explained}"
    );
    assert!(explained.contains("m is told to run install serial 1, for install"), "{explained}");
    let (digest, generation) = told(&runtime, &mut machine).unwrap();
    assert_eq!(digest, install);
    let run = RunId([7; 16]);
    let generation = Some(generation);
    let name = "install".to_owned();
    let started = What::RunStarted { bundle: digest, name, serial: 1, generation };
    let ended = What::RunEnded { outcome: Outcome::Succeeded, duration_ms: 5 };
    runtime.block_on(machine.events(vec![event(1, run, started), event(2, run, ended)])).unwrap();
    assert_eq!(told(&runtime, &mut machine).unwrap().0, web);
    // What was asked for has run, and is over: its log is found all the same.
    let log = server.command(&["run", "log", "--machine", "m", "--follow"]).output().unwrap();
    assert!(log.status.success() && stdout(&log).contains("install serial 1"), "{log:?}");
    let list = server.text(&["machine", "list"]);
    assert!(list.contains("succeeded"), "{list}");

    server.text(&["assign", "--state", "disabled", "--machine", "m"]);
    assert_eq!(told(&runtime, &mut machine), None);
    let error = server.fails(&["assign", "web", "--labels", "rack="]);
    assert!(
        error.contains("is not a term of a selector") && error.contains("key!=value"),
        "{error}"
    );
    let policy = server.text(&["policy", "--failures", "5", "--rescue", "web"]);
    assert!(policy.contains("failures  5") && policy.contains(&web.to_string()[..12]), "{policy}");
    server.text(&["machine", "clear", "m"]);
}

#[test]
fn machines_become_known_by_token_and_by_table() {
    let server = Server::start();
    let runtime = Runtime::new().unwrap();
    let token = server.text(&["machine", "invite", "--name", "cupboard", "--group", "attic"]);
    let mut machine = Machine::new(server.address);
    machine.token = Some(token.trim().to_owned());
    assert!(matches!(runtime.block_on(machine.boot()).unwrap().order, Order::Idle { .. }));
    assert!(server.text(&["machine", "invite", "--list"]).contains("used by cupboard"));

    let table = server.dir.path().join("machines.csv");
    let keys: Vec<String> =
        (0..2).map(|_| Machine::new(server.address).key.fingerprint()).collect();
    let good = format!(
        "key,name,groups,labels\n{},web-1,web eu,rack=a3 role=web\n{},web-2,,\n",
        keys[0], keys[1]
    );
    fs::write(&table, &good).unwrap();
    let path = table.to_str().unwrap();
    assert!(server.text(&["machine", "import", path]).contains("approved 2 machines"));
    assert_eq!(server.json(&["machine", "show", "web-1"])["labels"]["role"], "web");
    fs::write(&table, good.replace("role=web", "role")).unwrap();
    let error = server.fails(&["machine", "import", path]);
    assert!(error.contains("row 1") && error.contains("is not KEY=VALUE"), "{error}");
    fs::write(&table, "fingerprint\nx\n").unwrap();
    let error = server.fails(&["machine", "import", path]);
    assert!(error.contains("names the columns"), "{error}");

    // What cannot be undone is asked for, and there is nobody to ask.
    let error = server.fails(&["machine", "revoke", "cupboard"]);
    assert!(error.contains("--yes"), "{error}");
    server.text(&["machine", "revoke", "cupboard", "--yes"]);
    let refused = runtime.block_on(machine.boot()).unwrap_err().to_string();
    assert!(refused.contains("revoked"), "{refused}");
    let error = server.fails(&["machine", "approve", "cupboard"]);
    assert!(error.contains("was revoked") && error.contains("machine rotate"), "{error}");
}

#[test]
fn tokens_have_roles_and_the_log_shows_who_did_what() {
    let server = Server::start();
    let file = server.dir.path().join("alice.toml");
    let path = file.to_str().unwrap();
    let given = ["token", "new", "alice", "--role", "viewer", "--expires", "1d", "-o", path];
    server.text(&given);
    let list = server.text(&["token", "list"]);
    assert!(list.contains("alice") && list.contains("viewer"), "{list}");
    assert!(command_with(&file, &["machine", "list"]).output().unwrap().status.success());
    let error = fails(&mut command_with(&file, &["policy", "--failures", "9"]));
    assert!(error.contains("is a viewer's") && error.contains("role operator"), "{error}");
    server.text(&["policy", "--failures", "9"]);
    server.text(&["token", "revoke", "alice", "--yes"]);
    let error = fails(&mut command_with(&file, &["machine", "list"]));
    assert!(error.contains("not one of this server's"), "{error}");
    let log = server.text(&["audit", "list"]);
    assert!(log.contains("policy.set") && log.contains("token.revoke"), "{log}");
    let whole = server.json(&["audit", "verify"]);
    assert_eq!(whole["entries"], 3);
    let hash = whole["hash"].as_str().unwrap();
    server.text(&["policy", "--failures", "3"]);
    server.text(&["audit", "verify", "--has", hash]);
    let error = server.fails(&["audit", "verify", "--has", &"0".repeat(64)]);
    assert!(error.contains("no entry with the hash"), "{error}");
    let hook = ["webhook", "add", "https://hooks.example.org/1", "--kind", "failed"];
    assert!(server.text(&hook).contains("for failed"));
    assert!(server.text(&["webhook", "list"]).contains("hooks.example.org"));
    // Somebody logs in to the dashboard.
    let operator = fs::read_to_string(server.operator_file()).unwrap();
    let token = operator.lines().find_map(|line| line.strip_prefix("token = ")).unwrap();
    let mut curl = Command::new("curl");
    curl.args(["-sk", "--data", &format!("token={}", token.trim_matches('"'))]);
    curl.arg(format!("https://{}/ui/login", server.address));
    assert!(curl.status().unwrap().success());
    assert!(server.text(&["session", "list"]).contains("admin"));
    assert!(server.fails(&["session", "end", "admin"]).contains("--yes"));
    server.text(&["session", "end", "admin", "--yes"]);
    assert_eq!(server.json(&["session", "list"]).as_array().unwrap().len(), 0);
    let error = server.fails(&["session", "end", "oidc:a@example.org", "--yes"]);
    assert!(error.contains("no session `oidc:a@example.org`"), "{error}");
    server.text(&["webhook", "remove", "1"]);
    wait_until(|| server.json(&["webhook", "list"]).as_array().unwrap().is_empty().then_some(()));
}
