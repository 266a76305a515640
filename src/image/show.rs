//! `xenoboot image inspect`.

use crate::ui::Output;
use anyhow::{Context, Result};
use std::path::Path;
use xenoboot_bundle::SigningKey;
use xenoboot_image::{
    site::Stamp,
    stamp::{self, Contents},
};
use xenoboot_site::{Machine, Site, Trust, show_key};
use xenoboot_wire::MachineKey;

pub(crate) fn run(image: &Path, output: &Output) -> Result<()> {
    let contents = stamp::inspect(image)?;
    let stamped = Stamped::read(&contents.stamp)?;
    if output.json {
        println!("{}", json(&contents, &stamped));
    } else {
        print(&contents, &stamped);
    }
    Ok(())
}

/// The stamp, understood.
#[derive(Default)]
struct Stamped {
    site: Option<Site>,
    trust: Option<Trust>,
    machine: Option<Machine>,
    key: Option<MachineKey>,
}

impl Stamped {
    fn read(stamp: &Stamp) -> Result<Self> {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        let site = given(&stamp.site).map(|text| Site::parse(&text)).transpose();
        let trust = given(&stamp.trust).map(|text| Trust::parse(&text)).transpose();
        let machine = stamp.machine.as_ref().map(|text| Machine::parse(text)).transpose();
        let key = stamp.key.as_ref().map(|der| public(der)).transpose()?;
        Ok(Self {
            site: site.context("the image's site.toml")?,
            trust: trust.context("the image's trust.toml")?,
            machine: machine.context("the image's machine.toml")?,
            key,
        })
    }
}

/// The public half of a private key, which itself is never shown.
fn public(der: &[u8]) -> Result<MachineKey> {
    let key = SigningKey::from_pkcs8(der).context("the image's machine key")?;
    Ok(MachineKey(key.public()))
}

fn json(contents: &Contents, stamped: &Stamped) -> serde_json::Value {
    let recipe = &contents.recipe;
    let servers: Vec<_> = stamped
        .site
        .iter()
        .flat_map(|site| &site.servers)
        .map(|server| serde_json::json!({ "url": server.url.to_string(), "pins": server.pins }))
        .collect();
    let fleet = stamped.trust.as_ref().map(|trust| {
        let signers: Vec<_> = trust
            .signers
            .iter()
            .map(|signer| serde_json::json!({ "name": signer.name, "key": show_key(signer.key) }))
            .collect();
        serde_json::json!({ "id": trust.fleet.to_string(), "name": trust.name, "threshold": trust.threshold, "signers": signers })
    });
    let parts: serde_json::Map<_, _> =
        contents.parts.iter().map(|(name, size)| ((*name).to_owned(), (*size).into())).collect();
    serde_json::json!({
        "version": recipe.version,
        "recipe": recipe.recipe,
        "kernel": recipe.kernel,
        "command_line": recipe.command_line,
        "uuid": contents.uuid,
        "programs": recipe.programs,
        "packages": recipe.packages,
        "toolbox": recipe.toolbox,
        "overlay": recipe.overlay,
        "parts": parts,
        "servers": servers,
        "fleet": fleet,
        "machine": stamped.machine.as_ref().map(|m| serde_json::json!({ "name": m.name, "groups": m.groups })),
        "fingerprint": stamped.key.map(|key| key.fingerprint()),
    })
}

fn print(contents: &Contents, stamped: &Stamped) {
    let recipe = &contents.recipe;
    // An image may be anybody's: nothing of it steers the terminal.
    let harmless = |text: &str| text.replace(char::is_control, "\u{fffd}");
    let row = |name: &str, value: &str| println!("{name:<13} {}", harmless(value));
    row("version", &recipe.version);
    row("recipe", &recipe.recipe);
    row("kernel", &recipe.kernel);
    row("command line", &recipe.command_line);
    row("volume", &contents.uuid);
    for (name, size) in &contents.parts {
        row("part", &format!("{name}, {:.2} MB", *size as f64 / 1e6));
    }
    for package in &recipe.packages {
        row("package", &format!("{} {}", package.name, package.version));
    }
    match &stamped.site {
        None => row("site", "none: stamp the image before it is booted"),
        Some(site) => {
            for server in &site.servers {
                row("server", &server.url.to_string());
                server.pins.iter().for_each(|pin| row("  pin", &pin.to_string()));
            }
        }
    }
    if let Some(trust) = &stamped.trust {
        row("fleet", &format!("{} ({})", trust.name, trust.fleet));
        row("threshold", &format!("{} of {}", trust.threshold, trust.signers.len()));
        for signer in &trust.signers {
            row("  signer", &format!("{} {}", signer.name, show_key(signer.key)));
        }
    }
    if let Some(machine) = &stamped.machine {
        row("machine", machine.name.as_deref().unwrap_or("(no name)"));
        if !machine.groups.is_empty() {
            row("groups", &machine.groups.join(", "));
        }
    }
    match stamped.key {
        Some(key) => row("fingerprint", &key.fingerprint()),
        None => row("machine key", "none: the machine makes one at each boot"),
    }
}
