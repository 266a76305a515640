//! RAID, volume groups and encrypted devices are brought up for reading, by the toolbox's programs, and taken down.

use anyhow::{Context as _, bail};
use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// What was brought up, in order; taken down in the opposite order when dropped.
#[derive(Debug, Default)]
pub(super) struct Assembled(Vec<Part>);

#[derive(Debug)]
enum Part {
    Array(PathBuf),
    Group(String),
    Opened(String),
}

/// The first number of an array that is ours.
const ARRAY: usize = 120;

impl Assembled {
    /// How much is up.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// An array of its members, even if some are missing.
    pub(super) fn array(&mut self, members: &[PathBuf]) -> anyhow::Result<()> {
        let taken = |number: &usize| !Path::new(&format!("/sys/block/md{number}")).exists();
        let number = (ARRAY..ARRAY + 100).find(taken).context("too many arrays")?;
        let path = PathBuf::from(format!("/dev/md{number}"));
        let mut command = tool("mdadm")?;
        command.args(["--assemble", "--readonly", "--run"]).arg(&path).args(members);
        succeed(command, None)?;
        self.0.push(Part::Array(path));
        Ok(())
    }

    /// Every volume of the groups that these devices make up.
    pub(super) fn groups(&mut self, members: &[PathBuf]) -> anyhow::Result<()> {
        let mut list = lvm("vgs", members)?;
        list.args(["--noheadings", "--options", "vg_name"]);
        let listed = succeed(list, None)?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        for group in listed.split_whitespace() {
            if !group.bytes().all(|b| b.is_ascii_alphanumeric() || b"+_.-".contains(&b)) {
                bail!("a volume group has the name {group:?}");
            }
            let mut command = lvm("vgchange", members)?;
            let read_only = format!("activation {{ read_only_volume_list = [ \"{group}\" ] }}");
            command.args(["--activate", "y", "--activationmode", "partial", "--ignoremonitoring"]);
            command.args(["--noudevsync", "--config", &read_only]).arg(group);
            succeed(command, None)?;
            self.0.push(Part::Group(group.to_owned()));
        }
        Ok(())
    }

    /// An encrypted device, by a key.
    pub(super) fn open(&mut self, device: &Path, key: &[u8]) -> anyhow::Result<()> {
        let name = device.file_name().context("a device without a name")?.to_string_lossy();
        let name = format!("local-{name}");
        let mut command = tool("cryptsetup")?;
        command.args(["open", "--readonly", "--key-file", "-"]).arg(device).arg(&name);
        succeed(command, Some(key))?;
        self.0.push(Part::Opened(name));
        Ok(())
    }
}

impl Drop for Assembled {
    fn drop(&mut self) {
        // What cannot be taken down stays, and is read-only.
        for part in self.0.drain(..).rev() {
            let command = match &part {
                Part::Array(path) => tool("mdadm").map(|mut c| {
                    c.args(["--quiet", "--stop"]).arg(path);
                    c
                }),
                Part::Group(group) => lvm("vgchange", &[]).map(|mut c| {
                    c.args(["--activate", "n", "--noudevsync"]).arg(group);
                    c
                }),
                Part::Opened(name) => tool("cryptsetup").map(|mut c| {
                    c.args(["close", name]);
                    c
                }),
            };
            let _ = command.and_then(|command| succeed(command, None));
        }
    }
}

fn lvm(name: &str, members: &[PathBuf]) -> anyhow::Result<Command> {
    let mut command = tool("lvm")?;
    command.arg(name);
    for member in members {
        command.arg("--devices").arg(member);
    }
    Ok(command)
}

/// A program of the toolbox.
fn tool(name: &str) -> anyhow::Result<Command> {
    let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/sbin:/usr/sbin".into());
    let found = env::split_paths(&path).map(|folder| folder.join(name)).find(|p| p.exists());
    let Some(program) = found else {
        bail!("{name} is missing: let the bundle have needs = [\"toolbox\"]");
    };
    let mut command = Command::new(program);
    command.env("DM_DISABLE_UDEV", "1").env("LC_ALL", "C").stdout(Stdio::piped());
    command.stderr(Stdio::piped()).stdin(Stdio::null());
    Ok(command)
}

/// Runs a program to its end; what it said when it failed.
fn succeed(mut command: Command, input: Option<&[u8]>) -> anyhow::Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let name = name.rsplit('/').next().unwrap_or_default().to_owned();
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().with_context(|| format!("cannot run {name}"))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // It may end without reading all of it.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().with_context(|| name.clone())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
        bail!(
            "{name}: {}",
            if said.is_empty() { output.status.to_string() } else { said.join("; ") }
        );
    }
    Ok(output)
}
