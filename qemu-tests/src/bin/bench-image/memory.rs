//! The most memory that `xb image` needs, for images of several sizes; natively, by the program that is in the image.

use anyhow::{Context, Result, ensure};
use qemu_tests::figure::{Figure, Limit};
use std::{
    env,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// MB.
const LIMIT: f64 = 128.0;

/// Name, size, how much of it is data, and chunks of how many KiB.
const CASES: [(&str, u64, u64, u64); 3] = [
    ("64 MiB", 64 << 20, 64 << 20, 1024),
    ("1 TiB", 1 << 40, 512 << 20, 1024),
    ("1 TiB in chunks of 16 MiB", 1 << 40, 512 << 20, 16384),
];

pub(crate) fn measure(folder: &Path) -> Result<Vec<Figure>> {
    let toolkit = env::var("XENOBOOT_TOOLKIT").context("XENOBOOT_TOOLKIT")?;
    println!(
        "\nMost memory, MB:\n\n| image | capture, zstd 3 | capture, zstd 19 | write |\n|---|---|---|---|"
    );
    let (mut writing, mut capturing) = (0.0, 0.0);
    for (number, (name, size, data, chunk)) in CASES.into_iter().enumerate() {
        let folder = folder.join(format!("memory-{number}"));
        fs::create_dir(&folder)?;
        let at = |file: &str| folder.join(file).display().to_string();
        disk(Path::new(&at("disk")), size, data)?;
        File::create(at("target"))?.set_len(size)?;
        let run = |words: &[&str]| peak(Command::new(&toolkit).args(["xb", "image"]).args(words));
        let chunk = chunk.to_string();
        let options = ["capture", "-q", "--json", "--whole", "--chunk-size", &chunk, "--level"];
        let (disk, other, www, target) = (at("disk"), at("other"), at("www"), at("target"));
        let (close, _) = run(&[&options[..], &["19", &disk, &other]].concat())?;
        let (quick, said) = run(&[&options[..], &["3", &disk, &www]].concat())?;
        let (_, digest) = said.split_once("\"sha256\":\"").context("no digest")?;
        let digest = digest.get(..64).context("no digest")?;
        let source = format!("{www}/image.xbi");
        let (written, _) = run(&["write", "-q", "--sha256", digest, "--disk", &target, &source])?;
        println!("| {name} | {quick:.1} | {close:.1} | {written:.1} |");
        writing = written.max(writing);
        capturing = quick.max(close).max(capturing);
        fs::remove_dir_all(&folder)?;
    }
    let figure = |name, value| Figure { name, value, unit: "MB", limit: Limit::Most(LIMIT) };
    Ok(vec![figure("image-memory", writing), figure("image-capture-memory", capturing)])
}

/// A disk whose data, which hardly compresses, is spread over all of it; the rest was never written.
fn disk(path: &Path, size: u64, data: u64) -> Result<()> {
    let file = File::create(path)?;
    file.set_len(size)?;
    let (mut state, mut piece) = (1_u64, vec![0; 1 << 20]);
    let pieces = data >> 20;
    for number in 0..pieces {
        for byte in &mut piece {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = state.to_be_bytes()[0] & 0x7f;
        }
        file.write_all_at(&piece, size / pieces * number)?;
    }
    Ok(())
}

/// Runs a command; the most memory that it had resident, MB, and what it printed.
fn peak(command: &mut Command) -> Result<(f64, String)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut most = 0.0_f64;
    while child.try_wait()?.is_none() {
        most = most.max(resident(&child));
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    ensure!(most > 0.0, "{command:?} was too quick to be watched");
    Ok((most, String::from_utf8(output.stdout)?))
}

/// The most so far.
fn resident(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) * 1024.0 / 1e6
}
