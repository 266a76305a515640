//! `cargo xtask bench kernel`: an image with the kernel that is made for this one purpose beside one with Debian's: how
//! long from power-on to the script, the least memory, the size.

mod clock;
mod memory;
mod time;

use anyhow::{Context, Result};
use qemu_tests::{
    Bundle, Nic, Operator, Vm, VmBuilder,
    bench::{self, Choice},
    figure::{Figure, Limit},
    paths, wait,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What can be measured.
const KINDS: &str = "time|memory|size";
/// How often, unless it is said.
const PAIRS: usize = 5;
/// MB of the image without a toolbox.
const LARGEST: f64 = 32.0;
/// What the script says, and then how long the machine has been on.
const MARK: &str = "the script's first line at";

fn main() -> ExitCode {
    bench::end(run())
}

/// Two images for the same machine, which has an assignment.
struct Images {
    folder: PathBuf,
    /// Serves both.
    _operator: Operator,
    default: PathBuf,
    purpose: PathBuf,
}

impl Images {
    fn prepare(folder: &Path) -> Result<Self> {
        let operator = Operator::in_folder(folder)?;
        let clock = folder.join("clock");
        fs::write(&clock, clock::program())?;
        let script = format!("echo \"{MARK}$(./clock | od -A n -t u8)\"");
        operator.order(&Bundle::new("mark", &script).file("clock", clock))?;
        operator.approve_key(&operator.new_machine("bench")?, "bench")?;
        let default = operator.image_of_from(&paths::iso()?, "default", "bench")?;
        let purpose = operator.image_of_from(&paths::purpose_iso()?, "purpose", "bench")?;
        Ok(Self { folder: folder.to_path_buf(), _operator: operator, default, purpose })
    }

    /// A machine with `iso` in its drive.
    fn machine(&self, name: &str, iso: &Path) -> VmBuilder {
        Vm::in_folder(&self.folder, name).cd(iso).nic(Nic::User)
    }
}

/// Waits until the machine has reported that its script succeeded. One that is lost in the middle of it three times gets no
/// fourth.
fn finish(machine: &mut Vm) -> Result<()> {
    machine.expect("phase act", wait::SOON).map(drop)
}

fn run() -> Result<Vec<Figure>> {
    let choice = Choice::of_arguments(KINDS, PAIRS)?;
    let folder = bench::folder("bench-kernel")?;
    let images = Images::prepare(&folder)?;
    let mut figures = Vec::new();
    if choice.wants("time") {
        figures.push(time::measure(&images, choice.pairs)?);
    }
    if choice.wants("memory") {
        figures.push(memory::measure(&images)?);
    }
    if choice.wants("size") {
        figures.push(size(&paths::purpose_iso()?)?);
    }
    Ok(figures)
}

fn size(iso: &Path) -> Result<Figure> {
    let bytes = fs::metadata(iso).with_context(|| iso.display().to_string())?.len();
    let value = bytes as f64 / 1e6;
    Ok(Figure { name: "kernel-image-size", value, unit: "MB", limit: Limit::Most(LARGEST) })
}
