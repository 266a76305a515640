//! What machines are told to run.

use crate::client::{Machine, SOON, TestServer, signer};
use hyper::{Method, StatusCode};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use xenoboot_bundle::{Manifest, sign};
use xenoboot_wire::{
    Digest, FleetId,
    boot::{Assignment, Order},
};

async fn ordered(machine: &Machine) -> Assignment {
    match machine.boot().await.order {
        Order::Run(assignment) => assignment,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_most_specific_wins_and_the_generation_only_grows() {
    let mut server = TestServer::start().await;
    let machine = server.approved("m").await;
    let other = server.approved("other").await;
    let (a, b, c) =
        (server.push("a", 1).await, server.push("b", 1).await, server.push("c", 1).await);

    let done = server.assign("a", json!("default")).await;
    assert_eq!(done["machines"], 2);
    let first = ordered(&machine).await;
    assert_eq!((first.bundle, Digest::of(&first.envelope.unwrap().0)), (a, a));

    server.post("machines/m/groups", json!({ "add": ["attic"] })).await.unwrap();
    assert_eq!(ordered(&machine).await.generation, first.generation, "nothing changed for it");
    assert_eq!(server.assign("b", json!({ "group": "attic" })).await["machines"], 1);
    let second = ordered(&machine).await;
    assert_eq!(second.bundle, b);
    server.assign("c", json!({ "machine": "m" })).await;
    let third = ordered(&machine).await;
    assert_eq!(third.bundle, c);
    // A less specific one changes nothing for it.
    assert_eq!(server.assign("a", json!("default")).await["machines"], 1);
    assert_eq!(ordered(&machine).await.generation, third.generation);
    assert_eq!(ordered(&other).await.bundle, a);

    // The same again is to be run again.
    server.assign("c", json!({ "machine": "m" })).await;
    let fourth = ordered(&machine).await;
    assert_eq!(fourth.bundle, c);

    server.start_again().await;
    let machine = server.get("machines/m").await.unwrap();
    assert_eq!(machine["generation"], fourth.generation);

    server
        .post("assignments", json!({ "bundle": null, "target": { "machine": "m" } }))
        .await
        .unwrap();
    let shown = server.get("machines/m").await.unwrap();
    assert_eq!(shown["assigned"]["bundle"], b.to_string());
    assert_eq!(shown["assigned"]["by"], json!({ "group": "attic" }));
    server.post("machines/m/groups", json!({ "remove": ["attic"] })).await.unwrap();
    let shown = server.get("machines/m").await.unwrap();
    assert_eq!(shown["assigned"]["by"], "default");
    let generations = [first.generation, second.generation, third.generation, fourth.generation];
    assert!(generations.is_sorted_by(|a, b| a < b), "{generations:?}");
    assert!(shown["generation"].as_u64().unwrap() > fourth.generation + 1);
    let nothing =
        server.post("assignments", json!({ "bundle": null, "target": { "machine": "m" } })).await;
    assert_eq!(nothing.unwrap_err().0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_assignment_reaches_a_machine_that_waits_at_once() {
    let server = TestServer::start().await;
    let machine = server.approved("m").await;
    let digest = server.push("a", 1).await;
    let mut generation = machine.boot().await.order.generation();
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let assign = async {
            // Until the server has the question, which nothing shows.
            tokio::time::sleep(Duration::from_millis(50)).await;
            server.assign("a", json!({ "machine": "m" })).await;
            // From here on: how long it takes to write to the disk depends on what else writes to it.
            Instant::now()
        };
        let wait =
            async { (timeout(SOON, machine.wait(generation)).await.unwrap(), Instant::now()) };
        let ((order, woken), done) = tokio::join!(wait, assign);
        let Some(Order::Run(assignment)) = order else { panic!("{order:?}") };
        assert_eq!(assignment.bundle, digest);
        assert!(assignment.generation > generation);
        generation = assignment.generation;
        slowest = slowest.max(woken.saturating_duration_since(done));
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}

#[tokio::test]
async fn assignments_raced_by_many_are_counted_once_each() {
    let server = std::sync::Arc::new(TestServer::start().await);
    let machine = server.approved("m").await;
    server.push("a", 1).await;
    let before = machine.boot().await.order.generation();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let server = std::sync::Arc::clone(&server);
            tokio::spawn(async move { server.assign("a", json!({ "machine": "m" })).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap()["machines"], 1);
    }
    assert_eq!(machine.boot().await.order.generation(), before + 20);
}

#[tokio::test]
async fn bundles_are_named_by_name_or_digest() {
    let server = TestServer::start().await;
    let machine = server.approved("m").await;
    let old = server.push("repair", 7).await;
    let new = server.push("repair", 9).await;
    server.push("repair", 8).await;
    server.assign("repair", json!("default")).await;
    assert_eq!(ordered(&machine).await.bundle, new);
    server.assign(&old.to_string()[..12], json!("default")).await;
    assert_eq!(ordered(&machine).await.bundle, old);
    let unknown =
        server.post("assignments", json!({ "bundle": "repare", "target": "default" })).await;
    let (status, error) = unknown.unwrap_err();
    assert_eq!(
        (status, error["hint"].as_str()),
        (StatusCode::NOT_FOUND, Some("did you mean repair?"))
    );
}

#[tokio::test]
async fn what_is_no_bundle_is_not_taken() {
    let server = TestServer::start().await;
    let unfit = server.send(Method::POST, "bundles", b"nonsense".to_vec()).await.unwrap_err();
    assert_eq!(unfit.0, StatusCode::UNPROCESSABLE_ENTITY);
    let manifest = Manifest::of_script("draft", FleetId([1; 16]), 1, b"#!/bin/sh\n");
    let draft = sign(&manifest, &[]).unwrap();
    assert_eq!(
        server.send(Method::POST, "bundles", draft).await.unwrap_err().0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let mut envelope = sign(&manifest, &[signer()]).unwrap();
    envelope.push(0);
    assert_eq!(
        server.send(Method::POST, "bundles", envelope).await.unwrap_err().0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(server.get("bundles").await.unwrap(), json!([]));
}
