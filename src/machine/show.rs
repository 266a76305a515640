//! What the verbs print.

use crate::{
    operator::{
        table,
        text::{self, ago, cell, shown},
    },
    run::state_of,
    ui::Output,
};
use serde_json::Value;
use std::io::{self, Write};
use xenoboot_server::api::{Assigned, Machine, MachineDetails, State, Target};

fn name(machine: &Machine) -> String {
    match (&machine.name, &machine.suggested_name) {
        (Some(name), _) => name.clone(),
        (None, Some(suggested)) => format!("({suggested}?)"),
        (None, None) => "-".to_owned(),
    }
}

fn state(machine: &Machine) -> &'static str {
    match machine.state {
        State::Pending => "pending",
        State::Approved => "approved",
        State::Refused => "refused",
    }
}

fn seen(machine: &Machine) -> String {
    match machine.seen_ms {
        _ if machine.online => "online".to_owned(),
        Some(at) => ago(at),
        None => "never".to_owned(),
    }
}

/// By which rule something is assigned.
fn rule(target: &Target) -> String {
    match target {
        Target::Machine(_) => "to this machine".to_owned(),
        Target::Group(group) => format!("to group {group}"),
        Target::Default => "by default".to_owned(),
    }
}

/// A table of machines.
pub(super) fn list(machines: &[Machine]) -> anyhow::Result<()> {
    if machines.is_empty() {
        eprintln!("No machine has asked yet.");
        return Ok(());
    }
    let row = |machine: &Machine| {
        let assigned = machine.assigned.as_ref().map_or("-".to_owned(), |a| a.name.clone());
        let run = machine.last_run.as_ref().map_or("-".to_owned(), |run| {
            format!("{} {}", run.name.as_deref().unwrap_or("?"), state_of(run))
        });
        let fingerprint = machine.fingerprint.clone();
        [name(machine), state(machine).to_owned(), fingerprint, seen(machine), assigned, run]
    };
    let rows: Vec<_> = machines.iter().map(row).collect();
    table::print(["NAME", "STATE", "FINGERPRINT", "SEEN", "ASSIGNED", "LAST RUN"], &rows)?;
    let pending = machines.iter().filter(|machine| machine.state == State::Pending).count();
    if pending > 0 {
        eprintln!(
            "hint: {pending} pending; compare fingerprints, then `xenoboot machine approve FINGERPRINT`"
        );
    }
    Ok(())
}

/// Everything about a machine.
pub(super) fn one(details: &MachineDetails, output: &Output) -> anyhow::Result<()> {
    let machine = &details.machine;
    let mut out = io::stdout().lock();
    if output.json {
        writeln!(out, "{}", text::json(details)?)?;
        return Ok(());
    }
    let mut line = |key: &str, value: String| writeln!(out, "{key:<12} {value}");
    line("name", cell(&name(machine)))?;
    line("state", state(machine).to_owned())?;
    line("fingerprint", machine.fingerprint.clone())?;
    line("key", machine.key.clone().unwrap_or_else(|| "not seen yet".to_owned()))?;
    line(
        "seen",
        match &machine.address {
            Some(address) => format!("{}, from {}", seen(machine), cell(address)),
            None => seen(machine),
        },
    )?;
    line(
        "groups",
        if machine.groups.is_empty() { "-".to_owned() } else { machine.groups.join(", ") },
    )?;
    line("assigned", machine.assigned.as_ref().map_or("nothing".to_owned(), assigned))?;
    if let Some(run) = &machine.last_run {
        let id = run.run.get(..8).unwrap_or_default();
        let what = run.name.as_deref().unwrap_or("?");
        line(
            "last run",
            format!("{id} {}: {}, {}", cell(what), state_of(run), ago(run.started_ms)),
        )?;
    }
    if let Some(failure) = &machine.failure {
        let (code, cause) = (cell(&failure.code), shown(&failure.cause));
        line("last failure", format!("{code}, {}: {cause}", ago(failure.at_ms)))?;
    }
    hardware(details, &mut line)
}

fn assigned(assigned: &Assigned) -> String {
    let digest = assigned.bundle.get(..12).unwrap_or_default();
    let (name, by) = (cell(&assigned.name), rule(&assigned.by));
    format!("{name} serial {} ({digest}), {by}, {}", assigned.serial, ago(assigned.assigned_ms))
}

type Line<'a> = dyn FnMut(&str, String) -> io::Result<()> + 'a;

fn hardware(details: &MachineDetails, line: &mut Line<'_>) -> anyhow::Result<()> {
    let text =
        |value: &Value, key: &str| cell(value.get(key).and_then(Value::as_str).unwrap_or("?"));
    let number =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_u64).unwrap_or_default();
    if let Some(image) = &details.machine.image {
        line("image", format!("{}, kernel {}", text(image, "version"), text(image, "kernel")))?;
    }
    let Some(inventory) = &details.inventory else { return Ok(()) };
    let (vendor, product, serial) =
        (text(inventory, "vendor"), text(inventory, "product"), text(inventory, "serial"));
    line(
        "hardware",
        format!("{vendor} {product}, serial {serial}, {}", text(inventory, "firmware")),
    )?;
    line("processor", format!("{} × {}", number(inventory, "cpus"), text(inventory, "cpu")))?;
    line("memory", text::size(number(inventory, "memory")))?;
    let list =
        |key: &str| inventory.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    for link in list("links") {
        let carrier = link.get("carrier").and_then(Value::as_bool) == Some(true);
        let addresses: Vec<String> = link
            .get("addresses")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(cell)
            .collect();
        let state = if carrier { addresses.join(" ") } else { "no link".to_owned() };
        line(
            "card",
            format!(
                "{} {} {} {state}",
                text(&link, "name"),
                text(&link, "mac"),
                text(&link, "driver")
            ),
        )?;
    }
    for disk in list("disks") {
        let medium = disk.get("boot_medium").and_then(Value::as_bool) == Some(true);
        let medium = if medium { ", the boot medium" } else { "" };
        let size = text::size(number(&disk, "size"));
        line("disk", format!("{} {size} {}{medium}", text(&disk, "name"), text(&disk, "model")))?;
    }
    Ok(())
}

/// What was done to a machine.
pub(super) fn done(what: &str, details: &MachineDetails, output: &Output) -> anyhow::Result<()> {
    let machine = &details.machine;
    if output.json {
        println!("{}", text::json(details)?);
    } else {
        println!("{what} {} ({})", cell(&name(machine)), machine.fingerprint);
    }
    Ok(())
}

/// A machine's groups.
pub(super) fn groups(details: &MachineDetails, output: &Output) -> anyhow::Result<()> {
    if output.json {
        println!("{}", text::json(details)?);
    } else if details.machine.groups.is_empty() {
        println!("{} is in no group", cell(&name(&details.machine)));
    } else {
        println!("{} is in {}", cell(&name(&details.machine)), details.machine.groups.join(", "));
    }
    Ok(())
}
