//! Builds the kernel, once for each source, configuration and compiler.

use super::{config, fragments::Options, source::Source};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, IsTerminal, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use xenoboot_image::{cache_folder, kernel::Made, sha256};

/// Files that are compiled, about: what the progress is a part of.
const FILES: u32 = 4030;

/// How often something is said where nobody watches a terminal.
const RARELY: Duration = Duration::from_secs(30);

/// The folder with the kernel; `folder` is for what comes about on the way.
///
/// # Errors
/// When the configuration is not complete, or the build fails: its last lines are said, all are in `build.log`.
pub(super) fn run(folder: &Path, source: &Source, options: &Options) -> Result<PathBuf> {
    let known = format!("{}\n{}\n{}", source.package().sha256, compiler()?, config::text(options));
    let key = sha256(known.as_bytes());
    let cache = cache_folder()?;
    let newest = Made::newest(&cache);
    let done = newest.with_file_name(key.get(..16).unwrap_or(&key));
    if !done.exists() {
        let tree = source.whole(folder)?;
        let out = folder.join("build");
        config::merge(&tree, &out, options)?;
        make(&tree, &out)?;
        Made::keep(&out, source.package(), &done)?;
    }
    // A link that is replaced in one step: an image may be built meanwhile.
    let link = done.with_extension("link");
    let _ = fs::remove_file(&link);
    symlink(done.file_name().unwrap_or_default(), &link)?;
    fs::rename(&link, &newest).with_context(|| newest.display().to_string())?;
    Ok(done)
}

fn compiler() -> Result<String> {
    let out = Command::new("gcc").arg("--version").output().context("gcc")?;
    ensure!(out.status.success(), "gcc --version: {}", out.status);
    Ok(String::from_utf8_lossy(&out.stdout).lines().next().unwrap_or_default().to_owned())
}

fn make(tree: &Path, out: &Path) -> Result<()> {
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let log = out.join("build.log");
    let errors = File::create(out.join("errors.log"))?;
    let mut command = Command::new("make");
    command.arg("-C").arg(tree).arg(format!("O={}", out.display()));
    command.arg(format!("-j{jobs}")).arg("bzImage");
    // What is built on another day, by another person, is the same.
    command.env("KBUILD_BUILD_TIMESTAMP", "@0").env("KBUILD_BUILD_USER", "xenoboot");
    command.env("KBUILD_BUILD_HOST", "xenoboot").env("LC_ALL", "C");
    let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().context("make")?;
    let output = child.stdout.take().context("a pipe was asked for")?;
    follow(BufReader::new(output), &log)?;
    if !child.wait()?.success() {
        let text = fs::read_to_string(out.join("errors.log"))?;
        let last: Vec<_> = text.lines().rev().take(20).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        bail!(
            "the kernel was not built; all that was said is in {}\n{}",
            log.display(),
            last.join("\n")
        );
    }
    Ok(())
}

/// Keeps what make says, and shows how far it is: in the line at hand on a terminal, now and then elsewhere.
fn follow(output: impl BufRead, log: &Path) -> Result<()> {
    let mut log = File::create(log).with_context(|| log.display().to_string())?;
    let terminal = std::io::stderr().is_terminal();
    let start = Instant::now();
    let (mut files, mut said) = (0_u32, Instant::now());
    for line in output.split(b'\n') {
        let line = line?;
        log.write_all(&line)?;
        log.write_all(b"\n")?;
        files += u32::from(is_compiled(&line));
        let pause = if terminal { Duration::from_millis(200) } else { RARELY };
        if said.elapsed() >= pause {
            said = Instant::now();
            let seconds = start.elapsed().as_secs();
            let text = format!(
                "  kernel: {files} of some {FILES} files compiled, {} min {:02} s",
                seconds / 60,
                seconds % 60
            );
            if terminal {
                eprint!("\r{text}");
            } else {
                eprintln!("{text}");
            }
        }
    }
    if terminal {
        eprintln!();
    }
    Ok(())
}

/// Whether make's line says that a file was compiled: `  CC      init/main.o`.
fn is_compiled(line: &[u8]) -> bool {
    line.starts_with(b"  CC ") || line.starts_with(b"  AS ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiled_files_are_counted() {
        assert!(is_compiled(b"  CC      init/main.o"));
        assert!(is_compiled(b"  AS      arch/x86/entry/entry.o"));
        assert!(!is_compiled(b"  AR      init/built-in.a"));
        assert!(!is_compiled(b"make[1]: Entering directory"));
    }
}
