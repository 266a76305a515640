//! After an image of a smaller disk: the table and the last partition reach the disk's end.

use crate::partitions::{
    self, Disk, Label, edit,
    script::{Extent, Wish},
};
use anyhow::{Context as _, bail};
use std::path::Path;

/// Moves a GPT's backup to the end and grows the last partition; says what was done.
pub(crate) fn grow(path: &Path) -> anyhow::Result<String> {
    let disk = Disk::open(path, true)?;
    let shown = path.display();
    let mut table = partitions::read(&disk)?
        .with_context(|| format!("cannot grow {shown}: the image has no partition table"))?;
    if let Label::Gpt(label) = &mut table.label {
        label.stretch(&disk);
    }
    let last = table.parts.iter().max_by_key(|part| (part.end(), part.start)).cloned();
    let last = last.with_context(|| format!("cannot grow {shown}: it has no partition"))?;
    if matches!(table.label, Label::Mbr(_)) && (last.number > 4 || last.is_extended()) {
        bail!("cannot grow {shown}: its last partition is in an extended one");
    }
    let wish = Wish { size: Some(Extent::All), ..Wish::default() };
    edit::modify(&disk, &mut table, last.number, &wish)?;
    partitions::write(&disk, &table)?;
    let size = table.part(last.number).map_or(0, |part| part.size) * disk.sector;
    let size = crate::sizes::human(size, crate::sizes::Style::Long);
    Ok(format!("partition {} of {shown} has {size} now", last.number))
}
