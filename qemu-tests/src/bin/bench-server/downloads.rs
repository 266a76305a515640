//! A bundle fetched again and again, from the server and from Debian's nginx with the same key, protocol and file.

use super::{Fleet, failures, number};
use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Operator,
    figure::{Figure, Limit, median},
    programs,
    wait::{SOON, wait_until},
};
use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use xenoboot_wire::Digest;

/// How many machines fetch, and how often it is measured.
const MACHINES: &str = "8";
const TIMES: usize = 3;
const EACH: &str = "8s";

/// Debian's nginx. Dropped, it is stopped.
struct Nginx {
    child: Child,
    url: String,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Not SIGKILL, which would leave its workers behind.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Downloads per second by those of nginx.
pub(super) fn measure(operator: &Operator) -> Result<Figure> {
    let file = bundle(operator)?;
    let envelope = fs::read(&file)?;
    let path = format!("/machine/v1/bundle/{}", Digest::of(&envelope));
    let nginx = start(operator, &path, &envelope)?;
    let ours = format!("https://{}", operator.server.address);
    println!("downloads of {} bytes by {MACHINES} machines, a second:", envelope.len());
    // The machines must be known, which they are when they have asked what to do.
    let first = ["--machines", MACHINES, "--enrol", "--runs", "1", "--for", "60s"];
    Fleet::start(operator, &first)?.summary()?;
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        us.push(rate(operator, &ours, &path)?);
        them.push(rate(operator, &nginx.url, &path)?);
    }
    println!("the server: {us:.0?}; nginx: {them:.0?}");
    let value = median(us).context("nothing")? / median(them).context("nothing")?;
    Ok(Figure { name: "downloads", value, unit: "ratio", limit: Limit::Least(0.5) })
}

/// One as large as is sent in one piece, of bytes that do not compress.
fn bundle(operator: &Operator) -> Result<PathBuf> {
    let mut bundle = Bundle::new("download", "echo hello");
    for name in ["a", "b", "c"] {
        let part = operator.folder().join(name);
        let mut bytes = Vec::new();
        while bytes.len() < 60 << 10 {
            bytes.extend(Digest::of(format!("{name}{}", bytes.len()).as_bytes()).0);
        }
        fs::write(&part, bytes)?;
        bundle = bundle.file(name, &part);
    }
    operator.order(&bundle)?;
    Ok(operator.folder().join("download.bundle"))
}

fn rate(operator: &Operator, url: &str, path: &str) -> Result<f64> {
    let pin = &operator.server.pin;
    let words = ["--machines", MACHINES, "--server", url, "--pin", pin];
    let summary =
        Fleet::start(operator, &[&words[..], &["--download", path, "--for", EACH]].concat())?;
    let summary = summary.summary()?;
    ensure!(failures(&summary) < 1.0, "downloads from {url} failed: {summary}");
    Ok(number(&summary, "/latencies/download/count")? / number(&summary, "/seconds")?)
}

fn start(operator: &Operator, path: &str, envelope: &[u8]) -> Result<Nginx> {
    let folder = operator.folder().join("nginx");
    let (tree, root) = (folder.join("tree"), folder.join("root"));
    programs::unpack(&["nginx"], &tree)?;
    let file = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(file.parent().unwrap_or(&root))?;
    fs::write(&file, envelope)?;
    // The server's own key, so that its pin is right for both.
    let key = fs::read_to_string(operator.server.folder().join("server.key"))?;
    let certificate = CertificateParams::default().self_signed(&KeyPair::from_pem(&key)?)?;
    fs::write(folder.join("key.pem"), key)?;
    fs::write(folder.join("cert.pem"), certificate.pem())?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    fs::write(folder.join("nginx.conf"), configuration(&folder, &root, port))?;
    let libraries = tree.join("usr/lib/x86_64-linux-gnu");
    let mut command = Command::new(programs::loader(&tree));
    command.arg("--library-path").arg(libraries).arg(tree.join("usr/sbin/nginx"));
    command.arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
    let log = File::create(folder.join("log"))?;
    let mut child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    wait_until("nginx to listen", SOON, || {
        ensure!(child.try_wait()?.is_none(), "nginx ended, see {}", folder.join("log").display());
        Ok(TcpStream::connect(("127.0.0.1", port)).ok())
    })?;
    Ok(Nginx { child, url: format!("https://127.0.0.1:{port}") })
}

/// TLS as the server has it: 1.3 alone, client certificates that are not looked at, no tickets.
fn configuration(folder: &Path, root: &Path, port: u16) -> String {
    let (folder, root) = (folder.display(), root.display());
    format!(
        "daemon off;\nuser root;\nworker_processes auto;\npid {folder}/pid;\nerror_log stderr;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 1000000000;\n\
         \x20 client_body_temp_path {folder}/t1;\n  proxy_temp_path {folder}/t2;\n  fastcgi_temp_path {folder}/t3;\n\
         \x20 uwsgi_temp_path {folder}/t4;\n  scgi_temp_path {folder}/t5;\n\
         \x20 server {{\n    listen 127.0.0.1:{port} ssl;\n    http2 on;\n    root {root};\n\
         \x20   ssl_certificate {folder}/cert.pem;\n    ssl_certificate_key {folder}/key.pem;\n\
         \x20   ssl_protocols TLSv1.3;\n    ssl_session_tickets off;\n    ssl_verify_client optional_no_ca;\n  }}\n}}\n"
    )
}
