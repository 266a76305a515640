//! Kernels by the Multiboot Specification.

use super::{
    Loaded, Module,
    files::Input,
    linux::human,
    machine::Machine,
    placing::{MIB, Placing, room},
};
use anyhow::Context as _;
use xenoboot_boot::{
    elf::Image,
    memory::{END_32, Map, PAGE, Wish},
    multiboot::{self, Error, Facts, Header, one, two},
    screen,
};
use xenoboot_sys::kexec::entry::{Copy, Cpu};

const LOADER: &str = concat!("Xenoboot ", env!("CARGO_PKG_VERSION"));

/// Checks that there is room, places everything, loads.
pub(super) fn load(
    kernel: &Input,
    header: &Header,
    modules: Vec<(Module, Input)>,
    line: &str,
) -> anyhow::Result<Loaded> {
    let machine = Machine::read()?;
    let files: u64 = modules.iter().map(|(_, input)| input.size).sum();
    // The kernel is read, and once more as it lies in memory.
    room(2 * kernel.size + files, kernel.size + files)?;
    let framebuffer = screen::of(&machine.parameters);
    if header.framebuffer && framebuffer.is_none() {
        let picture = "a picture, and the running kernel has none".to_owned();
        return Err(Error::Wants(picture)).with_context(|| kernel.name());
    }
    let image = header.image(&kernel.read()?).with_context(|| kernel.name())?;
    let mut placing = Placing::new(&machine.map);
    let (base, end) = (image.at, image.at + image.size);
    let (moved, entry) = place(&mut placing, header, image)?;
    let after = if moved == base { end } else { MIB };
    let (map, mut copies) = pretend_bios(&machine, &mut placing);
    let count = modules.len();
    let facts = Facts {
        command_line: joined(&kernel.name(), line),
        loader: LOADER,
        modules: place_modules(&mut placing, modules, files, after)?,
        map,
        framebuffer,
        rsdp: machine.rsdp,
    };
    let relocated = header.relocatable.and(u32::try_from(moved).ok());
    let (magic, at, copy) = inform(&mut placing, header, &facts, relocated, after)?;
    copies.extend(copy);
    let registers = [magic, at, 0];
    placing.load(Cpu::Protected { entry: u32::try_from(entry)?, registers }, &copies)?;
    Ok(Loaded {
        kernel: format!("{} (Multiboot {})", kernel.name(), header.version),
        given: vec![("modules", format!("{count}, {}", human(files)))],
        command_line: facts.command_line,
    })
}

/// The first word is the name, as loaders other than GRUB 2 have it: kernels tell these apart by the loader's name.
fn joined(name: &str, line: &str) -> String {
    if line.is_empty() { name.to_owned() } else { format!("{name} {line}") }
}

/// Places the kernel, where it was linked for if it can be; returns where it lies and where it starts.
fn place(placing: &mut Placing, header: &Header, image: Image) -> anyhow::Result<(u64, u64)> {
    let Image { at, data, size, entry } = image;
    let taken = placing.take("the kernel", at, at + size);
    let moved = match (taken, header.relocatable) {
        (Ok(()), _) => at,
        (Err(error), None) => return Err(error),
        (Err(_), Some(where_to)) => {
            let wish = Wish {
                size,
                align: where_to.align.into(),
                least: u64::from(where_to.least).max(MIB),
                most: u64::from(where_to.most) + 1,
                high: where_to.high,
            };
            placing.find("the kernel", wish)?
        }
    };
    placing.put(moved, size, data);
    Ok((moved, entry - at + moved))
}

/// Places all modules one after the other, each at the beginning of a page, behind the kernel: simple ones take what
/// is behind them for free as far as no module lies there.
fn place_modules(
    placing: &mut Placing,
    modules: Vec<(Module, Input)>,
    files: u64,
    after: u64,
) -> anyhow::Result<Vec<multiboot::Module>> {
    let size: u64 = modules.iter().map(|(_, input)| input.size.next_multiple_of(PAGE)).sum();
    if size == 0 && modules.is_empty() {
        return Ok(Vec::new());
    }
    let wish = Wish { size, align: PAGE, least: after.max(MIB), most: END_32, high: false };
    let at = placing.find("the modules", wish)?;
    let mut data = Vec::with_capacity(usize::try_from(size.max(files))?);
    let mut placed = Vec::new();
    for (module, input) in modules {
        let start = at + data.len() as u64;
        input.append_to(&mut data)?;
        placed.push(multiboot::Module {
            start: u32::try_from(start)?,
            end: u32::try_from(start + input.size)?,
            command_line: joined(&module.path.display().to_string(), &module.arguments),
        });
        data.resize(data.len().next_multiple_of(PAGE as usize), 0);
    }
    placing.put(at, size, data);
    Ok(placed)
}

/// Places the boot information; returns what EAX and EBX are to have, and what is to be copied into it.
fn inform(
    placing: &mut Placing,
    header: &Header,
    facts: &Facts<'_>,
    moved: Option<u32>,
    after: u64,
) -> anyhow::Result<(u32, u32, Option<Copy>)> {
    let two = two::information(facts, moved);
    let size = two.data.len().max(one::information(facts, 0).len()) as u64;
    let wish = Wish { size, align: PAGE, least: after.max(MIB), most: END_32, high: false };
    let place = placing.find("the boot information", wish)?;
    let at = u32::try_from(place)?;
    if header.version == 1 {
        placing.put(place, size, one::information(facts, at));
        return Ok((one::MAGIC, at, None));
    }
    let copy = facts.rsdp.zip(two.rsdp).map(|(rsdp, offset)| Copy {
        from: rsdp.address,
        to: at + u32::try_from(offset).unwrap_or(0),
        length: rsdp.length(),
    });
    placing.put(place, size, two.data);
    Ok((two::MAGIC, at, copy))
}

/// A kernel that does not know UEFI, or is not started by it, looks for the ACPI tables where a BIOS has them. On a
/// machine without one the first page is free memory: there the pointer to an extended BIOS data area is put, and the
/// tables' root pointer into that. Returns the memory that is left.
fn pretend_bios(machine: &Machine, placing: &mut Placing) -> (Map, Vec<Copy>) {
    let top = (machine.map.low_end() / PAGE).saturating_sub(1) * PAGE;
    let Some(rsdp) = machine.rsdp.filter(|_| machine.uefi && top > 0) else {
        return (machine.map.clone(), Vec::new());
    };
    let taken = placing.take("a BIOS data area", 0, PAGE);
    if taken.and_then(|()| placing.take("a BIOS data area", top, top + PAGE)).is_err() {
        return (machine.map.clone(), Vec::new());
    }
    let mut first = vec![0; PAGE as usize];
    // The area's segment, and how many KiB are below it.
    for (at, value) in [(0x40E, top >> 4), (0x413, top >> 10)] {
        if let Some(place) = first.get_mut(at..at + 2) {
            place.copy_from_slice(&(value as u16).to_le_bytes());
        }
    }
    placing.put(0, PAGE, first);
    // The area begins with its own size in KiB.
    placing.put(top, PAGE, vec![4]);
    let to = top as u32 + 16;
    let copy = Copy { from: rsdp.address, to, length: rsdp.length() };
    (machine.map.reserving(top, machine.map.low_end()), vec![copy])
}
