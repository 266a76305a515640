//! How machines become known with no operator at hand, and get other keys; and keys that two machines have.

use crate::client::{Machine, SOON, TestServer, event, lines, new_key};
use hyper::{Method, StatusCode};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use tokio::time::timeout;
use xenoboot_wire::{
    BootId, MachineKey,
    boot::{BootReply, Order},
    event::What,
};

fn key_of(pair: &KeyPair) -> MachineKey {
    MachineKey::try_from(pair.public_key_raw()).unwrap()
}

fn copy(pair: &KeyPair) -> KeyPair {
    KeyPair::try_from(pair.serialize_der()).unwrap()
}

#[tokio::test]
async fn a_token_approves_one_machine() {
    let server = TestServer::start().await;
    let invite = json!({ "name": "cupboard", "groups": ["attic"], "labels": { "rack": "a3" }, "expires_s": 600 });
    let invited = server.post("invitations", invite.clone()).await.unwrap();
    let token = invited["token"].as_str().unwrap();
    assert!(token.len() == 16 && token.bytes().all(|b| b.is_ascii_alphanumeric()), "{token}");
    let machine = server.machine().await;
    assert_eq!(machine.boot_with("0000000000000000").await, Order::Pending);
    // As somebody types it who mixes up what looks alike.
    let typed = token.to_lowercase().replace('0', "o").replace('1', "l");
    assert!(matches!(machine.boot_with(&typed).await, Order::Idle { .. }));
    let shown = server.get("machines/cupboard").await.unwrap();
    assert_eq!((&shown["groups"], &shown["labels"]), (&json!(["attic"]), &json!({ "rack": "a3" })));
    let second = server.machine().await;
    assert_eq!(second.boot_with(token).await, Order::Pending, "it was used");
    let listed = server.get("invitations").await.unwrap();
    assert_eq!(listed[0]["machine"], "cupboard");
    assert!(!listed.to_string().contains(token));
    // Taken back, it is worth nothing; with a name that is taken, it is worth as much.
    let invited = server.post("invitations", invite.clone()).await.unwrap();
    let path = format!("invitations/{}", invited["id"].as_str().unwrap());
    server.send(Method::DELETE, &path, Vec::new()).await.unwrap();
    assert_eq!(second.boot_with(invited["token"].as_str().unwrap()).await, Order::Pending);
    let gone = server.send(Method::DELETE, &path, Vec::new()).await.unwrap_err();
    assert_eq!(gone.0, StatusCode::NOT_FOUND);
    let invited = server.post("invitations", invite).await.unwrap();
    assert!(matches!(
        second.boot_with(invited["token"].as_str().unwrap()).await,
        Order::Idle { .. }
    ));
    // A machine that was refused is not let in by a token.
    let refused = server.machine().await;
    refused.boot().await;
    server.post(&format!("machines/{}/refuse", refused.key), Value::Null).await.unwrap();
    let invited = server.post("invitations", json!({ "expires_s": 600 })).await.unwrap();
    assert_eq!(refused.boot_with(invited["token"].as_str().unwrap()).await, Order::Refused);
}

#[tokio::test]
async fn many_are_approved_or_none() {
    let server = TestServer::start().await;
    let keys: Vec<KeyPair> = (0..3).map(|_| new_key(&PKCS_ED25519)).collect();
    let row = |i: usize, name: &str| json!({ "key": key_of(&keys[i]).fingerprint(), "name": name, "groups": ["g"], "labels": { "n": i.to_string() } });
    let bad = json!({ "machines": [row(0, "a"), row(1, "b c")] });
    let (status, error) = server.post("import", bad).await.unwrap_err();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error["error"].as_str().unwrap().starts_with("machine 2: `b c`"), "{error}");
    let twice = json!({ "machines": [row(0, "a"), row(1, "a")] });
    assert_eq!(server.post("import", twice).await.unwrap_err().0, StatusCode::CONFLICT);
    assert_eq!(server.get("machines").await.unwrap(), json!([]));
    let good = json!({ "machines": [row(0, "a"), row(1, "b"), row(2, "c")] });
    let done = server.post("import", good).await.unwrap();
    assert_eq!(done["names"], json!(["a", "b", "c"]));
    let machine = Machine::new(&server, copy(&keys[1])).await;
    assert!(matches!(machine.boot().await.order, Order::Idle { .. }));
    assert_eq!(server.get("machines/b").await.unwrap()["labels"]["n"], "1");
}

#[tokio::test]
async fn a_machine_gets_another_key_and_stays_the_same() {
    let server = TestServer::start().await;
    let old = server.approved("m").await;
    let digest = server.push("a", 1).await;
    server.assign("a", json!({ "machine": "m" })).await;
    let pair = new_key(&PKCS_ED25519);
    // It may have asked before, as a stranger.
    let new = Machine::new(&server, copy(&pair)).await;
    assert_eq!(new.boot().await.order, Order::Pending);
    let rotate = json!({ "key": key_of(&pair).to_string() });
    server.post("machines/m/rotate", rotate.clone()).await.unwrap();
    assert!(matches!(old.boot().await.order, Order::Run(_)), "good until the new one is seen");
    let Order::Run(order) = new.boot().await.order else { panic!() };
    assert_eq!(order.bundle, digest);
    let shown = server.get("machines/m").await.unwrap();
    assert_eq!(shown["key"], key_of(&pair).to_string());
    let refused = old.post::<BootReply>("boot", &old.boot_request(None)).await.unwrap_err();
    assert_eq!(refused.0, StatusCode::FORBIDDEN);
    assert!(refused.1.contains("revoked"), "{refused:?}");
    assert_eq!(server.get("machines").await.unwrap().as_array().unwrap().len(), 1);

    // Revoked, a key is never approved again, by any way.
    server.post("machines/m/revoke", Value::Null).await.unwrap();
    let refused = new.post::<BootReply>("boot", &new.boot_request(None)).await.unwrap_err();
    assert_eq!(refused.0, StatusCode::FORBIDDEN);
    let again = server.post("machines/m/approve", json!({})).await.unwrap_err();
    assert_eq!(again.0, StatusCode::FORBIDDEN);
    let again = server.post("machines/m/rotate", rotate).await.unwrap_err();
    assert_eq!(again.0, StatusCode::FORBIDDEN);
    let third = new_key(&PKCS_ED25519);
    let rotate = json!({ "key": key_of(&third).fingerprint(), "now": true });
    assert_eq!(server.post("machines/m/rotate", rotate).await.unwrap()["state"], "approved");
    let third = Machine::new(&server, third).await;
    assert!(matches!(third.boot().await.order, Order::Run(_)));
}

#[tokio::test]
async fn a_newcomer_with_the_same_key_does_not_evict_who_is_there() {
    let server = TestServer::start().await;
    let pair = new_key(&PKCS_ED25519);
    let first = Machine::new(&server, copy(&pair)).await;
    first.boot().await;
    server.approve(&first, "m").await;
    let generation = first.boot().await.order.generation();
    let mut second = Machine::new(&server, copy(&pair)).await;
    second.boot = BootId([2; 16]);
    // The first waits, and asks again as soon as it is answered: it is alive.
    let waits = async {
        assert_eq!(timeout(SOON, first.wait(generation)).await.unwrap(), None);
        timeout(SOON, first.wait(generation)).await.unwrap()
    };
    let comes = async {
        // Until the server has the question, which nothing shows.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let refused = second.post::<BootReply>("boot", &second.boot_request(None)).await;
        // Ends the other's second wait.
        server.push("a", 1).await;
        server.assign("a", json!({ "machine": "m" })).await;
        refused
    };
    let (order, refused) = tokio::join!(waits, comes);
    assert!(matches!(order, Some(Order::Run(_))), "{order:?}");
    let (status, error) = refused.unwrap_err();
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(error.contains("127.0.0.1"), "{error}");
    let shown = server.get("machines/m").await.unwrap();
    assert_eq!(shown["flags"][0]["kind"], "cloned", "{shown}");
    // Neither can it report in the other's name.
    assert_eq!(second.events(lines(1..=1, None)).await.unwrap_err().0, StatusCode::CONFLICT);
    assert_eq!(first.events(lines(1..=1, None)).await, Ok(1));
    // When the first has gone it is let in.
    drop(first);
    let begun = tokio::time::Instant::now();
    while second.post::<BootReply>("boot", &second.boot_request(None)).await.is_err() {
        assert!(begun.elapsed() < SOON);
    }
}

#[tokio::test]
async fn one_that_was_only_silent_is_heard_again() {
    let server = TestServer::start().await;
    let pair = new_key(&PKCS_ED25519);
    let first = Machine::new(&server, copy(&pair)).await;
    first.boot().await;
    server.approve(&first, "m").await;
    first.boot().await;
    // It works, and says nothing for a while: it looks like one that was reset.
    let mut second = Machine::new(&server, copy(&pair)).await;
    second.boot = BootId([2; 16]);
    for _ in 0..2 {
        assert!(matches!(second.boot().await.order, Order::Idle { .. }));
    }
    assert_eq!(server.get("machines/m").await.unwrap()["flags"], json!([]));
    let phase = What::Phase { name: "run".into() };
    assert_eq!(first.events(vec![event(1, None, phase)]).await, Ok(1));
    assert_eq!(server.get("machines/m").await.unwrap()["flags"][0]["kind"], "cloned");
    assert_eq!(second.events(lines(1..=1, None)).await.unwrap_err().0, StatusCode::CONFLICT);
}
