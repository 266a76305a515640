//! `xenoboot machine invite`, `import`, `rotate`, `revoke`: machines become known with no operator at hand, and
//! get other keys.

use super::{of, show};
use crate::{
    operator::{
        Client, table,
        text::{self, ago, cell},
    },
    ui::{self, Output, WithHint},
    units,
};
use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use std::{collections::BTreeMap, fs::File, path::Path};
use xenoboot_server::api::{
    Expect, Import, Imported, Invitation, Invite, Invited, MachineDetails, Rotate,
};

#[derive(clap::Args)]
pub(super) struct InviteArgs {
    /// The machine's name [default: the one stamped into its image]
    #[arg(long)]
    name: Option<String>,
    /// Add it to this group; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Set this label; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = super::label)]
    labels: Vec<(String, String)>,
    /// For how long the token is good
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = units::duration)]
    expires: u64,
    /// List the tokens that were given out, without themselves
    #[arg(long, conflicts_with_all = ["name", "groups", "labels", "take_back"])]
    list: bool,
    /// Take a token back, by its ID in the list
    #[arg(long, value_name = "ID", conflicts_with_all = ["name", "groups", "labels"])]
    take_back: Option<String>,
}

pub(super) fn invite(client: &mut Client, args: InviteArgs, output: &Output) -> anyhow::Result<()> {
    if args.list {
        return list(client, output);
    }
    if let Some(id) = args.take_back {
        client.delete(&format!("invitations/{}", super::escaped(&id)))?;
        if !output.json {
            println!("took {} back", cell(&id));
        }
        return Ok(());
    }
    let invite = Invite {
        name: args.name,
        groups: args.groups,
        labels: args.labels.into_iter().collect(),
        expires_s: u32::try_from(args.expires).unwrap_or(u32::MAX),
    };
    let invited: Invited = client.post("invitations", &invite)?;
    if output.json {
        println!("{}", text::json(&invited)?);
        return Ok(());
    }
    println!("{}", invited.token);
    eprintln!(
        "hint: type it at the machine's console and press Enter, or add xenoboot.token={} to its kernel's command line; \
         it approves one machine",
        invited.token
    );
    Ok(())
}

fn list(client: &mut Client, output: &Output) -> anyhow::Result<()> {
    let invitations: Vec<Invitation> = client.get("invitations")?;
    if output.json {
        println!("{}", text::json(&invitations)?);
        return Ok(());
    }
    let now = text::now_ms();
    let row = |invitation: &Invitation| {
        let state = match (invitation.used_ms, &invitation.machine) {
            (Some(at), Some(machine)) => format!("used by {machine}, {}", ago(at)),
            (Some(at), None) => format!("used {}", ago(at)),
            (None, _) if invitation.expires_ms <= now => "expired".to_owned(),
            (None, _) => format!("good for {}", text::duration(invitation.expires_ms - now)),
        };
        let name = invitation.name.clone().unwrap_or_else(|| "-".to_owned());
        [invitation.id.clone(), name, state]
    };
    let rows: Vec<_> = invitations.iter().map(row).collect();
    Ok(table::print(["ID", "NAME", "STATE"], &rows)?)
}

/// One row of a table of machines.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: String,
    name: Option<String>,
    groups: Option<String>,
    labels: Option<String>,
}

pub(super) fn import(client: &mut Client, file: &Path, output: &Output) -> anyhow::Result<()> {
    let shown = file.display();
    let opened = File::open(file).with_context(|| format!("cannot read {shown}"))?;
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(opened);
    let mut machines = Vec::new();
    for (number, row) in reader.deserialize::<Row>().enumerate() {
        let row = row.with_context(|| format!("{shown}, row {}", number + 1));
        let row =
            row.hint("the first line names the columns: key, and name, groups, labels as needed")?;
        machines.push(expect(row).with_context(|| format!("{shown}, row {}", number + 1))?);
    }
    ensure!(!machines.is_empty(), "{shown} has no machine");
    let imported: Imported = client.post("import", &Import { machines })?;
    if output.json {
        println!("{}", text::json(&imported)?);
    } else {
        println!("approved {} machines", imported.names.len());
    }
    Ok(())
}

fn expect(row: Row) -> anyhow::Result<Expect> {
    let words = |text: Option<String>| -> Vec<String> {
        let text = text.unwrap_or_default();
        let words = text.split([';', ' ']).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    let mut labels = BTreeMap::new();
    for word in words(row.labels) {
        match super::label(&word) {
            Ok((key, value)) => drop(labels.insert(key, value)),
            Err(error) => bail!(error),
        }
    }
    Ok(Expect {
        key: row.key,
        name: row.name.filter(|name| !name.is_empty()),
        groups: words(row.groups),
        labels,
    })
}

#[derive(clap::Args)]
pub(super) struct RotateArgs {
    /// The machine
    machine: String,
    /// The new key, by its whole fingerprint or in hexadecimal
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Revoke the old key at once, not when the new one is seen
    #[arg(long)]
    now: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) fn rotate(client: &mut Client, args: RotateArgs, output: &Output) -> anyhow::Result<()> {
    if args.now {
        ui::confirm(
            &format!("{} gets nothing more with the key that it has now.", cell(&args.machine)),
            args.yes,
        )?;
    }
    let rotate = Rotate { key: args.key, now: args.now };
    let machine: MachineDetails = client.post(&of(&args.machine, "/rotate"), &rotate)?;
    let what = if args.now { "gave another key to" } else { "prepared another key for" };
    show::done(what, &machine, output)
}

pub(super) fn revoke(
    client: &mut Client,
    machine: &str,
    yes: bool,
    output: &Output,
) -> anyhow::Result<()> {
    ui::confirm(&format!("The key of {} can never be approved again.", cell(machine)), yes)?;
    let machine: MachineDetails = client.post(&of(machine, "/revoke"), &())?;
    show::done("revoked the key of", &machine, output)
}
