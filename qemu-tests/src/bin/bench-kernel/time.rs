//! From power-on to the script's first line, in pairs, by two clocks.

use crate::{Images, MARK, clock};
use anyhow::{Context, Result};
use qemu_tests::{
    accel,
    figure::{Figure, Limit, median},
    wait,
};
use std::{path::Path, time::Instant};

/// Of the default image's time.
const LIMIT: f64 = 0.6;

/// For how long the boot loader waits for a key, seconds. A machine whose clock counts instructions would spend minutes in that
/// second, since it counts them by the million while the loader does nothing but ask for the time: there Enter is pressed, and the
/// second added.
const LOADER: f64 = 1.0;

/// Measures `pairs` pairs by each of two clocks. The figure is the median of the ratios by the clock that counts
/// instructions: by the other, under emulation, most of what is measured is the emulator's translating of code that runs once.
pub(crate) fn measure(images: &Images, pairs: usize) -> Result<Figure> {
    println!(
        "\nSeconds from power-on by BIOS from a CD to the script's first line, of which the boot loader waits {LOADER}.\n\
         Under emulation the clock counts instructions (one a nanosecond) and idle time; in the columns\n\
         \"wall\" it is the host's.\n\n\
         | pair | default | purpose | ratio | default, wall | purpose, wall | ratio, wall |\n|---|---|---|---|---|---|---|"
    );
    let (mut ratios, mut walls) = (Vec::new(), Vec::new());
    for pair in 1..=pairs {
        let sides = [("default", &images.default), ("purpose", &images.purpose)];
        let [default, purpose] =
            sides.map(|(side, iso)| by_instructions(images, &format!("{side}-{pair}"), iso));
        let [default_wall, purpose_wall] =
            sides.map(|(side, iso)| by_wall(images, &format!("{side}-wall-{pair}"), iso));
        let (default, purpose) = (default?, purpose?);
        let (default_wall, purpose_wall) = (default_wall?, purpose_wall?);
        let (ratio, wall) = (purpose / default, purpose_wall / default_wall);
        println!(
            "| {pair} | {default:.2} | {purpose:.2} | {ratio:.3} | {default_wall:.2} | {purpose_wall:.2} | {wall:.3} |"
        );
        ratios.push(ratio);
        walls.push(wall);
    }
    let wall = median(walls).context("nothing was measured")?;
    println!("\nMedian of the ratios by the host's clock: {wall:.3}");
    let value = median(ratios).context("nothing was measured")?;
    Ok(Figure { name: "kernel-boot-ratio", value, unit: "ratio", limit: Limit::Most(LIMIT) })
}

/// By the host's clock where there is no emulation.
fn by_instructions(images: &Images, name: &str, iso: &Path) -> Result<f64> {
    if accel::best() != "tcg" {
        return by_wall(images, name, iso);
    }
    let mut machine = images.machine(name, iso).instruction_clock().start()?;
    machine.expect("boot:", wait::BOOT)?;
    machine.type_line("")?;
    machine.expect(MARK, wait::BOOT)?;
    crate::finish(&mut machine)?;
    Ok(LOADER + clock::seconds(&machine.console.text(), MARK)?)
}

fn by_wall(images: &Images, name: &str, iso: &Path) -> Result<f64> {
    let machine = images.machine(name, iso);
    let begun = Instant::now();
    let mut machine = machine.start()?;
    machine.expect(MARK, wait::BOOT)?;
    let took = begun.elapsed().as_secs_f64();
    crate::finish(&mut machine)?;
    Ok(took)
}
