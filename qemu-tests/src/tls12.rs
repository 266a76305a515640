//! A server that speaks TLS 1.2 at most: OpenSSL's.

use crate::wait::{self, wait_until};
use anyhow::{Context, Result, ensure};
use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

/// A running server. Dropped, it is killed.
pub struct Tls12 {
    child: Child,
    port: u16,
}

impl Tls12 {
    /// Starts it on `port` of the loopback; 0 for a free one. Its key and log lie in `folder`.
    pub fn start(folder: &Path, port: u16) -> Result<Self> {
        let at = |name: &str| folder.join(name);
        let made = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=old",
            ])
            .arg("-keyout")
            .arg(at("tls12.key"))
            .arg("-out")
            .arg(at("tls12.crt"))
            .output()
            .context("openssl req")?;
        ensure!(made.status.success(), "openssl req: {}", String::from_utf8_lossy(&made.stderr));
        let log = at("tls12.log");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "openssl", "s_server", "-tls1_2", "-www"])
            .args(["-accept", &format!("127.0.0.1:{port}"), "-key"])
            .arg(at("tls12.key"))
            .arg("-cert")
            .arg(at("tls12.crt"))
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::create(at("tls12.errors"))?)
            .spawn()
            .context("openssl s_server")?;
        let mut server = Self { child, port };
        server.port = wait_until("openssl s_server to listen", wait::SOON, || {
            let text = fs::read_to_string(&log)?;
            let line = text.lines().find_map(|line| line.strip_prefix("ACCEPT "));
            Ok(line.and_then(|line| line.rsplit(':').next()?.trim().parse().ok()))
        })?;
        Ok(server)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Tls12 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_tls_1_2_and_nothing_newer() {
        let folder = tempfile::tempdir().unwrap();
        let server = Tls12::start(folder.path(), 0).unwrap();
        let client = |version: &str| {
            let output = Command::new("openssl")
                .args(["s_client", "-connect", &format!("127.0.0.1:{}", server.port()), version])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            String::from_utf8_lossy(&output.stdout).contains("BEGIN CERTIFICATE")
        };
        assert!(client("-tls1_2"));
        assert!(!client("-tls1_3"));
    }
}
