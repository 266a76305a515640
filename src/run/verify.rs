//! Signed reports, held against the machine's key.

use super::{Which, path};
use crate::{
    machine::of,
    operator::{
        Client,
        text::{self, cell, shown},
    },
    ui::{Output, WithHint},
};
use anyhow::{Context, anyhow, bail, ensure};
use serde_json::json;
use xenoboot_bundle::report::{SUFFIX, SignedReport};
use xenoboot_server::api::{MachineDetails, RunDetails};
use xenoboot_wire::{Digest, MachineKey, RunId};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// The machine that must have signed: its key in hexadecimal or its whole fingerprint, known from
    /// elsewhere than the server
    #[arg(long, value_name = "KEY")]
    signed_by: Option<String>,
}

/// A report and what became of it.
struct Checked<'a> {
    key: &'a str,
    value: &'a str,
    right: bool,
}

pub(super) fn run(args: &Args, client: &mut Client, output: &Output) -> anyhow::Result<()> {
    let run = args.which.find(client)?;
    let details: RunDetails = client.get(&path(&run, ""))?;
    let machine = machine(args, &details, client)?;
    let checked = check(&details, machine)?;
    if checked.is_empty() {
        return Err(anyhow!("run {run} has no signed report")).hint(
            "a script signs with `xb report --sign KEY=VALUE`; `xenoboot run show` has the others",
        );
    }
    print(&checked, machine, output)?;
    let wrong = checked.iter().filter(|report| !report.right).count();
    ensure!(
        wrong == 0,
        "{wrong} of {} signed reports are not what the machine signed",
        checked.len()
    );
    Ok(())
}

/// The key that must have signed. The server's word for it is held against what the operator knows.
fn machine(args: &Args, details: &RunDetails, client: &mut Client) -> anyhow::Result<MachineKey> {
    if let Some(Ok(key)) = args.signed_by.as_ref().map(|key| key.parse()) {
        return Ok(key);
    }
    let found: MachineDetails = client.get(&of(&details.run.machine, ""))?;
    let key = found.machine.key.context("the server does not know the machine's key")?;
    let key: MachineKey = key.parse().context("the server's answer")?;
    match &args.signed_by {
        Some(wanted) if !wanted.eq_ignore_ascii_case(&key.fingerprint()) => {
            bail!("by the server's word the machine is {}, not {wanted}", key.fingerprint())
        }
        _ => Ok(key),
    }
}

fn check(details: &RunDetails, machine: MachineKey) -> anyhow::Result<Vec<Checked<'_>>> {
    let run: RunId = details.run.run.parse().context("the server's answer: the run's id")?;
    let bundle = details.run.bundle.as_deref().context("the server does not know the bundle")?;
    let bundle: Digest = bundle.parse().context("the server's answer: the bundle's digest")?;
    let one = |(key, signature): (&'_ String, &'_ String)| {
        let (key, value) = details.reports.get_key_value(key.strip_suffix(SUFFIX)?)?;
        let report = SignedReport { run, bundle, key, value };
        let right = unhex(signature).is_some_and(|s| report.verify(machine, &s).is_ok());
        Some(Checked { key, value, right })
    };
    Ok(details.reports.iter().filter_map(one).collect())
}

fn print(checked: &[Checked<'_>], machine: MachineKey, output: &Output) -> anyhow::Result<()> {
    if output.json {
        let one = |c: &Checked<'_>| json!({ "key": c.key, "value": c.value, "verified": c.right });
        let all: Vec<_> = checked.iter().map(one).collect();
        let fingerprint = machine.fingerprint();
        let all = json!({ "machine": machine, "fingerprint": fingerprint, "reports": all });
        println!("{}", text::json(&all)?);
        return Ok(());
    }
    for Checked { key, value, right } in checked {
        let word = if *right { "verified" } else { "WRONG   " };
        println!("{word}  {}={}", cell(key), shown(value));
    }
    println!("signed by {} ({machine})", machine.fingerprint());
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenoboot_bundle::SigningKey;
    use xenoboot_server::api::{Run, RunState};

    fn details(reports: &[(&str, &str)]) -> RunDetails {
        let run = Run {
            run: RunId([3; 16]).to_string(),
            machine: "cupboard".into(),
            bundle: Some(Digest([4; 32]).to_string()),
            name: None,
            serial: None,
            state: RunState::Succeeded,
            code: None,
            cause: None,
            exit: None,
            duration_ms: None,
            progress: None,
            started_ms: 0,
            ended_ms: None,
        };
        let reports = reports.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        RunDetails { run, boot: String::new(), phases: Vec::new(), reports, lines: 0 }
    }

    #[test]
    fn what_was_changed_at_the_server_is_found_out() -> anyhow::Result<()> {
        let key = SigningKey::from_seed(&[7; 32])?;
        let (run, bundle) = (RunId([3; 16]), Digest([4; 32]));
        let report = SignedReport { run, bundle, key: "disk1", value: "gone" };
        let signature: String = report.sign(&key).iter().map(|b| format!("{b:02x}")).collect();
        let reports = |value| [("disk1", value), ("disk1.sig", signature.as_str()), ("other", "x")];
        let right = |details: &RunDetails| {
            let checked = check(details, MachineKey(key.public()))?;
            anyhow::Ok(checked.iter().map(|c| (c.key.to_owned(), c.right)).collect::<Vec<_>>())
        };
        assert_eq!(right(&details(&reports("gone")))?, [("disk1".to_owned(), true)]);
        assert_eq!(right(&details(&reports("kept")))?, [("disk1".to_owned(), false)]);
        for damaged in ["", "zz", "0é", &signature[1..]] {
            let changed = details(&[("disk1", "gone"), ("disk1.sig", damaged)]);
            assert_eq!(right(&changed)?, [("disk1".to_owned(), false)], "{damaged}");
        }
        assert!(right(&details(&[("other", "x"), ("lost.sig", "00")]))?.is_empty());
        Ok(())
    }
}
