//! `fetch` against a server that breaks connections, and one with a certificate that nobody signed.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]

mod bench;

use bench::{Bench, Outcome};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

const SIZE: usize = 300_000;

fn whole() -> Vec<u8> {
    (0..SIZE).map(|n| (n * 31 + n / 256) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, bytes)
        .as_ref()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A server of one file that sends at most `part` bytes a connection; what it was asked for.
struct Server {
    port: u16,
    ranges: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(part: usize, etag: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&ranges);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that ends early is no failure of the server.
                let _ = answer(stream.unwrap(), part, etag, &log);
            }
        });
        Self { port, ranges }
    }

    fn ranges(&self) -> Vec<String> {
        self.ranges.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    part: usize,
    etag: &str,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (mut range, mut line) = (String::new(), String::new());
    let mut reader = BufReader::new(stream.try_clone()?);
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.strip_prefix("Range: ") {
            value.trim().clone_into(&mut range);
        }
        line.clear();
    }
    log.lock().unwrap().push(range.clone());
    let whole = whole();
    let first =
        range.strip_prefix("bytes=").and_then(|r| r.strip_suffix('-')?.parse().ok()).unwrap_or(0);
    let status = if first > 0 {
        format!("206 Part\r\nContent-Range: bytes {first}-{}/{SIZE}", SIZE - 1)
    } else {
        "200 OK".into()
    };
    write!(stream, "HTTP/1.1 {status}\r\n{etag}Content-Length: {}\r\n\r\n", SIZE - first)?;
    stream.write_all(&whole[first..SIZE.min(first + part)])
}

fn fetch(bench: &Bench, folder: &Path, args: &[&str]) -> Outcome {
    let mut command = Command::new(bench.path("sh"));
    command.args([
        "-c",
        "cd \"$1\" && shift && exec fetch -q \"$@\"",
        "sh",
        folder.to_str().unwrap(),
    ]);
    command.args(args);
    bench.run(command, Duration::from_secs(60))
}

#[test]
fn a_broken_connection_is_gone_on_with() {
    let (bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
    let server = Server::start(120_000, "ETag: \"1\"\r\n");
    let url = format!("http://127.0.0.1:{}/f", server.port);
    let outcome = fetch(&bench, folder.path(), &[&url]);
    assert_eq!(outcome.status, Some(0), "{outcome}");
    assert_eq!(fs::read(folder.path().join("f")).unwrap(), whole());
    assert_eq!(server.ranges(), ["", "bytes=120000-", "bytes=240000-"]);
}

#[test]
fn without_a_validator_or_a_digest_it_begins_anew() {
    let (bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
    let server = Server::start(120_000, "");
    let url = format!("http://127.0.0.1:{}/f", server.port);
    let outcome = fetch(&bench, folder.path(), &["-t", "1", &url]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert_eq!(server.ranges(), ["", ""]);
    let digest = sha256(&whole());
    let outcome = fetch(&bench, folder.path(), &["--sha256", &digest, &url]);
    assert_eq!(outcome.status, Some(0), "{outcome}");
    assert_eq!(server.ranges().len(), 5);
}

#[test]
fn a_file_appears_only_when_it_is_right() {
    let (bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
    let server = Server::start(SIZE, "");
    let url = format!("http://127.0.0.1:{}/f", server.port);
    let outcome = fetch(&bench, folder.path(), &["-t", "0", "--sha256", &sha256(b"other"), &url]);
    assert_eq!(outcome.status, Some(4), "{outcome}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // What an earlier try left is gone on with.
    fs::write(folder.path().join("f.part"), &whole()[..1000]).unwrap();
    let digest = sha256(&whole());
    let outcome = fetch(&bench, folder.path(), &["-c", "--sha256", &digest, &url]);
    assert_eq!(outcome.status, Some(0), "{outcome}");
    assert_eq!(server.ranges(), ["", "bytes=1000-"]);
    assert_eq!(fs::read(folder.path().join("f")).unwrap(), whole());
    assert!(!folder.path().join("f.part").exists());
}

#[test]
fn a_pin_is_enough_and_nothing_else_is() {
    let (bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
    let mut command = Command::new("/usr/bin/unshare");
    // The certificate is of another name, and nobody signed it. fetch waits for the server by trying again.
    let script = r#"
        cd "$1" && printf hello > f && /usr/sbin/ip link set lo up
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c -days 9 -subj /CN=x 2> /dev/null
        openssl s_server -accept 443 -cert c -key k -WWW > log 2>&1 &
        pin=sha256//$(openssl x509 -in c -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64)
        fetch -q -t 20 -o a --pinnedpubkey "$pin" https://127.0.0.1/f; echo $?
        fetch -q -t 0 -o b --pinnedpubkey sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= https://127.0.0.1/f; echo $?
        fetch -q -t 0 -o b https://127.0.0.1/f; echo $?
        fetch -q -t 0 -o b --cacert c --pinnedpubkey "$pin" https://127.0.0.1/f; echo $?
        fetch -q -t 0 -o c -k https://127.0.0.1/f; echo $?
        kill %1; ls a b c; cat a"#;
    command.args(["-Urn", "/bin/bash", "-c", script, "bash", folder.path().to_str().unwrap()]);
    let outcome = bench.run(command, Duration::from_secs(60));
    assert_eq!(outcome.stdout, "0\n4\n4\n4\n0\na\nc\nhello", "{outcome}");
    assert!(
        outcome.stderr.contains("fetch: https://127.0.0.1/f: public key does not match"),
        "{outcome}"
    );
}
