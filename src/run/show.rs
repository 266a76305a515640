//! Runs as people see them.

use crate::{
    operator::{
        table,
        text::{self, ago, cell, duration, shown},
    },
    ui::Output,
};
use std::io::{self, Write};
use xenoboot_server::api::{Phase, Run, RunDetails, RunState};

/// How far a run is, or how it ended, in a few words.
pub(crate) fn state_of(run: &Run) -> String {
    match (run.state, &run.code, &run.progress) {
        (RunState::Running, _, Some(progress)) => format!("running, {} %", progress.percent),
        (RunState::Running, _, None) => "running".to_owned(),
        (RunState::Succeeded, ..) => "succeeded".to_owned(),
        (RunState::Failed, Some(code), _) => format!("failed {}", cell(code)),
        (RunState::Failed, None, _) => "failed".to_owned(),
        (RunState::Lost, ..) => "lost: the machine restarted".to_owned(),
    }
}

/// A table of runs.
pub(super) fn list(runs: &[Run]) -> anyhow::Result<()> {
    if runs.is_empty() {
        eprintln!("Nothing has run yet.");
        return Ok(());
    }
    let row = |run: &Run| {
        let id = run.run.get(..8).unwrap_or_default().to_owned();
        let serial = run.serial.map_or("-".to_owned(), |serial| serial.to_string());
        let lasted = run.duration_ms.map_or("-".to_owned(), duration);
        let name = run.name.clone().unwrap_or_else(|| "?".to_owned());
        [id, run.machine.clone(), name, serial, state_of(run), ago(run.started_ms), lasted]
    };
    let rows: Vec<_> = runs.iter().map(row).collect();
    table::print(["RUN", "MACHINE", "BUNDLE", "SERIAL", "STATE", "BEGAN", "LASTED"], &rows)?;
    Ok(())
}

/// Everything about a run but its log.
pub(super) fn one(details: &RunDetails, output: &Output) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if output.json {
        writeln!(out, "{}", text::json(details)?)?;
        return Ok(());
    }
    let run = &details.run;
    let mut line = |key: &str, value: String| writeln!(out, "{key:<10} {value}");
    line("run", run.run.clone())?;
    line("machine", cell(&run.machine))?;
    let digest = run.bundle.as_deref().and_then(|digest| digest.get(..12)).unwrap_or("?");
    let name = cell(run.name.as_deref().unwrap_or("?"));
    line("bundle", format!("{name} serial {} ({digest})", run.serial.unwrap_or_default()))?;
    line("state", state_of(run))?;
    if let Some(cause) = &run.cause {
        line("cause", shown(cause))?;
    }
    if let Some(progress) = &run.progress {
        line("progress", format!("{} % {}", progress.percent, shown(&progress.text)))?;
    }
    line("began", ago(run.started_ms))?;
    line("lasted", run.duration_ms.map_or("-".to_owned(), duration))?;
    line(
        "log",
        format!(
            "{} lines: xenoboot run log {}",
            details.lines,
            run.run.get(..8).unwrap_or_default()
        ),
    )?;
    for (key, value) in &details.reports {
        line("report", format!("{}={}", cell(key), shown(value)))?;
    }
    phases(&details.phases, &mut out)?;
    Ok(())
}

/// A timeline: when each phase began, how long it took, and a bar.
fn phases(phases: &[Phase], out: &mut impl Write) -> io::Result<()> {
    const BAR: i64 = 30;
    let Some(first) = phases.first() else { return Ok(()) };
    let longest =
        phases.iter().filter_map(|phase| phase.duration_ms).max().unwrap_or_default().max(1);
    writeln!(out, "phases     (from {} after the kernel started)", duration(first.at_ms))?;
    for phase in phases {
        let lasted = phase.duration_ms.map_or("goes on".to_owned(), duration);
        let share = phase.duration_ms.unwrap_or_default().max(0).saturating_mul(BAR) / longest;
        let bar = "#".repeat(usize::try_from(share).unwrap_or_default());
        let at = phase.at_ms.saturating_sub(first.at_ms);
        let line = format!(
            "  {:>10}  {:<10} {lasted:>12}  {bar}",
            format!("+{}", duration(at)),
            cell(&phase.name)
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
