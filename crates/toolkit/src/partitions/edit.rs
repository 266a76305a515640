//! Changes a table as a script's lines want it.

use super::{
    Disk, Guid, Kind, Label, Part, Table, gpt, guid,
    script::{self, Extent, Script, Wish},
    space::{self, Gap},
    types,
};
use anyhow::{Context as _, bail};

/// A new, empty table.
pub(crate) fn create(disk: &Disk, name: &str, script: &Script) -> anyhow::Result<Table> {
    let label = if name == "gpt" {
        let id = match &script.id {
            Some(id) => Guid::parse(id).with_context(|| format!("invalid GUID '{id}'"))?,
            None => Guid::random()?,
        };
        let slots = script.slots.unwrap_or(128);
        if !(1..=1024).contains(&slots) {
            bail!("a GPT has 1 to 1024 partitions, not {slots}");
        }
        let mut label =
            gpt::Label::new(disk, id, slots).context("the disk is too small for a GPT")?;
        let (lowest, highest) = (u64::from(slots).div_ceil(disk.sector / 128) + 2, label.last);
        label.first = script.first.unwrap_or(label.first);
        label.last = script.last.unwrap_or(label.last);
        if label.first < lowest || label.last > highest || label.first > label.last {
            bail!("first-lba and last-lba must be within {lowest} and {highest}");
        }
        Label::Gpt(label)
    } else {
        let mut id = [0; 4];
        guid::random(&mut id)?;
        let random = u32::from_le_bytes(id);
        Label::Mbr(script.id.as_deref().map_or(Ok(random), mbr_id)?)
    };
    Ok(Table { label, parts: Vec::new(), warnings: Vec::new() })
}

/// An MBR's number as it is written.
pub(crate) fn mbr_id(text: &str) -> anyhow::Result<u32> {
    u32::from_str_radix(text.trim_start_matches("0x"), 16)
        .with_context(|| format!("invalid disk identifier '{text}'"))
}

/// The number that a partition without one gets.
fn free_slot(disk: &Disk, table: &Table, wish: &Wish) -> Option<u32> {
    let taken = |number: &u32| table.part(*number).is_some();
    let inside = |part: &Part| match wish.start {
        Some(Extent::Sectors(start)) => (part.start..=part.end()).contains(&start),
        _ => false,
    };
    // Between an extended partition and the disk's end there may be nothing left.
    let only_logical = || {
        let gaps = space::gaps(disk, table, None);
        !gaps.iter().any(|gap| !gap.logical) && gaps.iter().any(|gap| gap.logical)
    };
    let is_in_extended = || table.parts.iter().any(|part| part.is_extended() && inside(part));
    match &table.label {
        Label::Mbr(_) if is_in_extended() || only_logical() => {
            (5..65).find(|number| !taken(number))
        }
        Label::Gpt(label) => (1..=label.slots).find(|number| !taken(number)),
        Label::Mbr(_) => (1..=4).find(|number| !taken(number)).or_else(|| {
            let extended = table.parts.iter().any(Part::is_extended);
            extended.then(|| (5..65).find(|number| !taken(number))).flatten()
        }),
    }
}

/// Adds a partition; its number.
pub(crate) fn add(disk: &Disk, table: &mut Table, wish: &Wish) -> anyhow::Result<u32> {
    let gpt = matches!(table.label, Label::Gpt(_));
    let number = wish
        .number
        .or_else(|| free_slot(disk, table, wish))
        .context("all partitions are in use")?;
    if table.part(number).is_some() {
        bail!("partition {number} is already used");
    }
    let most = match &table.label {
        Label::Gpt(label) => label.slots,
        Label::Mbr(_) => 64,
    };
    if number > most {
        bail!("partition {number} is beyond the table");
    }
    let kind = script::kind(wish, gpt)?;
    let default = if gpt { types::parse("L", true) } else { Some(Kind::Mbr(0x83)) };
    let kind = kind.or(default).context("no type")?;
    let (start, size) = place(disk, table, wish, !gpt && number > 4)?;
    let uuid = match wish.uuid {
        Some(uuid) => uuid,
        None if gpt => Guid::random()?,
        None => Guid::default(),
    };
    let part = Part {
        number,
        start,
        size,
        kind,
        uuid,
        name: wish.name.clone().unwrap_or_default(),
        attributes: wish.attributes.unwrap_or(0),
        bootable: wish.bootable.unwrap_or(false),
    };
    if part.is_extended() && (number > 4 || table.parts.iter().any(Part::is_extended)) {
        bail!("partition {number} cannot be an extended partition");
    }
    table.parts.push(part);
    table.parts.sort_by_key(|part| part.number);
    Ok(number)
}

/// Where a new partition goes: start and size, sectors.
fn place(disk: &Disk, table: &Table, wish: &Wish, logical: bool) -> anyhow::Result<(u64, u64)> {
    let grain = space::grain(disk);
    let gaps: Vec<Gap> =
        space::gaps(disk, table, None).into_iter().filter(|gap| gap.logical == logical).collect();
    let (start, gap) = match wish.start {
        Some(Extent::Sectors(start)) => {
            let gap = gaps.iter().find(|gap| (gap.start..=gap.end).contains(&start));
            // An explicit start of a logical partition may come right after the chain's sector.
            let extended = table.parts.iter().find(|part| logical && part.is_extended());
            let inner = extended.map(|part| Gap { start, end: part.end(), logical });
            let inner =
                inner.filter(|_| extended.is_some_and(|e| start > e.start && start <= e.end()));
            let free = !table.parts.iter().any(|part| {
                !(logical && part.is_extended()) && (part.start..=part.end()).contains(&start)
            });
            let gap = gap.copied().or(inner.filter(|_| free)).with_context(|| {
                format!("sector {start} is already used or outside of the usable space")
            })?;
            (start, gap)
        }
        Some(_) => bail!("a new partition's start cannot be relative"),
        None => {
            let aligned = |gap: &Gap| {
                let up = gap.start.next_multiple_of(grain);
                if up <= gap.end { up } else { gap.start }
            };
            let gap = if matches!(table.label, Label::Gpt(_)) {
                gaps.iter().rev().max_by_key(|gap| gap.size())
            } else {
                gaps.iter().find(|gap| gap.size() >= grain).or(gaps.first())
            };
            let gap = gap.context("no free sectors available")?;
            (aligned(gap), *gap)
        }
    };
    let ends = table.parts.iter().filter(|part| part.start > start).map(|part| part.start - 1);
    let end = ends.chain([gap.end]).min().unwrap_or(gap.end);
    let room = end - start + 1;
    let aligned_room = match (end + 1) / grain * grain {
        up if up > start => up - start,
        _ => room,
    };
    let size = match wish.size {
        None | Some(Extent::All) => aligned_room,
        Some(Extent::Sectors(size) | Extent::More(size)) if wish.start.is_some() && size > room => {
            bail!("there are only {room} sectors free from sector {start} on")
        }
        Some(Extent::Sectors(size) | Extent::More(size)) if size > room => aligned_room,
        Some(Extent::Sectors(size) | Extent::More(size)) => size,
        Some(Extent::Fewer(_)) => bail!("a new partition's size cannot be relative"),
    };
    if size == 0 {
        bail!("a partition has at least one sector");
    }
    Ok((start, size))
}

/// Changes a partition that is there.
pub(crate) fn modify(
    disk: &Disk,
    table: &mut Table,
    number: u32,
    wish: &Wish,
) -> anyhow::Result<()> {
    let gpt = matches!(table.label, Label::Gpt(_));
    let old = table.part(number).with_context(|| format!("no partition {number}"))?.clone();
    let relative = |now: u64, wanted: Option<Extent>| match wanted {
        None | Some(Extent::All) => Some(now),
        Some(Extent::Sectors(n)) => Some(n),
        Some(Extent::More(n)) => now.checked_add(n),
        Some(Extent::Fewer(n)) => now.checked_sub(n),
    };
    let out = || format!("partition {number} would not fit");
    let start = relative(old.start, wish.start).with_context(out)?;
    let gaps = space::gaps(disk, table, Some(number));
    let logical = !gpt && number > 4;
    let gap = gaps.iter().find(|g| g.logical == logical && (g.start..=g.end).contains(&start));
    let end = match gap {
        Some(gap) => gap.end,
        // A table of another tool may have a partition where ours would have none.
        None if start == old.start => old.end(),
        None => bail!("sector {start} is already used or outside of the usable space"),
    };
    let room = end - start + 1;
    let size = match wish.size {
        Some(Extent::All) => room,
        other => relative(old.size, other).with_context(out)?,
    };
    let inner = table.parts.iter().filter(|part| old.is_extended() && part.number > 4);
    let cut = inner.map(Part::end).max().is_some_and(|last| last > start + size.max(1) - 1);
    if size == 0 || size > room || cut {
        bail!("{}: it can have {room} sectors at most", out());
    }
    let kind = script::kind(wish, gpt)?.unwrap_or(old.kind);
    let part = Part {
        start,
        size,
        kind,
        uuid: wish.uuid.unwrap_or(old.uuid),
        name: wish.name.clone().unwrap_or(old.name),
        attributes: wish.attributes.unwrap_or(old.attributes),
        bootable: wish.bootable.unwrap_or(old.bootable),
        number,
    };
    table.parts.retain(|part| part.number != number);
    table.parts.push(part);
    table.parts.sort_by_key(|part| part.number);
    Ok(())
}

/// Numbers partitions in the order of their starts. Whether anything changed.
pub(crate) fn reorder(table: &mut Table) -> bool {
    let before = table.parts.clone();
    let is_gpt = matches!(table.label, Label::Gpt(_));
    for range in if is_gpt { vec![1..=u32::MAX] } else { vec![1..=4, 5..=u32::MAX] } {
        let mut parts: Vec<&mut Part> =
            table.parts.iter_mut().filter(|part| range.contains(&part.number)).collect();
        let mut numbers: Vec<u32> = parts.iter().map(|part| part.number).collect();
        numbers.sort_unstable();
        parts.sort_by_key(|part| part.start);
        for (part, number) in parts.into_iter().zip(numbers) {
            part.number = number;
        }
    }
    table.parts.sort_by_key(|part| part.number);
    table.parts != before
}
