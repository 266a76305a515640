//! A scenario's surroundings: its folder and its place among the machines that run at a time.

use crate::paths;
use anyhow::{Context, Result};
use std::{
    env, fs,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How many scenarios run at a time, unless `$XENOBOOT_VMS` says otherwise.
const PLACES: usize = 2;

/// Lines of a console that are shown when a scenario fails.
const TAIL: usize = 40;

/// A running scenario. Its folder, `target/vm/NAME`, is removed when it has passed and kept when it has
/// failed; then the ends of all consoles and logs in it are printed too.
pub struct Scenario {
    folder: PathBuf,
    passed: bool,
    _place: File,
}

impl Scenario {
    /// Runs `body` in a fresh scenario as soon as there is a place for one more.
    pub fn run(name: &str, body: impl FnOnce(&Scenario) -> Result<()>) -> Result<()> {
        let base = paths::target().join("vm");
        fs::create_dir_all(&base).with_context(|| base.display().to_string())?;
        let place = place(&base)?;
        let folder = base.join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let mut scenario = Self { folder, passed: false, _place: place };
        let result = body(&scenario);
        scenario.passed = result.is_ok();
        result
    }

    /// The scenario's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path inside the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        if self.passed && env::var_os("XENOBOOT_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.folder);
            return;
        }
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut logs: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "serial" || e == "log"))
            .collect();
        logs.sort();
        for log in logs.iter().filter(|_| !self.passed) {
            eprintln!("---- the end of {}", log.display());
            eprintln!("{}", tail(log, TAIL));
        }
        eprintln!("---- kept: {}", self.folder.display());
    }
}

/// The last lines of a file, with what is not text replaced.
#[must_use]
pub fn tail(path: &Path, lines: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).replace('\r', "");
    let all: Vec<_> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

/// Waits for one of the places. Test runners start each scenario in a process of its own, so the places
/// are locked files; the kernel gives a place back however its holder ends.
fn place(base: &Path) -> Result<File> {
    let places = env::var("XENOBOOT_VMS").ok().and_then(|n| n.parse().ok()).unwrap_or(PLACES);
    loop {
        for number in 0..places {
            let path = base.join(format!(".place-{number}"));
            let file = File::create(&path).with_context(|| path.display().to_string())?;
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error).context("locking a place"),
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
}
