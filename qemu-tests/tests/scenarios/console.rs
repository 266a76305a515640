//! The console of a machine behind NAT, with OpenSSH's own programs: while a script hangs, and over a server's restart.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY, SOON, wait_until},
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

/// An operator of machines who has a key.
struct Person<'a> {
    operator: &'a Operator,
    key: String,
}

impl Person<'_> {
    /// `xenoboot VERB`, with his key and none of whoever runs this.
    fn command(&self, verb: &str, options: &[&str], words: &[&str]) -> Result<Command> {
        let mut all = vec![verb, "--option=-oIdentitiesOnly=yes", "--option=-oBatchMode=yes"];
        let key = format!("--option=-i{}", self.key);
        all.extend([key.as_str(), "--option=-Fnone"]);
        all.extend(options);
        all.push("cupboard");
        all.extend(words);
        let mut command = self.operator.plain(&all)?;
        command.env_remove("SSH_AUTH_SOCK");
        Ok(command)
    }

    fn ssh(&self, options: &[&str], line: &str) -> Result<Output> {
        self.command("ssh", options, &[line])?.output().context("xenoboot ssh")
    }

    /// What a command prints that succeeds.
    fn says(&self, options: &[&str], line: &str) -> Result<String> {
        let done = self.ssh(options, line)?;
        ensure!(done.status.success(), "{line}: {:?}: {}", done.status, errors(&done));
        Ok(String::from_utf8_lossy(&done.stdout).replace('\r', ""))
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn keygen(path: &Path) -> Result<String> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(path);
    ensure!(command.status().context("ssh-keygen")?.success(), "ssh-keygen failed");
    Ok(path.display().to_string())
}

#[test]
fn a_shell_on_a_machine_whose_script_hangs() -> Result<()> {
    Scenario::run("console", |at| {
        let mut operator = Operator::start(at)?;
        let (alice, mallory) = (keygen(&at.path("alice"))?, keygen(&at.path("mallory"))?);
        operator.run(&["fleet", "add-operator", "alice", "alice.pub", "--dir", "fleet"])?;
        let mut vm = Vm::new(at, "vm").cd(operator.image_with_toolbox()?).nic(Nic::User).start()?;
        operator.approve("cupboard")?;
        let hang = Bundle::new("hang", "echo hanging; sleep 1000").set("needs", "[\"toolbox\"]");
        operator.order(&hang)?;
        vm.expect("script: hanging", BOOT)?;
        let person = Person { operator: &operator, key: alice.clone() };
        commands(&person)?;
        copies(&person, at.folder())?;
        forwards(&person)?;
        watched(&person)?;
        vm.expect("console: alice has come", SOON)?;

        let stranger = Person { operator: &operator, key: mallory };
        let refused = stranger.ssh(&[], "echo in")?;
        ensure!(errors(&refused).contains("Permission denied (publickey)"), "{}", errors(&refused));
        lied_to(&person)?;

        // The server goes, and its sessions with it; the next finds the machine again.
        let mut session = person.command("ssh", &[], &["echo begun; sleep 500"])?;
        let mut session = session.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut begun = [0; 6];
        session.stdout.as_mut().context("no output")?.read_exact(&mut begun)?;
        operator.server.kill();
        let ended = session.wait_with_output()?;
        let why = errors(&ended);
        ensure!(ended.status.code() == Some(255) && why.contains("the session has ended"), "{why}");
        operator.server.start_again()?;
        let person = Person { operator: &operator, key: alice };
        wait_until("a session after that", RETRY, || {
            let done = person.ssh(&[], "pgrep -f 'slee[p] 1000' > /dev/null && echo it runs")?;
            Ok(done.stdout.starts_with(b"it runs").then_some(()))
        })?;
        ensure!(!vm.console.has("XB-INI-01"), "the agent died");
        Ok(())
    })
}

fn commands(person: &Person<'_>) -> Result<()> {
    let done = person.ssh(&[], "echo out; echo err >&2; exit 7")?;
    ensure!(done.status.code() == Some(7) && done.stdout == b"out\n", "{done:?}");
    ensure!(errors(&done) == "err\n", "{}", errors(&done));
    // What the agent knows, and a terminal with a shell that a person types at.
    let status = person.says(&[], "xb status")?;
    ensure!(status.contains("phase: run"), "{status}");
    let mut shell = person.command("ssh", &["--option=-tt"], &[])?;
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    shell.stdin.as_mut().context("no input")?.write_all(b"tty; echo $((6 * 7))x; exit 3\n")?;
    let ended = shell.wait_with_output()?;
    let text = String::from_utf8_lossy(&ended.stdout);
    ensure!(ended.status.code() == Some(3) && text.contains("42x"), "{:?} {text}", ended.status);
    ensure!(text.contains("/dev/pts/"), "{text}");
    Ok(())
}

/// By `scp`, `sftp` and `rsync`, which know of the machine by a piece of ssh_config.
fn copies(person: &Person<'_>, folder: &Path) -> Result<()> {
    let config = person.operator.text(&["ssh", "--config"])?;
    let more = format!("IdentityFile {}\nIdentitiesOnly yes\nBatchMode yes\n", person.key);
    fs::write(folder.join("config"), more + &config)?;
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n ^ n >> 7) as u8).collect();
    fs::write(folder.join("sent"), &sent)?;
    fs::write(folder.join("batch"), "cd /tmp\nrename one two\nls -l two\nget two two\n")?;
    let run = |program: &str, words: &[&str]| -> Result<()> {
        let mut command = Command::new(program);
        command.args(words).current_dir(folder).env_remove("SSH_AUTH_SOCK");
        let done = command.output().context(program.to_owned())?;
        ensure!(done.status.success(), "{program}: {}", errors(&done));
        Ok(())
    };
    run("scp", &["-F", "config", "sent", "cupboard.xenoboot:/tmp/one"])?;
    run("sftp", &["-F", "config", "-b", "batch", "cupboard.xenoboot"])?;
    run("rsync", &["-t", "-e", "ssh -F config", "cupboard.xenoboot:/tmp/two", "three"])?;
    run("rsync", &["-t", "-e", "ssh -F config", "three", "cupboard.xenoboot:/tmp/four"])?;
    run("scp", &["-F", "config", "cupboard.xenoboot:/tmp/four", "four"])?;
    for name in ["two", "three", "four"] {
        ensure!(fs::read(folder.join(name))? == sent, "{name} is another");
    }
    Ok(())
}

/// A page on the operator's computer is fetched by the machine through a port of its own.
fn forwards(person: &Person<'_>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 512];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhere\n");
        }
    });
    let forward = format!("--option=-R8099:127.0.0.1:{port}");
    let page = person.says(&[&forward], "curl -s http://127.0.0.1:8099/")?;
    ensure!(page == "here\n", "{page}");
    Ok(())
}

/// The console is watched, what was before and what comes.
fn watched(person: &Person<'_>) -> Result<()> {
    let mut watch = person.command("console", &[], &[])?;
    let mut watch = watch.stdout(Stdio::piped()).spawn()?;
    let mut out = watch.stdout.take().context("no output")?;
    let mut seen = String::new();
    let mut until = |text: &str| -> Result<()> {
        let mut buffer = [0; 4096];
        while !seen.contains(text) {
            let count = out.read(&mut buffer)?;
            ensure!(count > 0, "it ended after: {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        Ok(())
    };
    let watching = until("script: hanging").and_then(|()| {
        person.says(&[], "true")?;
        until("console: alice has left")
    });
    watch.kill()?;
    watch.wait()?;
    watching
}

/// A server that puts another machine in the place of this one is found out.
fn lied_to(person: &Person<'_>) -> Result<()> {
    let known = person.operator.server.folder().join("known_hosts");
    let right = fs::read_to_string(&known)?;
    let other = fs::read_to_string(format!("{}.pub", person.key))?;
    fs::write(&known, format!("cupboard {other}"))?;
    let done = person.ssh(&[], "echo in")?;
    fs::write(&known, right)?;
    ensure!(errors(&done).contains("Host key verification failed"), "{}", errors(&done));
    Ok(())
}
