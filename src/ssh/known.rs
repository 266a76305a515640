//! The machines' keys as OpenSSH's `known_hosts`, beside the operator file: what an operator has compared once is not
//! taken from the server again.

use anyhow::Context;
use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};
use xenoboot_server::api::MachineDetails;
use xenoboot_site::SshKey;
use xenoboot_wire::MachineKey;

/// Under this name, too, so that one piece of ssh_config serves all machines.
pub(crate) const SUFFIX: &str = ".xenoboot";

/// The file that goes with an operator file.
pub(super) fn file(operator: &Path) -> PathBuf {
    operator.with_file_name("known_hosts")
}

fn read(file: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(file) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(String::new()),
        other => other.with_context(|| file.display().to_string()),
    }
}

/// Whether a line is about this machine.
fn is_of(line: &str, machine: &str) -> bool {
    let hosts = line.split_ascii_whitespace().next().unwrap_or_default();
    !line.starts_with('#') && hosts.split(',').any(|host| host == machine)
}

/// Whether the machine's key is known.
pub(super) fn has(file: &Path, machine: &str) -> anyhow::Result<bool> {
    Ok(read(file)?.lines().any(|line| is_of(line, machine)))
}

/// Notes the machine's key, in the place of one that it had before.
pub(super) fn add(file: &Path, machine: &str, key: &MachineKey) -> anyhow::Result<()> {
    let mut text = String::new();
    for line in read(file)?.lines().filter(|line| !is_of(line, machine)) {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&format!("{machine},{machine}{SUFFIX} {}\n", SshKey::ed25519(&key.0)));
    let write = || -> anyhow::Result<()> {
        let folder = file.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.persist(file)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

/// Notes the key of a machine that the operator has just approved. It is his word that the key is right, so a server that
/// tells another key than the fingerprint says is caught here.
pub(crate) fn remember(operator: &Path, details: &MachineDetails) -> anyhow::Result<()> {
    let machine = &details.machine;
    let (Some(name), Some(key)) = (&machine.name, &machine.key) else { return Ok(()) };
    let key: MachineKey = key.parse().context("the server's answer has no key")?;
    anyhow::ensure!(
        key.fingerprint() == machine.fingerprint,
        "the server contradicts itself: the key of {name} is not that of its fingerprint"
    );
    add(&file(operator), name, &key)
}
