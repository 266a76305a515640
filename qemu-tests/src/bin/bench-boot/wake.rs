//! How long an assignment takes to reach a machine that waits: from the start of `xenoboot assign` to the
//! machine's line that says that it verifies the bundle.

use crate::{ours::Ours, stamps::COMMAND_LINE};
use anyhow::{Context, Result};
use qemu_tests::{
    Bundle, Nic,
    figure::{Figure, Limit, median},
    wait,
};
use std::time::Instant;

/// Seconds.
const LIMIT: f64 = 2.0;

const RUNS: usize = 5;

pub(crate) fn measure(ours: &Ours) -> Result<Figure> {
    let mut vm = ours.direct("wake", &ours.iso, COMMAND_LINE)?.nic(Nic::User).start()?;
    vm.expect("phase wait", wait::BOOT)?;
    println!("\nSeconds from `xenoboot assign` to a machine that waits:");
    let mut times = Vec::new();
    for run in 1..=RUNS {
        let name = format!("wake-{run}");
        ours.operator.push(&Bundle::new(&name, "true"))?;
        let start = Instant::now();
        ours.operator.run(&["assign", &name, "--default"])?;
        vm.expect("phase verify", wait::RETRY)?;
        let time = start.elapsed().as_secs_f64();
        println!("- {time:.2}");
        times.push(time);
        vm.expect("phase wait", wait::RETRY)?;
    }
    let value = median(times).context("nothing was measured")?;
    Ok(Figure { name: "assign-to-machine", value, unit: "s", limit: Limit::Most(LIMIT) })
}
