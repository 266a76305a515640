//! A machine: what it is, what it shall do and does, what it did since it was switched on, and what it says.

use super::{
    log::{TAIL, log},
    page::{Html, Page, PageError, Place, chip, csrf, machine_path, said, time},
    session::Session,
    timeline,
};
use crate::{
    api::{
        Explanation, Machine, MachineDetails, Observed, Power, PowerAct, State as Standing, Target,
        Verdict,
    },
    handlers::State,
    store::PowerOn,
    text::size,
};
use axum::extract::Path;
use maud::{Markup, html};
use serde_json::Value;

/// `GET /ui/machines/MACHINE`.
pub(super) async fn show(
    axum::extract::State(shared): State,
    axum::Extension(session): axum::Extension<Session>,
    Path(machine): Path<String>,
) -> Result<Html, PageError> {
    let store = &shared.store;
    let id = store.find_machine(&machine).await?;
    let details = store.machine(id, &shared.hub).await?;
    let machine = &details.machine;
    let boots = store.power_ons(id).await?;
    let why = store.explain(id, &shared.hub).await?;
    let name = machine.name.as_deref().unwrap_or(&machine.fingerprint);
    let events = match boots.first() {
        Some(boot) => store.boot_log(id, boot.id, boot.through - TAIL).await?,
        None => Vec::new(),
    };
    let acts = if session.acts() {
        let bundles = store.bundle_names().await?;
        let power = store.power(id).await.ok();
        acts(&session, machine, name, &bundles, power.as_ref())
    } else {
        html! {}
    };
    let content = html! {
        section #top .panel data-live { (top(machine, name)) }
        (acts)
        section #timeline .panel data-live {
            h2 { "Since it was switched on" }
            @if boots.is_empty() { p .empty { "Nothing was heard of it yet." } }
            (timeline::power_ons(&boots))
        }
        @if let Some(PowerOn { id, .. }) = boots.first() {
            section .panel {
                h2 { "Log" }
                (log(&format!("{}/log?boot={id}", machine_path(name)), &events))
            }
        }
        section #why .panel data-live { (reasons(&why)) }
        section #hardware .panel data-live { (hardware(&details)) }
    };
    let page = Page { title: name, place: Place::Machines, watch: Some(name) };
    Ok(page.show(&session, &content))
}

fn top(machine: &Machine, name: &str) -> Markup {
    html! {
        h1 {
            span .dot data-on=(machine.online) title=(if machine.online { "connected" } else { "not connected" }) {}
            (name) " " (observed(machine))
        }
        @for flag in &machine.flags {
            p .flag { (chip("flagged", &flag.kind)) " " (said(&flag.reason)) " " span .hint { (time(flag.since_ms)) } }
        }
        @if let Observed::Failed { code, cause } = &machine.observed { p .wrong { (code) ": " (said(cause)) } }
        dl {
            dt { "Fingerprint" } dd { code { (machine.fingerprint) } }
            @if let (None, Some(suggested)) = (&machine.name, &machine.suggested_name) {
                dt { "Calls itself" } dd { (said(suggested)) }
            }
            dt { "Shall" } dd { (assigned(machine)) }
            @if let Some(run) = &machine.last_run { dt { "Last run" } dd { (timeline::run_line(run)) } }
            dt { "Heard of" }
            dd {
                @match machine.seen_ms { Some(at) => (time(at)), None => "never" }
                @if let Some(address) = &machine.address { span .hint { ", from " (said(address)) } }
            }
            @if !machine.groups.is_empty() { dt { "Groups" } dd { (machine.groups.join(", ")) } }
            @if !machine.labels.is_empty() {
                dt { "Labels" }
                dd { @for (key, value) in &machine.labels { span .label { (key) "=" (value) } " " } }
            }
        }
    }
}

fn observed(machine: &Machine) -> Markup {
    match machine.state {
        Standing::Pending => return chip("pending", "pending"),
        Standing::Refused => return chip("refused", "refused"),
        Standing::Approved => {}
    }
    match &machine.observed {
        Observed::Never => chip("never", "never seen"),
        Observed::Seen => chip("waiting", "in touch"),
        Observed::Network => chip("working", "network"),
        Observed::Running { phase, percent } => html! {
            (chip("working", phase))
            @if let Some(percent) = percent { " " progress max="100" value=(percent) { (percent) " %" } }
        },
        Observed::Succeeded { confirm_by_ms: None } => chip("succeeded", "succeeded"),
        Observed::Succeeded { .. } => chip("working", "starting, to be confirmed"),
        Observed::Failed { .. } => chip("failed", "failed"),
        Observed::Waiting => chip("waiting", "waiting"),
        Observed::Booted { .. } => chip("booted", "booted"),
        Observed::Silent { .. } => chip("silent", "silent"),
    }
}

fn assigned(machine: &Machine) -> Markup {
    let Some(assigned) = &machine.assigned else { return html! { "nothing" } };
    html! {
        @if let (Some(name), Some(digest)) = (&assigned.name, &assigned.bundle) {
            a href={ "/ui/bundles/" (digest) } { (name) }
            @if let Some(serial) = assigned.serial { span .hint { " serial " (serial) } }
            ", for " (assigned.state.word())
        } @else { (assigned.state.word()) }
        @if assigned.once { ", once" }
        span .hint {
            @match (&assigned.reason, &assigned.by) {
                (Some(reason), _) => { ", because: " (said(reason)) },
                (None, Target::Machine(_)) => ", its own",
                (None, Target::Group(group)) => { ", by group " (group) },
                (None, Target::Labels(labels)) => { ", by labels " (labels) },
                (None, Target::Default) => ", by default",
            }
            ", " (time(assigned.assigned_ms))
        }
    }
}

fn acts(
    session: &Session,
    machine: &Machine,
    name: &str,
    bundles: &[String],
    power: Option<&Power>,
) -> Markup {
    let path = |act: &str| format!("{}/{act}", machine_path(name));
    html! {
        section #acts .panel .acts {
            @if machine.state != Standing::Approved {
                form method="post" action=(path("approve")) {
                    (csrf(session))
                    p .hint { "Compare " code { (machine.fingerprint) } " with the machine's screen first." }
                    label { "Name " input name="name" maxlength="63" placeholder=(machine.suggested_name.as_deref().unwrap_or("")); }
                    label { "Groups " input name="groups" placeholder="front, web"; }
                    button type="submit" { "Approve" }
                }
            }
            @if machine.state == Standing::Approved {
                form method="post" action=(path("assign")) {
                    (csrf(session))
                    label { "Shall " select name="state" {
                        @for state in ["boot", "install", "rescue", "disabled"] { option value=(state) { (state) } }
                    } }
                    label { "with " select name="bundle" {
                        option value="" { "no bundle" }
                        @for bundle in bundles { option value=(bundle) { (bundle) } }
                    } }
                    label { input type="checkbox" name="once" value="true"; " once" }
                    button type="submit" { "Assign" }
                }
                form method="post" action=(path("withdraw")) {
                    (csrf(session)) button .quiet type="submit" { "Take back its own" }
                }
            }
            @if let Some(power) = power {
                form method="post" action=(path("power")) {
                    (csrf(session))
                    label { "Power " select name="power" {
                        @for act in [PowerAct::Cycle, PowerAct::On, PowerAct::Off] { option value=(act.word()) { (act.word()) } }
                    } }
                    button .quiet type="submit" { "Switch" }
                    span .hint { (power.driver) ", " (power.address) }
                }
            }
            form #clear method="post" action=(path("clear")) data-live hidden[machine.flags.is_empty()] {
                (csrf(session)) button .quiet type="submit" { "Clear flags" }
            }
            @if machine.state != Standing::Refused {
                form method="post" action=(path("refuse")) {
                    (csrf(session)) button .quiet .danger type="submit" { "Refuse" }
                }
            }
        }
    }
}

fn reasons(why: &Explanation) -> Markup {
    html! {
        h2 { "Why" }
        ol .why {
            @for step in &why.steps {
                @let word = match step.verdict {
                    Verdict::InForce => "in force",
                    Verdict::Overridden => "overridden",
                    Verdict::Passed => "not now",
                    Verdict::Note => "note",
                };
                li { (chip(word, word)) " " (said(&step.what)) span .hint { ": " (said(&step.why)) } }
            }
        }
        p { "It is told: " strong { (said(&why.order)) } }
    }
}

fn hardware(details: &MachineDetails) -> Markup {
    let text = |value: &Value, key: &str| {
        said(value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).unwrap_or("?"))
    };
    let number =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_u64).unwrap_or_default();
    let is = |value: &Value, key: &str| value.get(key).and_then(Value::as_bool) == Some(true);
    let list = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    html! {
        h2 { "Hardware" }
        @if let Some(inventory) = &details.inventory {
            dl {
                dt { "Machine" }
                dd { (text(inventory, "vendor")) " " (text(inventory, "product")) span .hint { ", serial " (text(inventory, "serial")) ", " (text(inventory, "firmware")) } }
                dt { "Processor" } dd { (number(inventory, "cpus")) " × " (text(inventory, "cpu")) }
                dt { "Memory" } dd { (size(number(inventory, "memory"))) }
                @if let Some(image) = &details.machine.image {
                    dt { "Image" } dd { (text(image, "version")) span .hint { ", kernel " (text(image, "kernel")) } }
                }
            }
            div .wide {
                table {
                    caption { "Network cards" }
                    thead { tr { th { "Card" } th { "MAC" } th { "Driver" } th { "Addresses" } } }
                    tbody { @for link in list(inventory, "links") { tr {
                        td { (text(&link, "name")) } td { code { (text(&link, "mac")) } } td { (text(&link, "driver")) }
                        td {
                            @if is(&link, "carrier") {
                                @for address in list(&link, "addresses") { (said(address.as_str().unwrap_or("?"))) " " }
                            } @else { span .hint { "no link" } }
                        }
                    } } }
                }
                table {
                    caption { "Disks" }
                    thead { tr { th { "Disk" } th { "Size" } th { "Model" } th { "Serial" } } }
                    tbody { @for disk in list(inventory, "disks") { tr {
                        td { (text(&disk, "name")) @if is(&disk, "boot_medium") { span .hint { " boot medium" } } }
                        td { (size(number(&disk, "size"))) } td { (text(&disk, "model")) } td { (text(&disk, "serial")) }
                    } } }
                }
            }
        } @else { p .empty { "It has not said yet." } }
        @if let Some(key) = &details.machine.key { p .hint { "Key " code { (key) } } }
    }
}
