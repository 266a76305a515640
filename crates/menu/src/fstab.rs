//! fstab(5): where an installed system has its file systems.

use crate::files::{self, Device, Files, MAX_SMALL_TEXT, Place};

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) kind: String,
    pub(crate) options: String,
}

/// The lines of a device's `/etc/fstab`.
pub(crate) fn read(files: &dyn Files, device: usize) -> Vec<Line> {
    let place = Place::new(device, "/etc/fstab");
    let text = files::text(files, &place, MAX_SMALL_TEXT).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let lines = lines.filter_map(|line| {
        let mut fields = line.split_whitespace().map(str::to_owned);
        Some(Line {
            source: fields.next()?,
            target: fields.next()?,
            kind: fields.next()?,
            options: fields.next().unwrap_or_default(),
        })
    });
    lines.collect()
}

impl Line {
    /// Whether this is the device that is meant.
    pub(crate) fn means(&self, device: &Device) -> bool {
        let same = |a: &str, b: &str| !a.is_empty() && a.eq_ignore_ascii_case(b.trim_matches('"'));
        match self.source.split_once('=') {
            Some(("UUID", uuid)) => same(&device.uuid, uuid),
            Some(("LABEL", label)) => same(&device.label, label),
            Some(("PARTUUID", uuid)) => same(&device.part_uuid, uuid),
            Some(("PARTLABEL", label)) => same(&device.part_label, label),
            _ => {
                let name = self.source.strip_prefix("/dev/").unwrap_or(&self.source);
                name == device.name || device.names.iter().any(|other| other == name)
            }
        }
    }
}
