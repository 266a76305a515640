//! `machine.toml`: what one machine is called.

use crate::{
    error::{self, Error},
    name::Name,
};
use serde::Deserialize;
use std::fmt::Write;
use toml::Spanned;

/// A machine's name and groups, as stamped into its image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The name, for people.
    pub name: Option<String>,
    /// Groups whose bundles this machine runs, each once.
    pub groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMachine {
    name: Option<Name>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
}

impl Machine {
    /// Parses a machine file of at most [`crate::MAX_FILE`] bytes.
    ///
    /// # Errors
    /// At the first thing that is not understood or contradicts something before it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let raw: RawMachine = error::parse(text)?;
        let mut groups = Vec::new();
        for group in raw.groups {
            let span = group.span();
            let Name(name) = group
                .into_inner()
                .try_into()
                .map_err(|problem: String| Error::at(text, span.clone(), problem))?;
            if groups.contains(&name) {
                return Err(Error::at(text, span, format!("group {name} is there already")));
            }
            if groups.len() == crate::MAX_GROUPS {
                let problem = format!("too many groups, expected at most {}", crate::MAX_GROUPS);
                return Err(Error::at(text, span, problem));
            }
            groups.push(name);
        }
        Ok(Self { name: raw.name.map(|n| n.0), groups })
    }

    /// The file that [`Machine::parse`] reads.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        if let Some(name) = &self.name {
            // Writing to a String cannot fail; names are plain, so nothing needs escaping.
            let _ = writeln!(out, "name = \"{name}\"");
        }
        let groups: Vec<String> = self.groups.iter().map(|g| format!("\"{g}\"")).collect();
        let _ = writeln!(out, "groups = [{}]", groups.join(", "));
        out
    }
}
