//! The fleet: how many machines do what, and those that are looked for.

use super::{
    page::{ALL, Html, Page, PageError, Place, chip, machine_path, said, time},
    session::Session,
};
use crate::{
    handlers::State,
    hub::Hub,
    store::{FLEET_PAGE, Fleet, FleetRow, Wanted},
};
use axum::extract::Query;
use maud::{Markup, html};
use serde::Deserialize;

/// What machines do, as the list can be cut down to, in the order of its urgency.
const DOING: [(&str, &str); 9] = [
    ("pending", "Pending"),
    ("flagged", "Flagged"),
    ("failed", "Failed"),
    ("silent", "Silent"),
    ("working", "Working"),
    ("waiting", "Waiting"),
    ("booted", "Booted"),
    ("never", "Never seen"),
    ("refused", "Refused"),
];

/// Longest text that is looked for, bytes.
const MAX_SEARCH: usize = 100;

/// Which machines.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    doing: String,
    #[serde(default)]
    search: String,
    #[serde(default)]
    page: u32,
}

impl Asked {
    fn link(&self, doing: &str, page: u32) -> String {
        let pairs = [("doing", doing), ("search", &self.search), ("page", &page.to_string())];
        let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty() && *value != "0");
        let query = serde_urlencoded::to_string(pairs.collect::<Vec<_>>()).unwrap_or_default();
        if query.is_empty() { "/ui".to_owned() } else { format!("/ui?{query}") }
    }
}

/// `GET /ui?doing=WORD&search=TEXT&page=N`.
pub(super) async fn show(
    axum::extract::State(shared): State,
    axum::Extension(session): axum::Extension<Session>,
    Query(mut asked): Query<Asked>,
) -> Result<Html, PageError> {
    if asked.search.len() > MAX_SEARCH {
        asked.search.clear();
    }
    asked.search = asked.search.trim().to_owned();
    let wanted = Wanted { doing: &asked.doing, search: &asked.search, page: i64::from(asked.page) };
    let fleet = shared.store.fleet(&wanted, &shared.hub).await?;
    let content = html! {
        h1 .unseen { "Machines" }
        (counts(&asked, &fleet))
        form .search method="get" action="/ui" role="search" {
            @if !asked.doing.is_empty() { input type="hidden" name="doing" value=(asked.doing); }
            input type="search" name="search" value=(asked.search) maxlength=(MAX_SEARCH)
                aria-label="Search" placeholder="Name, fingerprint, address, group, label=value";
            button type="submit" { "Search" }
        }
        div #list data-live { (list(&asked, &fleet, &shared.hub)) }
    };
    let page = Page { title: "Machines", place: Place::Machines, watch: Some(ALL) };
    Ok(page.show(&session, &content))
}

fn counts(asked: &Asked, fleet: &Fleet) -> Markup {
    let total: i64 = fleet.counts.iter().map(|(_, n)| n).sum();
    let of = |word: &str| match word {
        "flagged" => fleet.flagged,
        word => fleet.counts.iter().find(|(doing, _)| doing == word).map_or(0, |(_, n)| *n),
    };
    html! {
        nav #counts .counts data-live aria-label="Machines by what they do" {
            a href=(asked.link("", 0)) aria-current=[asked.doing.is_empty().then_some("true")] {
                strong { (total) } " All"
            }
            @for (word, name) in DOING {
                @let n = of(word);
                @if n > 0 || asked.doing == word {
                    a href=(asked.link(word, 0)) data-kind=(word)
                        aria-current=[(asked.doing == word).then_some("true")] {
                        strong { (n) } " " (name)
                    }
                }
            }
        }
    }
}

fn list(asked: &Asked, fleet: &Fleet, hub: &Hub) -> Markup {
    let pages = u32::try_from((fleet.found + FLEET_PAGE - 1) / FLEET_PAGE).unwrap_or(u32::MAX);
    html! {
        @if fleet.rows.is_empty() {
            p .empty {
                @if asked.doing.is_empty() && asked.search.is_empty() {
                    "No machine has asked yet. Boot one from an image that names this server."
                } @else { "No machine is like that." }
            }
        } @else {
            table .cards {
                thead { tr { th { "Machine" } th { "Does" } th { "Shall" } th { "Last run" } th { "Groups" } th { "Heard of" } } }
                tbody { @for row in &fleet.rows { (line(row, hub)) } }
            }
        }
        @if pages > 1 {
            nav .pages aria-label="Parts of the list" {
                @if asked.page > 0 { a href=(asked.link(&asked.doing, asked.page - 1)) rel="prev" { "← Before" } }
                span .hint { "Page " (asked.page.saturating_add(1)) " of " (pages) ", " (fleet.found) " machines" }
                @if asked.page.saturating_add(1) < pages {
                    a href=(asked.link(&asked.doing, asked.page.saturating_add(1))) rel="next" { "Next →" }
                }
            }
        }
    }
}

fn line(row: &FleetRow, hub: &Hub) -> Markup {
    let online =
        row.key.as_ref().and_then(|key| key.parse().ok()).is_some_and(|key| hub.online(&key));
    let path = machine_path(row.name.as_deref().unwrap_or(&row.fingerprint));
    html! {
        tr {
            td data-name="Machine" {
                span .dot data-on=(online) title=(if online { "connected" } else { "not connected" }) {}
                a .name href=(path) {
                    @match (&row.name, &row.suggested_name) {
                        (Some(name), _) => (name),
                        (None, Some(name)) => { (said(name)) " ?" },
                        (None, None) => (row.fingerprint),
                    }
                }
                @if let Some(flags) = &row.flags { " " (chip("flagged", flags)) }
            }
            td data-name="Does" { (doing(row)) }
            td data-name="Shall" {
                @match (&row.desired, &row.bundle) {
                    (Some(state), Some(bundle)) => { (bundle) @if state != "boot" { span .hint { " " (state) } } },
                    (Some(state), None) => (state),
                    _ => span .hint { "nothing" },
                }
            }
            td data-name="Last run" {
                @if let (Some(run), Some(state)) = (&row.run, &row.run_state) {
                    a href={ "/ui/runs/" (run) } { (said(row.run_name.as_deref().unwrap_or("?"))) }
                    " " (chip(state, row.code.as_deref().unwrap_or(state)))
                    @if let (Some(percent), "running") = (row.percent, state.as_str()) {
                        " " progress max="100" value=(percent) { (percent) " %" }
                    }
                } @else { span .hint { "none" } }
            }
            td data-name="Groups" { (row.groups.as_deref().unwrap_or("–")) }
            td data-name="Heard of" { @if let Some(at) = row.seen_ms { (time(at)) } @else { "never" } }
        }
    }
}

fn doing(row: &FleetRow) -> Markup {
    let code = || {
        let failure = row.failure.as_deref().and_then(|text| text.split_once(' '));
        row.code.as_deref().or(failure.map(|(code, _)| code))
    };
    match row.doing.as_str() {
        "working" => chip("working", row.phase.as_deref().unwrap_or("working")),
        "failed" => html! {
            (chip("failed", "failed")) @if let Some(code) = code() { " " span .hint { (code) } }
        },
        "never" => chip("never", "never seen"),
        word => chip(word, word),
    }
}
