//! Runs: the latest of all machines, and one with its phases, reports and log.

use super::{
    log::{TAIL, log},
    page::{ALL, Html, Page, PageError, Place, machine_path, said, time},
    session::Session,
    timeline,
};
use crate::{handlers::State, store::LogPage, text::duration};
use axum::extract::Path;
use maud::html;

/// How many runs the list has.
const LIST: i64 = 100;

/// `GET /ui/runs`.
pub(super) async fn list(
    axum::extract::State(shared): State,
    axum::Extension(session): axum::Extension<Session>,
) -> Result<Html, PageError> {
    let runs = shared.store.runs(None, LIST).await?;
    let content = html! {
        h1 { "Latest runs" }
        div #runs data-live {
            @if runs.is_empty() { p .empty { "Nothing has run yet." } } @else {
                table .cards {
                    thead { tr { th { "Bundle" } th { "Machine" } th { "Result" } th { "Took" } th { "Began" } } }
                    tbody { @for run in &runs { tr {
                        td data-name="Bundle" {
                            a .name href={ "/ui/runs/" (run.run) } { (said(run.name.as_deref().unwrap_or("?"))) }
                            @if let Some(serial) = run.serial { span .hint { " serial " (serial) } }
                        }
                        td data-name="Machine" { a href=(machine_path(&run.machine)) { (run.machine) } }
                        td data-name="Result" { (timeline::state(run)) }
                        td data-name="Took" { (run.duration_ms.map_or("–".to_owned(), duration)) }
                        td data-name="Began" { (time(run.started_ms)) }
                    } } }
                }
            }
        }
    };
    let page = Page { title: "Runs", place: Place::Runs, watch: Some(ALL) };
    Ok(page.show(&session, &content))
}

/// `GET /ui/runs/RUN`.
pub(super) async fn show(
    axum::extract::State(shared): State,
    axum::Extension(session): axum::Extension<Session>,
    Path(run): Path<String>,
) -> Result<Html, PageError> {
    let (id, _) = shared.store.find_run(&run).await?;
    let details = shared.store.run(id).await?;
    let run = &details.run;
    let after = shared.store.log_tail(id, TAIL).await?;
    let events = shared.store.log(LogPage { run: id, after }).await?.events;
    let name = run.name.as_deref().unwrap_or("?");
    let content = html! {
        section #top .panel data-live {
            h1 { (said(name)) " " (timeline::state(run)) }
            @if let Some(cause) = &run.cause { p .wrong { (said(cause)) } }
            dl {
                dt { "Machine" } dd { a href=(machine_path(&run.machine)) { (run.machine) } }
                @if let Some(digest) = &run.bundle {
                    dt { "Bundle" }
                    dd { a href={ "/ui/bundles/" (digest) } { code { (digest.get(..12).unwrap_or_default()) } }
                        @if let Some(serial) = run.serial { span .hint { " serial " (serial) } } }
                }
                dt { "Began" } dd { (time(run.started_ms)) }
                @if let Some(ms) = run.duration_ms { dt { "Took" } dd { (duration(ms)) } }
                @if let Some(exit) = run.exit { dt { "Exit status" } dd { (exit) } }
                dt { "Run" } dd { code { (run.run) } }
            }
            (timeline::bar(&details.phases))
            (timeline::sums(&details.phases))
            @if !details.reports.is_empty() {
                h2 { "Reports" }
                dl { @for (key, value) in &details.reports { dt { (said(key)) } dd { (said(value)) } } }
            }
        }
        section .panel {
            h2 { "Log" }
            @if after > 0 { p .hint { "The last " (TAIL) " events; all of them by " code { "xenoboot run log " (run.run.get(..8).unwrap_or_default()) } "." } }
            (log(&format!("/ui/runs/{}/log", run.run), &events))
        }
    };
    let page = Page { title: name, place: Place::Runs, watch: Some(&run.machine) };
    Ok(page.show(&session, &content))
}
