//! Who changed what.

use super::{
    page::{Html, Page, PageError, Place, said, time},
    session::Session,
};
use crate::handlers::State;
use axum::extract::Query;
use maud::html;
use serde::Deserialize;
use serde_json::Value;

/// How many entries a page has.
const PAGE: usize = 100;
/// Longest text that is looked for, bytes.
const MAX_SEARCH: usize = 100;

/// Which entries.
#[derive(Deserialize)]
pub(super) struct Asked {
    /// Only entries with lower numbers.
    before: Option<i64>,
    #[serde(default)]
    search: String,
}

/// `GET /ui/audit?before=N&search=TEXT`.
pub(super) async fn show(
    axum::extract::State(shared): State,
    axum::Extension(session): axum::Extension<Session>,
    Query(Asked { before, search }): Query<Asked>,
) -> Result<Html, PageError> {
    let search = if search.len() > MAX_SEARCH { "" } else { search.trim() };
    let before = before.unwrap_or(i64::MAX);
    let entries = shared.store.audit_before(before, search, PAGE as i64).await?;
    let next = entries.last().filter(|_| entries.len() == PAGE).map(|entry| {
        let number = entry.number.to_string();
        serde_urlencoded::to_string([("before", number.as_str()), ("search", search)])
            .unwrap_or_default()
    });
    let content = html! {
        h1 { "Audit log" }
        form .search method="get" action="/ui/audit" role="search" {
            input type="search" name="search" value=(search) maxlength=(MAX_SEARCH)
                aria-label="Search" placeholder="Who, what, or to what";
            button type="submit" { "Search" }
        }
        @if entries.is_empty() { p .empty { "There is no such entry." } } @else {
            table .cards {
                thead { tr { th { "Number" } th { "When" } th { "Who" } th { "What" } th { "To what" } th { "More" } } }
                tbody { @for entry in &entries { tr {
                    td data-name="Number" { (entry.number) }
                    td data-name="When" { (time(entry.at_ms)) }
                    td data-name="Who" { (said(&entry.actor)) }
                    td data-name="What" { (said(&entry.action)) }
                    td data-name="To what" { (said(&entry.object)) }
                    td data-name="More" { code { (detail(&entry.detail)) } }
                } } }
            }
        }
        @if let Some(next) = next { nav .pages { a href={ "/ui/audit?" (next) } rel="next" { "Earlier →" } } }
        p .hint { code { "xenoboot audit verify" } " checks that the log is whole." }
    };
    let page = Page { title: "Audit", place: Place::Audit, watch: None };
    Ok(page.show(&session, &content))
}

/// What is not empty of it.
fn detail(detail: &Value) -> maud::Markup {
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let fields = detail.as_object().into_iter().flatten().filter(|(_, value)| !empty(value));
    html! {
        @for (key, value) in fields {
            (said(key)) "="
            @match value.as_str() { Some(text) => (said(text)), None => (said(&value.to_string())) }
            " "
        }
    }
}
