//! Telling people by e-mail: through a real relay, aiosmtpd, which prints what it gets.

use crate::client::TestServer;
use hyper::StatusCode;
use serde_json::json;
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Where `cargo xtask test` has put aiosmtpd.
fn aiosmtpd() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    Some(target.join("venv-smtp/bin/aiosmtpd")).filter(|path| path.exists())
}

/// A relay on a port of the loopback, and what it has got.
struct Relay {
    child: Child,
    log: PathBuf,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Relay {
    fn start(program: &Path, folder: &Path, port: u16) -> Self {
        let log = folder.join("mails");
        let mut command = Command::new(program);
        command.args(["-n", "-u", "-l", &format!("127.0.0.1:{port}")]);
        command.args(["-c", "aiosmtpd.handlers.Debugging"]).env("PYTHONUNBUFFERED", "1");
        let out = fs::File::create(&log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::null()).spawn().unwrap();
        Self { child, log }
    }

    fn mails(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for something in what it has got.
    async fn got(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.mails().contains(text) {
            assert!(Instant::now() < until, "no `{text}` in {}", self.mails());
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn people_are_told_by_mail_once() {
    let server = TestServer::start().await;
    let add = |url: &str| server.post("webhooks", json!({ "url": url, "kinds": ["pending"] }));
    let (status, why) = add("mailto:ops@example.org").await.unwrap_err();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(why["error"].as_str().unwrap().contains("no mail.toml"), "{why}");
    assert_eq!(
        add("mailto:a@b\r\nBcc: c@example.org").await.unwrap_err().0,
        StatusCode::BAD_REQUEST
    );
    let Some(program) = aiosmtpd() else {
        println!("skipped: no aiosmtpd; `cargo xtask test unit` installs it");
        return;
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = server.folder().join("mail.toml");
    let relay = format!("relay = \"smtp://127.0.0.1:{port}\"\n");
    fs::write(&file, relay + "from = \"Xenoboot <boot@example.org>\"\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    add("mailto:ops@example.org").await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    // Not there yet: the server tries again.
    let machine = server.machine().await;
    machine.boot().await;
    let relay = Relay::start(&program, folder.path(), port);
    let subject = format!("Subject: [xenoboot] {} pending", machine.key.fingerprint());
    relay.got(&subject).await;
    relay.got("xenoboot machine approve").await;
    for header in ["From: ", "boot@example.org", "To: ops@example.org", "Content-Type: text/plain"]
    {
        assert!(relay.mails().contains(header), "{header} in {}", relay.mails());
    }
    // It has been told; another machine is news.
    machine.boot().await;
    let other = server.machine().await;
    other.boot().await;
    relay.got(&format!("[xenoboot] {} pending", other.key.fingerprint())).await;
    assert_eq!(relay.mails().matches(&*subject).count(), 1);
}
