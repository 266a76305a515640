//! `sfdisk` with a script: a new table, or one partition of the old one changed.

use super::{finish, numbers, open};
use crate::{
    applet::{Args, usage_error},
    partitions::{
        self, Disk, Label, Table, edit, listing,
        script::{Script, Wish},
        types,
    },
};
use anyhow::{Context as _, bail};
use std::{io::Read as _, path::Path};

/// Reads a script from standard input and does it.
pub(super) fn apply(args: &Args, device: &Path, rest: &[&str]) -> anyhow::Result<u8> {
    let number = match (args.number::<u32>("partno")?, rest) {
        (Some(number), []) => Some(number),
        (None, []) => None,
        (None, [_]) => numbers(rest)?.first().copied(),
        _ => return usage_error("unexpected arguments after the device"),
    };
    let disk = open(args, device)?;
    let old = partitions::read(&disk)?;
    for warning in old.iter().flat_map(|table| &table.warnings) {
        eprintln!("{warning} This problem will be corrected by write.");
    }
    let mut text = String::new();
    std::io::stdin().take(1 << 20).read_to_string(&mut text).context("cannot read the script")?;
    let script = Script::parse(&text, &disk)?;
    let told = |text: String| {
        if !args.has("quiet") {
            print!("{text}");
        }
    };
    told("Checking that no-one is using this disk right now ... OK\n\n".into());
    told(listing::header(&disk, old.as_ref()) + "\n");
    if let Some(old) = &old {
        told(format!("Old situation:\n\n{}\n", listing::partitions(&disk, old, None, false)?));
    }
    told(">>> Script header accepted.\n".repeat(script.headers));
    let table = match number {
        Some(number) => {
            let mut table = old.with_context(|| {
                format!("{}: does not contain a recognized partition table", device.display())
            })?;
            stretch(&disk, &mut table);
            change(&disk, &mut table, number, &script)?;
            table
        }
        None => fill(args, &disk, old, &script, &told)?,
    };
    told(format!("\nNew situation:\n{}\n", listing::identity(&table)));
    told(listing::partitions(&disk, &table, None, false)?);
    finish(args, &disk, &table)
}

/// A GPT whose backup is not at the end uses the rest of a disk that grew.
fn stretch(disk: &Disk, table: &mut Table) {
    if let Label::Gpt(label) = &mut table.label
        && label.backup != disk.sectors.checked_sub(1)
    {
        label.stretch(disk);
    }
}

fn change(disk: &Disk, table: &mut Table, number: u32, script: &Script) -> anyhow::Result<()> {
    let wish = match script.wishes.as_slice() {
        [wish] => wish,
        [] => bail!("{}: no change for partition {number} was given", disk.path.display()),
        _ => bail!("{}: one line changes one partition", disk.path.display()),
    };
    if table.part(number).is_some() {
        edit::modify(disk, table, number, wish)
    } else {
        let most = table.parts.iter().map(|part| part.number).max().unwrap_or(0);
        if number > most + 1 {
            bail!(
                "{}: cannot modify partition {number}: partition table contains only {most} partitions",
                disk.path.display()
            );
        }
        let wish = Wish { number: Some(number), ..wish.clone() };
        edit::add(disk, table, &wish).map(drop)
    }
}

fn fill(
    args: &Args,
    disk: &Disk,
    old: Option<Table>,
    script: &Script,
    told: &impl Fn(String),
) -> anyhow::Result<Table> {
    let mut table = match old {
        Some(mut old) if args.has("append") => {
            stretch(disk, &mut old);
            old
        }
        old => {
            let default = old.map_or("dos", |old| old.label_name());
            let name = script.label.as_deref().or(args.text("label")?).unwrap_or(default);
            let table = edit::create(disk, name, script)?;
            let id = table.id();
            told(match table.label {
                Label::Gpt(_) => format!(">>> Created a new GPT disklabel (GUID: {id}).\n"),
                Label::Mbr(_) => {
                    format!(">>> Created a new DOS (MBR) disklabel with disk identifier {id}.\n")
                }
            });
            table
        }
    };
    let mut last = 0;
    for wish in &script.wishes {
        let number = edit::add(disk, &mut table, wish)
            .with_context(|| format!("Failed to add #{} partition", last + 1))?;
        last = number;
        if let Some(part) = table.part(number) {
            told(format!(
                "{}: Created a new partition {number} of type '{}' and of size {}.\n",
                disk.node(number),
                types::name(part.kind),
                crate::sizes::human(part.size * disk.sector, crate::sizes::Style::Long)
            ));
        }
    }
    told(format!("{}: Done.\n", disk.node(last + 1)));
    Ok(table)
}
