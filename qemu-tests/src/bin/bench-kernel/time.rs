//! From power-on to the script's first line, in pairs.

use crate::{Images, MARK};
use anyhow::{Context, Result};
use qemu_tests::{
    figure::{Figure, Limit, median},
    wait,
};
use std::{path::Path, time::Instant};

/// Of the default image's time.
const LIMIT: f64 = 0.6;

pub(crate) fn measure(images: &Images, pairs: usize) -> Result<Figure> {
    println!(
        "\nSeconds from power-on by BIOS from a CD to the script's first line:\n\n\
         | pair | default | purpose | ratio |\n|---|---|---|---|"
    );
    let mut ratios = Vec::new();
    for pair in 1..=pairs {
        let default = once(images, &format!("default-{pair}"), &images.default)?;
        let purpose = once(images, &format!("purpose-{pair}"), &images.purpose)?;
        println!("| {pair} | {default:.2} | {purpose:.2} | {:.3} |", purpose / default);
        ratios.push(purpose / default);
    }
    let value = median(ratios).context("nothing was measured")?;
    Ok(Figure { name: "kernel-boot-ratio", value, unit: "ratio", limit: Limit::Most(LIMIT) })
}

fn once(images: &Images, name: &str, iso: &Path) -> Result<f64> {
    let machine = images.machine(name, iso);
    let begun = Instant::now();
    let mut machine = machine.start()?;
    machine.expect(MARK, wait::BOOT)?;
    let took = begun.elapsed().as_secs_f64();
    crate::finish(&mut machine)?;
    Ok(took)
}
