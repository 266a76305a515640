//! `bundle.toml`: what a bundle is made from.

use crate::{time, ui::WithHint, units};
use anyhow::{Context, bail};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use xenoboot_bundle::{FilePath, Machines, Need, Then};
use xenoboot_wire::{FleetId, MachineKey, Version};

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Recipe {
    /// The bundle's name.
    pub(super) name: String,
    /// Its serial; the time of building when it is not given.
    pub(super) serial: Option<u64>,
    /// The fleet it is for; else the command line names it.
    pub(super) fleet: Option<FleetId>,
    not_after: Option<Time>,
    valid_for: Option<Duration>,
    #[serde(default)]
    any: bool,
    #[serde(default)]
    machines: Vec<MachineKey>,
    #[serde(default)]
    groups: Vec<String>,
    min_image: Option<Version>,
    entry: String,
    /// Arguments of the entry.
    #[serde(default)]
    pub(super) args: Vec<String>,
    time_limit: Option<Duration>,
    memory_limit: Option<Size>,
    #[serde(default)]
    needs: Vec<String>,
    /// Secrets by name: the files that hold them, relative to the bundle's folder.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, PathBuf>,
    /// The machines that secrets are sealed for; `machines` when it is not given.
    #[serde(default)]
    seal_for: Vec<MachineKey>,
    on_success: Option<Action>,
    on_failure: Option<Action>,
    /// Files from outside `files/`.
    #[serde(default)]
    pub(super) file: Vec<Listed>,
}

/// A `[[file]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    /// Where it is unpacked.
    pub(super) path: String,
    /// Where it is now, relative to the bundle's folder.
    pub(super) from: PathBuf,
    /// Permissions, such as `"0755"`; those of the file when not given.
    pub(super) mode: Option<Mode>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Duration(u64);

impl TryFrom<String> for Duration {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        units::duration(&text).map(Self)
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Size(u64);

impl TryFrom<String> for Size {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        units::size(&text).map(Self)
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Time(u64);

impl TryFrom<String> for Time {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        time::parse(&text).map(Self).map_err(|e| e.to_string())
    }
}

/// Permission bits in octal.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Mode(pub(super) u32);

impl TryFrom<String> for Mode {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let mode = u32::from_str_radix(&text, 8).ok().filter(|m| *m <= 0o777);
        mode.map(Self).ok_or_else(|| format!("`{text}` is not a mode, expected the like of 0755"))
    }
}

/// What to do after the run.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Action(Then);

impl TryFrom<String> for Action {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let then = match text.as_str() {
            "reboot" => Then::Reboot,
            "power-off" => Then::PowerOff,
            "wait" => Then::Wait,
            _ => {
                let delay = text.strip_prefix("run-again ").ok_or_else(|| {
                    format!(
                        "`{text}` is not known, expected \"wait\", \"reboot\", \"power-off\" or the like of \"run-again 10m\""
                    )
                })?;
                Then::RunAgain { after_s: units::duration(delay.trim())? }
            }
        };
        Ok(Self(then))
    }
}

impl Recipe {
    /// Reads `bundle.toml` in `dir`.
    pub(super) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("bundle.toml");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))
            .hint("`xenoboot bundle build --help` shows an example of it")?;
        toml::from_str(&text).with_context(|| format!("{} is not valid", path.display()))
    }

    /// When it expires: 30 days after `created` unless it says otherwise.
    pub(super) fn not_after(&self, created: u64) -> anyhow::Result<u64> {
        match (self.not_after, self.valid_for) {
            (Some(_), Some(_)) => bail!("bundle.toml has both `not-after` and `valid-for`"),
            (Some(Time(time)), None) => Ok(time),
            (None, valid) => {
                let seconds = valid.map_or(30 * 86_400, |v| v.0);
                created.checked_add(seconds).context("`valid-for` is too long")
            }
        }
    }

    /// Which machines it is for; every one must be said.
    pub(super) fn machines(&self) -> anyhow::Result<Machines> {
        let (mut keys, mut groups) = (self.machines.clone(), self.groups.clone());
        match (self.any, keys.is_empty() && groups.is_empty()) {
            (true, true) => Ok(Machines::Any),
            (false, false) => {
                keys.sort_unstable();
                keys.dedup();
                groups.sort_unstable();
                groups.dedup();
                Ok(Machines::Listed { keys, groups })
            }
            (true, false) => bail!("bundle.toml has `any = true` beside `machines` or `groups`"),
            (false, true) => Err(anyhow::anyhow!("bundle.toml does not say which machines")).hint(
                "add `machines = [KEY]`, `groups = [NAME]`, or `any = true` for the whole fleet",
            ),
        }
    }

    /// Which machines can open the secrets.
    pub(super) fn readers(&self) -> anyhow::Result<&[MachineKey]> {
        let readers = if self.seal_for.is_empty() { &self.machines } else { &self.seal_for };
        if readers.is_empty() {
            return Err(anyhow::anyhow!("bundle.toml does not say who may open its secrets"))
                .hint("name the machines' keys: `machines = [KEY]` or `seal-for = [KEY]`");
        }
        Ok(readers)
    }

    /// The file to execute.
    pub(super) fn entry(&self) -> anyhow::Result<FilePath> {
        self.entry.parse().with_context(|| format!("`entry = {:?}` is not allowed", self.entry))
    }

    /// The lowest image version; any when it is not given.
    pub(super) fn min_image(&self) -> Version {
        self.min_image.unwrap_or(Version { major: 0, minor: 0, patch: 0 })
    }

    /// Seconds until it is killed: an hour unless it says otherwise.
    pub(super) fn time_limit_s(&self) -> u64 {
        self.time_limit.map_or(3600, |d| d.0)
    }

    /// Bytes of memory it may use.
    pub(super) fn memory_limit(&self) -> Option<u64> {
        self.memory_limit.map(|s| s.0)
    }

    /// What the machine must have before it starts.
    pub(super) fn needs(&self) -> anyhow::Result<Vec<Need>> {
        let known = Need::ALL.iter().map(|need| need.name()).collect::<Vec<_>>().join(", ");
        let parse = |name: &String| {
            let need: Need = name
                .parse()
                .ok()
                .with_context(|| format!("`needs` names {name:?}, expected of: {known}"))?;
            anyhow::Ok(need)
        };
        let needs: BTreeSet<_> = self.needs.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(needs.into_iter().collect())
    }

    /// What follows on success and on failure: waiting unless it says otherwise.
    pub(super) fn then(&self) -> (Then, Then) {
        let of = |action: Option<Action>| action.map_or(Then::Wait, |a| a.0);
        (of(self.on_success), of(self.on_failure))
    }
}
