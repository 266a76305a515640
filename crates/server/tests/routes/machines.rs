//! How machines become known, approved and refused.

use crate::client::{Machine, NONCE, SOON, TestServer, new_key};
use hyper::StatusCode;
use rcgen::PKCS_ED25519;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use xenoboot_wire::boot::{BootReply, Order};

#[tokio::test]
async fn pending_then_approved_then_refused() {
    let server = TestServer::start().await;
    let machine = server.machine().await;
    assert_eq!(machine.boot_as(Some("cupboard")).await.order, Order::Pending);
    let listed = server.get("machines").await.unwrap();
    assert_eq!(listed[0]["state"], "pending");
    assert_eq!(listed[0]["fingerprint"], machine.key.fingerprint());
    assert_eq!(listed[0]["suggested_name"], "cupboard");
    assert_eq!(listed[0]["online"], true);
    assert_eq!(machine.events(Vec::new()).await.unwrap_err().0, StatusCode::FORBIDDEN);

    // The name is a suggestion, taken when nothing else is said.
    let path = format!("machines/{}/approve", &machine.key.fingerprint().to_lowercase()[..9]);
    let approved = server.post(&path, json!({})).await.unwrap();
    assert_eq!(approved["name"], "cupboard");
    let Order::Idle { generation } = machine.boot().await.order else { panic!() };
    assert!(generation > 0);
    assert_eq!(machine.events(Vec::new()).await, Ok(0));

    server.post("machines/cupboard/refuse", Value::Null).await.unwrap();
    assert_eq!(machine.boot().await.order, Order::Refused);
    assert_eq!(machine.events(Vec::new()).await.unwrap_err().0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn names_are_unique() {
    let server = TestServer::start().await;
    let mut names = Vec::new();
    for _ in 0..3 {
        let machine = server.machine().await;
        machine.boot_as(Some("web")).await;
        let path = format!("machines/{}/approve", machine.key);
        names.push(
            server.post(&path, json!({})).await.unwrap()["name"].as_str().unwrap().to_owned(),
        );
    }
    assert_eq!(names, ["web", "web-2", "web-3"]);
    let machine = server.machine().await;
    machine.boot_as(Some("\u{1b}[2J")).await;
    let path = format!("machines/{}/approve", machine.key);
    let (status, error) = server.post(&path, json!({ "name": "web" })).await.unwrap_err();
    assert_eq!(
        (status, error["error"].as_str()),
        (StatusCode::CONFLICT, Some("another machine is called `web`"))
    );
    let (status, _) = server.post(&path, json!({ "name": "a b" })).await.unwrap_err();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    // A stamped name that is no name is as if there were none.
    let approved = server.post(&path, json!({})).await.unwrap();
    assert!(approved["name"].as_str().unwrap().starts_with("m-"), "{approved}");
}

#[tokio::test]
async fn an_unknown_machine_is_said_to_be_with_near_names() {
    let server = TestServer::start().await;
    server.approved("cupboard").await;
    let (status, error) = server.get("machines/cupbord").await.unwrap_err();
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        error,
        json!({ "error": "there is no machine `cupbord`", "hint": "did you mean cupboard?" })
    );
}

#[tokio::test]
async fn approved_before_it_ever_boots() {
    let server = TestServer::start().await;
    let by_key = new_key(&PKCS_ED25519);
    let by_fingerprint = new_key(&PKCS_ED25519);
    let key =
        |pair: &rcgen::KeyPair| xenoboot_wire::MachineKey::try_from(pair.public_key_raw()).unwrap();
    let loose = key(&by_fingerprint).fingerprint().to_lowercase().replace('-', "");
    server
        .post("machines", json!({ "key": key(&by_key).to_string(), "name": "one" }))
        .await
        .unwrap();
    server.post("machines", json!({ "key": loose, "name": "two", "groups": ["g"] })).await.unwrap();
    for bad in ["", "1234", "ILOU-ILOU-ILOU-ILOU-ILOU", &"f".repeat(63)] {
        let (status, _) =
            server.post("machines", json!({ "key": bad, "name": "three" })).await.unwrap_err();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
    }
    for (pair, name) in [(by_key, "one"), (by_fingerprint, "two")] {
        let machine = Machine::new(&server, pair).await;
        assert!(matches!(machine.boot_as(Some("other")).await.order, Order::Idle { .. }), "{name}");
        let shown = server.get(&format!("machines/{}", machine.key)).await.unwrap();
        assert_eq!(shown["name"], name);
    }
    assert_eq!(server.get("machines").await.unwrap().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn approval_and_refusal_wake_a_machine_that_waits() {
    let server = TestServer::start().await;
    let machine = server.machine().await;
    machine.boot().await;
    let wait = async {
        let order = machine.wait(0).await;
        (order, Instant::now())
    };
    let approve = async {
        // Until the server has the question, which nothing shows.
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.approve(&machine, "cupboard").await;
        Instant::now()
    };
    let ((order, woken), done) = tokio::join!(wait, approve);
    let Some(Order::Idle { generation }) = order else { panic!("{order:?}") };
    let latency = woken.saturating_duration_since(done);
    assert!(latency < Duration::from_secs(2), "{latency:?}");

    let refuse = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.post("machines/cupboard/refuse", Value::Null).await.unwrap();
    };
    let (order, ()) = tokio::join!(timeout(SOON, machine.wait(generation)), refuse);
    assert_eq!(order.unwrap(), Some(Order::Refused));
}

#[tokio::test]
async fn a_change_between_the_question_and_the_wait_is_not_missed() {
    let mut server = TestServer::start().await;
    let machine = server.machine().await;
    assert_eq!(machine.boot().await.order, Order::Pending);
    // Pending and refused have no generation: what was told last counts.
    server.post(&format!("machines/{}/refuse", machine.key), Value::Null).await.unwrap();
    assert_eq!(timeout(SOON, machine.wait(0)).await.unwrap(), Some(Order::Refused));
    server.approve(&machine, "m").await;
    assert!(matches!(timeout(SOON, machine.wait(0)).await.unwrap(), Some(Order::Idle { .. })));
    // A server that does not know what it told says it again.
    let other = new_key(&PKCS_ED25519);
    let waiting =
        Machine::new(&server, rcgen::KeyPair::try_from(other.serialize_der()).unwrap()).await;
    waiting.boot().await;
    server.start_again().await;
    let waiting = Machine::new(&server, other).await;
    assert_eq!(timeout(SOON, waiting.wait(0)).await.unwrap(), Some(Order::Pending));
}

#[tokio::test]
async fn a_wait_of_a_machine_that_is_not_known_is_refused() {
    let server = TestServer::start().await;
    let machine = server.machine().await;
    let request =
        xenoboot_wire::boot::WaitRequest { nonce: NONCE, boot: machine.boot, generation: 0 };
    let refused =
        machine.post::<xenoboot_wire::boot::WaitReply>("wait", &request).await.unwrap_err();
    assert_eq!(refused.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_stop_of_the_server_answers_those_who_wait() {
    let mut server = TestServer::start().await;
    let machine = server.approved("m").await;
    let Order::Idle { generation } = machine.boot().await.order else { panic!() };
    let request = xenoboot_wire::boot::WaitRequest { nonce: NONCE, boot: machine.boot, generation };
    let wait = machine.post::<xenoboot_wire::boot::WaitReply>("wait", &request);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.stop().await;
    };
    let (answer, ()) = tokio::join!(wait, stop);
    assert_eq!(answer.unwrap_err().0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_flood_of_new_keys_is_slowed_and_bounded() {
    let server = TestServer::start().await;
    let mut slowed = 0;
    for _ in 0..260 {
        let machine = server.machine().await;
        match machine.post::<BootReply>("boot", &machine.boot_request(None)).await {
            Ok(_) => {}
            Err((status, _)) => {
                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
                slowed += 1;
            }
        }
    }
    // A slow computer refills the bucket meanwhile; then nothing needs slowing.
    let listed = server.get("machines").await.unwrap().as_array().unwrap().len();
    assert_eq!(listed + slowed, 260);
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let server = TestServer::start().await;
    let machine = server.machine().await;
    let bad = machine.post_bytes::<BootReply>("boot", b"\xff\xff".to_vec()).await.unwrap_err();
    assert_eq!(bad.0, StatusCode::BAD_REQUEST);
    let long = machine.post_bytes::<BootReply>("boot", vec![0; 200_000]).await.unwrap_err();
    assert_eq!(long.0, StatusCode::PAYLOAD_TOO_LARGE);
    let mut request = machine.boot_request(None);
    request.protocol = 7;
    assert_eq!(
        machine.post::<BootReply>("boot", &request).await.unwrap_err().0,
        StatusCode::BAD_REQUEST
    );
}
