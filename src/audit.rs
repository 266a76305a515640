//! `xenoboot audit`: who changed what, and whether the log is whole.

use crate::{
    operator::{
        Access, Client, table,
        text::{self, cell, shown},
    },
    time,
    ui::{Output, WithHint},
};
use anyhow::{bail, ensure};
use clap::Subcommand;
use serde_json::json;
use xenoboot_server::api::{Audit, AuditEntry};

/// Arguments of `xenoboot audit`.
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List changes, the latest last
    #[command(
        after_help = "Examples:\n  xenoboot audit list\n  xenoboot audit list --after 1200 --json | jq 'select(.actor == \"alice\")'"
    )]
    List {
        /// Only entries with higher numbers
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
    /// Check that no entry was changed, taken out or put in between
    #[command(
        after_help = "Each entry has the hash of the one before in its own. Keep the hash that this prints somewhere else: given with\n--has, it shows later that the log up to there is still the same.\n\nExamples:\n  xenoboot audit verify\n  xenoboot audit verify --has 3fa9c1d2…"
    )]
    Verify {
        /// A hash that was the last one once: it must be in the log
        #[arg(long, value_name = "HASH")]
        has: Option<String>,
    },
}

pub(crate) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let mut client = args.access.client()?;
    match &args.verb {
        Verb::List { after } => {
            let entries = entries(&mut client, *after)?;
            if output.json {
                for entry in &entries {
                    println!("{}", text::json(entry)?);
                }
                return Ok(());
            }
            let rows: Vec<_> = entries.iter().map(row).collect();
            Ok(table::print(["NUMBER", "WHEN", "WHO", "WHAT", "TO", "DETAIL"], &rows)?)
        }
        Verb::Verify { has } => {
            let entries = entries(&mut client, 0)?;
            let last = verify(&entries)?;
            if let Some(has) = has {
                ensure!(
                    entries.iter().any(|entry| entry.hash == *has),
                    "the log has no entry with the hash {}",
                    cell(has)
                );
            }
            if output.json {
                println!("{}", json!({ "entries": entries.len(), "hash": last }));
            } else {
                println!("{} entries, the last {last}", entries.len());
            }
            Ok(())
        }
    }
}

fn entries(client: &mut Client, mut after: i64) -> anyhow::Result<Vec<AuditEntry>> {
    let mut all = Vec::new();
    loop {
        let page: Audit = client.get(&format!("audit?after={after}"))?;
        match page.entries.last() {
            None => return Ok(all),
            // A server that is not ours may be anything.
            Some(last) if last.number <= after => bail!("the server's audit log does not go on"),
            Some(last) => after = last.number,
        }
        all.extend(page.entries);
    }
}

/// The last hash, when each entry is what it was and follows the one before.
fn verify(entries: &[AuditEntry]) -> anyhow::Result<&str> {
    let mut before = AuditEntry::NONE;
    for (entry, number) in entries.iter().zip(1..) {
        let fault = if entry.number != number {
            "is missing"
        } else if entry.before != before {
            "does not follow the one before"
        } else if entry.hash_of() != entry.hash {
            "was changed"
        } else {
            before = &entry.hash;
            continue;
        };
        return Err(anyhow::anyhow!("entry {number} of the audit log {fault}"))
            .hint("somebody who could write to the server's database has changed it");
    }
    Ok(before)
}

fn row(entry: &AuditEntry) -> [String; 6] {
    let when = time::show(entry.at_ms.unsigned_abs() / 1000);
    let detail = shown(&entry.detail.to_string());
    let AuditEntry { number, actor, action, object, .. } = entry;
    [number.to_string(), when, actor.clone(), action.clone(), object.clone(), detail]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Vec<AuditEntry> {
        let mut before = AuditEntry::NONE.to_owned();
        let entry = |number| {
            let mut entry = AuditEntry {
                number,
                at_ms: 5,
                actor: "alice".into(),
                action: "machine.approve".into(),
                object: "m".into(),
                detail: json!({ "b": 1, "a": [2] }),
                before: before.clone(),
                hash: String::new(),
            };
            entry.hash = entry.hash_of();
            before.clone_from(&entry.hash);
            entry
        };
        (1..=4).map(entry).collect()
    }

    /// The same log, with one entry changed.
    fn with(change: impl Fn(&mut AuditEntry)) -> Vec<AuditEntry> {
        let mut entries = chain();
        entries.iter_mut().skip(2).take(1).for_each(change);
        entries
    }

    #[test]
    fn what_was_changed_is_found() {
        let good = chain();
        assert_eq!(verify(&good).ok(), good.last().map(|entry| entry.hash.as_str()));
        assert_eq!(verify(&[]).ok(), Some(AuditEntry::NONE));
        let mut taken = chain();
        taken.remove(1);
        let mut first = chain();
        first.remove(0);
        let mut swapped = chain();
        swapped.swap(1, 2);
        let rewritten = with(|entry| entry.actor = "bob".into());
        let rehashed = with(|entry| {
            entry.actor = "bob".into();
            entry.hash = entry.hash_of();
        });
        for bad in [taken, first, swapped, rewritten, rehashed] {
            assert!(verify(&bad).is_err());
        }
    }
}
