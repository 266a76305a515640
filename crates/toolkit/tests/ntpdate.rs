//! `ntpdate -q` and time servers: one that is right, one that refuses, one that answers for another.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]

mod bench;

use bench::Bench;
use std::{fs, process::Command, time::Duration};

const SERVER: &str = r#"
import socket, struct, subprocess, sys, threading, time
def serve(address, ahead, change):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((address, 123))
    def run():
        while True:
            q, peer = s.recvfrom(512)
            now = struct.pack(">Q", int((time.time() + ahead + 2208988800) * 2**32))
            s.sendto(change(bytes([0x24, 2]) + bytes(22) + q[40:48] + now + now), peer)
    threading.Thread(target=run, daemon=True).start()
serve("127.0.0.1", 1000, lambda a: a)
serve("127.0.0.2", 0, lambda a: a[:1] + b"\0" + a[2:])
serve("127.0.0.3", 0, lambda a: a[:24] + bytes(8) + a[32:])
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"#;

#[test]
fn only_answers_that_can_be_trusted_count() {
    let (bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
    let server = folder.path().join("server.py");
    fs::write(&server, SERVER).unwrap();
    let run = |address: &str| {
        let mut command = Command::new("/usr/bin/unshare");
        let line = format!(
            "/usr/sbin/ip link set lo up; exec /usr/bin/python3 {} ntpdate -q -t 0.3 {address}",
            server.display()
        );
        command.args(["-Urn", "/bin/bash", "-c", &line]);
        bench.run(command, Duration::from_secs(30))
    };
    let right = run("127.0.0.1");
    assert_eq!(right.status, Some(0), "{right}");
    let words: Vec<&str> = right.stdout.split([' ', ',']).collect();
    let offset: f64 = words[7].parse().unwrap();
    assert!((offset - 1000.0).abs() < 1.0, "{right}");
    let refuses = run("127.0.0.2");
    assert_eq!(refuses.status, Some(1), "{refuses}");
    assert!(refuses.stderr.contains("kiss of death"), "{refuses}");
    let other = run("127.0.0.3");
    assert_eq!(other.status, Some(1), "{other}");
    assert!(other.stderr.contains("no answer"), "{other}");
}
