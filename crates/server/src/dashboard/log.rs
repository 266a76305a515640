//! What machines said, line by line, and more of it as it comes.

use super::page::{Html, PageError, part, said};
use crate::{api::LogEvent, handlers::State, store::LogPage};
use axum::extract::{Path, Query};
use maud::{Markup, html};
use serde::Deserialize;
use xenoboot_wire::{
    boot::Outcome,
    event::{Source, What},
};

/// How many lines a page begins with: the last ones.
pub(super) const TAIL: i64 = 300;

/// Which part.
#[derive(Deserialize)]
pub(super) struct Part {
    /// Only events with higher numbers.
    #[serde(default)]
    after: i64,
    /// Of which power-on, by its number in the database.
    #[serde(default)]
    boot: i64,
}

/// `GET /ui/machines/MACHINE/log?boot=N&after=N`.
pub(super) async fn of_machine(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    Query(Part { after, boot }): Query<Part>,
) -> Result<Html, PageError> {
    let id = shared.store.find_machine(&machine).await?;
    Ok(part(lines(&shared.store.boot_log(id, boot, after).await?)))
}

/// `GET /ui/runs/RUN/log?after=N`.
pub(super) async fn of_run(
    axum::extract::State(shared): State,
    Path(run): Path<String>,
    Query(Part { after, .. }): Query<Part>,
) -> Result<Html, PageError> {
    let (run, _) = shared.store.find_run(&run).await?;
    let log = shared.store.log(LogPage { run, after }).await?;
    Ok(part(lines(&log.events)))
}

/// A log that goes on by itself: `more` is where what follows its last line is asked for.
pub(super) fn log(more: &str, events: &[LogEvent]) -> Markup {
    html! {
        div #log .log data-more=(more) role="log" aria-label="Log" tabindex="0" { (lines(events)) }
    }
}

fn lines(events: &[LogEvent]) -> Markup {
    html! {
        @for event in events {
            p data-n=(event.number) data-kind=(kind(&event.what)) {
                span .at { (format_args!("{}.{:03}", event.at_ms / 1000, event.at_ms % 1000)) }
                (text(&event.what))
            }
        }
    }
}

fn kind(what: &What) -> &'static str {
    match what {
        What::Line { source: Source::Stdout, .. } => "out",
        What::Line { source: Source::Stderr, .. } => "err",
        What::Line { .. } => "agent",
        What::RunEnded { outcome: Outcome::Failed { .. }, .. } | What::Failure { .. } => "failed",
        What::RunEnded { outcome: Outcome::Succeeded, .. } => "succeeded",
        What::Dropped { .. } => "failed",
        _ => "note",
    }
}

fn text(what: &What) -> Markup {
    match what {
        What::Line { text, .. } => said(text),
        What::Phase { name } => html! { "phase " (said(name)) },
        What::RunStarted { name, serial, .. } => {
            html! { "run of " (said(name)) " serial " (serial) }
        }
        What::Progress { percent, text } => html! { (percent) " % " (said(text)) },
        What::Report { key, value } => html! { (said(key)) " = " (said(value)) },
        What::RunEnded { outcome: Outcome::Succeeded, duration_ms } => {
            html! { "succeeded after " (duration(*duration_ms)) }
        }
        What::RunEnded { outcome: Outcome::Failed { code, cause, .. }, duration_ms } => {
            html! { "failed after " (duration(*duration_ms)) ": " (code) ", " (said(cause)) }
        }
        What::Failure { code, cause, attempt } => {
            html! { (code) ", attempt " (attempt) ": " (said(cause)) }
        }
        What::Console { who, lasted_ms: None, .. } => {
            html! { (said(who)) " has come to the console" }
        }
        What::Console { who, lasted_ms: Some(ms), .. } => {
            html! { (said(who)) " has left the console after " (duration(*ms)) }
        }
        What::Dropped { count } => html! { (count) " events were lost" },
    }
}

fn duration(ms: u64) -> String {
    crate::text::duration(i64::try_from(ms).unwrap_or(i64::MAX))
}
