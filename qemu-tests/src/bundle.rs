//! A bundle as a scenario describes it: a script and what differs from the usual.

use crate::{Operator, paths};
use anyhow::{Context, Result};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// Where a bundle's script comes from.
#[derive(Clone, Debug)]
enum Source {
    /// It is given.
    Script(String),
    /// A folder of `recipes/`.
    Recipe(&'static str),
}

/// A bundle to build. Unless said otherwise it is for any machine, signed by the fleet's signer `signer`,
/// valid for a day, and leaves the machine waiting.
#[derive(Clone, Debug)]
pub struct Bundle {
    name: String,
    source: Source,
    settings: Vec<(String, String)>,
    files: Vec<(String, PathBuf)>,
    texts: Vec<(String, String)>,
    secrets: Vec<(String, PathBuf)>,
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
            source: Source::Script(script.to_owned()),
            settings: settings.map(|(key, value)| (key.to_owned(), value)).to_vec(),
            files: Vec::new(),
            texts: Vec::new(),
            secrets: Vec::new(),
            created: None,
            fleet: None,
            keys: None,
        }
    }

    /// A recipe as it is in `recipes/`, with other settings.
    #[must_use]
    pub fn recipe(name: &'static str, settings: &str) -> Self {
        let bundle = Self { source: Source::Recipe(name), ..Self::new(name, "") };
        Self { settings: Vec::new(), ..bundle }.text("settings.sh", settings)
    }

    /// A file of this content, in the place of the recipe's.
    #[must_use]
    pub fn text(mut self, path: &str, content: &str) -> Self {
        self.texts.push((path.to_owned(), content.to_owned()));
        self
    }

    /// A secret, for the machines that `seal-for` names.
    #[must_use]
    pub fn secret(mut self, name: &str, from: impl Into<PathBuf>) -> Self {
        self.secrets.push((name.to_owned(), from.into()));
        self
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
        let root = folder.join(format!("{}.src", self.name)).join(&self.name);
        let files = root.join("files");
        fs::create_dir_all(&files).with_context(|| files.display().to_string())?;
        let mut rest = match &self.source {
            Source::Script(script) => {
                fs::write(files.join("run.sh"), format!("#!/bin/sh\n{script}\n"))?;
                format!("name = \"{}\"\nentry = \"run.sh\"\n", self.name)
            }
            Source::Recipe(name) => self.copy(&paths::recipes().join(name), &root)?,
        };
        let mut recipe = format!("serial = {serial}\n");
        for (key, value) in &self.settings {
            writeln!(recipe, "{key} = {value}")?;
        }
        if !self.secrets.is_empty() {
            rest += "[secrets]\n";
        }
        for (name, from) in &self.secrets {
            writeln!(rest, "{name} = \"{}\"", from.display())?;
        }
        for (path, from) in &self.files {
            let from = from.display();
            writeln!(rest, "[[file]]\npath = \"{path}\"\nfrom = \"{from}\"\nmode = \"0755\"")?;
        }
        fs::write(root.join("bundle.toml"), recipe + &rest)?;
        for (path, content) in &self.texts {
            let file = files.join(path);
            fs::create_dir_all(file.parent().unwrap_or(&files))?;
            fs::write(file, content).with_context(|| path.clone())?;
        }
        Ok(root)
    }

    /// Copies a recipe and the parts beside it; returns its `bundle.toml` without what is set otherwise.
    fn copy(&self, from: &Path, to: &Path) -> Result<String> {
        copy_files(&from.join("files"), &to.join("files"))?;
        copy_files(&paths::recipes().join("parts"), &to.with_file_name("parts"))?;
        let path = from.join("bundle.toml");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let set = |line: &&str| {
            let key = line.split('=').next().unwrap_or_default().trim();
            self.settings.iter().any(|(known, _)| known == key)
        };
        Ok(text.lines().filter(|line| !set(line)).map(|line| format!("{line}\n")).collect())
    }
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
