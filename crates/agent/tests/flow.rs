//! The agent's program, started by hand in a folder of its own, against a server on the loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall panic"
)]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::{Server, now_ms};
use xenoboot_bundle::{File, Manifest, Need, SigningKey, Then, sign};
use xenoboot_wire::{
    Code, FleetId,
    boot::{Order, Outcome},
    decode, encode,
    event::{Event, Source, What},
    script::{Request, Response},
};

const FLEET: FleetId = FleetId([7; 16]);

fn signer() -> SigningKey {
    SigningKey::from_seed(&[9; 32]).unwrap()
}

/// A bundle of a script; `change` makes it another.
fn bundle(script: &str, change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    let mut manifest = Manifest::of_script("test", FLEET, now_ms() / 1000, script.as_bytes());
    change(&mut manifest);
    sign(&manifest, &[signer()]).unwrap()
}

/// A machine: a folder, and the agent that runs in it.
struct Machine {
    root: tempfile::TempDir,
    agent: Child,
}

impl Machine {
    fn start(server: &Server) -> Self {
        let root = tempfile::tempdir().unwrap();
        let site = root.path().join("etc/xenoboot/site");
        fs::create_dir_all(&site).unwrap();
        let text = format!(
            "[[server]]\nurl = \"https://127.0.0.1:{}\"\npins = [\"{}\"]\n",
            server.port, server.pin
        );
        fs::write(site.join("site.toml"), text).unwrap();
        let trust = xenoboot_site::Trust {
            fleet: FLEET,
            name: "test".into(),
            threshold: 1,
            signers: vec![xenoboot_site::Signer { name: "one".into(), key: signer().public() }],
            operators: Vec::new(),
        };
        fs::write(site.join("trust.toml"), trust.to_toml()).unwrap();
        let agent = launch(root.path());
        Self { root, agent }
    }

    fn kill_and_restart(&mut self) {
        self.agent.kill().unwrap();
        self.agent.wait().unwrap();
        fs::write(
            self.root.path().join("run/xenoboot/agent.last"),
            "[1.000] it said this\nand fell\n",
        )
        .unwrap();
        self.agent = launch(self.root.path());
    }
}

fn launch(root: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent"));
    command.env("XENOBOOT_ROOT", root).stderr(Stdio::inherit()).spawn().unwrap()
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn ended(what: &What) -> Option<&Outcome> {
    match what {
        What::RunEnded { outcome, .. } => Some(outcome),
        _ => None,
    }
}

/// The `n`th end of a run.
async fn end(server: &Server, n: usize) -> Outcome {
    let find = |events: &[Event]| events.iter().filter_map(|e| ended(&e.what)).nth(n).cloned();
    server.event("the end of the run", find).await
}

fn waits_after_the_end(events: &[Event]) -> Option<()> {
    let ended = events.iter().position(|e| ended(&e.what).is_some())?;
    let waits = |e: &Event| e.what == What::Phase { name: "wait".into() };
    events[ended..].iter().find(|e| waits(e)).map(|_| ())
}

fn failure(code: Code) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::Failure { code: c, .. } if *c == code)
}

fn line(text: &str) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::Line { text: t, .. } if t == text)
}

#[tokio::test]
async fn from_approval_to_the_next_assignment() {
    let server = Server::start().await;
    let _machine = Machine::start(&server);
    server.asked().await;
    let script = "echo to stdout; echo to stderr >&2; printf 'no newline'; echo \"$XENOBOOT_BUNDLE $XENOBOOT_SERIAL\" > env; cat env\nls -l /proc/self/fd";
    server.assign(1, &bundle(script, |m| m.serial = 5), true);
    assert_eq!(end(&server, 0).await, Outcome::Succeeded);
    server.event("waiting", waits_after_the_end).await;
    let events = server.desk.lock().unwrap().events.clone();
    assert!(events.iter().enumerate().all(|(i, e)| e.number == i as u64 + 1));
    // Kept while nobody would take it, and told afterwards.
    assert!(events.iter().any(|e| failure(Code::Pending)(&e.what)));
    let run = events.iter().find_map(|e| ended(&e.what).and(e.run)).expect("a run");
    let said: Vec<_> = events
        .iter()
        .filter_map(|e| match &e.what {
            What::Line { source, text } if e.run == Some(run) => Some((*source, text.as_str())),
            _ => None,
        })
        .collect();
    for expected in [
        (Source::Stdout, "to stdout"),
        (Source::Stderr, "to stderr"),
        (Source::Stdout, "no newlinetest 5"),
    ] {
        assert!(said.contains(&expected), "{said:?}");
    }
    // Nothing of the agent's is open in a script.
    let open = |(_, line): &&(Source, &str)| line.contains(" -> ");
    assert!(said.iter().filter(open).count() >= 4, "{said:?}");
    let ours = |line: &str| {
        ["socket:", "spool", "eventpoll", "anon_inode"].iter().any(|o| line.contains(o))
    };
    assert!(!said.iter().any(|(_, line)| ours(line)), "{said:?}");
    let phases: Vec<_> = events
        .iter()
        .filter_map(|e| if let What::Phase { name } = &e.what { Some(name.as_str()) } else { None })
        .collect();
    assert!(phases.join(" ").contains("verify fetch run report act contact wait"), "{phases:?}");

    // Waiting now; the next assignment comes at once.
    let began = Instant::now();
    server.assign(2, &bundle("exit 3", |m| m.serial = 6), false);
    match end(&server, 1).await {
        Outcome::Failed { code: Code::ScriptFailed, exit: Some(3), .. } => {}
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());

    // An older serial of the same name does not run; the reason is said, and a better one runs.
    server.assign(3, &bundle("echo old", |m| m.serial = 4), true);
    server.seen("refusal", failure(Code::BundleSerial)).await;
    server.assign(4, &bundle("echo new", |m| m.serial = 7), true);
    assert_eq!(end(&server, 2).await, Outcome::Succeeded);
    assert_eq!(server.desk.lock().unwrap().connections, 1, "all over one connection");
}

/// What `xb` gets from the agent.
fn ask(machine: &Machine, request: &Request) -> Response {
    let mut stream =
        UnixStream::connect(machine.root.path().join("run/xenoboot/agent.sock")).unwrap();
    let body = encode(request);
    stream.write_all(&(body.len() as u32).to_be_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    decode(&answer[4..]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_gets_a_url_for_the_system_that_it_starts() {
    let server = Server::start().await;
    server.assign(1, &bundle("echo up; sleep 1000", |_| {}), true);
    let machine = Machine::start(&server);
    let up = server.seen("the script", line("up")).await;
    let answer = tokio::task::block_in_place(|| ask(&machine, &Request::ConfirmUrl));
    let url = format!("https://127.0.0.1:{}/confirm/t0ken", server.port);
    assert_eq!(answer, Response::ConfirmUrl { url, pins: server.pin.to_string() });
    assert_eq!(server.desk.lock().unwrap().confirming.as_ref().map(|asked| asked.run), up.run);
}

#[tokio::test]
async fn blobs_are_resumed_and_checked() {
    let server = Server::start().await;
    let content: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    let file = File {
        path: "data".parse().unwrap(),
        mode: 0o644,
        size: content.len() as u64,
        digest: xenoboot_wire::Digest::of(&content),
        content: None,
    };
    let digest = file.digest;
    let script = bundle("wc -c < data; sha256sum data", |m| m.files.insert(0, file));
    server.set(|desk| {
        let mut flipped = content.clone();
        flipped[100_000] ^= 1;
        desk.blobs.insert(digest, flipped);
        desk.cut = vec![200_000];
    });
    server.assign(1, &script, true);
    let _machine = Machine::start(&server);
    server.seen("cut", failure(Code::BlobShort)).await;
    server.seen("flipped bit", failure(Code::BlobDigest)).await;
    assert_eq!(
        server.desk.lock().unwrap().ranges,
        ["bytes=200000-"],
        "it went on where it was cut"
    );
    server.set(|desk| drop(desk.blobs.insert(digest, content)));
    assert_eq!(end(&server, 0).await, Outcome::Succeeded);
    server.seen("the digest", line(&format!("{digest}  data"))).await;
    server.seen("the size", line("1200000")).await;
}

#[tokio::test]
async fn a_hanging_script_is_ended() {
    let server = Server::start().await;
    let script = bundle("trap 'echo asked' TERM; sleep 1000 & wait; wait", |m| m.time_limit_s = 1);
    server.assign(1, &script, true);
    let _machine = Machine::start(&server);
    assert!(matches!(end(&server, 0).await, Outcome::Failed { code: Code::ScriptTimeout, .. }));
    server.seen("TERM", line("asked")).await;
}

#[tokio::test]
async fn without_what_it_needs_a_script_is_not_started() {
    let server = Server::start().await;
    let script = bundle("echo started", |m| m.needs = vec![Need::Toolbox]);
    server.assign(1, &script, true);
    let _machine = Machine::start(&server);
    // The image has no toolbox.
    assert!(matches!(end(&server, 0).await, Outcome::Failed { code: Code::BoxNone, .. }));
    server.assign(2, &bundle("echo plain", |_| {}), true);
    server.seen("the next script's line", line("plain")).await;
    let events = server.desk.lock().unwrap().events.clone();
    assert!(!events.iter().any(|e| line("started")(&e.what)), "it was started");
}

#[tokio::test]
async fn an_agent_that_is_killed_loses_no_event_and_ends_its_run() {
    let server = Server::start().await;
    server.assign(1, &bundle("echo begun; sleep 20", |_| {}), true);
    let mut machine = Machine::start(&server);
    server.seen("the script's line", line("begun")).await;
    // What is said now is not acknowledged before the agent is killed.
    server.set(|desk| desk.deaf = true);
    server.cut_connections();
    machine.kill_and_restart();
    server.set(|desk| desk.deaf = false);
    assert!(matches!(end(&server, 0).await, Outcome::Failed { code: Code::AgentLost, .. }));
    server
        .seen(
            "last words",
            |what| matches!(what, What::Line { source: Source::Init, text } if text == "and fell"),
        )
        .await;
    server.seen("the agent's death", failure(Code::AgentDied)).await;
    // It is the same machine, and does not run the same assignment again.
    server.event("waiting after the end", waits_after_the_end).await;
    let desk = server.desk.lock().unwrap();
    assert_eq!(desk.events.iter().filter(|e| matches!(e.what, What::RunStarted { .. })).count(), 1);
    assert_eq!(
        desk.boots.last().unwrap().last_run.as_ref().map(|r| r.bundle),
        desk.order.as_ref().and_then(|o| match o {
            Order::Run(a) => Some(a.bundle),
            _ => None,
        })
    );
}

#[tokio::test]
async fn a_stop_ends_the_script_and_flushes_events() {
    let server = Server::start().await;
    server.assign(
        1,
        &bundle("trap 'echo bye; exit 0' TERM; echo up; sleep 1000 & wait", |_| {}),
        true,
    );
    let mut machine = Machine::start(&server);
    server.seen("the script", line("up")).await;
    let pid = Pid::from_raw(machine.agent.id() as i32).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || machine.agent.wait().unwrap()).await.unwrap();
    assert!(status.success(), "{status}");
    server.seen("its last line", line("bye")).await;
    assert!(matches!(end(&server, 0).await, Outcome::Failed { code: Code::ScriptKilled, .. }));
}

#[tokio::test]
async fn bad_answers_and_broken_connections_are_survived() {
    let server = Server::start().await;
    server.set(|desk| {
        desk.wrong_nonce = true;
        desk.order = Some(Order::Idle { generation: 1 });
    });
    let _machine = Machine::start(&server);
    server.seen("another nonce", failure(Code::BadAnswer)).await;
    server.cut_connections();
    server.seen("a broken connection", failure(Code::Stalled)).await;
    // Expired by the server's clock, whatever the machine's own says.
    server.set(|desk| desk.time_off = 60 * 86_400_000);
    server.assign(2, &bundle("echo late", |_| {}), true);
    server.seen("expiry", failure(Code::BundleExpired)).await;
    server.set(|desk| desk.time_off = 0);
    server.assign(3, &bundle("echo again", |m| m.on_success = Then::RunAgain { after_s: 1 }), true);
    assert_eq!(end(&server, 0).await, Outcome::Succeeded);
    assert_eq!(end(&server, 1).await, Outcome::Succeeded);
}
