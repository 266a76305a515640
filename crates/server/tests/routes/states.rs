//! Desired states: for one time, with confirmation, and what becomes of machines that fail.

use crate::client::{Machine, SOON, TestServer, answer, connect, event, http2};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use xenoboot_wire::{
    BootId, Code, Digest, RunId,
    boot::{Order, Outcome},
    confirm::{ConfirmReply, ConfirmRequest},
    event::What,
};

/// A machine that does what it is told.
pub(crate) struct Runner {
    machine: Machine,
    number: u64,
    runs: u8,
}

impl Runner {
    pub(crate) async fn new(server: &TestServer, name: &str) -> Self {
        Self { machine: server.approved(name).await, number: 0, runs: 0 }
    }

    async fn says(&mut self, run: Option<RunId>, what: What) {
        self.number += 1;
        assert_eq!(self.machine.events(vec![event(self.number, run, what)]).await, Ok(self.number));
    }

    /// What it is told: a bundle, and the generation.
    async fn told(&self) -> Option<(Digest, u64)> {
        match self.machine.boot().await.order {
            Order::Run(assignment) => Some((assignment.bundle, assignment.generation)),
            Order::Idle { .. } => None,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn begins(&mut self) -> RunId {
        let (bundle, generation) = self.told().await.expect("nothing to run");
        self.runs += 1;
        let run = RunId([self.runs; 16]);
        let generation = Some(generation);
        let started = What::RunStarted { bundle, name: "it".into(), serial: 1, generation };
        self.says(Some(run), started).await;
        run
    }

    pub(crate) async fn ends(&mut self, run: RunId, outcome: Outcome) {
        self.says(Some(run), What::RunEnded { outcome, duration_ms: 5 }).await;
    }

    pub(crate) async fn succeeds(&mut self) -> RunId {
        let run = self.begins().await;
        self.ends(run, Outcome::Succeeded).await;
        run
    }

    async fn fails(&mut self, code: Code) {
        let run = self.begins().await;
        self.ends(run, Outcome::Failed { code, cause: "it broke".into(), exit: None }).await;
    }

    /// Another power-on.
    pub(crate) async fn restarts(&mut self) {
        self.machine.boot = BootId([self.machine.boot.0[0] + 1; 16]);
        self.number = 0;
        self.machine.boot().await;
    }

    async fn token(&self, run: RunId) -> String {
        let request = ConfirmRequest { boot: self.machine.boot, run };
        let reply: ConfirmReply = self.machine.post("confirmation", &request).await.unwrap();
        assert!(reply.token.len() >= 32 && reply.token.bytes().all(|b| b.is_ascii_alphanumeric()));
        reply.token
    }
}

/// Says that a system is up, from somewhere without a key.
async fn confirm(server: &TestServer, token: &str) -> (StatusCode, String) {
    let mut sender = http2(connect(server, None).await.unwrap()).await;
    let request = Request::post(format!("https://server/confirm/{token}"));
    let request = request.body(Full::<Bytes>::default()).unwrap();
    let (status, _, body) = answer(&mut sender, request).await;
    (status, String::from_utf8(body.to_vec()).unwrap())
}

pub(crate) async fn assign(server: &TestServer, body: Value) -> Value {
    server.post("assignments", body).await.unwrap()
}

async fn shown(server: &TestServer) -> Value {
    server.get("machines/m").await.unwrap()
}

/// Asks until it is so.
pub(crate) async fn until(server: &TestServer, what: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let machine = shown(server).await;
        if what(&machine) {
            return machine;
        }
        assert!(begun.elapsed() < SOON, "{machine}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_done_once_gives_way_to_what_was_before() {
    let server = TestServer::start().await;
    let mut m = Runner::new(&server, "m").await;
    let (a, b, c) =
        (server.push("a", 1).await, server.push("b", 1).await, server.push("c", 1).await);
    server.assign("a", json!({ "machine": "m" })).await;
    let target = json!({ "machine": "m" });
    assign(&server, json!({ "bundle": "b", "target": target, "once": true, "state": "install" }))
        .await;
    assert_eq!(shown(&server).await["assigned"]["state"], "install");
    assert_eq!(m.told().await.unwrap().0, b);
    // A failure is no end of it.
    m.fails(Code::ScriptFailed).await;
    assert_eq!(m.told().await.unwrap().0, b);
    // A machine that waits hears at once that it is over.
    let run = m.begins().await;
    let generation = m.told().await.unwrap().1;
    m.ends(run, Outcome::Succeeded).await;
    let next = timeout(SOON, m.machine.wait(generation)).await.unwrap();
    let Some(Order::Run(next)) = next else { panic!("{next:?}") };
    assert_eq!(next.bundle, a);
    // What the operator asked for last has run, though something else is in force now.
    let current = server.get("machines/m/run?current=true").await.unwrap();
    assert_eq!(
        (&current["bundle"], &current["state"]),
        (&b.to_string().into(), &"succeeded".into())
    );

    // Then something else than before.
    assign(
        &server,
        json!({ "bundle": "b", "target": target, "once": true, "then": { "bundle": "c" } }),
    )
    .await;
    m.succeeds().await;
    assert_eq!(m.told().await.unwrap().0, c);
    // Of a group each machine does it once.
    server.post("machines/m/groups", json!({ "add": ["g"] })).await.unwrap();
    let mut n = Runner::new(&server, "n").await;
    server.post("machines/n/groups", json!({ "add": ["g"] })).await.unwrap();
    server.post("assignments", json!({ "bundle": null, "target": target })).await.unwrap();
    assign(&server, json!({ "bundle": "a", "target": { "group": "g" }, "once": true })).await;
    m.succeeds().await;
    assert_eq!((m.told().await, n.told().await.unwrap().0), (None, a));
    n.succeeds().await;
    assert_eq!(n.told().await, None);
}

#[tokio::test]
async fn labels_select_machines_and_explain_says_why() {
    let server = TestServer::start().await;
    let m = Runner::new(&server, "m").await;
    let (a, b) = (server.push("a", 1).await, server.push("b", 1).await);
    server.push("c", 1).await;
    server.assign("a", json!("default")).await;
    server.assign("b", json!({ "labels": "rack=a3, role!=db" })).await;
    server.assign("c", json!({ "labels": "rack" })).await;
    assert_eq!(m.told().await.unwrap().0, a);
    let path = "machines/m/labels";
    server.post(path, json!({ "set": { "rack": "a3" } })).await.unwrap();
    assert_eq!(m.told().await.unwrap().0, b);
    let explained = server.get("machines/m/explain").await.unwrap();
    let steps = explained["steps"].as_array().unwrap();
    let verdicts: Vec<_> = steps
        .iter()
        .map(|step| (step["what"].as_str().unwrap(), step["verdict"].as_str().unwrap()))
        .collect();
    assert!(verdicts[0].0.ends_with("is approved"), "{verdicts:?}");
    assert_eq!(
        verdicts[1..],
        [
            ("boot b serial 1 to labels rack=a3,role!=db", "in_force"),
            ("boot c serial 1 to labels rack", "overridden"),
            ("boot a serial 1 by default", "overridden"),
        ]
    );
    assert_eq!(explained["order"], "to run b serial 1, for boot");
    server.post(path, json!({ "set": { "role": "db" } })).await.unwrap();
    let explained = server.get("machines/m/explain").await.unwrap();
    assert_eq!(explained["steps"][1]["why"], "its labels do not meet role!=db");
    assert_eq!(explained["steps"][2]["verdict"], "in_force");
    server.post(path, json!({ "remove": ["rack", "role"] })).await.unwrap();
    assert_eq!(m.told().await.unwrap().0, a);
    let bad = json!({ "bundle": "a", "target": { "labels": "rack=" } });
    assert_eq!(server.post("assignments", bad).await.unwrap_err().0, StatusCode::BAD_REQUEST);
    let bad = server.post(path, json!({ "set": { "a b": "c" } })).await;
    assert_eq!(bad.unwrap_err().0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_system_that_was_started_confirms_once() {
    let server = TestServer::start().await;
    let mut m = Runner::new(&server, "m").await;
    let (a, b) = (server.push("a", 1).await, server.push("b", 1).await);
    server.assign("a", json!({ "machine": "m" })).await;
    let once = json!({ "bundle": "b", "target": { "machine": "m" }, "once": true, "confirm_within_s": 600 });
    assign(&server, once.clone()).await;
    let run = m.begins().await;
    let token = m.token(run).await;
    m.ends(run, Outcome::Succeeded).await;
    // Until then it stays as it is.
    assert_eq!(m.told().await.unwrap().0, b);
    assert!(shown(&server).await["observed"]["succeeded"]["confirm_by_ms"].is_i64());
    assert_eq!(confirm(&server, "0".repeat(32).as_str()).await.0, StatusCode::NOT_FOUND);
    assert_eq!(confirm(&server, &token).await, (StatusCode::OK, "confirmed\n".into()));
    let machine = shown(&server).await;
    assert!(machine["observed"]["booted"]["since_ms"].is_i64(), "{machine}");
    assert_eq!(machine["assigned"]["bundle"], a.to_string());
    let (status, said) = confirm(&server, &token).await;
    assert_eq!((status, said.as_str()), (StatusCode::GONE, "the token was used before\n"));
    // The database does not know it.
    assert!(!server.keeps(&token) && server.keeps(&run.to_string()));

    // Back on its CD the machine is what it says itself.
    m.restarts().await;
    assert_eq!(shown(&server).await["observed"], "seen");
    // And when it comes back without having confirmed, that is that.
    assign(&server, once).await;
    let run = m.begins().await;
    let token = m.token(run).await;
    m.ends(run, Outcome::Succeeded).await;
    m.restarts().await;
    assert_eq!(m.told().await.unwrap().0, a);
    let machine = shown(&server).await;
    assert_eq!(machine["flags"][0]["kind"], "unconfirmed", "{machine}");
    assert_eq!(confirm(&server, &token).await.0, StatusCode::GONE);
    let explained = server.get("machines/m/explain").await.unwrap();
    assert_eq!(explained["steps"][1]["why"], "the system that it started did not confirm in time");
}

#[tokio::test]
async fn without_confirmation_in_time_the_assignment_before_is_in_force() {
    let server = TestServer::start().await;
    let mut m = Runner::new(&server, "m").await;
    let a = server.push("a", 1).await;
    server.push("b", 1).await;
    server.assign("a", json!({ "machine": "m" })).await;
    assign(
        &server,
        json!({ "bundle": "b", "target": { "machine": "m" }, "once": true, "confirm_within_s": 1,
                "then": { "state": "disabled", "bundle": null } }),
    )
    .await;
    let run = m.succeeds().await;
    let token = m.token(run).await;
    let machine = until(&server, |machine| machine["assigned"]["bundle"] == a.to_string()).await;
    assert_eq!(machine["flags"][0]["kind"], "unconfirmed", "{machine}");
    assert_eq!(confirm(&server, &token).await.0, StatusCode::GONE);
    assert_eq!(shown(&server).await["assigned"]["bundle"], a.to_string());
    let cleared = server.post("machines/m/clear", Value::Null).await.unwrap();
    assert_eq!(cleared["flags"], json!([]));
    // Tokens are for machines that are approved, and so are those who ask for them.
    let stranger = server.machine().await;
    stranger.boot().await;
    let request = ConfirmRequest { boot: stranger.boot, run };
    let refused = stranger.post::<ConfirmReply>("confirmation", &request).await;
    assert_eq!(refused.unwrap_err().0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_machine_that_fails_again_and_again_in_one_place_goes_to_rescue() {
    let server = TestServer::start().await;
    let mut m = Runner::new(&server, "m").await;
    let a = server.push("a", 1).await;
    let rescue = server.push("rescue", 1).await;
    let policy = json!({ "failures": 3, "retry_s": 0, "rescue": "rescue" });
    let set = server.send(hyper::Method::PUT, "policy", policy.to_string().into_bytes()).await;
    assert_eq!(set.unwrap()["rescue"], rescue.to_string());
    server.assign("a", json!("default")).await;
    // Another place, a success, and a new assignment each begin the count anew.
    m.fails(Code::ScriptFailed).await;
    m.fails(Code::ScriptFailed).await;
    m.fails(Code::ScriptTimeout).await;
    m.fails(Code::ScriptTimeout).await;
    m.succeeds().await;
    m.fails(Code::ScriptTimeout).await;
    m.fails(Code::ScriptTimeout).await;
    server.assign("a", json!("default")).await;
    m.fails(Code::ScriptTimeout).await;
    m.fails(Code::ScriptTimeout).await;
    assert_eq!(m.told().await.unwrap().0, a);
    m.fails(Code::ScriptTimeout).await;
    assert_eq!(m.told().await.unwrap().0, rescue);
    let machine = shown(&server).await;
    assert_eq!(machine["assigned"]["state"], "rescue");
    assert_eq!(machine["flags"][0]["reason"], "failed 3 times: XB-RUN-02 in it serial 1");
    // There it stays, whatever becomes of it, until somebody says otherwise.
    for _ in 0..4 {
        m.fails(Code::ScriptTimeout).await;
    }
    assert_eq!(m.told().await.unwrap().0, rescue);
    server.post("machines/m/clear", Value::Null).await.unwrap();
    assert_eq!(m.told().await.unwrap().0, a);
    assert_eq!(shown(&server).await["flags"], json!([]));
    // Restarting in the middle is a failure too.
    for _ in 0..3 {
        m.begins().await;
        m.restarts().await;
    }
    assert_eq!(m.told().await.unwrap().0, rescue);
    // Naming it is a decision.
    server.assign("a", json!({ "machine": "m" })).await;
    assert_eq!(m.told().await.unwrap().0, a);
}

#[tokio::test]
async fn a_machine_that_failed_and_waits_is_told_to_try_again() {
    let server = TestServer::start().await;
    let mut m = Runner::new(&server, "m").await;
    let a = server.push("a", 1).await;
    let policy = json!({ "failures": 0, "retry_s": 1 });
    server.send(hyper::Method::PUT, "policy", policy.to_string().into_bytes()).await.unwrap();
    server.assign("a", json!("default")).await;
    m.fails(Code::ScriptFailed).await;
    let (_, generation) = m.told().await.unwrap();
    m.says(None, What::Phase { name: "wait".into() }).await;
    let failed = json!({ "failed": { "code": "XB-RUN-01", "cause": "it broke" } });
    assert_eq!(shown(&server).await["observed"], failed);
    let next = timeout(SOON, m.machine.wait(generation)).await.unwrap();
    let Some(Order::Run(next)) = next else { panic!("{next:?}") };
    assert_eq!((next.bundle, next.generation), (a, generation + 1));
}

#[tokio::test]
async fn a_disabled_machine_runs_nothing() {
    let server = TestServer::start().await;
    let m = Runner::new(&server, "m").await;
    let a = server.push("a", 1).await;
    server.assign("a", json!("default")).await;
    let target = json!({ "machine": "m" });
    assign(&server, json!({ "bundle": null, "target": target, "state": "disabled" })).await;
    assert_eq!(m.told().await, None);
    assert_eq!(shown(&server).await["assigned"]["state"], "disabled");
    for bad in [
        json!({ "bundle": "a", "target": target, "state": "disabled" }),
        json!({ "bundle": null, "target": target, "state": "install" }),
        json!({ "bundle": null, "target": target, "state": "disabled", "once": true }),
        json!({ "bundle": "a", "target": target, "confirm_within_s": 5 }),
        json!({ "bundle": "a", "target": target, "once": true, "confirm_within_s": 0 }),
        json!({ "bundle": "a", "target": target, "once": true, "then": { "bundle": null } }),
    ] {
        let refused = server.post("assignments", bad.clone()).await;
        assert_eq!(refused.unwrap_err().0, StatusCode::BAD_REQUEST, "{bad}");
    }
    server.post("assignments", json!({ "bundle": null, "target": target })).await.unwrap();
    assert_eq!(m.told().await.unwrap().0, a);
}

#[tokio::test]
async fn what_is_observed_is_what_the_machine_said() {
    let server = TestServer::start().await;
    let mut m = Runner::new(&server, "m").await;
    server.push("a", 1).await;
    assert_eq!(shown(&server).await["observed"], "seen");
    m.says(None, What::Phase { name: "network".into() }).await;
    assert_eq!(shown(&server).await["observed"], "network");
    m.says(None, What::Phase { name: "wait".into() }).await;
    assert_eq!(shown(&server).await["observed"], "waiting");
    // What it shall do is not what it does.
    server.assign("a", json!("default")).await;
    assert_eq!(shown(&server).await["observed"], "waiting");
    m.says(None, What::Phase { name: "verify".into() }).await;
    m.says(None, What::Phase { name: "run".into() }).await;
    let run = m.begins().await;
    m.says(Some(run), What::Progress { percent: 40, text: "copying".into() }).await;
    let running = json!({ "running": { "phase": "run", "percent": 40 } });
    assert_eq!(shown(&server).await["observed"], running);
    m.ends(run, Outcome::Succeeded).await;
    assert_eq!(shown(&server).await["observed"], json!({ "succeeded": { "confirm_by_ms": null } }));
    let failure = What::Failure { code: Code::BundleExpired, cause: "old".into(), attempt: 1 };
    m.says(None, failure).await;
    let failed = json!({ "failed": { "code": "XB-BUN-05", "cause": "old" } });
    assert_eq!(shown(&server).await["observed"], failed);
    // Silence is measured, not assumed.
    let policy = json!({ "silent_s": 0 });
    server.send(hyper::Method::PUT, "policy", policy.to_string().into_bytes()).await.unwrap();
    drop(m);
    until(&server, |machine| machine["observed"]["silent"]["since_ms"].is_i64()).await;
}
