//! Who may log in to the machines of a fleet.

use super::{print, read_trust, write_trust};
use crate::ui::{Output, WithHint};
use anyhow::{Context, bail};
use std::{fs, path::PathBuf};
use xenoboot_site::{Operator, Role, SshKey, Trust, check_name, name_limits};

#[derive(clap::Args)]
pub(super) struct Add {
    /// The operator's name
    name: String,
    /// His public key: a line as in a .pub file, or the file
    #[arg(value_name = "KEY")]
    key: String,
    /// The fleet's folder
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// The key is of an authority, which signs certificates for this principal; may be given several times
    #[arg(long = "authority-for", value_name = "PRINCIPAL")]
    principals: Vec<String>,
}

#[derive(clap::Args)]
pub(super) struct Remove {
    /// The operator's name
    name: String,
    /// The fleet's folder
    #[arg(long, default_value = ".")]
    dir: PathBuf,
}

pub(super) fn add(args: Add, output: &Output) -> anyhow::Result<()> {
    let mut trust = read_trust(&args.dir)?;
    for name in args.principals.iter().chain([&args.name]) {
        if !check_name(name) {
            bail!("`{name}` cannot be a name: it has {}", name_limits());
        }
    }
    let key = read(&args.key)?;
    let role = if args.principals.is_empty() {
        Role::Key(key)
    } else {
        Role::Authority { key, principals: args.principals }
    };
    trust.operators.push(Operator { name: args.name, role });
    // Parsing what is to be written says whether the whole holds together: name or key may be there already.
    let trust = Trust::parse(&trust.to_toml()).context("the operator cannot be added")?;
    write_trust(&args.dir, &trust)?;
    print(&trust, output);
    eprintln!("hint: machines know of it when their image was stamped with the new trust file");
    Ok(())
}

pub(super) fn remove(args: &Remove, output: &Output) -> anyhow::Result<()> {
    let mut trust = read_trust(&args.dir)?;
    let before = trust.operators.len();
    trust.operators.retain(|operator| operator.name != args.name);
    if trust.operators.len() == before {
        bail!("the fleet has no operator {}", args.name);
    }
    write_trust(&args.dir, &trust)?;
    print(&trust, output);
    eprintln!("hint: machines know of it when their image was stamped with the new trust file");
    Ok(())
}

/// A key, or the file that it is in.
fn read(key: &str) -> anyhow::Result<SshKey> {
    let line = if key.contains(' ') {
        key.to_owned()
    } else {
        fs::read_to_string(key)
            .with_context(|| format!("cannot read {key}"))
            .hint("name a .pub file, or give its whole line in quotes")?
    };
    SshKey::parse(line.trim())
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("{key} cannot be used"))
}

/// An operator for people.
pub(super) fn shown(operator: &Operator) -> String {
    let key = operator.key();
    match &operator.role {
        Role::Key(_) => format!("operator   {}\n           {key}", operator.name),
        Role::Authority { principals, .. } => {
            let whom = principals.join(", ");
            format!("authority  {}, for {whom}\n           {key}", operator.name)
        }
    }
}

/// An operator for programs.
pub(super) fn json(operator: &Operator) -> serde_json::Value {
    let mut json = serde_json::json!({ "name": operator.name, "key": operator.key().to_string() });
    if let (Role::Authority { principals, .. }, Some(fields)) =
        (&operator.role, json.as_object_mut())
    {
        fields.insert("authority_for".to_owned(), serde_json::json!(principals));
    }
    json
}
