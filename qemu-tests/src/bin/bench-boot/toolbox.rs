//! What the toolbox on the medium costs a script that does not need it: the same machine with either image in its
//! drive, in pairs.

use crate::{
    ours::Ours,
    stamps::{self, COMMAND_LINE},
};
use anyhow::{Context, Result};
use qemu_tests::{
    Nic,
    figure::{Figure, Limit, median},
};
use std::path::Path;

/// The same, but for what the clock itself varies by.
const LIMIT: f64 = 1.05;

/// Measures `pairs` pairs by the clock that counts instructions.
pub(crate) fn measure(ours: &Ours, pairs: usize) -> Result<Figure> {
    let whole = ours.operator.image_of_with_toolbox("bench")?;
    println!(
        "\nMilliseconds to the script's first line, with the image in the machine's drive:\n\n\
         | pair | without the toolbox | with it | ratio |\n|---|---|---|---|"
    );
    let mut ratios = Vec::new();
    for pair in 1..=pairs {
        let without = once(ours, &format!("without-{pair}"), &ours.iso)?;
        let with = once(ours, &format!("with-{pair}"), &whole)?;
        println!("| {pair} | {without:.0} | {with:.0} | {:.3} |", with / without);
        ratios.push(with / without);
    }
    let value = median(ratios).context("nothing was measured")?;
    Ok(Figure { name: "toolbox-ratio", value, unit: "ratio", limit: Limit::Most(LIMIT) })
}

fn once(ours: &Ours, name: &str, iso: &Path) -> Result<f64> {
    let machine = ours.direct(name, iso, COMMAND_LINE)?.cd(iso).nic(Nic::User);
    stamps::wait(&mut machine.instruction_clock().start()?)
}
