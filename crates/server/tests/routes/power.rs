//! Switching machines: a management controller that OpenIPMI plays, one that sushy-tools plays, outlets, a program;
//! and machines that do not come back.

use crate::{
    client::{SOON, TestServer},
    states::{Runner, assign, until},
};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};

/// A program that plays something; ended when dropped.
struct Playing(Child);

impl Drop for Playing {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Playing {
    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(
            command
                .spawn()
                .unwrap_or_else(|e| panic!("{command:?}: {e}; `cargo xtask test` installs it")),
        )
    }
}

async fn set(server: &TestServer, by: Value) -> Result<Value, (StatusCode, Value)> {
    let new = json!({ "by": by }).to_string().into_bytes();
    server.send(Method::PUT, "machines/m/power", new).await
}

async fn switch(server: &TestServer, act: &str) -> Result<Value, (StatusCode, Value)> {
    let done = server.post("machines/m/power", json!({ "act": act })).await?;
    Ok(done["on"].clone())
}

async fn expect(server: &TestServer) {
    let expect = json!({ "key": "0123".repeat(16), "name": "m" });
    server.post("machines", expect).await.unwrap();
}

/// Waits until whoever plays is there.
async fn until_it_answers(server: &TestServer) {
    let begun = Instant::now();
    while let Err((_, error)) = switch(server, "status").await {
        assert!(begun.elapsed() < SOON, "{error}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Acts, and whether the power is on after each.
async fn each_act(server: &TestServer, acts: &[(&str, bool)]) {
    for (act, on) in acts {
        switch(server, act).await.unwrap_or_else(|e| panic!("{act}: {e:?}"));
        // A controller may take a moment for it.
        let begun = Instant::now();
        while switch(server, "status").await.unwrap() != json!(on) {
            assert!(begun.elapsed() < SOON, "not so after {act}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A controller that speaks IPMI, with a chassis that is a file.
fn ipmi(folder: &Path) -> (Playing, u16) {
    let shown = folder.display();
    fs::write(folder.join("on"), "0").unwrap();
    program(
        &folder.join("chassis"),
        &format!(
            "#!/bin/sh\ncase $1 in\nget) echo power:$(cat {shown}/on) ;;\n\
             set) while [ $# -gt 1 ]; do shift; [ $1 = power ] && echo $2 > {shown}/on; done ;;\nesac\nexit 0\n"
        ),
    );
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = format!(
        "name \"machine\"\nset_working_mc 0x20\n startlan 1\n  addr 127.0.0.1 {port}\n  priv_limit admin\n  \
         allowed_auths_admin md5\n  guid a123456789abcdefa123456789abcdef\n endlan\n \
         chassis_control \"{shown}/chassis\"\n user 2 true \"operator\" \"secret#1\" admin 10 md5\n"
    );
    fs::write(folder.join("lan.conf"), settings).unwrap();
    let controller =
        "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n";
    fs::write(folder.join("emu"), controller).unwrap();
    let at = |name: &str| folder.join(name);
    let mut command = Command::new("ipmi_sim");
    command
        .arg("-c")
        .arg(at("lan.conf"))
        .arg("-f")
        .arg(at("emu"))
        .arg("-s")
        .arg(at("state"))
        .arg("-n");
    (Playing::start(&mut command), port)
}

#[tokio::test]
async fn by_ipmi() {
    let server = TestServer::start().await;
    expect(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let (_playing, port) = ipmi(folder.path());
    let by = |password: &str| json!({ "driver": "ipmi", "host": "127.0.0.1", "port": port, "user": "operator", "password": password, "cipher_suite": 3 });
    assert_eq!(switch(&server, "on").await.unwrap_err().0, StatusCode::NOT_FOUND, "no driver yet");
    let shown = set(&server, by("secret#1")).await.unwrap();
    assert_eq!(
        shown,
        json!({ "driver": "ipmi", "address": "127.0.0.1", "attempts": 2, "wait_s": 300, "cycles": 0 })
    );
    until_it_answers(&server).await;
    each_act(
        &server,
        &[("off", false), ("on", true), ("cycle", true), ("off", false), ("cycle", true)],
    )
    .await;

    // The password is nowhere in plain text, and goes with the key.
    for file in ["xenoboot.sqlite", "xenoboot.sqlite-wal"] {
        let bytes = fs::read(server.folder().join(file)).unwrap();
        assert!(!bytes.windows(8).any(|bytes| bytes == b"secret#1"), "{file}");
    }
    let log = server.get("audit").await.unwrap();
    let switched =
        log["entries"].as_array().unwrap().iter().filter(|e| e["action"] == "power.switch");
    assert_eq!(switched.count(), 5, "{log}");
    assert!(!log.to_string().contains("secret#1"));
    set(&server, by("wrong")).await.unwrap();
    let (status, why) = switch(&server, "status").await.unwrap_err();
    assert!(status == StatusCode::BAD_GATEWAY && why.to_string().contains("password"), "{why}");
    for bad in [
        json!({ "driver": "ipmi", "host": "-h", "user": "u", "password": "p" }),
        json!({ "driver": "ipmi", "host": "a\nb", "user": "u", "password": "p" }),
        json!({ "driver": "ipmi", "host": "a", "user": "u", "password": "p", "cipher_suite": 0 }),
        json!({ "driver": "command", "program": "../x" }),
        json!({ "driver": "redfish", "url": "file:///x", "user": "u", "password": "p" }),
        json!({ "driver": "hammer" }),
    ] {
        assert_eq!(
            set(&server, bad.clone()).await.unwrap_err().0,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    server.send(Method::DELETE, "machines/m/power", Vec::new()).await.unwrap();
    assert_eq!(switch(&server, "status").await.unwrap_err().0, StatusCode::NOT_FOUND);
}

/// A program that `cargo xtask test` has put there.
fn installed(path: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    Some(target.join(path)).filter(|path| path.exists())
}

#[tokio::test]
async fn by_redfish() {
    let Some(sushy) = installed("venv-sushy/bin/sushy-emulator") else {
        println!("skipped: no sushy-tools; `cargo xtask test unit` installs them");
        return;
    };
    let server = TestServer::start().await;
    expect(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = "SUSHY_EMULATOR_FAKE_DRIVER = True\n\
        SUSHY_EMULATOR_FAKE_SYSTEMS = [{'uuid': 'a1', 'name': 'm', 'power_state': 'Off', 'nics': []}]\n";
    let config = folder.path().join("settings.py");
    fs::write(
        &config,
        format!("{settings}SUSHY_EMULATOR_STATE_DIR = '{}'\n", folder.path().display()),
    )
    .unwrap();
    let mut command = Command::new(sushy);
    command.arg("--config").arg(&config).args([
        "--interface",
        "127.0.0.1",
        "--port",
        &port.to_string(),
    ]);
    let _playing = Playing::start(command.current_dir(folder.path()));
    let url = format!("http://127.0.0.1:{port}");
    set(&server, json!({ "driver": "redfish", "url": url, "user": "u", "password": "p" }))
        .await
        .unwrap();
    until_it_answers(&server).await;
    // It takes up to eleven seconds for each.
    each_act(&server, &[("on", true), ("cycle", true), ("off", false)]).await;
    let other =
        json!({ "driver": "redfish", "url": url, "user": "u", "password": "p", "system": "a2" });
    set(&server, other).await.unwrap();
    let (status, why) = switch(&server, "status").await.unwrap_err();
    assert!(status == StatusCode::BAD_GATEWAY && why.to_string().contains("404"), "{why}");
}

#[tokio::test]
async fn by_an_outlet() {
    let server = TestServer::start().await;
    expect(&server).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new((Vec::<String>::new(), false)));
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let state = {
                let mut kept = kept.lock().unwrap();
                match path.as_str() {
                    "/on" => kept.1 = true,
                    "/off" => kept.1 = false,
                    _ => {}
                }
                kept.0.push(path);
                if kept.1 { "POWER ON" } else { "POWER OFF" }
            };
            let status =
                if request.contains("authorization: basic dtpw") { "200 OK" } else { "401 No" };
            let length = state.len();
            let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{state}");
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    });
    let url = |path: &str| format!("{base}/{path}");
    let mut by = json!({ "driver": "outlet", "on": url("on"), "off": url("off"), "status": url("status"),
        "is_on": "POWER ON", "user": "u", "password": "p" });
    set(&server, by.clone()).await.unwrap();
    assert_eq!(switch(&server, "status").await.unwrap(), json!(false));
    assert_eq!(switch(&server, "on").await.unwrap(), json!(true));
    asked.lock().unwrap().0.clear();
    assert_eq!(switch(&server, "cycle").await.unwrap(), json!(true));
    assert_eq!(asked.lock().unwrap().0, ["/off", "/on", "/status"]);
    by["password"] = json!("q");
    set(&server, by).await.unwrap();
    let (status, why) = switch(&server, "off").await.unwrap_err();
    assert!(status == StatusCode::BAD_GATEWAY && why.to_string().contains("401"), "{why}");
}

#[tokio::test]
async fn by_snmp() {
    let Some(python) = installed("venv-snmp/bin/python3") else {
        println!("skipped: no pysnmp; `cargo xtask test unit` installs it");
        return;
    };
    let server = TestServer::start().await;
    expect(&server).await;
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outlet.py");
    let _playing = Playing::start(Command::new(python).arg(agent).arg(port.to_string()));
    let by = |changes: Value| {
        let mut by = json!({ "driver": "snmp", "host": "127.0.0.1", "port": port, "on": 1, "off": 2,
            "oid": "1.3.6.1.4.1.318.1.1.4.4.2.1.3.4" });
        let changes = changes.as_object().unwrap().clone();
        by.as_object_mut().unwrap().extend(changes);
        by
    };
    set(&server, by(json!({ "community": "outlet" }))).await.unwrap();
    until_it_answers(&server).await;
    assert_eq!(switch(&server, "status").await.unwrap(), json!(false));
    each_act(&server, &[("on", true), ("cycle", true), ("off", false)]).await;
    // What is read may be something else than what is set.
    let other = json!({ "community": "outlet", "is_on": 2, "status_oid": "1.3.6.1.4.1.318.1.1.4.4.2.1.3.4" });
    set(&server, by(other)).await.unwrap();
    assert_eq!(switch(&server, "status").await.unwrap(), json!(true));

    let version_3 = |password: &str| {
        by(
            json!({ "user": "operator", "auth_password": password, "privacy_password": "private#12" }),
        )
    };
    set(&server, version_3("authentic#1")).await.unwrap();
    each_act(&server, &[("on", true), ("off", false)]).await;
    set(&server, version_3("authentic#2")).await.unwrap();
    let (status, why) = switch(&server, "on").await.unwrap_err();
    assert!(
        status == StatusCode::BAD_GATEWAY && why.to_string().contains("Authentication"),
        "{why}"
    );
    let missing = by(json!({ "community": "outlet", "oid": "1.3.6.1.4.1.318.1.1.4.4.2.1.3.5" }));
    set(&server, missing).await.unwrap();
    assert_eq!(switch(&server, "status").await.unwrap_err().0, StatusCode::BAD_GATEWAY);
    let bad = by(json!({ "community": "a\"b" }));
    assert_eq!(set(&server, bad).await.unwrap_err().0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_machine_that_does_not_come_back_is_switched_off_and_on_so_often_and_no_more() {
    let server = TestServer::start().await;
    let mut m = Runner::new(&server, "m").await;
    server.push("b", 1).await;
    let calls = server.folder().join("calls");
    let text = format!("#!/bin/sh\necho \"$@\" >> {}\necho on\n", calls.display());
    program(&server.folder().join("power.d/rack"), &text);
    let new =
        json!({ "by": { "driver": "command", "program": "rack" }, "attempts": 2, "wait_s": 1 });
    server.send(Method::PUT, "machines/m/power", new.to_string().into_bytes()).await.unwrap();
    let once =
        json!({ "bundle": "b", "target": { "machine": "m" }, "once": true, "confirm_within_s": 1 });
    assign(&server, once.clone()).await;
    m.succeeds().await;
    let flagged = |machine: &Value, kind: &str| {
        machine["flags"].as_array().unwrap().iter().any(|flag| flag["kind"] == kind)
    };
    until(&server, |machine| flagged(machine, "power")).await;
    assert_eq!(fs::read_to_string(&calls).unwrap(), "cycle m\ncycle m\n");
    assert_eq!(server.get("machines/m/power").await.unwrap()["cycles"], 2);

    // One that comes back is left alone from then on.
    fs::remove_file(&calls).unwrap();
    server.post("machines/m/clear", Value::Null).await.unwrap();
    assign(&server, once).await;
    m.succeeds().await;
    until(&server, |machine| flagged(machine, "unconfirmed")).await;
    m.restarts().await;
    assert_eq!(server.get("machines/m/power").await.unwrap()["cycles"], 0);
    sleep(Duration::from_millis(2500)).await;
    let machine = server.get("machines/m").await.unwrap();
    assert!(!flagged(&machine, "power"), "{machine}");
    let calls = fs::read_to_string(&calls).unwrap_or_default();
    assert!(calls.lines().count() <= 1, "{calls}");
}
