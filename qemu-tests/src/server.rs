//! The real server, `xenoboot serve`, as a process that a scenario can kill and start again.

use crate::{paths, wait};
use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A running server. Dropped, it is killed.
pub struct Server {
    folder: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    /// Where it listens, on the host's loopback.
    pub address: SocketAddr,
    /// Its pin, `sha256//...`.
    pub pin: String,
}

impl Server {
    /// Starts a server with its data in `folder`, on a free port of the loopback.
    pub fn start(folder: &Path) -> Result<Self> {
        let log = folder.with_extension("log");
        let mut server = Self {
            folder: folder.to_path_buf(),
            log,
            child: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            pin: String::new(),
        };
        server.start_again()?;
        Ok(server)
    }

    /// Starts it again after [`Server::kill`], on the same port.
    pub fn start_again(&mut self) -> Result<()> {
        self.kill();
        let ready = self.log.with_extension("ready");
        let log = File::options().create(true).append(true).open(&self.log)?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(paths::cli()?)
            .args(["serve", "--json", "--listen", &self.address.to_string()])
            .arg(&self.folder)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(File::create(&ready)?)
            .stderr(log)
            .spawn()
            .context("xenoboot serve")?;
        let child = self.child.insert(child);
        let line = wait::wait_until("the server to listen", wait::SOON, || {
            ensure!(child.try_wait()?.is_none(), "the server ended, see {}", self.log.display());
            let text = fs::read_to_string(&ready)?;
            Ok(text.split_once('\n').map(|(line, _)| line.to_owned()))
        })?;
        let said: Value = serde_json::from_str(&line).context(line)?;
        let text = |key| {
            said.get(key).and_then(Value::as_str).with_context(|| format!("serve said no {key}"))
        };
        let url = text("url")?;
        self.address = url.trim_start_matches("https://").parse().context(url.to_owned())?;
        text("pin")?.clone_into(&mut self.pin);
        Ok(())
    }

    /// Kills it with SIGKILL, in the middle of whatever it does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait();
        }
    }

    /// A line of its `/proc/PID/status`, such as `VmRSS`, in MB.
    ///
    /// # Errors
    /// When it does not run.
    pub fn memory(&self, line: &str) -> Result<f64> {
        let id = self.child.as_ref().context("the server does not run")?.id();
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let kib = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
        let kib = kib.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u32>().ok());
        Ok(f64::from(kib.with_context(|| format!("no {line} in its status"))?) * 1024.0 / 1e6)
    }

    /// Its data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the operator's commands need to reach it.
    #[must_use]
    pub fn operator_file(&self) -> PathBuf {
        self.folder.join("operator.toml")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
