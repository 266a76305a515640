//! Bundles: who signed them, what is in them, to whom they are assigned.

use super::{
    page::{Html, Page, PageError, Place, chip, csrf, machine_path, said, time},
    session::Session,
};
use crate::{api::Bundle, handlers::State, store::AssignedTo, text::size, time::now_ms};
use axum::extract::Path;
use maud::{Markup, html};
use xenoboot_bundle::{Inspection, Machines, inspect, limits};
use xenoboot_wire::Digest;

/// How many bundles the list has.
const LIST: usize = 200;
/// How many files of a bundle are listed.
const FILES: usize = 500;

/// `GET /ui/bundles`.
pub(super) async fn list(
    axum::extract::State(shared): State,
    axum::Extension(session): axum::Extension<Session>,
) -> Result<Html, PageError> {
    let bundles = shared.store.bundles().await?;
    let content = html! {
        h1 { "Bundles" }
        @if bundles.is_empty() { p .empty { "None was pushed yet: " code { "xenoboot bundle push" } "." } } @else {
            table .cards {
                thead { tr { th { "Bundle" } th { "Serial" } th { "Signatures" } th { "Files" } th { "Good until" } th { "Pushed" } } }
                tbody { @for bundle in bundles.iter().take(LIST) { tr {
                    td data-name="Bundle" { a .name href={ "/ui/bundles/" (bundle.bundle) } { (bundle.name) } }
                    td data-name="Serial" { (bundle.serial) }
                    td data-name="Signatures" { (bundle.signatures) }
                    td data-name="Files" { (bundle.files) ", " (size(bundle.total_size.unsigned_abs())) }
                    td data-name="Good until" { (until(bundle.not_after)) }
                    td data-name="Pushed" { (time(bundle.pushed_ms)) }
                } } }
            }
        }
    };
    let page = Page { title: "Bundles", place: Place::Bundles, watch: None };
    Ok(page.show(&session, &content))
}

/// Until when something is good, from Unix seconds.
fn until(at_s: i64) -> Markup {
    let left = at_s.saturating_sub(now_ms() / 1000);
    html! {
        @if left <= 0 { (chip("failed", "expired")) }
        @else if left < 2 * 86_400 { (left / 3600) " h more" }
        @else { (left / 86_400) " d more" }
    }
}

/// `GET /ui/bundles/BUNDLE`.
pub(super) async fn show(
    axum::extract::State(shared): State,
    axum::Extension(session): axum::Extension<Session>,
    Path(bundle): Path<String>,
) -> Result<Html, PageError> {
    let (bundle, assigned) = shared.store.bundle(&bundle).await?;
    let envelope = match bundle.bundle.parse::<Digest>() {
        Ok(digest) => shared.blobs.small(&digest, limits::ENVELOPE).await?,
        Err(_) => None,
    };
    let found = envelope.and_then(|envelope| inspect(&envelope).ok());
    let content = html! {
        section .panel {
            h1 { (bundle.name) " " span .hint { "serial " (bundle.serial) } }
            dl {
                dt { "Digest" } dd { code { (bundle.bundle) } }
                dt { "Fleet" } dd { code { (bundle.fleet) } }
                dt { "Good until" } dd { (until(bundle.not_after)) }
                dt { "Pushed" } dd { (time(bundle.pushed_ms)) }
                @if let Some(found) = &found { (signed(found)) }
            }
            p .hint { "What a bundle says of itself, and who claims to have signed it, is verified by machines, not here." }
        }
        section .panel {
            h2 { "Assigned" }
            (whom(&assigned))
            @if session.acts() { (assign(&session, &bundle)) }
        }
        @if let Some(found) = &found { section .panel { (files(found)) } }
    };
    let page = Page { title: &bundle.name, place: Place::Bundles, watch: None };
    Ok(page.show(&session, &content))
}

fn signed(found: &Inspection) -> Markup {
    let manifest = &found.manifest;
    html! {
        dt { "Signed by" }
        dd { @for signer in &found.signers { code { (signer) } " " } }
        dt { "For" }
        dd {
            @match &manifest.machines {
                Machines::Any => "any machine of the fleet",
                Machines::Listed { keys, groups } => {
                    @if !groups.is_empty() { "groups " (groups.join(", ")) " " }
                    @if !keys.is_empty() { (keys.len()) " machines" }
                }
            }
        }
        dt { "Runs" }
        dd { code { (said(&manifest.entry.to_string())) @for arg in &manifest.args { " " (said(arg)) } }
            span .hint { ", at most " (manifest.time_limit_s) " s" } }
    }
}

fn whom(assigned: &[AssignedTo]) -> Markup {
    html! {
        @if assigned.is_empty() { p .empty { "To nobody." } }
        ul { @for to in assigned { li {
            @match (to.scope.as_str(), &to.whom) {
                ("machine" | "rescue", Some(name)) => { "machine " a href=(machine_path(name)) { (name) } },
                (scope, Some(whom)) => { (scope) " " (whom) },
                _ => "by default",
            }
            ", for " (to.state)
            @if to.once != 0 { ", once" }
            span .hint { " " (time(to.assigned_ms)) }
        } } }
    }
}

fn assign(session: &Session, bundle: &Bundle) -> Markup {
    html! {
        form .acts method="post" action={ "/ui/bundles/" (bundle.bundle) "/assign" } {
            (csrf(session))
            label { "To " select name="scope" {
                @for (scope, name) in [("machine", "machine"), ("group", "group"), ("labels", "labels"), ("default", "all by default")] {
                    option value=(scope) { (name) }
                }
            } }
            label { "which " input name="whom" placeholder="web-1, or rack=a3"; }
            label { "for " select name="state" {
                @for state in ["boot", "install", "rescue"] { option value=(state) { (state) } }
            } }
            label { input type="checkbox" name="once" value="true"; " once" }
            button type="submit" { "Assign" }
        }
    }
}

fn files(found: &Inspection) -> Markup {
    let files = &found.manifest.files;
    html! {
        h2 { "Files" }
        div .wide { table {
            thead { tr { th { "File" } th { "Size" } th { "Mode" } th { "SHA-256" } } }
            tbody { @for file in files.iter().take(FILES) { tr {
                td { (said(&file.path.to_string())) }
                td { (size(file.size)) }
                td { code { (format_args!("{:04o}", file.mode)) } }
                td { code { (file.digest.to_string().get(..16).unwrap_or_default()) "…" } }
            } } }
        } }
        @if files.len() > FILES { p .hint { "And " (files.len() - FILES) " more." } }
    }
}
