//! The least memory in which a machine boots from the image and runs a script.

use crate::{Images, MARK};
use anyhow::{Context, Result};
use qemu_tests::{
    figure::{Figure, Limit},
    wait::wait_until,
};
use std::time::Duration;

/// MB.
const LIMIT: f64 = 112.0;

/// Tried downwards, MB.
const SIZES: [u32; 9] = [160, 144, 128, 120, 112, 104, 96, 88, 80];

/// A machine that has not run the script by then does not have enough.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn measure(images: &Images) -> Result<Figure> {
    println!("\nBoot from the purpose-built kernel's image by BIOS, with this much memory:");
    let mut least = None;
    for mb in SIZES {
        let works = works(images, mb)?;
        println!("- {mb} MB: {}", if works { "the script ran" } else { "it did not" });
        if !works {
            break;
        }
        least = Some(mb);
    }
    let least = least.with_context(|| format!("it does not boot in {} MB", SIZES[0]))?;
    Ok(Figure {
        name: "kernel-least-memory",
        value: f64::from(least),
        unit: "MB",
        limit: Limit::Most(LIMIT),
    })
}

fn works(images: &Images, mb: u32) -> Result<bool> {
    let machine = images.machine(&format!("memory-{mb}"), &images.purpose);
    let mut vm = machine.memory(mb).start()?;
    let ran = wait_until("the script", PATIENCE, || Ok(vm.console.has(MARK).then_some(())));
    if ran.is_ok() {
        crate::finish(&mut vm)?;
    }
    Ok(ran.is_ok())
}
