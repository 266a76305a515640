//! Block devices, by what is on them.

use crate::probe::{self, Signature};
use anyhow::{Context as _, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every block device that the kernel has, in the order of their names: disks, partitions and what
/// is made of them. Empty ones, such as loop devices that are not attached, are left out.
pub(crate) fn all() -> anyhow::Result<Vec<PathBuf>> {
    let folder = Path::new("/sys/class/block");
    let entries = fs::read_dir(folder).context("cannot read /sys/class/block")?;
    let mut devices = Vec::new();
    for entry in entries {
        let entry = entry?;
        let size = fs::read_to_string(entry.path().join("size")).unwrap_or_default();
        if size.trim() != "0" {
            // The kernel writes a name's `/` as `!`.
            let name = entry.file_name().to_string_lossy().replace('!', "/");
            devices.push(Path::new("/dev").join(name));
        }
    }
    devices.sort();
    Ok(devices)
}

/// The device that `source` means: `UUID=…`, `LABEL=…`, or a path as it is.
pub(crate) fn resolve(source: &Path) -> anyhow::Result<PathBuf> {
    let text = source.to_string_lossy();
    let (what, matches): (&str, fn(&Signature, &str) -> bool) = match text.split_once('=') {
        Some(("UUID", _)) => ("UUID", |found, wanted| found.uuid.eq_ignore_ascii_case(wanted)),
        Some(("LABEL", _)) => ("LABEL", |found, wanted| found.label == wanted),
        _ => return Ok(source.to_owned()),
    };
    let wanted = text.split_once('=').map_or("", |(_, value)| value.trim_matches('"'));
    for device in all()? {
        // A drive without a medium cannot be read; it is not the one.
        if let Ok(Some(found)) = probe::probe(&device)
            && !probe::is_container(found.kind)
            && matches(&found, wanted)
        {
            return Ok(device);
        }
    }
    bail!("no device has {what} {wanted}")
}
