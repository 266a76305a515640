//! Events, the runs that are made of them, and their logs.

use crate::client::{SOON, TestServer, event, lines};
use hyper::StatusCode;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use xenoboot_wire::{
    BootId, Code, Digest, RunId,
    boot::Outcome,
    event::{Source, What},
};

const RUN: RunId = RunId([0xab; 16]);

fn started() -> What {
    What::RunStarted {
        bundle: Digest::of(b"x"),
        name: "repair".into(),
        serial: 3,
        generation: None,
    }
}

fn phase(name: &str) -> What {
    What::Phase { name: name.into() }
}

#[tokio::test]
async fn each_event_is_stored_once() {
    let mut server = TestServer::start().await;
    let machine = server.approved("m").await;
    assert_eq!(machine.events(lines(1..=10, Some(RUN))).await, Ok(10));
    assert_eq!(machine.events(lines(1..=10, Some(RUN))).await, Ok(10), "sent again");
    assert_eq!(machine.events(lines(5..=15, Some(RUN))).await, Ok(15), "overlapping");
    assert_eq!(machine.events(Vec::new()).await, Ok(15), "nothing");
    for bad in [
        lines(0..=3, None),
        [lines(17..=17, None), lines(19..=19, None)].concat(),
        lines(16..=1016, None),
    ] {
        assert_eq!(machine.events(bad).await.unwrap_err().0, StatusCode::BAD_REQUEST);
    }
    server.start_again().await;
    let log = server.get(&format!("runs/{RUN}/log")).await.unwrap();
    let numbers: Vec<u64> =
        log["events"].as_array().unwrap().iter().map(|e| e["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<_>>());
}

#[tokio::test]
async fn batches_that_race_are_stored_once() {
    let server = TestServer::start().await;
    let machine = std::sync::Arc::new(server.approved("m").await);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let machine = std::sync::Arc::clone(&machine);
            tokio::spawn(async move { machine.events(lines(1..=500, Some(RUN))).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Ok(500));
    }
    let run = server.get(&format!("runs/{RUN}")).await.unwrap();
    assert_eq!(run["lines"], 500);
}

#[tokio::test]
async fn a_power_on_has_its_own_numbers() {
    let server = TestServer::start().await;
    let mut machine = server.approved("m").await;
    assert_eq!(machine.events(lines(1..=3, Some(RUN))).await, Ok(3));
    machine.boot = BootId([2; 16]);
    machine.boot().await;
    // The run of the power-on before will say no more.
    assert_eq!(server.get(&format!("runs/{RUN}")).await.unwrap()["state"], "lost");
    assert_eq!(machine.events(lines(1..=2, None)).await, Ok(2));
    // Another machine's events of the same power-on id are its own.
    let other = server.approved("other").await;
    assert_eq!(other.events(lines(1..=7, None)).await, Ok(7));
}

#[tokio::test]
async fn a_run_from_beginning_to_end() {
    let server = TestServer::start().await;
    let machine = server.approved("m").await;
    let report = |key: &str, value: &str| What::Report { key: key.into(), value: value.into() };
    let first = vec![
        event(1, None, phase("network")),
        event(2, None, phase("run")),
        event(3, Some(RUN), started()),
        event(4, Some(RUN), What::Progress { percent: 40, text: "mending".into() }),
        event(5, Some(RUN), report("disk", "sda")),
    ];
    machine.events(first).await.unwrap();
    let run = server.get("machines/m/run").await.unwrap();
    assert_eq!(run["state"], "running");
    assert_eq!(run["progress"], json!({ "percent": 40, "text": "mending" }));

    let failed =
        Outcome::Failed { code: Code::ScriptFailed, cause: "exit 3".into(), exit: Some(3) };
    let second = vec![
        event(6, Some(RUN), report("disk", "sdb")),
        event(7, Some(RUN), What::RunEnded { outcome: failed, duration_ms: 1500 }),
        event(8, None, phase("report")),
        event(9, None, phase("wait")),
        event(10, None, phase("contact")),
    ];
    machine.events(second).await.unwrap();
    let run = server.get(&format!("runs/{}", &RUN.to_string()[..6])).await.unwrap();
    assert_eq!(
        (&run["state"], &run["code"], &run["exit"]),
        (&json!("failed"), &json!("XB-RUN-01"), &json!(3))
    );
    assert_eq!(
        (&run["name"], &run["serial"], &run["machine"]),
        (&json!("repair"), &json!(3), &json!("m"))
    );
    assert_eq!(run["reports"], json!({ "disk": "sdb" }));
    let phases: Vec<&str> =
        run["phases"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(phases, ["network", "run", "report", "wait"]);
    assert_eq!(run["phases"][1]["duration_ms"], 6);
    assert_eq!(server.get("machines/m").await.unwrap()["last_run"]["state"], "failed");
    assert_eq!(server.get("runs?machine=m&limit=5").await.unwrap().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_follower_hears_of_a_line_at_once_and_of_the_end() {
    let server = TestServer::start().await;
    let machine = server.approved("m").await;
    machine.events(vec![event(1, Some(RUN), started())]).await.unwrap();
    let path = format!("runs/{RUN}/log?after=1&wait_s=50");
    let follow =
        async { (timeout(SOON, server.get(&path)).await.unwrap().unwrap(), Instant::now()) };
    let say = async {
        sleep(Duration::from_millis(300)).await;
        machine.events(lines(2..=2, Some(RUN))).await.unwrap();
        Instant::now()
    };
    let ((log, heard), done) = tokio::join!(follow, say);
    assert_eq!(log["events"][0]["what"]["line"]["text"], "line 2");
    let latency = heard.saturating_duration_since(done);
    assert!(latency < Duration::from_millis(800), "{latency:?}");

    let ended = What::RunEnded { outcome: Outcome::Succeeded, duration_ms: 9 };
    machine.events(vec![event(3, Some(RUN), ended)]).await.unwrap();
    let log = server.get(&format!("runs/{RUN}/log?after=3&wait_s=50")).await.unwrap();
    assert_eq!((&log["events"], &log["run"]["state"]), (&json!([]), &json!("succeeded")));
    let log = server.get(&format!("runs/{RUN}/log?after=0&wait_s=0")).await.unwrap();
    assert_eq!(log["events"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_run_of_what_is_assigned_now_is_waited_for() {
    let server = TestServer::start().await;
    let machine = server.approved("m").await;
    let digest = server.push("repair", 1).await;
    let start = |n, run| {
        event(
            n,
            Some(run),
            What::RunStarted { bundle: digest, name: "repair".into(), serial: 1, generation: None },
        )
    };
    server.assign("repair", json!({ "machine": "m" })).await;
    machine.events(vec![start(1, RUN)]).await.unwrap();
    let found = server.get("machines/m/run?current=true&wait_s=1").await.unwrap();
    assert_eq!(found["run"], RUN.to_string());
    // Assigned anew: the run before is not the one.
    sleep(Duration::from_millis(5)).await;
    server.assign("repair", json!({ "machine": "m" })).await;
    assert_eq!(server.get("machines/m/run?current=true&wait_s=0").await.unwrap(), json!(null));
    let again = RunId([0xcd; 16]);
    let find = server.get("machines/m/run?current=true&wait_s=50");
    let run = async {
        sleep(Duration::from_millis(100)).await;
        machine.events(vec![start(2, again)]).await.unwrap();
    };
    let (found, ()) = tokio::join!(timeout(SOON, find), run);
    assert_eq!(found.unwrap().unwrap()["run"], again.to_string());
}

#[tokio::test]
async fn hostile_text_is_bounded_and_kept_as_it_is() {
    let server = TestServer::start().await;
    let machine = server.approved("m").await;
    let text = format!("\u{0}\u{1b}]0;x\u{7}{}", "ä".repeat(10_000));
    let hostile = vec![
        event(1, Some(RUN), What::Line { source: Source::Stdout, text: text.clone() }),
        event(2, Some(RUN), What::Report { key: text.clone(), value: text.clone() }),
        event(3, None, What::Failure { code: Code::NoLease, cause: text.clone(), attempt: 3 }),
        event(4, None, What::Phase { name: text }),
    ];
    machine.events(hostile).await.unwrap();
    let log = server.get(&format!("runs/{RUN}/log")).await.unwrap();
    let line = log["events"][0]["what"]["line"]["text"].as_str().unwrap();
    assert!(line.starts_with("\u{0}\u{1b}]0;x\u{7}ä") && line.len() <= 4096);
    let failure = &server.get("machines/m").await.unwrap()["failure"];
    assert_eq!(failure["code"], "XB-NET-04");
    assert!(failure["cause"].as_str().unwrap().len() <= 4096);
}

#[tokio::test]
async fn events_that_another_server_has_lost_do_not_stop_the_rest() {
    let server = TestServer::start().await;
    let machine = server.approved("m").await;
    assert_eq!(machine.events(lines(1..=5, Some(RUN))).await, Ok(5));
    assert_eq!(machine.events(lines(9..=10, Some(RUN))).await, Ok(10));
    let log = server.get(&format!("runs/{RUN}/log")).await.unwrap();
    assert_eq!(log["events"].as_array().unwrap().len(), 7);
}
