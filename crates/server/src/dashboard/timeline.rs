//! A machine's power-ons as bars: which phase took how long, and the runs in each.

use super::page::{chip, said, time};
use crate::{
    api::{Phase, Run, RunState},
    store::PowerOn,
    text::duration,
};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The width of a bar, in units of its own.
const WIDTH: i64 = 1000;

/// All power-ons, the latest open.
pub(super) fn power_ons(boots: &[PowerOn]) -> Markup {
    html! {
        @for (index, boot) in boots.iter().enumerate() {
            details id={ "boot-" (boot.id) } open[index == 0] {
                summary {
                    "Power-on " (time(boot.first_ms))
                    span .hint { ", heard of for " (duration(boot.last_ms - boot.first_ms)) }
                }
                @if boot.cut { p .hint { "Earlier phases are left out." } }
                (bar(&boot.phases))
                (sums(&boot.phases))
                @for run in &boot.runs { (run_line(run)) }
            }
        }
    }
}

/// A run in one line.
pub(super) fn run_line(run: &Run) -> Markup {
    html! {
        p .run {
            a href={ "/ui/runs/" (run.run) } { (said(run.name.as_deref().unwrap_or("?"))) }
            @if let Some(serial) = run.serial { span .hint { " serial " (serial) } }
            " " (state(run))
            @if let Some(ms) = run.duration_ms { span .hint { " " (duration(ms)) } }
            span .hint { " " (time(run.started_ms)) }
        }
    }
}

/// How far a run is.
pub(super) fn state(run: &Run) -> Markup {
    let word = word(run.state);
    html! {
        (chip(word, run.code.as_deref().unwrap_or(word)))
        @if let (RunState::Running, Some(progress)) = (run.state, &run.progress) {
            " " progress max="100" value=(progress.percent) { (progress.percent) " %" }
            " " (said(&progress.text))
        }
    }
}

fn word(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
        RunState::Lost => "lost",
    }
}

/// Phases side by side, as wide as they took; waiting is not work, and left out.
pub(super) fn bar(phases: &[Phase]) -> Markup {
    let worked: Vec<&Phase> = phases.iter().filter(|phase| phase.name != "wait").collect();
    let total: i64 = worked.iter().filter_map(|phase| phase.duration_ms).sum();
    let mut from = 0;
    html! {
        @if total > 0 {
            svg .bar viewBox={ "0 0 " (WIDTH) " 24" } preserveAspectRatio="none" role="img"
                aria-label={ "Phases, " (duration(total)) " in all" } {
                @for phase in &worked {
                    @let took = phase.duration_ms.unwrap_or_default();
                    @let width = took.saturating_mul(WIDTH) / total;
                    rect x=(from) y="0" width=(width) height="24" data-phase=(known(&phase.name)) {
                        title { (phase.name) ": " (duration(took)) }
                    }
                    @let () = from += width;
                }
            }
        }
    }
}

/// The time of each kind of phase, in the order in which they came first.
pub(super) fn sums(phases: &[Phase]) -> Markup {
    // Index of the first, milliseconds, how many, and whether the last goes on.
    let mut sums: BTreeMap<&str, (usize, i64, usize, bool)> = BTreeMap::new();
    for (index, phase) in phases.iter().enumerate() {
        let sum = sums.entry(&phase.name).or_insert((index, 0, 0, false));
        sum.1 += phase.duration_ms.unwrap_or_default();
        sum.2 += 1;
        sum.3 = phase.duration_ms.is_none();
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, (index, ..))| *index);
    html! {
        ul .phases {
            @for (name, (_, ms, times, goes_on)) in sums {
                li data-phase=(known(name)) {
                    (said(name))
                    @if ms > 0 || !goes_on { " " strong { (duration(ms)) } }
                    @if times > 1 { span .hint { " in " (times) } }
                    @if goes_on { span .hint { " goes on" } }
                }
            }
        }
    }
}

/// Phases with a colour of their own; another machine's word gets none.
fn known(name: &str) -> &str {
    match name {
        "network" | "contact" | "verify" | "fetch" | "run" | "report" | "act" | "wait" => name,
        _ => "other",
    }
}
