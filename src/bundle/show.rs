//! What the verbs print.

use super::{digest_of, store::Stored};
use crate::{time, ui::Output};
use std::io::{self, Write};
use xenoboot_bundle::{File, Inspection, Machines, Manifest, Then};
use xenoboot_site::Trust;
use xenoboot_wire::Code;

/// After building and signing: the essentials.
pub(super) fn summary(stored: &Stored, found: &Inspection, output: &Output) -> anyhow::Result<()> {
    let (m, digest) = (&found.manifest, digest_of(stored).to_string());
    let signatures = found.signers.len();
    let mut out = io::stdout().lock();
    if output.json {
        let json = serde_json::json!({
            "file": stored.path, "bundle": digest, "name": m.name, "serial": m.serial,
            "not_after": m.not_after, "signatures": signatures, "blobs": m.blobs().count(),
        });
        writeln!(out, "{json}")?;
        return Ok(());
    }
    writeln!(out, "bundle      {} ({digest})", stored.path.display())?;
    writeln!(out, "name        {}, serial {}", m.name, m.serial)?;
    writeln!(out, "valid until {}", time::show(m.not_after))?;
    writeln!(out, "for         {}", machines(&m.machines))?;
    writeln!(out, "files       {}, {} bytes", m.files.len(), m.total_size())?;
    if m.blobs().next().is_some() {
        writeln!(out, "blobs       {} in {}", m.blobs().count(), stored.blobs().display())?;
    }
    match signatures {
        0 => writeln!(out, "signatures  none: a draft, which no machine runs")?,
        n => writeln!(out, "signatures  {n}")?,
    }
    Ok(())
}

/// Everything that a bundle says of itself.
pub(super) fn inspection(
    stored: &Stored,
    found: &Inspection,
    output: &Output,
) -> anyhow::Result<()> {
    let m = &found.manifest;
    let signers: Vec<String> = found.signers.iter().map(ToString::to_string).collect();
    let mut out = io::stdout().lock();
    if output.json {
        let mut json = manifest_json(m);
        if let Some(map) = json.as_object_mut() {
            map.insert("bundle".to_owned(), digest_of(stored).to_string().into());
            map.insert("signers".to_owned(), signers.into());
            map.insert("verified".to_owned(), false.into());
        }
        writeln!(out, "{json:#}")?;
        return Ok(());
    }
    writeln!(out, "NOT VERIFIED: this is what the bundle says of itself")?;
    writeln!(out, "digest        {}", digest_of(stored))?;
    writeln!(out, "name          {}, serial {}", m.name, m.serial)?;
    writeln!(out, "fleet         {}", m.fleet)?;
    writeln!(out, "for           {}", machines(&m.machines))?;
    writeln!(out, "made          {}", time::show(m.created))?;
    writeln!(out, "valid until   {}", time::show(m.not_after))?;
    writeln!(out, "lowest image  {}", m.min_image)?;
    writeln!(out, "runs          {} {:?}", m.entry, m.args)?;
    writeln!(out, "time limit    {} s", m.time_limit_s)?;
    if let Some(bytes) = m.memory_limit {
        writeln!(out, "memory limit  {bytes} bytes")?;
    }
    for need in &m.needs {
        writeln!(out, "needs         {}", need.name())?;
    }
    writeln!(out, "then          {}; on failure {}", then(m.on_success), then(m.on_failure))?;
    for id in &signers {
        writeln!(out, "signed by key {id}")?;
    }
    for File { path, mode, size, digest, content } in &m.files {
        let place = if content.is_some() { "inline" } else { "blob  " };
        writeln!(out, "file          {mode:04o} {size:>10} {place} {digest} {path}")?;
    }
    for extension in &m.extensions {
        writeln!(out, "ignored field {}", extension.key)?;
    }
    Ok(())
}

/// A bundle that a machine would run.
pub(super) fn verified(
    stored: &Stored,
    m: &Manifest,
    trust: &Trust,
    output: &Output,
) -> anyhow::Result<()> {
    let ids: Vec<_> = xenoboot_bundle::inspect(&stored.envelope)?.signers;
    let names: Vec<&str> = trust
        .signers
        .iter()
        .filter(|s| ids.contains(&xenoboot_bundle::KeyId::of(&s.key)))
        .map(|s| s.name.as_str())
        .collect();
    let mut out = io::stdout().lock();
    if output.json {
        let mut json = manifest_json(m);
        if let Some(map) = json.as_object_mut() {
            map.insert("bundle".to_owned(), digest_of(stored).to_string().into());
            map.insert("signers".to_owned(), names.into());
            map.insert("verified".to_owned(), true.into());
        }
        writeln!(out, "{json:#}")?;
        return Ok(());
    }
    writeln!(out, "good: {} serial {} may run", m.name, m.serial)?;
    writeln!(out, "signed by   {} ({} needed)", names.join(", "), trust.threshold)?;
    writeln!(out, "for         {}", machines(&m.machines))?;
    writeln!(out, "valid until {}", time::show(m.not_after))?;
    Ok(())
}

/// What to do about a bundle that must not run.
pub(super) fn advice(code: Code) -> &'static str {
    match code {
        Code::BundleThreshold => "let another signer sign it: xenoboot bundle sign",
        Code::BundleSigner => "sign it with a key of the fleet; `xenoboot fleet show` lists them",
        Code::BundleExpired => "build and sign it again",
        Code::BundleFleet => "name the fleet that it was built for, or build it for this one",
        Code::BundleMachine => "`xenoboot bundle inspect` shows which machines it is for",
        Code::BundleImage => "renew the machine's image, or lower `min-image` in bundle.toml",
        Code::BundleNotYet => "check the clock of the computer where it was built, and this one's",
        _ => "build it again from its folder; it is not what was built and signed",
    }
}

fn machines(machines: &Machines) -> String {
    let Machines::Listed { keys, groups } = machines else {
        return "every machine of the fleet".to_owned();
    };
    let keys = keys.iter().map(|k| format!("machine {}", k.fingerprint()));
    let groups = groups.iter().map(|g| format!("group {g}"));
    keys.chain(groups).collect::<Vec<_>>().join(", ")
}

fn then(then: Then) -> String {
    match then {
        Then::Reboot => "reboot".to_owned(),
        Then::PowerOff => "power off".to_owned(),
        Then::RunAgain { after_s } => format!("run again after {after_s} s"),
        Then::Wait => "wait".to_owned(),
    }
}

fn manifest_json(m: &Manifest) -> serde_json::Value {
    let files: Vec<_> = m.files.iter().map(file_json).collect();
    let machines = match &m.machines {
        Machines::Any => serde_json::json!("any"),
        Machines::Listed { keys, groups } => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            serde_json::json!({ "keys": keys, "groups": groups })
        }
    };
    serde_json::json!({
        "name": m.name, "serial": m.serial, "created": m.created, "not_after": m.not_after,
        "fleet": m.fleet.to_string(), "machines": machines, "min_image": m.min_image.to_string(),
        "entry": m.entry.as_str(), "args": m.args, "time_limit_s": m.time_limit_s,
        "memory_limit": m.memory_limit, "on_success": then(m.on_success),
        "on_failure": then(m.on_failure), "files": files,
        "needs": m.needs.iter().map(|need| need.name()).collect::<Vec<_>>(),
    })
}

fn file_json(f: &File) -> serde_json::Value {
    serde_json::json!({
        "path": f.path.as_str(), "mode": format!("{:04o}", f.mode), "size": f.size,
        "digest": f.digest.to_string(), "inline": f.content.is_some(),
    })
}
