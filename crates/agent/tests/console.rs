//! The console, with OpenSSH's own programs against the agent's program, and a server that joins both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall panic"
)]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use support::Server;
use xenoboot_site::{Operator, Role, Signer, SshKey, Trust};
use xenoboot_wire::{FleetId, boot::Order, event::What};

/// A machine whose console is reached on a port of the loopback, and the operator's files.
struct Site {
    dir: tempfile::TempDir,
    agent: Child,
    server: Arc<Server>,
    port: u16,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn keygen(path: &Path, more: &[&str]) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", ""])
        .args(more)
        .arg("-f")
        .arg(path)
        .status();
    assert!(made.expect("ssh-keygen").success());
}

fn public(path: &Path) -> SshKey {
    SshKey::parse(&fs::read_to_string(path.with_extension("pub")).unwrap()).unwrap()
}

impl Site {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for key in ["alice", "mallory", "ca", "bob"] {
            keygen(&at(key), &["-C", key]);
        }
        let server = Server::start().await;
        let root = at("root");
        let site = root.join("etc/xenoboot/site");
        fs::create_dir_all(&site).unwrap();
        let url = format!("https://127.0.0.1:{}", server.port);
        let text = format!("[[server]]\nurl = \"{url}\"\npins = [\"{}\"]\n", server.pin);
        fs::write(site.join("site.toml"), text).unwrap();
        let authority =
            Role::Authority { key: public(&at("ca")), principals: vec!["oncall".into()] };
        let trust = Trust {
            fleet: FleetId([7; 16]),
            name: "test".into(),
            threshold: 1,
            signers: vec![Signer { name: "one".into(), key: [9; 32] }],
            operators: vec![
                Operator { name: "alice".into(), role: Role::Key(public(&at("alice"))) },
                Operator { name: "ca".into(), role: authority },
            ],
        };
        fs::write(site.join("trust.toml"), trust.to_toml()).unwrap();
        let mut agent = Command::new(env!("CARGO_BIN_EXE_agent"));
        let agent = agent.env("XENOBOOT_ROOT", &root).stderr(Stdio::inherit()).spawn().unwrap();
        server.set(|desk| desk.order = Some(Order::Idle { generation: 1 }));
        let port = server.console_port().await;
        let this = Self { dir, agent, server, port };
        this.server.asked().await;
        let key = this.machine_key();
        fs::write(this.at("known_hosts"), format!("machine {key}\n")).unwrap();
        this
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The key that the agent made, as a host key.
    fn machine_key(&self) -> SshKey {
        let der = fs::read(self.at("root/run/xenoboot/machine.key")).unwrap();
        let pair = rcgen::KeyPair::try_from(der).unwrap();
        SshKey::ed25519(pair.public_key_raw().try_into().unwrap())
    }

    /// Options for all of OpenSSH's programs, with the key of `who`.
    fn options(&self, who: &str) -> Vec<String> {
        let known = self.at("known_hosts");
        let mut options: Vec<String> = ["-F", "none"].map(str::to_owned).to_vec();
        for option in [
            format!("Port={}", self.port),
            format!("UserKnownHostsFile={}", known.display()),
            format!("IdentityFile={}", self.at(who).display()),
            "IdentitiesOnly=yes".into(),
            "HostKeyAlias=machine".into(),
            "StrictHostKeyChecking=yes".into(),
            "BatchMode=yes".into(),
            "ConnectTimeout=60".into(),
        ] {
            options.extend(["-o".to_owned(), option]);
        }
        options
    }

    fn ssh(&self, who: &str) -> Command {
        let mut command = Command::new("ssh");
        command.args(self.options(who)).env_remove("SSH_AUTH_SOCK");
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.ssh("alice")
            .args(["root@127.0.0.1", "--"])
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

fn waits<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        if let Some(done) = ready() {
            return done;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what} did not happen");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_shells() {
    let site = Site::start().await;
    tokio::task::block_in_place(|| {
        let done = site.run(&["echo out; echo err >&2; exit 7"]);
        assert_eq!((done.status.code(), text(&done).as_str()), (Some(7), "out\n"), "{done:?}");
        assert_eq!(String::from_utf8_lossy(&done.stderr), "err\n");
        // A signal is told as one: ssh's own status is 255 then.
        assert_eq!(site.run(&["kill -KILL $$"]).status.code(), Some(255));
        // A terminal of the size that the client has, and its name.
        let mut tty = site.ssh("alice");
        tty.args(["-tt", "root@127.0.0.1", "tty; stty size; echo $TERM"]).env("TERM", "vt220");
        let tty = tty.stdin(Stdio::null()).output().unwrap();
        let said = text(&tty);
        assert!(said.starts_with("/dev/pts/") && said.ends_with("vt220\n"), "{said}");
        // Variables.
        let mut set = site.ssh("alice");
        set.args(["-o", "SetEnv=COLOUR=red", "root@127.0.0.1", "echo $COLOUR $XENOBOOT_MACHINE"]);
        assert!(text(&set.output().unwrap()).starts_with("red "));
        // A shell, by what is typed.
        let mut shell = site.ssh("alice");
        shell.args(["-tt", "root@127.0.0.1"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdin.as_mut().unwrap().write_all(b"echo $((6 * 7))x; exit 3\n").unwrap();
        let ended = shell.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert!(text(&ended).contains("42x"), "{}", text(&ended));
    });
    let who = |lasted: bool| move |what: &What| matches!(what, What::Console { who, key, lasted_ms } if who == "alice" && key.starts_with("SHA256:") && lasted_ms.is_some() == lasted);
    site.server.seen("a session's beginning", who(false)).await;
    site.server.seen("a session's end", who(true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_any_buffer_goes_through_in_both_directions_at_once() {
    let site = Site::start().await;
    tokio::task::block_in_place(|| {
        let sent: Vec<u8> = (0..8_000_000u32).map(|n| (n ^ n >> 9) as u8).collect();
        let mut cat = site.ssh("alice");
        let mut cat = cat
            .args(["root@127.0.0.1", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = cat.stdin.take().unwrap();
        let copy = sent.clone();
        let writer = std::thread::spawn(move || stdin.write_all(&copy).unwrap());
        // Nobody reads at first: everything on the way fills up, and other sessions do not notice.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(text(&site.run(&["echo there"])), "there\n");
        let mut back = Vec::new();
        cat.stdout.take().unwrap().read_to_end(&mut back).unwrap();
        writer.join().unwrap();
        assert!(cat.wait().unwrap().success());
        assert!(back == sent, "{} of {} bytes", back.len(), sent.len());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_ends_what_it_ran() {
    let site = Site::start().await;
    tokio::task::block_in_place(|| {
        let marks = site.at("marks");
        fs::create_dir(&marks).unwrap();
        let run = |line: &str| {
            let mut ssh = site.ssh("alice");
            let line = format!("cd {}; {line}", marks.display());
            ssh.args(["root@127.0.0.1", &line]).stdin(Stdio::piped()).stdout(Stdio::null());
            ssh.spawn().unwrap()
        };
        let there = |name: &str| marks.join(name).exists().then_some(());
        let mut one = run("trap ': > hung-up; exit' HUP; : > began; while :; do sleep 0.1; done");
        waits("the program's start", || there("began"));
        one.kill().unwrap();
        one.wait().unwrap();
        waits("the program's end", || there("hung-up"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_come_in_and_only_to_their_machine() {
    let site = Site::start().await;
    tokio::task::block_in_place(|| {
        let login = |who: &str, more: &[&str]| {
            let mut ssh = site.ssh(who);
            ssh.args(more)
                .args(["root@127.0.0.1", "echo in"])
                .stdin(Stdio::null())
                .output()
                .unwrap()
        };
        assert_eq!(text(&login("alice", &[])), "in\n");
        let refused = login("mallory", &[]);
        assert_eq!(refused.status.code(), Some(255));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("Permission denied (publickey)"));
        // The authority's key signs, and does not log in.
        assert_eq!(login("ca", &[]).status.code(), Some(255));
        let certify = |key: &str, more: &[&str]| {
            let mut sign = Command::new("ssh-keygen");
            sign.args(["-q", "-s"]).arg(site.at("ca")).args(["-I", "bob@example"]).args(more);
            assert!(sign.arg(site.at(key).with_extension("pub")).status().unwrap().success());
        };
        certify("bob", &["-n", "oncall", "-V", "-1m:+5m"]);
        assert_eq!(text(&login("bob", &[])), "in\n");
        for wrong in [
            &["-n", "others", "-V", "-1m:+5m"][..],
            &["-n", "oncall", "-V", "-5m:-1m"],
            &["-V", "-1m:+5m"],
            &["-n", "oncall", "-O", "force-command=true"],
            &["-n", "oncall", "-h"],
        ] {
            certify("bob", wrong);
            assert_eq!(login("bob", &[]).status.code(), Some(255), "{wrong:?}");
        }
        // A restricted certificate gets no terminal.
        certify("bob", &["-n", "oncall", "-O", "no-pty"]);
        assert_eq!(text(&login("bob", &[])), "in\n");
        assert_ne!(text(&login("bob", &["-tt"])), "in\n");
        // Whoever is there in the machine's place is not taken for it.
        let other = public(&site.at("mallory"));
        fs::write(site.at("known_hosts"), format!("machine {other}\n")).unwrap();
        let lied = login("alice", &[]);
        assert_eq!(lied.status.code(), Some(255));
        let why = String::from_utf8_lossy(&lied.stderr).into_owned();
        assert!(why.contains("Host key verification failed"), "{why}");
    });
    let who =
        |what: &What| matches!(what, What::Console { who, .. } if who == "bob@example (by ca)");
    site.server.seen("the session with a certificate", who).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_copied() {
    let site = Site::start().await;
    tokio::task::block_in_place(|| {
        let there = site.at("there");
        fs::create_dir(&there).unwrap();
        let sent: Vec<u8> = (0..3_000_000u32).map(|n| (n ^ n >> 7) as u8).collect();
        fs::write(site.at("file"), &sent).unwrap();
        let copy = |program: &str, words: &[&str]| {
            let done = Command::new(program)
                .args(site.options("alice"))
                .args(words)
                .current_dir(site.dir.path())
                .output()
                .unwrap();
            assert!(
                done.status.success(),
                "{program} {words:?}: {}",
                String::from_utf8_lossy(&done.stderr)
            );
            done
        };
        let remote = format!("root@127.0.0.1:{}", there.display());
        copy("scp", &["-p", "file", &remote]);
        assert!(fs::read(there.join("file")).unwrap() == sent);
        let changed = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        let second = Duration::from_secs(1);
        let (ours, theirs) = (changed(&site.at("file")), changed(&there.join("file")));
        assert!(ours.duration_since(theirs).unwrap_or_default() <= second);
        copy("scp", &["-r", &remote, "back"]);
        assert!(fs::read(site.at("back/file")).unwrap() == sent);
        let batch = format!(
            "cd {}\nmkdir sub\nput file sub/a\nchmod 600 sub/a\nrename sub/a sub/b\nln -s b sub/c\nls -l sub\nget sub/c c\nrm sub/b\n-rmdir sub\n",
            there.display()
        );
        fs::write(site.at("batch"), batch).unwrap();
        let done = copy("sftp", &["-b", "batch", "root@127.0.0.1"]);
        assert!(fs::read(site.at("c")).unwrap() == sent);
        let listed = text(&done);
        assert!(listed.contains("-rw-------") && listed.contains("3000000"), "{listed}");
        let shell = format!("ssh {}", site.options("alice").join(" "));
        let sync = |from: &str, to: &str| {
            let done = Command::new("rsync")
                .args(["-rt", "-e", &shell, from, to])
                .current_dir(site.dir.path())
                .output()
                .unwrap();
            assert!(done.status.success(), "rsync: {}", String::from_utf8_lossy(&done.stderr));
        };
        sync("file", &format!("{remote}/synced"));
        sync(&format!("{remote}/synced"), "again");
        assert!(fs::read(site.at("again")).unwrap() == sent);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_forwarded() {
    let site = Site::start().await;
    tokio::task::block_in_place(|| {
        // Whoever connects is sent back what it sends, in capitals.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut said = [0; 5];
                if stream.read_exact(&mut said).is_ok() {
                    stream.write_all(&said.to_ascii_uppercase()).unwrap();
                }
            }
        });
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (ours, theirs) = (free(), free());
        let mut ssh = site.ssh("alice");
        ssh.args(["-N", "-o", "ExitOnForwardFailure=yes"]);
        ssh.args([
            "-L",
            &format!("{ours}:localhost:{port}"),
            "-R",
            &format!("{theirs}:127.0.0.1:{port}"),
        ]);
        let mut ssh = ssh.arg("root@127.0.0.1").stdin(Stdio::null()).spawn().unwrap();
        for port in [ours, theirs] {
            let answer = waits("the port to be forwarded", || {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                stream.write_all(b"hello").ok()?;
                let mut said = String::new();
                stream.read_to_string(&mut said).ok()?;
                (!said.is_empty()).then_some(said)
            });
            assert_eq!(answer, "HELLO");
        }
        ssh.kill().unwrap();
        ssh.wait().unwrap();
        waits("the machine's port to be free again", || {
            TcpListener::bind(("127.0.0.1", theirs)).ok()
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_consoles_show_can_be_watched() {
    let site = Site::start().await;
    tokio::task::block_in_place(|| {
        let mut watch = site.ssh("alice");
        watch
            .args(["-T", "-s", "root@127.0.0.1", "console"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut watch = watch.spawn().unwrap();
        let mut out = watch.stdout.take().unwrap();
        let mut seen = String::new();
        let mut until = |text: &str| {
            let mut buffer = [0; 4096];
            while !seen.contains(text) {
                let count = out.read(&mut buffer).unwrap();
                assert!(count > 0, "it ended after {seen}");
                seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        };
        until("phase network");
        until("console: alice has come");
        // Another session is seen to begin: that is new.
        assert!(site.run(&["true"]).status.success());
        until("console: alice has left");
        watch.kill().unwrap();
        watch.wait().unwrap();
    });
}
