//! Operators: who may log in to the machines, by a key of their own or by a certificate.

use crate::{
    MAX_OPERATORS, MAX_PRINCIPALS,
    error::Error,
    name::{self, Name},
    ssh_key::SshKey,
};
use serde::Deserialize;
use std::fmt::Write;
use toml::Spanned;

/// Someone who may log in, or who says who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The name, for people and in the log.
    pub name: String,
    /// What the key is for.
    pub role: Role,
}

/// What an operator's key is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its holder logs in with it.
    Key(SshKey),
    /// Its holder signs certificates of those who log in (an SSH CA).
    Authority {
        /// The key that signs.
        key: SshKey,
        /// A certificate names at least one of these: at least one.
        principals: Vec<String>,
    },
}

impl Operator {
    /// The key, whatever it is for.
    #[must_use]
    pub fn key(&self) -> &SshKey {
        match &self.role {
            Role::Key(key) | Role::Authority { key, .. } => key,
        }
    }

    /// The table in `trust.toml`. Names and principals are plain, so nothing needs escaping.
    pub(crate) fn to_toml(&self) -> String {
        let mut out = format!("\n[[operator]]\nname = \"{}\"\n", self.name);
        // Writing to a String cannot fail.
        let _ = match &self.role {
            Role::Key(key) => writeln!(out, "key = \"{key}\""),
            Role::Authority { key, principals } => {
                writeln!(
                    out,
                    "authority = \"{key}\"\nprincipals = [\"{}\"]",
                    principals.join("\", \"")
                )
            }
        };
        out
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOperator {
    name: Name,
    key: Option<SshKey>,
    authority: Option<SshKey>,
    principals: Option<Vec<Name>>,
}

impl RawOperator {
    fn check(self) -> Result<Operator, String> {
        let name = self.name.0;
        let role = match (self.key, self.authority, self.principals) {
            (Some(key), None, None) => Role::Key(key),
            (Some(_), None, Some(_)) => {
                return Err(format!("operator {name} has `principals`, which go with `authority`"));
            }
            (None, Some(key), Some(principals))
                if (1..=MAX_PRINCIPALS).contains(&principals.len()) =>
            {
                Role::Authority { key, principals: principals.into_iter().map(|p| p.0).collect() }
            }
            (None, Some(_), _) => {
                return Err(format!(
                    "authority {name} must say for whom it signs, expected `principals` with 1 to {MAX_PRINCIPALS} names"
                ));
            }
            _ => return Err(format!("operator {name} needs either `key` or `authority`")),
        };
        Ok(Operator { name, role })
    }
}

/// Checks the operators of `text` one by one and among each other.
pub(crate) fn check(text: &str, raw: Vec<Spanned<RawOperator>>) -> Result<Vec<Operator>, Error> {
    let mut operators = Vec::new();
    for entry in raw {
        let span = entry.span();
        let added = entry.into_inner().check().and_then(|new| add(&mut operators, new));
        added.map_err(|problem| Error::at(text, span, problem))?;
    }
    Ok(operators)
}

fn add(operators: &mut Vec<Operator>, new: Operator) -> Result<(), String> {
    if operators.len() == MAX_OPERATORS {
        return Err(format!("too many operators, expected at most {MAX_OPERATORS}"));
    }
    if operators.iter().any(|o| o.name == new.name || o.key() == new.key()) {
        return Err(format!("operator {} or its key is there already", new.name));
    }
    operators.push(new);
    Ok(())
}

/// Parses the operators of a signed bundle: lines as in OpenSSH's `authorized_keys`, a key and the operator's name as
/// its comment; `cert-authority,principals="a,b"` in front makes it an authority. No other option is taken.
///
/// # Errors
/// At the first line that is not understood.
pub fn parse_authorized(text: &str) -> Result<Vec<Operator>, String> {
    let mut operators = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            let new = authorized(line).and_then(|new| add(&mut operators, new));
            new.map_err(|problem| format!("line {}: {problem}", number + 1))?;
        }
    }
    Ok(operators)
}

fn authorized(line: &str) -> Result<Operator, String> {
    let (principals, key) = match line.strip_prefix("cert-authority,principals=\"") {
        Some(rest) => {
            let (principals, key) =
                rest.split_once('"').ok_or("the quote after `principals` does not end")?;
            (Some(principals), key)
        }
        None => (None, line),
    };
    let comment = key.split_ascii_whitespace().nth(2).unwrap_or_default();
    let name = comment.split('@').next().unwrap_or_default().to_owned();
    if !name::check(&name) {
        return Err(format!("after the key the operator's name is expected: {}", name::limits()));
    }
    let key = SshKey::parse(key)?;
    let Some(principals) = principals else { return Ok(Operator { name, role: Role::Key(key) }) };
    let principals: Vec<String> = principals.split(',').map(str::to_owned).collect();
    if principals.len() > MAX_PRINCIPALS || !principals.iter().all(|p| name::check(p)) {
        return Err(format!("principals are 1 to {MAX_PRINCIPALS} names: {}", name::limits()));
    }
    Ok(Operator { name, role: Role::Authority { key, principals } })
}
