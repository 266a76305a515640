//! `cargo xtask bench toolkit`: the toolkit's commands beside busybox's, in turns, on the same files. A
//! figure is the ratio of the quickest runs; the limit is 1 but for xz, bzip2 and the shell's loop. And how large
//! init, agent and toolkit are as the image has them.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    bench,
    figure::{Figure, Limit},
};
use std::{
    env,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Instant,
};
use xenoboot_image::{apt::Apt, cache_folder};

/// Figure, what is run, and how many times the peer's time it may take. `{out}` is a fresh folder.
const CASES: &[(&str, &str, f64)] = &[
    ("sha256sum", "sha256sum data", 1.0),
    ("grep", "grep -c v00008086d text", 1.0),
    ("grep-regex", "grep -cE (pci|usb):v0+[0-9A-F]*8[0-9]+d text", 1.0),
    ("sort", "sort text", 1.0),
    ("tar-x", "tar -xf tree.tar -C {out}", 1.0),
    ("gzip-d", "gzip -dc data.gz", 1.0),
    ("zstd-d", "zstd -dcq data.zst", 1.0),
    // Decoders in Rust, with their checks of every index: a little behind those in C. busybox's own of bzip2 is quicker than
    // the original too.
    ("xz-d", "xz -dc data.xz", 1.1),
    ("bzip2-d", "bzip2 -dc data.bz2", 1.5),
    ("dd", "dd if=data of={out}/data bs=64k", 1.0),
    ("find", "find tree -type f -name *.xz", 1.0),
    ("sed", "sed s/v0000\\([0-9A-F]*\\)/<\\1>/g text", 1.0),
    // Everybody's loops are written for the shell's own sake; this one is worked on.
    ("shell-loop", "sh loop.sh", 20.0),
];

const LOOP: &str = "i=0\nwhile [ $i -lt 100000 ]; do i=$((i + 1)); done\n";

/// How often each is run.
const RUNS: usize = 15;

/// Where commands write, if it is there: in memory, so that what else the disk has to do does not count.
const SCRATCH: &str = "/dev/shm";

fn main() -> ExitCode {
    bench::end(run())
}

fn run() -> Result<Vec<Figure>> {
    let only = env::args().nth(1);
    let toolkit = PathBuf::from(env::var_os("XENOBOOT_TOOLKIT").context("XENOBOOT_TOOLKIT")?);
    let folder = bench::folder("bench-toolkit")?;
    let busybox = prepare(&folder)?;
    println!("{:<12} {:>9} {:>9} {:>7}", "command", "toolkit", "busybox", "ratio");
    let mut figures = Vec::new();
    for (name, line, limit) in CASES {
        if only.as_deref().is_some_and(|only| only != *name) {
            continue;
        }
        // Not in busybox: Debian's own, which is written in C with assembly.
        let peer = (*name != "zstd-d").then_some(busybox.as_path());
        let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..RUNS {
            ours = ours.min(time(&folder, Some(&toolkit), line)?);
            theirs = theirs.min(time(&folder, peer, line)?);
        }
        let value = ours / theirs;
        println!("{name:<12} {ours:>7.3} s {theirs:>7.3} s {value:>7.2}");
        figures.push(Figure { name, value, unit: "ratio", limit: Limit::Most(*limit) });
    }
    if only.as_deref().is_none_or(|only| only == "programs") {
        let value = programs(toolkit.parent().context("the toolkit is in no folder")?)?;
        figures.push(Figure { name: "programs", value, unit: "MB", limit: Limit::Most(9.0) });
    }
    ensure!(!figures.is_empty(), "no such command is measured");
    Ok(figures)
}

/// Init, agent and toolkit together, in 10^6 bytes, compressed as one, as in the initramfs.
fn programs(folder: &Path) -> Result<f64> {
    println!();
    let packed = |names: &str| -> Result<f64> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("cat {names} | zstd -19 -qc")).current_dir(folder);
        let packed = shell.output()?;
        ensure!(packed.status.success(), "zstd of {names}: {}", packed.status);
        Ok(f64::from(u32::try_from(packed.stdout.len())?) / 1e6)
    };
    for name in ["init", "agent", "toolkit"] {
        println!("{name:<12} {:>7.2} MB compressed by itself", packed(name)?);
    }
    packed("init agent toolkit")
}

/// Makes the files that the commands work on, from the packages of the kernel; returns busybox.
fn prepare(folder: &Path) -> Result<PathBuf> {
    let apt = Apt::new(&cache_folder()?.join("apt"))?;
    apt.update()?;
    let package = |name: &str| -> Result<PathBuf> {
        let found = apt.closure(&[name], &[])?;
        // The package that stands for the newest kernel has no files; what it needs has.
        let found = found
            .iter()
            .find(|package| package.name == name || package.name.starts_with("linux-image-6"));
        apt.unpack(found.with_context(|| format!("no package {name}"))?)
    };
    let kernel = package("linux-image-amd64")?;
    let modules = kernel.join("usr/lib/modules");
    let release = fs::read_dir(&modules).with_context(|| modules.display().to_string())?;
    let release = release.flatten().next().context("the kernel has no modules")?.path();
    shell(
        folder,
        &format!("cp -a {}/kernel/drivers tree && tar -cf tree.tar tree", release.display()),
    )?;
    let source = Command::new("depmod")
        .arg("-n")
        .arg("-b")
        .arg(kernel.join("usr"))
        .arg(release.file_name().context("a release has a name")?)
        .stderr(Stdio::null())
        .output()
        .context("cannot run depmod")?;
    let mut text = File::create(folder.join("text"))?;
    for _ in 0..10 {
        text.write_all(&source.stdout)?;
    }
    fs::write(folder.join("loop.sh"), LOOP)?;
    shell(
        folder,
        "find tree -name '*.xz' | sort > list; head -n 500 list | xargs xz -dc > data
        gzip -k data; bzip2 -k data; zstd -q -k data; xz -k -T0 -1 data",
    )?;
    Ok(package("busybox-static")?.join("usr/bin/busybox"))
}

fn shell(folder: &Path, script: &str) -> Result<()> {
    let status = Command::new("sh").args(["-ec", script]).current_dir(folder).status()?;
    ensure!(status.success(), "{script}: {status}");
    Ok(())
}

/// Seconds that a command takes; `binary` is one that holds many commands, or none.
fn time(folder: &Path, binary: Option<&Path>, line: &str) -> Result<f64> {
    let memory = Path::new(SCRATCH);
    let out = tempfile::tempdir_in(if memory.is_dir() { memory } else { folder })?;
    let line = line.replace("{out}", &out.path().to_string_lossy());
    let mut words = line.split(' ');
    let mut command = match binary {
        Some(binary) => Command::new(binary),
        None => Command::new(words.next().unwrap_or_default()),
    };
    command.args(words).current_dir(folder).env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let output = command.output().with_context(|| format!("cannot run {line}"))?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(seconds)
}
