//! What watches over the server and what the server tells people.

use crate::client::{Machine, SOON, TestServer, answer, connect, event, http2, new_key};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, header};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};
use xenoboot_wire::{
    BootId, Code, Digest, RunId,
    boot::{BootReply, Outcome},
    event::What,
};

async fn plain(server: &TestServer, path: &str, token: Option<&str>) -> (StatusCode, String) {
    let mut sender = http2(connect(server, None).await.unwrap()).await;
    let mut request = Request::get(format!("https://server/{path}"));
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let (status, _, body) =
        answer(&mut sender, request.body(Full::<Bytes>::default()).unwrap()).await;
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn health_is_for_everybody_and_figures_are_not() {
    let server = TestServer::start().await;
    let machine = server.approved("m").await;
    server.machine().await.boot().await;
    machine.events(crate::client::lines(1..=3, None)).await.unwrap();
    assert_eq!(plain(&server, "healthz", None).await, (StatusCode::OK, "ok\n".into()));
    assert_eq!(plain(&server, "readyz", None).await, (StatusCode::OK, "ready\n".into()));
    assert_eq!(plain(&server, "metrics", None).await.0, StatusCode::UNAUTHORIZED);
    let (status, figures) = plain(&server, "metrics", Some(server.token())).await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "xenoboot_machines{state=\"approved\"} 1",
        "xenoboot_machines{state=\"pending\"} 1",
        "xenoboot_machines_connected 1",
        "xenoboot_events_stored_total 3",
        "# TYPE xenoboot_events_stored_total counter",
    ] {
        assert!(figures.lines().any(|l| l == line), "{line}: {figures}");
    }
}

/// A web server that answers everything with 200 and passes on what it was sent.
async fn listener() -> (String, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?key=1", listener.local_addr().unwrap());
    let (sent, received) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let body = loop {
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).await.unwrap();
                text.extend_from_slice(&bytes[..count]);
                let whole = String::from_utf8_lossy(&text).into_owned();
                assert!(whole.starts_with("POST /hook?key=1 HTTP/1.1\r\n"), "{whole}");
                let Some((_, body)) = whole.split_once("\r\n\r\n") else { continue };
                if let Ok(body) = serde_json::from_str(body) {
                    break body;
                }
            };
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            sent.send(body).await.unwrap();
        }
    });
    (url, received)
}

async fn fails(machine: &Machine, number: u64) {
    let run = RunId([u8::try_from(number).unwrap(); 16]);
    let bundle = Digest::of(b"x");
    let started = What::RunStarted { bundle, name: "it".into(), serial: 1, generation: None };
    let outcome =
        Outcome::Failed { code: Code::ScriptFailed, cause: "exit status 3".into(), exit: Some(3) };
    let ended = What::RunEnded { outcome, duration_ms: 1 };
    let events = vec![event(number, Some(run), started), event(number + 1, Some(run), ended)];
    machine.events(events).await.unwrap();
}

#[tokio::test]
async fn people_are_told_once_of_each_kind() {
    let server = TestServer::start().await;
    let (url, mut received) = listener().await;
    let added = server.post("webhooks", json!({ "url": url })).await.unwrap();
    assert_eq!(added["kinds"], json!(["failed", "silent", "cloned", "pending"]));
    let pair = new_key(&PKCS_ED25519);
    let machine = Machine::new(&server, KeyPair::try_from(pair.serialize_der()).unwrap()).await;
    machine.boot().await;
    machine.boot().await;
    let mut next = async || timeout(SOON, received.recv()).await.unwrap().unwrap();
    let notice = next().await;
    assert_eq!((&notice["kind"], &notice["machine"]), (&json!("pending"), &notice["fingerprint"]));
    server.approve(&machine, "m").await;
    machine.boot().await;
    fails(&machine, 1).await;
    fails(&machine, 3).await;
    let notice = next().await;
    assert_eq!(notice["kind"], "failed", "not pending again");
    assert_eq!(notice["machine"], "m");
    assert_eq!(notice["text"], "XB-RUN-01: exit status 3");
    // A copy that is refused: the first is alive, for it asks in the meantime.
    let mut copy = Machine::new(&server, pair).await;
    copy.boot = BootId([2; 16]);
    let asks = async { while machine.events(Vec::new()).await.is_ok() {} };
    let request = copy.boot_request(None);
    let refused = tokio::select! {
        refused = copy.post::<BootReply>("boot", &request) => refused,
        () = asks => panic!("the first is refused"),
    };
    assert_eq!(refused.unwrap_err().0, StatusCode::CONFLICT);
    assert_eq!(next().await["kind"], "cloned", "not failed again");
    // One that has gone is silent.
    let policy = json!({ "silent_s": 0 });
    server.send(Method::PUT, "policy", policy.to_string().into_bytes()).await.unwrap();
    drop((machine, copy));
    assert_eq!(next().await["kind"], "silent");

    let listed = server.get("webhooks").await.unwrap();
    let path = format!("webhooks/{}", listed[0]["id"]);
    server.send(Method::DELETE, &path, Vec::new()).await.unwrap();
    assert_eq!(server.get("webhooks").await.unwrap(), json!([]));
    for bad in ["", "ftp://a/", "https:///x", "/hook", "no url"] {
        let refused = server.post("webhooks", json!({ "url": bad })).await.unwrap_err();
        assert_eq!(refused.0, StatusCode::BAD_REQUEST, "{bad}");
    }
}
