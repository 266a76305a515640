//! Who may do what, and what is kept of what was done.

use crate::client::{SOON, TestServer, connect, http2};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::timeout;
use xenoboot_server::api::AuditEntry;

#[tokio::test]
async fn each_token_is_good_for_its_role() {
    let mut server = TestServer::start().await;
    server.push("a", 1).await;
    let mut tokens = Vec::new();
    for role in ["viewer", "operator", "admin"] {
        let new = json!({ "name": role.to_owned() + "-1", "role": role, "expires_s": 600 });
        let given = server.post("tokens", new).await.unwrap();
        tokens.push(given["token"].as_str().unwrap().to_owned());
    }
    let own = server.token().to_owned();
    let assign = json!({ "bundle": "a", "target": "default" });
    for (token, role, may) in [
        (&tokens[0], "viewer", [true, false, false]),
        (&tokens[1], "operator", [true, true, false]),
        (&tokens[2], "admin", [true, true, true]),
    ] {
        server.use_token(token);
        assert_eq!(server.get("whoami").await.unwrap()["role"], role);
        let done = [
            server.get("machines").await,
            server.post("assignments", assign.clone()).await,
            server.get("tokens").await,
        ];
        for (result, may) in done.into_iter().zip(may) {
            match result {
                Ok(_) => assert!(may, "{role}"),
                Err((status, _)) => assert!(!may && status == StatusCode::FORBIDDEN, "{role}"),
            }
        }
    }
    server.use_token(&own);
    let listed = server.get("tokens").await.unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 4);
    assert!(!listed.to_string().contains(&tokens[0]));
    let twice = json!({ "name": "viewer-1", "role": "admin" });
    assert_eq!(server.post("tokens", twice).await.unwrap_err().0, StatusCode::CONFLICT);
    server.send(Method::DELETE, "tokens/viewer-1", Vec::new()).await.unwrap();
    let own_one = server.send(Method::DELETE, "tokens/admin", Vec::new()).await;
    assert_eq!(own_one.unwrap_err().0, StatusCode::CONFLICT);
    let short = json!({ "name": "short", "role": "admin", "expires_s": 1 });
    let short = server.post("tokens", short).await.unwrap();
    server.use_token(short["token"].as_str().unwrap());
    let begun = tokio::time::Instant::now();
    while server.get("whoami").await.is_ok() {
        assert!(begun.elapsed() < SOON, "it does not expire");
    }
    for worthless in [tokens[0].as_str(), "", "x", &"f".repeat(10_000)] {
        server.use_token(worthless);
        assert_eq!(server.get("machines").await.unwrap_err().0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_and_the_log_is_chained() {
    let mut server = TestServer::start().await;
    let machine = server.approved("m").await;
    server.push("a", 1).await;
    server.assign("a", json!("default")).await;
    let failed = json!({ "bundle": "none", "target": "default" });
    server.post("assignments", failed).await.unwrap_err();
    let new = json!({ "name": "alice", "role": "operator" });
    let alice = server.post("tokens", new).await.unwrap();
    let own = server.token().to_owned();
    server.use_token(alice["token"].as_str().unwrap());
    server.post("machines/m/labels", json!({ "set": { "rack": "a3" } })).await.unwrap();
    server.post("machines/m/refuse", Value::Null).await.unwrap();
    // A machine that comes by a token has nobody else who did it.
    let invited = server.post("invitations", json!({ "expires_s": 60 })).await.unwrap();
    let other = server.machine().await;
    other.boot_with(invited["token"].as_str().unwrap()).await;
    server.use_token(&own);
    let log = server.get("audit").await.unwrap();
    let entries: Vec<AuditEntry> = serde_json::from_value(log["entries"].clone()).unwrap();
    let done: Vec<(&str, &str)> =
        entries.iter().map(|e| (e.actor.as_str(), e.action.as_str())).collect();
    let by_itself = format!("machine {}", other.key.fingerprint());
    assert_eq!(
        done,
        [
            ("admin", "machine.approve"),
            ("admin", "bundle.push"),
            ("admin", "assignment.set"),
            ("admin", "token.new"),
            ("alice", "machine.label"),
            ("alice", "machine.refuse"),
            ("alice", "invitation.new"),
            (by_itself.as_str(), "machine.approve"),
        ]
    );
    assert_eq!(entries[0].object, "m");
    assert_eq!(entries[0].detail["key"], machine.key.fingerprint());
    let mut before = AuditEntry::NONE;
    for (entry, number) in entries.iter().zip(1..) {
        assert_eq!((entry.number, entry.before.as_str()), (number, before));
        assert_eq!(entry.hash, entry.hash_of());
        before = &entry.hash;
    }
    let rest = server.get("audit?after=6").await.unwrap();
    assert_eq!(rest["entries"].as_array().unwrap().len(), 2);
    // There is no way to change it.
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let refused = server.send(method, "audit", b"{}".to_vec()).await;
        assert_eq!(refused.unwrap_err().0, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn the_stream_tells_of_changes_and_ends_with_the_server() {
    let mut server = TestServer::start().await;
    let machine = server.approved("m").await;
    let mut sender = http2(connect(&server, None).await.unwrap()).await;
    let request = Request::get("https://server/api/v1/stream")
        .header(header::AUTHORIZATION, format!("Bearer {}", server.token()))
        .body(Full::default())
        .unwrap();
    let response = timeout(SOON, sender.send_request(request)).await.unwrap().unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body();
    machine.events(crate::client::lines(1..=3, None)).await.unwrap();
    let mut text = String::new();
    while !text.contains("\n\n") {
        let frame = timeout(SOON, body.frame()).await.unwrap().unwrap().unwrap();
        text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
    }
    assert_eq!(text, "event: machine\ndata: {\"kind\":\"machine\",\"machine\":\"m\"}\n\n");
    server.stop().await;
    let end = timeout(SOON, async { while let Some(Ok(_)) = body.frame().await {} }).await;
    assert!(end.is_ok(), "it does not end");
}

#[tokio::test]
async fn the_api_describes_itself() {
    let server = TestServer::start().await;
    let described = server.get("openapi.json").await.unwrap();
    assert!(described["openapi"].as_str().unwrap().starts_with("3."));
    let paths = described["paths"].as_object().unwrap();
    assert!(paths.len() > 20, "{}", paths.len());
    let approve = &paths["/machines/{machine}/approve"]["post"];
    assert!(approve["responses"]["default"].is_object(), "{approve}");
    // What is referred to is there.
    let text = described.to_string();
    for name in text.split("#/components/schemas/").skip(1) {
        let name = name.split('"').next().unwrap();
        assert!(described["components"]["schemas"][name].is_object(), "{name}");
    }
    let wrong = server.send(Method::DELETE, "machines", Vec::new()).await.unwrap_err();
    assert_eq!(wrong.0, StatusCode::METHOD_NOT_ALLOWED);
    assert!(wrong.1["error"].is_string());
    let wrong = server.get("runs?limit=x").await.unwrap_err();
    assert_eq!(wrong.0, StatusCode::BAD_REQUEST);
    assert!(wrong.1["error"].is_string());
}
