//! A PostgreSQL for the server's tests and measurements: new, reached by a socket in a folder of its own, gone when they have ended.

use crate::run::check;
use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Where Debian has them, a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Longer than it takes to start, even on a busy computer.
const SOON: Duration = Duration::from_secs(60);

/// Of what is asked by tests nothing must outlive them, so it need not wait for the disk. What the server asks of it stays as
/// it is.
const FOR_TESTS: [&str; 4] =
    ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB"];

/// One that runs.
pub(crate) struct Postgres {
    folder: PathBuf,
    process: Option<Child>,
}

impl Postgres {
    /// Starts one that does not wait for the disk.
    pub(crate) fn start() -> Result<Self> {
        Self::start_with(&FOR_TESTS)
    }

    /// Starts one as it is by default, for measurements.
    pub(crate) fn start_durable() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The superuser PostgreSQL does not run for: for root it runs as `postgres`, which its package makes.
    fn start_with(settings: &[&str]) -> Result<Self> {
        let programs = newest()?;
        // A socket's path is short: not in the folder of what is built.
        let folder = env::temp_dir().join(format!("xenoboot-postgres-{}", process::id()));
        let root = is_root()?;
        let owner: &[&str] = if root { &["-o", "postgres"] } else { &[] };
        check(Command::new("install").args(["-d", "-m", "700"]).args(owner).arg(&folder))?;
        let mut postgres = Self { folder, process: None };
        let data = postgres.folder.join("data");
        let initdb =
            ["-U", "xenoboot", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        let mut initdb_command = as_user(root, &programs.join("initdb"));
        check(initdb_command.args(initdb).arg("-D").arg(&data).stdout(Stdio::null()))?;
        let mut server = as_user(root, &programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(&postgres.folder);
        for setting in ["listen_addresses="].iter().chain(settings) {
            server.args(["-c", setting]);
        }
        let log = fs::File::create(env::temp_dir().join(format!("{}.log", postgres.name())))?;
        let server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        postgres.process = Some(server.spawn().context("postgres")?);
        postgres.wait()?;
        Ok(postgres)
    }

    fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn wait(&self) -> Result<()> {
        let until = Instant::now() + SOON;
        let ready = || {
            let mut ask = Command::new("psql");
            ask.args(["-Xqc", "SELECT 1"]).arg(format!("{}/postgres", self.url()));
            check(ask.stdout(Stdio::null()).stderr(Stdio::null())).is_ok()
        };
        while !ready() {
            if Instant::now() > until {
                let log = env::temp_dir().join(format!("{}.log", self.name()));
                let log = fs::read_to_string(log).unwrap_or_default();
                bail!("PostgreSQL does not start: {}", log.trim_end());
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Where it is; a slash and the name of a database follow.
    pub(crate) fn url(&self) -> String {
        let folder = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgresql://xenoboot@{folder}")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let pid = process.id().to_string();
            // At once; there is nothing to keep.
            let stop = check(Command::new("kill").args(["-QUIT", &pid]));
            if stop.and_then(|()| Ok(process.wait()?)).is_err() {
                eprintln!("PostgreSQL, process {pid}, does not end");
            }
        }
        let _ = fs::remove_file(env::temp_dir().join(format!("{}.log", self.name())));
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A program as the user that may run it, which ends with us.
fn as_user(root: bool, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if root {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program).current_dir("/");
    command
}

/// The programs of the newest version that is installed.
fn newest() -> Result<PathBuf> {
    let versions = fs::read_dir(VERSIONS).with_context(|| VERSIONS.to_owned())?;
    let mut versions: Vec<u32> = versions
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|version: &u32| programs(*version).join("initdb").exists())
        .collect();
    versions.sort_unstable();
    let newest = versions.pop().with_context(|| format!("no PostgreSQL in {VERSIONS}"))?;
    Ok(programs(newest))
}

fn programs(version: u32) -> PathBuf {
    Path::new(VERSIONS).join(version.to_string()).join("bin")
}

fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output().context("id")?;
    Ok(id.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_for_any_user_and_is_gone_afterwards() {
        let postgres = Postgres::start().unwrap();
        let (folder, url) = (postgres.folder.clone(), format!("{}/postgres", postgres.url()));
        let ask = || Command::new("psql").args(["-XAtc", "SELECT 6 * 7", &url]).output().unwrap();
        assert_eq!(ask().stdout, b"42\n");
        let log = env::temp_dir().join(format!("{}.log", postgres.name()));
        assert!(folder.exists() && log.exists());
        drop(postgres);
        assert!(!folder.exists() && !log.exists() && !ask().status.success());
    }
}
