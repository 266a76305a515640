//! The operator's way to the server: which one, by what token, and requests that either succeed or say why not.

mod client;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod tls;
pub(crate) mod watch;

pub(crate) use client::{Client, Unreachable};

use crate::ui::WithHint;
use anyhow::{Context, ensure};
use serde::Deserialize;
use std::{
    env, fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use xenoboot_wire::Pin;
use zeroize::Zeroizing;

/// Largest operator file that is read, bytes.
const MAX_FILE: u64 = 16 << 10;

/// Which server.
#[derive(clap::Args)]
pub(crate) struct Access {
    /// The server's operator.toml [default: ~/.config/xenoboot/operator.toml]
    #[arg(id = "operator", long, value_name = "FILE", env = "XENOBOOT_OPERATOR", global = true)]
    file: Option<PathBuf>,
}

/// `operator.toml`, as `xenoboot serve` writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorFile {
    url: String,
    pin: Pin,
    token: String,
}

impl Access {
    /// The operator file.
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        let path = self.file.clone().or_else(default_file);
        path.context("no operator file is named, and there is no home folder")
    }

    /// Reads the operator file. Nothing is sent yet.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let path = self.path()?;
        let shown = path.display();
        let file = read(&path).with_context(|| format!("cannot read the operator file {shown}"));
        let file = file.hint("`xenoboot serve DIR` makes DIR/operator.toml: name it by --operator or XENOBOOT_OPERATOR")?;
        let file: OperatorFile =
            toml::from_str(&file).with_context(|| format!("{shown} is not an operator file"))?;
        Client::new(&path, &file.url, file.pin, file.token.into())
    }
}

fn default_file() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(config.join("xenoboot/operator.toml"))
}

fn read(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let file = fs::File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    ensure!(mode & 0o077 == 0, "others can read it (mode {mode:o}): chmod 600");
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}
