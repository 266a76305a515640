//! Logging in by a real provider in a browser, as a person does: oidc-provider-mock, of another site than the server's.

use super::configure;
use crate::{
    browser::{Driver, SIZE, TONES, click, devices, until},
    client::TestServer,
};
use fantoccini::Client;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Where `cargo xtask test` has put it.
fn program() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    Some(target.join("venv-oidc/bin/oidc-provider-mock")).filter(|path| path.exists())
}

/// A running one.
struct Mock {
    child: Child,
    issuer: String,
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Mock {
    fn start(program: &Path) -> Self {
        let alice = json!({
            "sub": "alice", "email": "alice@example.org", "email_verified": true,
            "groups": ["chiefs"],
        });
        let bob = json!({ "sub": "bob", "email": "bob@example.org", "email_verified": false });
        let mut command = Command::new(program);
        command.args(["--port", "0", "--require-nonce", "true"]);
        command.args(["--user-claims", &alice.to_string(), "--user-claims", &bob.to_string()]);
        command.env("AUTHLIB_INSECURE_TRANSPORT", "1").env("PYTHONUNBUFFERED", "1");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let issuer = lines.by_ref().map(Result::unwrap).find_map(|line| {
            let rest = line.split_once("running on http://")?.1;
            Some(format!("http://{}", rest.split_whitespace().next()?))
        });
        // What it says later is read by nobody, but must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, issuer: issuer.expect("oidc-provider-mock does not start") }
    }
}

/// The browser finds the server under the name that `oidc.toml` has, and nothing else but the loopback.
fn resolver(server: &TestServer) -> String {
    let here = format!("MAP boot.example.org:443 {}", server.address);
    format!("--host-resolver-rules={here}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
}

/// At the provider's form: one of those whom it knows.
async fn choose(client: &Client, who: &str) {
    click(client, ".login .button").await;
    until(client, "location.hostname === '127.0.0.1'").await;
    click(client, &format!("button[name=sub][value={who}]")).await;
}

#[tokio::test]
async fn a_person_logs_in_by_the_provider() {
    let Some(program) = program() else {
        println!("skipped: no oidc-provider-mock; `cargo xtask test unit` installs it");
        return;
    };
    let mock = Mock::start(&program);
    let mut server = TestServer::start().await;
    configure(&server.folder(), &mock.issuer, "");
    server.start_again().await;
    let driver = Driver::start();
    let rules = resolver(&server);
    let client = driver.browser("oidc", &[SIZE, &rules], Value::Null).await;
    client.goto("https://boot.example.org/ui/runs").await.unwrap();
    choose(&client, "alice").await;
    until(&client, "location.pathname === '/ui/runs'").await;
    until(
        &client,
        "document.querySelector('.who').textContent.includes('oidc:alice@example.org · admin')",
    )
    .await;
    assert_eq!(client.execute("return document.cookie", Vec::new()).await.unwrap(), "");

    // Out, and in again as somebody whom no rule knows.
    click(&client, ".who button").await;
    until(&client, "location.pathname === '/ui/login'").await;
    choose(&client, "bob").await;
    until(
        &client,
        "document.querySelector('[role=alert]')?.textContent.includes('no rule of this server')",
    )
    .await;
    until(&client, "document.querySelector('pre').textContent.includes('is = \"bob\"')").await;
    if let Some(folder) = std::env::var_os("XENOBOOT_PICTURES") {
        pictures(&driver, &rules, Path::new(&folder)).await;
    }
    client.close().await.unwrap();
}

/// Pictures of the page on which one logs in, and of the one for whom no rule knows.
async fn pictures(driver: &Driver, rules: &str, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for (kind, size, device) in devices() {
        for (tone, scheme) in TONES {
            let name = format!("login-{kind}-{tone}");
            let client = driver.browser(&name, &[size, scheme, rules], device.clone()).await;
            for (what, who) in [("login", None), ("denied", Some("bob"))] {
                client.goto("https://boot.example.org/ui").await.unwrap();
                until(&client, "document.querySelector('.login .button')").await;
                if let Some(who) = who {
                    choose(&client, who).await;
                    until(&client, "document.querySelector('[role=alert]')").await;
                }
                let picture = client.screenshot().await.unwrap();
                std::fs::write(folder.join(format!("{what}-{kind}-{tone}.png")), picture).unwrap();
            }
            client.close().await.unwrap();
        }
    }
}
