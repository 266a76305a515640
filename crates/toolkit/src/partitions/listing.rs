//! A disk and its partitions as fdisk and sfdisk print them.

use super::{Disk, Kind, Label, Part, Table, gpt, space, types};
use crate::{
    columns::{self, Cell, Column, Format, Line},
    sizes::{Style, human},
};
use anyhow::bail;
use std::{fmt::Write as _, fs, path::Path};

const GPT: &[&str] = &["Device", "Start", "End", "Sectors", "Size", "Type"];
const MBR: &[&str] = &["Device", "Boot", "Start", "End", "Sectors", "Size", "Id", "Type"];

const ALL: &[(Column, bool, bool)] = &[
    (Column::left("Device", 0), true, true),
    (Column::left("Boot", 0), false, true),
    (Column::right("Start", 0), true, true),
    (Column::right("End", 0), true, true),
    (Column::right("Sectors", 0), true, true),
    (Column::right("Size", 0), true, true),
    (Column::right("Id", 0), false, true),
    (Column::left("Type", 0), true, true),
    (Column::left("Type-UUID", 0), true, false),
    (Column::left("Attrs", 0), true, false),
    (Column::right("Attrs", 0), false, true),
    (Column::left("Name", 0), true, false),
    (Column::left("UUID", 0), true, false),
];

/// A number in the device's folder of sysfs.
fn queue(disk: &Disk, name: &str) -> Option<u64> {
    let device = fs::canonicalize(&disk.path).ok().filter(|_| disk.device)?;
    let folder = Path::new("/sys/class/block").join(device.file_name()?);
    fs::read_to_string(folder.join("queue").join(name)).ok()?.trim().parse().ok()
}

/// `Disk sda: 64 MiB, ...` and the lines after it.
pub(crate) fn header(disk: &Disk, table: Option<&Table>) -> String {
    let (sector, bytes) = (disk.sector, disk.bytes());
    let physical = queue(disk, "physical_block_size").unwrap_or(sector);
    let minimum = queue(disk, "minimum_io_size").unwrap_or(physical);
    let optimal = queue(disk, "optimal_io_size").filter(|n| *n > 0).unwrap_or(minimum);
    let mut text = format!(
        "Disk {}: {}, {bytes} bytes, {} sectors\n",
        disk.path.display(),
        human(bytes, Style::Long),
        disk.sectors
    );
    let model = fs::canonicalize(&disk.path).ok().filter(|_| disk.device).and_then(|path| {
        let folder = Path::new("/sys/class/block").join(path.file_name()?);
        fs::read_to_string(folder.join("device/model")).ok()
    });
    if let Some(model) = model {
        let _ = writeln!(text, "Disk model: {}", model.trim_end_matches('\n'));
    }
    let _ = write!(
        text,
        "Units: sectors of 1 * {sector} = {sector} bytes\n\
         Sector size (logical/physical): {sector} bytes / {physical} bytes\n\
         I/O size (minimum/optimal): {minimum} bytes / {optimal} bytes\n"
    );
    text + &table.map(identity).unwrap_or_default()
}

/// The table's sort and identifier.
pub(crate) fn identity(table: &Table) -> String {
    format!("Disklabel type: {}\nDisk identifier: {}\n", table.label_name(), table.id())
}

/// The partitions in columns, chosen by a list of names.
pub(crate) fn partitions(
    disk: &Disk,
    table: &Table,
    chosen: Option<&str>,
    bytes: bool,
) -> anyhow::Result<String> {
    let gpt = matches!(table.label, Label::Gpt(_));
    let default = if gpt { GPT } else { MBR };
    let names: Vec<&str> = match chosen {
        Some(list) if list.starts_with('+') => {
            let more = list.trim_start_matches('+').split(',');
            default.iter().copied().chain(more).collect()
        }
        Some(list) => list.split(',').collect(),
        None => default.to_vec(),
    };
    let mut chosen = Vec::new();
    for name in names {
        let found = ALL.iter().find(|(column, in_gpt, in_mbr)| {
            column.name.eq_ignore_ascii_case(name) && if gpt { *in_gpt } else { *in_mbr }
        });
        match found {
            Some((column, ..)) => chosen.push(*column),
            None => bail!("unknown column: {name}"),
        }
    }
    let line = |part: &Part| {
        let cells = chosen.iter().map(|column| cell(disk, part, column.name, bytes));
        Line { cells: cells.collect(), children: Vec::new() }
    };
    let lines: Vec<Line> = table.parts.iter().map(line).collect();
    let mut text = String::new();
    if !lines.is_empty() {
        text.push_str(&columns::print(&chosen, &lines, Format::Plain, true));
    }
    let sorted = |parts: Vec<&Part>| parts.is_sorted_by_key(|part| part.start);
    if !sorted(table.parts.iter().collect()) {
        text.push_str("\nPartition table entries are not in disk order.\n");
    }
    Ok(text)
}

fn cell(disk: &Disk, part: &Part, column: &str, bytes: bool) -> Cell {
    let text = match column {
        "Device" => disk.node(part.number),
        "Boot" if part.bootable => "*".into(),
        "Start" => part.start.to_string(),
        "End" => part.end().to_string(),
        "Sectors" => part.size.to_string(),
        "Size" if bytes => (part.size * disk.sector).to_string(),
        "Size" => human(part.size.saturating_mul(disk.sector), Style::Short),
        "Id" | "Type-UUID" => types::id(part.kind),
        "Type" => types::name(part.kind).into(),
        "Attrs" if matches!(part.kind, Kind::Mbr(_)) => {
            if part.bootable { "80" } else { "" }.into()
        }
        "Attrs" => types::attributes(part.attributes),
        "Name" => part.name.clone(),
        "UUID" => part.uuid.to_string(),
        _ => String::new(),
    };
    Cell::text(text)
}

/// A dump that sfdisk can read again.
pub(crate) fn dump(disk: &Disk, table: &Table) -> String {
    let mut text = format!("label: {}\nlabel-id: {}\n", table.label_name(), table.id());
    let _ = write!(text, "device: {}\nunit: sectors\n", disk.path.display());
    if let Label::Gpt(gpt::Label { first, last, slots, .. }) = &table.label {
        let _ = write!(text, "first-lba: {first}\nlast-lba: {last}\n");
        if *slots != 128 {
            let _ = writeln!(text, "table-length: {slots}");
        }
    }
    let _ = write!(text, "sector-size: {}\n\n", disk.sector);
    for part in &table.parts {
        let _ = write!(
            text,
            "{} : start={:>12}, size={:>12}, type={}",
            disk.node(part.number),
            part.start,
            part.size,
            types::id(part.kind)
        );
        for (name, value) in details(part) {
            let _ = match name {
                "uuid" => write!(text, ", uuid={value}"),
                "bootable" => write!(text, ", bootable"),
                name => write!(text, ", {name}=\"{}\"", escape(&value)),
            };
        }
        text.push('\n');
    }
    text
}

fn details(part: &Part) -> impl Iterator<Item = (&'static str, String)> {
    let gpt = matches!(part.kind, Kind::Gpt(_));
    let uuid = if gpt { part.uuid.to_string() } else { String::new() };
    let bootable = if part.bootable { "true".to_owned() } else { String::new() };
    [
        ("uuid", uuid),
        ("name", part.name.clone()),
        ("attrs", types::attributes(part.attributes)),
        ("bootable", bootable),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '`' | '$') || c.is_control() {
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// The same as JSON.
pub(crate) fn json(disk: &Disk, table: &Table) -> String {
    let quote = columns::quote;
    let mut text = format!(
        "{{\n   \"partitiontable\": {{\n      \"label\": {},\n      \"id\": {},\n      \"device\": {},\n      \"unit\": \"sectors\",\n",
        quote(table.label_name()),
        quote(&table.id()),
        quote(&disk.path.to_string_lossy())
    );
    if let Label::Gpt(gpt::Label { first, last, .. }) = &table.label {
        let _ = write!(text, "      \"firstlba\": {first},\n      \"lastlba\": {last},\n");
    }
    let _ = write!(text, "      \"sectorsize\": {}", disk.sector);
    for (n, part) in table.parts.iter().enumerate() {
        text.push_str(if n == 0 { ",\n      \"partitions\": [\n         {\n" } else { ",{\n" });
        let node = quote(&disk.node(part.number));
        let _ = write!(
            text,
            "            \"node\": {node},\n            \"start\": {},\n            \"size\": {},\n            \"type\": {}",
            part.start,
            part.size,
            quote(&types::id(part.kind))
        );
        for (name, value) in details(part) {
            let value = if name == "bootable" { value } else { quote(&value) };
            let _ = write!(text, ",\n            \"{name}\": {value}");
        }
        text.push_str("\n         }");
    }
    text + if table.parts.is_empty() { "\n   }\n}\n" } else { "\n      ]\n   }\n}\n" }
}

/// What is free, as `sfdisk -F` prints it.
pub(crate) fn free(disk: &Disk, table: &Table) -> String {
    let gaps = space::gaps(disk, table, None);
    let mut gaps: Vec<_> = gaps.into_iter().filter(|gap| gap.size() > 1).collect();
    gaps.sort_by_key(|gap| gap.start);
    let sectors: u64 = gaps.iter().map(|gap| gap.size()).sum();
    let bytes = sectors * disk.sector;
    let mut text = format!(
        "Unpartitioned space {}: {}, {bytes} bytes, {sectors} sectors\n",
        disk.path.display(),
        human(bytes, Style::Long)
    );
    let (sector, physical) =
        (disk.sector, queue(disk, "physical_block_size").unwrap_or(disk.sector));
    let _ = write!(
        text,
        "Units: sectors of 1 * {sector} = {sector} bytes\n\
         Sector size (logical/physical): {sector} bytes / {physical} bytes\n"
    );
    if !gaps.is_empty() {
        let columns = ["Start", "End", "Sectors", "Size"].map(|name| Column::right(name, 0));
        let line = |gap: &space::Gap| {
            let size = human(gap.size() * disk.sector, Style::Short);
            let numbers = [gap.start, gap.end, gap.size()].map(|n| Cell::text(n.to_string()));
            let cells = numbers.into_iter().chain([Cell::text(size)]).collect();
            Line { cells, children: Vec::new() }
        };
        let lines: Vec<Line> = gaps.iter().map(line).collect();
        text.push('\n');
        text.push_str(&columns::print(&columns, &lines, Format::Plain, true));
    }
    text
}
