//! A bundle as a scenario describes it: a script and what differs from the usual.

use crate::Operator;
use anyhow::{Context, Result};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// A bundle to build. Unless said otherwise it is for any machine, signed by the fleet's signer `signer`,
/// valid for a day, and leaves the machine waiting.
#[derive(Clone, Debug)]
pub struct Bundle {
    name: String,
    script: String,
    settings: Vec<(String, String)>,
    files: Vec<(String, PathBuf)>,
    created: Option<String>,
    fleet: Option<PathBuf>,
    keys: Option<Vec<PathBuf>>,
}

impl Bundle {
    /// A bundle that runs `script`, the text after `#!/bin/sh`.
    #[must_use]
    pub fn new(name: &str, script: &str) -> Self {
        let quoted = |text: &str| format!("\"{text}\"");
        let settings = [
            ("any", "true".to_owned()),
            ("valid-for", quoted("1d")),
            ("on-success", quoted("wait")),
            ("on-failure", quoted("wait")),
        ];
        Self {
            name: name.to_owned(),
            script: script.to_owned(),
            settings: settings.map(|(key, value)| (key.to_owned(), value)).to_vec(),
            files: Vec::new(),
            created: None,
            fleet: None,
            keys: None,
        }
    }

    /// Sets a key of `bundle.toml` to a value in TOML.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != key);
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a key of `bundle.toml` out.
    #[must_use]
    pub fn unset(mut self, key: &str) -> Self {
        self.settings.retain(|(known, _)| known != key);
        self
    }

    /// Adds a file from elsewhere.
    #[must_use]
    pub fn file(mut self, path: &str, from: impl Into<PathBuf>) -> Self {
        self.files.push((path.to_owned(), from.into()));
        self
    }

    /// Made at another time than now.
    #[must_use]
    pub fn created(mut self, time: &str) -> Self {
        self.created = Some(time.to_owned());
        self
    }

    /// For another fleet than the operator's.
    #[must_use]
    pub fn for_fleet(mut self, folder: impl Into<PathBuf>) -> Self {
        self.fleet = Some(folder.into());
        self
    }

    /// Signed with these keys.
    #[must_use]
    pub fn signed_by(mut self, keys: &[PathBuf]) -> Self {
        self.keys = Some(keys.to_vec());
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn created_at(&self) -> Option<&str> {
        self.created.as_deref()
    }

    pub(crate) fn fleet(&self) -> Option<&Path> {
        self.fleet.as_deref()
    }

    pub(crate) fn keys(&self, fleet: &Path) -> Vec<PathBuf> {
        self.keys.clone().unwrap_or_else(|| vec![Operator::key(fleet, "signer")])
    }

    /// Writes the bundle's folder into `folder`; returns it.
    pub(crate) fn write(&self, folder: &Path, serial: u64) -> Result<PathBuf> {
        let root = folder.join(format!("{}.src", self.name));
        let files = root.join("files");
        fs::create_dir_all(&files).with_context(|| files.display().to_string())?;
        fs::write(files.join("run.sh"), format!("#!/bin/sh\n{}\n", self.script))?;
        let mut recipe =
            format!("name = \"{}\"\nentry = \"run.sh\"\nserial = {serial}\n", self.name);
        for (key, value) in &self.settings {
            writeln!(recipe, "{key} = {value}")?;
        }
        for (path, from) in &self.files {
            let from = from.display();
            writeln!(recipe, "[[file]]\npath = \"{path}\"\nfrom = \"{from}\"\nmode = \"0755\"")?;
        }
        fs::write(root.join("bundle.toml"), recipe)?;
        Ok(root)
    }
}
