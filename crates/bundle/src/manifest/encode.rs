//! A manifest's bytes. Keys ascend, non-negative ones first: deterministic CBOR as it is written.

use super::{File, Machines, Manifest, Then};
use crate::cbor::Writer;
use xenoboot_wire::Version;

/// Keys of the manifest's map. An unknown key that is not negative is critical: a reader that does not know it
/// refuses the manifest.
pub(super) mod keys {
    pub(crate) const FORMAT: i64 = 1;
    pub(crate) const NAME: i64 = 2;
    pub(crate) const SERIAL: i64 = 3;
    pub(crate) const CREATED: i64 = 4;
    pub(crate) const NOT_AFTER: i64 = 5;
    pub(crate) const FLEET: i64 = 6;
    pub(crate) const MACHINES: i64 = 7;
    pub(crate) const MIN_IMAGE: i64 = 8;
    pub(crate) const ENTRY: i64 = 9;
    pub(crate) const ARGS: i64 = 10;
    pub(crate) const TIME_LIMIT: i64 = 11;
    pub(crate) const MEMORY_LIMIT: i64 = 12;
    pub(crate) const ON_SUCCESS: i64 = 13;
    pub(crate) const ON_FAILURE: i64 = 14;
    pub(crate) const FILES: i64 = 15;
    /// Not 16: that is the unknown field of a test vector.
    pub(crate) const NEEDS: i64 = 17;
    /// Inside `machines`.
    pub(crate) const MACHINE_KEYS: i64 = 1;
    pub(crate) const MACHINE_GROUPS: i64 = 2;
    /// Inside a file.
    pub(crate) const PATH: i64 = 1;
    pub(crate) const MODE: i64 = 2;
    pub(crate) const SIZE: i64 = 3;
    pub(crate) const DIGEST: i64 = 4;
    pub(crate) const CONTENT: i64 = 5;
    /// What to do after a run.
    pub(crate) const REBOOT: u64 = 1;
    pub(crate) const POWER_OFF: u64 = 2;
    pub(crate) const RUN_AGAIN: u64 = 3;
    pub(crate) const WAIT: u64 = 4;
}

/// `machines` when every machine is meant.
pub(super) const ANY: &str = "any";

/// Encodes a manifest that keeps the rules.
pub(super) fn manifest(m: &Manifest) -> Vec<u8> {
    let optional = usize::from(m.memory_limit.is_some()) + usize::from(!m.needs.is_empty());
    let pairs = 14 + optional + m.extensions.len();
    let mut w = Writer::default();
    w.map(pairs);
    w.int(keys::FORMAT).uint(super::FORMAT);
    w.int(keys::NAME).text(&m.name);
    w.int(keys::SERIAL).uint(m.serial);
    w.int(keys::CREATED).uint(m.created);
    w.int(keys::NOT_AFTER).uint(m.not_after);
    w.int(keys::FLEET).bytes(m.fleet.as_bytes());
    w.int(keys::MACHINES);
    machines(&mut w, &m.machines);
    let Version { major, minor, patch } = m.min_image;
    w.int(keys::MIN_IMAGE).array(3);
    w.uint(major.into()).uint(minor.into()).uint(patch.into());
    w.int(keys::ENTRY).text(m.entry.as_str());
    w.int(keys::ARGS).array(m.args.len());
    for arg in &m.args {
        w.text(arg);
    }
    w.int(keys::TIME_LIMIT).uint(m.time_limit_s);
    if let Some(limit) = m.memory_limit {
        w.int(keys::MEMORY_LIMIT).uint(limit);
    }
    then(w.int(keys::ON_SUCCESS), m.on_success);
    then(w.int(keys::ON_FAILURE), m.on_failure);
    w.int(keys::FILES).array(m.files.len());
    for entry in &m.files {
        file(&mut w, entry);
    }
    if !m.needs.is_empty() {
        w.int(keys::NEEDS).array(m.needs.len());
        for need in &m.needs {
            w.text(need.name());
        }
    }
    for extension in &m.extensions {
        w.int(extension.key).raw(&extension.value);
    }
    w.0
}

fn machines(w: &mut Writer, machines: &Machines) {
    let (machine_keys, groups) = match machines {
        Machines::Any => {
            w.text(ANY);
            return;
        }
        Machines::Listed { keys, groups } => (keys, groups),
    };
    w.map(usize::from(!machine_keys.is_empty()) + usize::from(!groups.is_empty()));
    if !machine_keys.is_empty() {
        w.int(keys::MACHINE_KEYS).array(machine_keys.len());
        for key in machine_keys {
            w.bytes(key.as_bytes());
        }
    }
    if !groups.is_empty() {
        w.int(keys::MACHINE_GROUPS).array(groups.len());
        for group in groups {
            w.text(group);
        }
    }
}

fn then(w: &mut Writer, then: Then) {
    match then {
        Then::Reboot => w.array(1).uint(keys::REBOOT),
        Then::PowerOff => w.array(1).uint(keys::POWER_OFF),
        Then::RunAgain { after_s } => w.array(2).uint(keys::RUN_AGAIN).uint(after_s),
        Then::Wait => w.array(1).uint(keys::WAIT),
    };
}

fn file(w: &mut Writer, file: &File) {
    w.map(4 + usize::from(file.content.is_some()));
    w.int(keys::PATH).text(file.path.as_str());
    w.int(keys::MODE).uint(file.mode.into());
    w.int(keys::SIZE).uint(file.size);
    w.int(keys::DIGEST).bytes(file.digest.as_bytes());
    if let Some(content) = &file.content {
        w.int(keys::CONTENT).bytes(content);
    }
}
