//! The least memory in which a machine boots from the ISO and runs a script.

use crate::ours::Ours;
use anyhow::{Result, bail};
use qemu_tests::{
    Nic, Vm,
    figure::{Figure, Limit},
    wait::wait_until,
};
use std::{path::Path, time::Duration};

/// MB.
const LIMIT: u32 = 256;

/// Tried downwards, MB.
const SIZES: [u32; 9] = [384, 320, 256, 240, 224, 208, 192, 176, 160];

/// A machine that has not run the script by then does not have enough.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn measure(folder: &Path, ours: &Ours) -> Result<Figure> {
    println!("\nBoot from the ISO by BIOS, with this much memory:");
    let mut least = None;
    for mb in SIZES {
        let works = works(folder, ours, mb)?;
        println!("- {mb} MB: {}", if works { "the script ran" } else { "it did not" });
        if !works {
            break;
        }
        least = Some(mb);
    }
    let Some(least) = least else { bail!("it does not boot in {} MB", SIZES[0]) };
    Ok(Figure {
        name: "least-memory",
        value: f64::from(least),
        unit: "MB",
        limit: Limit::Most(f64::from(LIMIT)),
    })
}

fn works(folder: &Path, ours: &Ours, mb: u32) -> Result<bool> {
    let vm = Vm::in_folder(folder, &format!("memory-{mb}")).cd(&ours.iso).nic(Nic::User).memory(mb);
    let vm = vm.start()?;
    let ran =
        wait_until("the script", PATIENCE, || Ok(vm.console.has("end of marks").then_some(())));
    Ok(ran.is_ok())
}
