//! A machine's network in kernel namespaces: the machine's cards are one end of veth pairs, and on the
//! other end is a network of its own with dnsmasq.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Why no namespace can be made here, if so.
pub(crate) fn hindrance() -> Option<&'static str> {
    let runs = |program: &str, args: &[&str]| {
        Command::new(program)
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !runs("dnsmasq", &["--version"]) {
        return Some("dnsmasq is not installed");
    }
    (!runs("unshare", &["-n", "true"])).then_some("network namespaces are not permitted")
}

/// Two or more namespaces, removed at the end with all that runs in them.
pub(crate) struct Lab {
    prefix: String,
    folder: PathBuf,
    spaces: Vec<String>,
    children: Vec<Child>,
}

impl Lab {
    /// A machine without cards.
    pub(crate) fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("xb{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(&prefix);
        fs::create_dir_all(&folder).unwrap();
        let mut lab = Self { prefix, folder, spaces: Vec::new(), children: Vec::new() };
        lab.space("machine");
        lab
    }

    fn space(&mut self, name: &str) {
        run("ip", &["netns", "add", &self.name(name)]);
        self.spaces.push(self.name(name));
        self.shell(name, "ip link set lo up");
    }

    fn name(&self, space: &str) -> String {
        format!("{}-{space}", self.prefix)
    }

    /// Gives the machine a card, whose other end, `port`, is in a namespace of the card's name and up.
    pub(crate) fn card(&mut self, card: &str) {
        self.space(card);
        let (machine, network) = (self.name("machine"), self.name(card));
        #[rustfmt::skip]
        run("ip", &[
            "link", "add", card, "netns", &machine, "type", "veth", "peer", "name", "port", "netns", &network,
        ]);
        // An address counts at once: duplicates cannot be here.
        self.shell(card, "echo 0 > /proc/sys/net/ipv6/conf/port/accept_dad; ip link set port up");
    }

    /// Runs a shell's command in a namespace.
    pub(crate) fn shell(&self, space: &str, command: &str) {
        run("ip", &["netns", "exec", &self.name(space), "sh", "-ec", command]);
    }

    /// Whether a shell's command succeeds in a namespace.
    pub(crate) fn permits(&self, space: &str, command: &str) -> bool {
        let mut shell = self.command(space, "sh");
        shell.args(["-ec", command]).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    }

    /// Starts dnsmasq in a card's network.
    pub(crate) fn dnsmasq(&mut self, card: &str, options: &[&str]) {
        let mut command = self.command(card, "dnsmasq");
        command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file="]);
        command.args(["--no-hosts", "--no-resolv", "--no-ping", "--user=root"]);
        command.args(["--dhcp-authoritative", "--log-facility=-"]);
        command.arg(format!("--dhcp-leasefile={}/{card}.leases", self.folder.display()));
        let child = command.args(options).stderr(Stdio::null()).spawn().unwrap();
        self.children.push(child);
    }

    /// Starts `examples/machine.rs` in a namespace.
    pub(crate) fn machine(&mut self, space: &str, script: &str) -> Lines {
        // Cargo builds examples with the tests, beside them.
        let program = std::env::current_exe().unwrap();
        let program = program.ancestors().nth(2).unwrap().join("examples/machine");
        // Its own /etc, where resolv.conf is written.
        let inside = "mount -t tmpfs none /etc && exec \"$0\" \"$1\"";
        let mut command = self.command(space, "sh");
        command.args(["-ec", inside]).arg(program).arg(script);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        self.children.push(child);
        let (sender, receiver) = channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Lines { receiver, seen: Vec::new() }
    }

    fn command(&self, space: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(space), program]);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for space in &self.spaces {
            let _ = Command::new("ip").args(["netns", "del", space]).status();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a machine prints.
pub(crate) struct Lines {
    receiver: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    /// Waits for a line that holds all of `parts`, and tells how long it took.
    pub(crate) fn wait(&mut self, parts: &[&str], limit: Duration) -> Duration {
        let start = Instant::now();
        while let Some(left) = limit.checked_sub(start.elapsed()) {
            let Ok(line) = self.receiver.recv_timeout(left) else { break };
            let found = parts.iter().all(|part| line.contains(part));
            self.seen.push(line);
            if found {
                return start.elapsed();
            }
        }
        panic!("no line with {parts:?} within {limit:?}, but:\n{}", self.seen.join("\n"))
    }
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {error}");
}
