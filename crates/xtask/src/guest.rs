//! The static programs that run on the machine.

use crate::{
    licences,
    run::{cargo, check, target},
};
use anyhow::{Context, Result, anyhow};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    thread::{self, JoinHandle},
};

/// Naming the target keeps the flags for a static binary away from build scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";

const PROGRAMS: &[&str] = &["xenoboot-init", "xenoboot-agent", "xenoboot-toolkit"];

/// Static, and without what does not serve a program that is: its place is fixed, nothing unwinds it, and functions
/// that are alike are one.
const FLAGS: &str = "-C target-feature=+crt-static -C relocation-model=static -C force-unwind-tables=no \
                     -C link-arg=-Wl,--icf=all";
const C_FLAGS: &str = "-fno-asynchronous-unwind-tables -fno-unwind-tables";

/// Where they are.
pub(crate) fn folder(root: &Path) -> PathBuf {
    target(root).join(TARGET).join("guest")
}

/// Builds init, agent and toolkit, and lists what they are made of. Each by itself: built together, they would share the union of the
/// features that each asks of a crate.
pub(crate) fn build(root: &Path) -> Result<()> {
    build_by(root, check)
}

fn build_by(root: &Path, run: impl Fn(&mut Command) -> Result<()>) -> Result<()> {
    for package in PROGRAMS {
        run(cargo(root, &["build", "--profile", "guest", "--target", TARGET, "-p", package])
            .env("RUSTFLAGS", FLAGS)
            .env("CFLAGS_x86_64_unknown_linux_gnu", C_FLAGS)
            // uutils takes its messages for the language of whoever builds.
            .env("LANG", "C"))?;
    }
    let path = folder(root).join(xenoboot_image::build::CRATES);
    fs::write(&path, licences::collect(root, TARGET, PROGRAMS)?)
        .with_context(|| path.display().to_string())
}

/// [`build`] beside other work, which it hardly slows down: the longest part, the optimization of a whole program, uses one
/// processor. Folders of a profile's own keep cargo's locks apart.
pub(crate) struct Background {
    thread: JoinHandle<Result<()>>,
    log: PathBuf,
}

impl Background {
    pub(crate) fn start(root: &Path) -> Result<Self> {
        fs::create_dir_all(target(root))?;
        let log = target(root).join("guest-build.log");
        let out = File::create(&log).with_context(|| log.display().to_string())?;
        let root = root.to_path_buf();
        let run = move |command: &mut Command| {
            check(command.stdout(out.try_clone()?).stderr(out.try_clone()?))
        };
        Ok(Self { thread: thread::spawn(move || build_by(&root, run)), log })
    }

    /// Waits for it. When it failed, prints what cargo said.
    pub(crate) fn finish(self) -> Result<()> {
        let done = self.thread.join().map_err(|_| anyhow!("the build panicked"))?;
        if done.is_err() {
            print!("{}", fs::read_to_string(&self.log)?);
        }
        done
    }
}
