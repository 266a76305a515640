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
use xenoboot_server::api::{Assigned, Desired, Machine, MachineDetails, Observed, State, Target};

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
        Target::Labels(labels) => format!("to labels {labels}"),
        Target::Default => "by default".to_owned(),
    }
}

/// What a machine shall do, in a few words.
fn desired(machine: &Machine) -> String {
    let Some(assigned) = &machine.assigned else { return "-".to_owned() };
    let once = if assigned.once { " once" } else { "" };
    match (&assigned.name, assigned.state) {
        (Some(name), Desired::Boot) => format!("{name}{once}"),
        (Some(name), state) => format!("{} {name}{once}", state.word()),
        (None, state) => state.word().to_owned(),
    }
}

/// What a machine said last of what it does, in a few words.
pub(super) fn said(observed: &Observed) -> String {
    match observed {
        Observed::Never => "never seen".to_owned(),
        Observed::Seen => "seen".to_owned(),
        Observed::Network => "in touch".to_owned(),
        Observed::Running { phase, percent: Some(percent) } => {
            format!("in {}, {percent} %", cell(phase))
        }
        Observed::Running { phase, percent: None } => format!("in {}", cell(phase)),
        Observed::Succeeded { confirm_by_ms: None } => "succeeded".to_owned(),
        Observed::Succeeded { confirm_by_ms: Some(_) } => "starting, to be confirmed".to_owned(),
        Observed::Failed { code, .. } => format!("failed {}", cell(code)),
        Observed::Waiting => "waiting".to_owned(),
        Observed::Booted { since_ms } => format!("booted {}", ago(*since_ms)),
        Observed::Silent { since_ms } => format!("silent, heard of {}", ago(*since_ms)),
    }
}

fn flags(machine: &Machine) -> String {
    let kinds: Vec<&str> = machine.flags.iter().map(|flag| flag.kind.as_str()).collect();
    if kinds.is_empty() { String::new() } else { format!(" [{}]", kinds.join(", ")) }
}

/// A table of machines.
pub(super) fn list(machines: &[Machine]) -> anyhow::Result<()> {
    if machines.is_empty() {
        eprintln!("No machine has asked yet.");
        return Ok(());
    }
    let row = |machine: &Machine| {
        let observed = said(&machine.observed) + &flags(machine);
        let (name, state) = (name(machine), state(machine).to_owned());
        [name, state, machine.fingerprint.clone(), seen(machine), desired(machine), observed]
    };
    let rows: Vec<_> = machines.iter().map(row).collect();
    table::print(["NAME", "STATE", "FINGERPRINT", "SEEN", "ASSIGNED", "OBSERVED"], &rows)?;
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
    let labels = machine.labels.iter().map(|(key, value)| format!("{key}={value}"));
    let labels: Vec<String> = labels.collect();
    line("labels", if labels.is_empty() { "-".to_owned() } else { labels.join(", ") })?;
    line("observed", said(&machine.observed))?;
    for flag in &machine.flags {
        let (kind, reason) = (cell(&flag.kind), shown(&flag.reason));
        line("flag", format!("{kind}, {}: {reason}", ago(flag.since_ms)))?;
    }
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
    let bundle = match (&assigned.name, assigned.serial, &assigned.bundle) {
        (Some(name), Some(serial), Some(digest)) => {
            let digest = digest.get(..12).unwrap_or_default();
            format!("{} serial {serial} ({digest}), for {}", cell(name), assigned.state.word())
        }
        _ => assigned.state.word().to_owned(),
    };
    let once = if assigned.once { ", once" } else { "" };
    let confirm = assigned.confirm_within_s.map(|s| format!(", to be confirmed within {s} s"));
    let by = match &assigned.reason {
        Some(reason) => format!("because: {}", shown(reason)),
        None => rule(&assigned.by),
    };
    let when = ago(assigned.assigned_ms);
    format!("{bundle}{once}{}, {by}, {when}", confirm.unwrap_or_default())
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

/// A machine's labels.
pub(super) fn labels(details: &MachineDetails, output: &Output) -> anyhow::Result<()> {
    if output.json {
        println!("{}", text::json(details)?);
        return Ok(());
    }
    for (key, value) in &details.machine.labels {
        println!("{key}={value}");
    }
    Ok(())
}
