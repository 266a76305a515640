//! The log as JSON: what a program that reads it relies on.

use crate::{
    machine::{Machine, line},
    program::Server,
};
use rustix::process::Signal;
use serde_json::Value;
use std::{io::Write, net::TcpStream};
use tokio::runtime::Runtime;
use xenoboot_wire::RunId;

/// Every line is an object that says when, how grave, where and what; and what it is about stands beside that.
#[test]
fn each_line_is_an_object_that_says_what_it_is_about() {
    let mut server = Server::start_with_log();
    let runtime = Runtime::new().unwrap();
    let mut machine = Machine::new(server.address);
    server.json(&["machine", "approve", "--key", &machine.key.to_string(), "--name", "m1"]);
    runtime.block_on(machine.boot()).unwrap();
    // Those before the fifth were acknowledged by a server that has lost them.
    runtime.block_on(machine.events(vec![line(5, RunId([1; 16]), "one \"more\"\n")])).unwrap();
    // A stranger who speaks no TLS.
    TcpStream::connect(server.address).unwrap().write_all(b"GET /\n{\"level\": 1}\n\n").unwrap();
    server.stop(Signal::TERM);

    let log = server.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for line in &lines {
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {line}");
        }
    }
    let found = |message: &str| {
        let is =
            |line: &&Value| line["message"].as_str().is_some_and(|text| text.starts_with(message));
        lines.iter().find(is).unwrap_or_else(|| panic!("{message}: {log}"))
    };
    let gap = found("events are missing");
    assert_eq!(
        (&gap["level"], &gap["target"]),
        (&"WARN".into(), &"xenoboot_server::store::events".into())
    );
    assert_eq!((&gap["through"], &gap["first"]), (&0.into(), &5.into()));
    assert_eq!(gap["boot"], machine.boot.to_string());
    assert!(gap["machine"].is_i64(), "{gap}");
    assert_eq!(found("stopping")["level"], "INFO");
}
