//! `trust.toml`: the fleet, its signers and its operators.

use crate::{
    error::{self, Error},
    key::{self, PublicKey},
    name::Name,
    operators::{self, Operator, RawOperator},
};
use serde::Deserialize;
use std::fmt::Write;
use toml::Spanned;
use xenoboot_wire::FleetId;

/// Whom the machines of a fleet believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The fleet.
    pub fleet: FleetId,
    /// Its name, for people.
    pub name: String,
    /// How many of the signers must have signed a bundle: 1 to their number.
    pub threshold: usize,
    /// The signers: at least one, distinct by name and by key.
    pub signers: Vec<Signer>,
    /// Who may log in to the machines, distinct by name and by key.
    pub operators: Vec<Operator>,
}

/// Someone who may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The name, for people.
    pub name: String,
    /// The raw Ed25519 public key (RFC 8032).
    pub key: [u8; 32],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTrust {
    fleet: FleetId,
    name: Name,
    threshold: Spanned<usize>,
    #[serde(default)]
    signer: Vec<Spanned<RawSigner>>,
    #[serde(default)]
    operator: Vec<Spanned<RawOperator>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSigner {
    name: Name,
    key: PublicKey,
}

impl Trust {
    /// Parses a trust file of at most [`crate::MAX_FILE`] bytes.
    ///
    /// # Errors
    /// At the first thing that is not understood or contradicts something before it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let raw: RawTrust = error::parse(text)?;
        let mut signers: Vec<Signer> = Vec::new();
        for entry in raw.signer {
            let span = entry.span();
            let RawSigner { name, key } = entry.into_inner();
            let signer = Signer { name: name.0, key: key.0 };
            if signers.len() == crate::MAX_SIGNERS {
                let problem = format!("too many signers, expected at most {}", crate::MAX_SIGNERS);
                return Err(Error::at(text, span, problem));
            }
            if signers.iter().any(|s| s.name == signer.name || s.key == signer.key) {
                let problem = format!("signer {} or its key is there already", signer.name);
                return Err(Error::at(text, span, problem));
            }
            signers.push(signer);
        }
        if signers.is_empty() {
            let problem = "no signer is named, expected `[[signer]]` with `name` and `key`";
            return Err(Error::at(text, 0..0, problem));
        }
        let threshold = *raw.threshold.get_ref();
        if !(1..=signers.len()).contains(&threshold) {
            let problem = format!(
                "a threshold of {threshold} cannot be met as it should, expected 1 to {}, the number of signers",
                signers.len()
            );
            return Err(Error::at(text, raw.threshold.span(), problem));
        }
        let operators = operators::check(text, raw.operator)?;
        Ok(Self { fleet: raw.fleet, name: raw.name.0, threshold, signers, operators })
    }

    /// The file that [`Trust::parse`] reads. Names are plain (see [`crate::name_limits`]), so nothing
    /// needs escaping.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        let Self { fleet, name, threshold, signers, operators } = self;
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "# Whom the machines of this fleet believe. Not secret; it decides what runs.\n\
             fleet = \"{fleet}\"\nname = \"{name}\"\n\
             # How many of the signers below must have signed a bundle\nthreshold = {threshold}\n"
        );
        for Signer { name, key } in signers {
            let _ = write!(out, "\n[[signer]]\nname = \"{name}\"\nkey = \"{}\"\n", key::show(*key));
        }
        for operator in operators {
            out.push_str(&operator.to_toml());
        }
        out
    }
}
