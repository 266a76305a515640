//! `xenoboot machine explain`: why a machine gets what it gets.

use super::show::said;
use crate::{
    operator::text::{self, shown},
    ui::Output,
};
use std::io::{self, Write};
use xenoboot_server::api::{Explanation, Verdict};

/// Prints it, step by step.
pub(super) fn print(explanation: &Explanation, output: &Output) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if output.json {
        writeln!(out, "{}", text::json(explanation)?)?;
        return Ok(());
    }
    for (number, step) in explanation.steps.iter().enumerate() {
        let mark = match step.verdict {
            Verdict::InForce => "=>",
            Verdict::Overridden => "  ",
            Verdict::Passed => " -",
            Verdict::Note => " *",
        };
        writeln!(out, "{:>2}. {mark} {}: {}", number + 1, shown(&step.what), shown(&step.why))?;
    }
    let Explanation { machine, order, generation, observed, .. } = explanation;
    writeln!(
        out,
        "{} is told {} (generation {generation}); it is {}",
        shown(machine),
        shown(order),
        said(observed)
    )?;
    Ok(())
}
