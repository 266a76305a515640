//! Block devices, by what is on them.

use crate::{
    applet::Args,
    partitions::{self, Disk, Part, Table},
    probe::{self, Signature},
};
use anyhow::Context as _;
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

/// The devices that a command line names, by paths, labels (`-L`) and UUIDs (`-U`).
pub(crate) fn named(args: &Args) -> anyhow::Result<Vec<String>> {
    let mut sources: Vec<String> = args.words()?.into_iter().map(str::to_owned).collect();
    for (option, value) in args.all() {
        if matches!(option, "label" | "uuid") {
            let value = value.to_str().context("not text")?;
            sources.push(format!("{}={value}", option.to_uppercase()));
        }
    }
    Ok(sources)
}

/// The device that `source` means: `UUID=…`, `LABEL=…`, `PARTUUID=…`, `PARTLABEL=…`, or a path as it is.
pub(crate) fn resolve(source: &Path) -> anyhow::Result<PathBuf> {
    let text = source.to_string_lossy();
    let Some((what, wanted)) = text.split_once('=') else { return Ok(source.to_owned()) };
    let wanted = wanted.trim_matches('"');
    let fits: fn(&Path, &str) -> bool = match what {
        "UUID" => |path, wanted| {
            content(path).is_some_and(|found| found.uuid.eq_ignore_ascii_case(wanted))
        },
        "LABEL" => |path, wanted| content(path).is_some_and(|found| found.label == wanted),
        "PARTUUID" => |path, wanted| {
            let found = partition(path);
            found.is_some_and(|(table, part)| table.part_uuid(&part).eq_ignore_ascii_case(wanted))
        },
        "PARTLABEL" => |path, wanted| partition(path).is_some_and(|(_, part)| part.name == wanted),
        _ => return Ok(source.to_owned()),
    };
    let found = all()?.into_iter().find(|device| fits(device, wanted));
    found.with_context(|| format!("no device has {what} {wanted}"))
}

/// What is on a device, unless that belongs to several devices at once. A drive without a medium cannot be
/// read; it is not the one.
fn content(device: &Path) -> Option<Signature> {
    probe::probe(device).ok().flatten().filter(|found| {
        // Every member of an array or of a volume group has its UUID and label.
        !matches!(found.kind, "linux_raid_member" | "LVM2_member")
    })
}

/// A partition and the table that it is in.
pub(crate) fn partition(device: &Path) -> Option<(Table, Part)> {
    let name = device.strip_prefix("/dev").ok()?.to_string_lossy().replace('/', "!");
    let folder = Path::new("/sys/class/block").join(name).canonicalize().ok()?;
    let number = fs::read_to_string(folder.join("partition")).ok()?.trim().parse().ok()?;
    let disk = folder.parent()?.file_name()?.to_string_lossy().replace('!', "/");
    let disk = Disk::open(&Path::new("/dev").join(disk), false).ok()?;
    let table = partitions::read(&disk).ok()??;
    let part = table.part(number)?.clone();
    Some((table, part))
}
