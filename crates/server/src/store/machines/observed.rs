//! What a machine said last of what it does.

use super::list::Row;
use crate::api::{self, Observed, RunState};

/// What bears on it beside the machine's own row.
pub(super) struct Context<'a> {
    pub(super) online: bool,
    pub(super) seen_ms: Option<i64>,
    /// Its last run, if that was on this power-on.
    pub(super) run: Option<&'a api::Run>,
    pub(super) now_ms: i64,
    pub(super) silent_ms: i64,
}

/// By the newest of what it said. A system that was started and confirmed is not expected to say more.
pub(super) fn observed(row: &Row, context: &Context<'_>) -> Observed {
    if let Some(since_ms) = row.booted_ms {
        return Observed::Booted { since_ms };
    }
    let Some(seen_ms) = context.seen_ms else { return Observed::Never };
    if row.confirm_ms.is_none() && !context.online && context.now_ms - seen_ms > context.silent_ms {
        return Observed::Silent { since_ms: seen_ms };
    }
    let failure = row.failure().filter(|failure| {
        row.boot_ms.is_none_or(|boot| failure.at_ms >= boot)
            && row.phase_ms.is_none_or(|phase| failure.at_ms >= phase)
    });
    if let Some(api::Failure { code, cause, .. }) = failure {
        return Observed::Failed { code, cause };
    }
    match row.phase.as_deref() {
        None => ended(row, context.run).unwrap_or(Observed::Seen),
        Some("network") => Observed::Network,
        Some("wait") => ended(row, context.run).unwrap_or(Observed::Waiting),
        Some("contact") => ended(row, context.run).unwrap_or(Observed::Network),
        Some(phase) => match context.run {
            Some(run) if phase == "run" && run.state == RunState::Running => running(phase, run),
            Some(run)
                if phase != "verify" && phase != "fetch" && run.state != RunState::Running =>
            {
                ended(row, context.run).unwrap_or(Observed::Waiting)
            }
            _ => Observed::Running { phase: phase.to_owned(), percent: None },
        },
    }
}

fn running(phase: &str, run: &api::Run) -> Observed {
    let percent = run.progress.as_ref().map(|progress| progress.percent);
    Observed::Running { phase: phase.to_owned(), percent }
}

/// How the last run ended.
fn ended(row: &Row, run: Option<&api::Run>) -> Option<Observed> {
    let run = run?;
    match run.state {
        RunState::Running => Some(running("run", run)),
        RunState::Succeeded => Some(Observed::Succeeded { confirm_by_ms: row.confirm_ms }),
        RunState::Failed => Some(Observed::Failed {
            code: run.code.clone().unwrap_or_default(),
            cause: run.cause.clone().unwrap_or_default(),
        }),
        RunState::Lost => None,
    }
}
