//! What a block device is called by boot loaders and by fstab(5).

use crate::{block::Block, devices, partitions::Label, probe::Signature};
use xenoboot_menu::{Device, Table};

/// The facts of a device with a file system; `array` is the identifier of the RAID that it is, or empty.
pub(super) fn device(block: &Block, disks: &[String], found: &Signature, array: &str) -> Device {
    let path = block.path();
    let name = path.strip_prefix("/dev").unwrap_or(&path).to_string_lossy().into_owned();
    let disk = block.disk.as_ref().unwrap_or(&block.name);
    let mut device = Device {
        names: names(block, array),
        name,
        disk: disks.iter().position(|name| name == disk),
        kind: found.kind.to_owned(),
        uuid: found.uuid.clone(),
        label: found.label.clone(),
        ..Device::default()
    };
    if let Some((table, part)) = block.disk.as_ref().and_then(|_| devices::partition(&path)) {
        let kind = match table.label {
            Label::Gpt(_) => Table::Gpt,
            Label::Mbr(_) => Table::Msdos,
        };
        device.part = Some((kind, part.number));
        device.part_uuid = table.part_uuid(&part);
        device.part_label = part.name;
    }
    device
}

/// Names of what is made of other devices.
fn names(block: &Block, array: &str) -> Vec<String> {
    let mut names = vec![block.name.clone()];
    let mapped = block.read("dm/name");
    let id = block.read("dm/uuid");
    if let Some(id) = id.strip_prefix("LVM-") {
        names.push(format!("lvm/{mapped}"));
        names.extend(volume(&mapped));
        if let (Some(group), Some(volume)) = (id.get(..32), id.get(32..64)) {
            names.push(format!("lvmid/{}/{}", dashed(group), dashed(volume)));
        }
    }
    // CRYPT-LUKS2-<identifier without dashes>-<name>
    if let Some(id) = id.strip_prefix("CRYPT-LUKS") {
        names.extend(id.split('-').nth(1).map(|id| format!("cryptouuid/{id}")));
    }
    if let Some(number) = block.name.strip_prefix("md").filter(|n| n.parse::<u32>().is_ok()) {
        names.push(format!("md/{number}"));
        if !array.is_empty() {
            names.push(format!("mduuid/{}", array.replace('-', "")));
        }
    }
    names
}

/// `group/volume` of device mapper's `group-volume`, in which a dash of either is doubled.
fn volume(mapped: &str) -> Option<String> {
    let marked = mapped.replace("--", "\0");
    let (group, volume) = marked.split_once('-')?;
    Some(format!("{group}/{volume}").replace('\0', "-"))
}

/// LVM's identifiers, as it prints them.
fn dashed(id: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = id;
    for length in [6, 4, 4, 4, 4, 4, 6] {
        let Some((part, after)) = rest.split_at_checked(length) else { return id.to_owned() };
        parts.push(part);
        rest = after;
    }
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_volumes() {
        assert_eq!(volume("vg-root").as_deref(), Some("vg/root"));
        assert_eq!(volume("my--vg-lv--1").as_deref(), Some("my-vg/lv-1"));
        assert_eq!(volume("plain"), None);
        assert_eq!(
            dashed("abcdefghijklmnopqrstuvwxyz012345"),
            "abcdef-ghij-klmn-opqr-stuv-wxyz-012345"
        );
    }
}
