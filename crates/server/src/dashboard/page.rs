//! What all pages have: the frame, how times are written, and how failures are shown.

use super::session::Session;
use crate::{
    problem::Problem,
    text::{ago, shown},
};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};

/// A page.
pub(super) struct Html(Markup);

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], self.0.into_string()).into_response()
    }
}

/// A part of a page, for the script to add.
pub(super) fn part(content: Markup) -> Html {
    Html(content)
}

/// Where a page belongs in the navigation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Machines,
    Runs,
    Bundles,
    Audit,
}

const PLACES: [(Place, &str, &str); 4] = [
    (Place::Machines, "/ui", "Machines"),
    (Place::Runs, "/ui/runs", "Runs"),
    (Place::Bundles, "/ui/bundles", "Bundles"),
    (Place::Audit, "/ui/audit", "Audit"),
];

/// A page as it stands in the frame.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    pub(super) place: Place,
    /// The machine whose changes bear on it, or all of them; none: it does not change by itself.
    pub(super) watch: Option<&'a str>,
}

/// [`Page::watch`]: any machine's changes.
pub(super) const ALL: &str = "*";

impl Page<'_> {
    /// The page with its content.
    pub(super) fn show(&self, session: &Session, content: &Markup) -> Html {
        let body = html! {
            header {
                a .brand href="/ui" { "Xenoboot" }
                nav aria-label="Pages" {
                    @for (place, path, name) in PLACES {
                        a href=(path) aria-current=[(place == self.place).then_some("page")] { (name) }
                    }
                }
                form .who method="post" action="/ui/logout" {
                    (csrf(session))
                    span .hint { (said(&session.who.name)) " · " (session.who.role.word()) }
                    button .quiet type="submit" { "Log out" }
                }
            }
            p #away hidden role="status" { "The server does not answer. What is shown may be old." }
            main data-watch=[self.watch] { (content) }
        };
        frame(self.title, &body)
    }
}

/// A page for somebody who is not known.
pub(super) fn bare(title: &str, content: &Markup) -> Html {
    frame(title, &html! { main .bare { (content) } })
}

/// A page that leads to another of ours by itself.
pub(super) fn forward(title: &str, path: &str) -> Html {
    let head = html! { meta http-equiv="refresh" content={ "0; url=" (path) }; };
    whole(title, &head, &html! { main .bare { p { a href=(path) { "Go on" } } } })
}

fn frame(title: &str, body: &Markup) -> Html {
    whole(title, &html! {}, body)
}

fn whole(title: &str, head: &Markup, body: &Markup) -> Html {
    Html(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (shown(title)) " · Xenoboot" }
                link rel="icon" href="/ui/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/ui/style.css";
                script src="/ui/live.js" defer {}
                (head)
            }
            body { (body) }
        }
    })
}

/// What makes a form ours.
pub(super) fn csrf(session: &Session) -> Markup {
    html! { input type="hidden" name="csrf" value=(session.csrf); }
}

/// How long ago something was, with the moment itself on pointing at it.
pub(super) fn time(at_ms: i64) -> Markup {
    html! { time data-ms=(at_ms) { (ago(at_ms)) } }
}

/// What a machine said.
pub(super) fn said(text: &str) -> Markup {
    html! { bdi { (shown(text)) } }
}

/// The path of a machine's page. Names and fingerprints have no characters that mean something in a path.
pub(super) fn machine_path(machine: &str) -> String {
    format!("/ui/machines/{machine}")
}

/// A word with a colour of its own.
pub(super) fn chip(kind: &str, text: &str) -> Markup {
    html! { span .chip data-kind=(kind) { (text) } }
}

/// What a page could not be shown for.
pub(super) struct PageError(Problem);

impl<E: Into<Problem>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let Problem { status, error, hint, .. } = self.0;
        let title = if status == StatusCode::NOT_FOUND { "Not found" } else { "That did not work" };
        let content = html! {
            section .panel {
                h1 { (title) }
                p .wrong role="alert" { (shown(&error)) }
                @if let Some(hint) = hint { p .hint { (shown(&hint)) } }
                p { a href="/ui" { "All machines" } }
            }
        };
        (status, bare(title, &content)).into_response()
    }
}
