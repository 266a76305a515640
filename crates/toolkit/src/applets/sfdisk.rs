//! `sfdisk`: partition tables by script.

mod apply;

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    partitions::{self, Disk, Guid, Label, Table, edit, listing, space, types},
};
use anyhow::{Context as _, bail};
use std::path::Path;
use xenoboot_sys::blockdev;

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "sfdisk",
    summary: "Prints and changes partition tables (GPT and MBR), of disks and of image files.",
    usage: "[OPTION]... DEVICE < SCRIPT\n-N NUMBER DEVICE < LINE\n-d|-J|-l|-F|-V|-s|-r DEVICE\n\
            --delete DEVICE [NUMBER]...\n-A DEVICE [NUMBER]...\n\
            --part-label|--part-type|--part-uuid|--part-attrs DEVICE NUMBER [VALUE]\n\
            --disk-id DEVICE [ID]\n--relocate gpt-bak-std DEVICE",
    options: &[
        flag('d', "dump", "print a script that makes the same table"),
        flag('J', "json", "print the table as JSON"),
        flag('l', "list", "print disk and partitions"),
        flag('F', "list-free", "print what is not partitioned"),
        flag('V', "verify", "say whether the table is right"),
        flag('s', "show-size", "print the size, KiB"),
        flag('T', "list-types", "print the types (with -X)"),
        flag('r', "reorder", "number partitions in the order of their starts"),
        flag('A', "activate", "print or set the bootable partitions of an MBR"),
        flag('\0', "delete", "delete partitions, or all"),
        flag('\0', "part-label", "print or set a partition's name"),
        flag('\0', "part-type", "print or set its type"),
        flag('\0', "part-uuid", "print or set its identifier"),
        flag('\0', "part-attrs", "print or set its attributes"),
        flag('\0', "disk-id", "print or set the table's identifier"),
        Opt {
            short: '\0',
            long: "relocate",
            value: "HOW",
            help: "gpt-bak-std: rewrite both copies, the backup at the disk's end",
        },
        flag('a', "append", "add partitions to the table that is there"),
        Opt { short: 'N', long: "partno", value: "NUMBER", help: "change this partition" },
        flag('n', "no-act", "write nothing"),
        flag('f', "force", "do not check whether the disk is in use"),
        flag('\0', "no-reread", "the same"),
        flag('\0', "no-tell-kernel", "do not make the kernel read the new table"),
        flag('q', "quiet", "print only errors"),
        flag('\0', "bytes", "sizes in bytes"),
        Opt { short: 'o', long: "output", value: "LIST", help: "columns for -l" },
        Opt {
            short: 'X',
            long: "label",
            value: "NAME",
            help: "gpt or dos, if the script does not say",
        },
        Opt {
            short: 'w',
            long: "wipe",
            value: "WHEN",
            help: "auto or never; nothing is wiped here",
        },
        Opt { short: 'W', long: "wipe-partitions", value: "WHEN", help: "the same" },
        Opt { short: 'u', long: "unit", value: "S", help: "sectors, as always" },
        Opt { short: '\0', long: "color", value: "[WHEN]", help: "ignored" },
        Opt { short: '\0', long: "lock", value: "[WHEN]", help: "ignored" },
    ],
    notes: "A script has lines 'label: gpt', 'label-id: ID', and one line for each partition:\n\
            'start=2048, size=10M, type=L, name=\"root\"' or '2048,10M,L'. Numbers are sectors, or with K, M, G, T\n\
            bytes. What is left out: the next free place, all that is free, a Linux file system. 'size=+' with\n\
            -N grows a partition as far as it goes. A damaged copy of a GPT is repaired by every change.",
    example: "sfdisk -d /dev/sda > table\nsfdisk /dev/sdb < table\necho ',+' | sfdisk -N 3 /dev/sda",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    for mode in ["wipe", "wipe-partitions"] {
        match args.text(mode)? {
            None | Some("auto" | "never") => {}
            Some(other) => {
                return usage_error(format!("--{mode} {other}: auto or never (see wipefs)"));
            }
        }
    }
    if args.has("list-types") {
        return list_types(args);
    }
    let words = args.words()?;
    if args.has("show-size") || args.has("list") || args.has("list-free") || args.has("verify") {
        return each(args, &words);
    }
    let [device, rest @ ..] = words.as_slice() else { return usage_error("which device?") };
    let device = Path::new(device);
    let show = |text: fn(&Disk, &Table) -> String| {
        if let [extra, ..] = rest {
            return usage_error(format!("unexpected argument {extra:?}"));
        }
        let disk = Disk::open(device, false)?;
        let table = read(&disk)?;
        print!("{}", text(&disk, &table));
        Ok(0)
    };
    if args.has("dump") {
        show(listing::dump)
    } else if args.has("json") {
        show(listing::json)
    } else if let Some(how) = args.text("relocate")? {
        relocate(args, how, device)
    } else if ["reorder", "activate", "delete", "disk-id"].iter().any(|o| args.has(o)) {
        whole(args, device, rest)
    } else if let Some(field) =
        ["part-label", "part-type", "part-uuid", "part-attrs"].into_iter().find(|o| args.has(o))
    {
        one(args, field, device, rest)
    } else {
        apply::apply(args, device, rest)
    }
}

/// The table of a disk that must have one; what was wrong with it goes to standard error.
fn read(disk: &Disk) -> anyhow::Result<Table> {
    let table = partitions::read(disk)?.with_context(|| {
        format!("{}: does not contain a recognized partition table", disk.path.display())
    })?;
    for warning in &table.warnings {
        eprintln!("{warning}");
    }
    Ok(table)
}

fn list_types(args: &Args) -> anyhow::Result<u8> {
    let gpt = match args.text("label")? {
        None | Some("dos" | "mbr") => false,
        Some("gpt") => true,
        Some(other) => return usage_error(format!("unsupported label '{other}'")),
    };
    println!("Id  Name\n");
    for (id, name) in types::all(gpt) {
        println!("{id:>2}  {name}");
    }
    Ok(0)
}

fn each(args: &Args, words: &[&str]) -> anyhow::Result<u8> {
    let mut status = 0;
    let disks = if words.is_empty() {
        whole_disks()?
    } else {
        words.iter().map(|w| (*w).to_owned()).collect()
    };
    for (n, device) in disks.iter().enumerate() {
        let disk = match Disk::open(Path::new(device), false) {
            Ok(disk) => disk,
            Err(_) if words.is_empty() => continue,
            Err(error) => {
                eprintln!("sfdisk: {error:#}");
                status = 1;
                continue;
            }
        };
        let table = partitions::read(&disk)?;
        if args.has("show-size") {
            println!("{}", disk.bytes() / 1024);
            continue;
        }
        if args.has("list") && n > 0 {
            print!("\n\n");
        }
        for warning in table.iter().flat_map(|table| &table.warnings) {
            eprintln!("{warning}");
        }
        if args.has("verify") {
            status = status.max(verify(&disk, table.as_ref()));
        } else if args.has("list-free") {
            table.iter().for_each(|table| print!("{}", listing::free(&disk, table)));
        } else {
            print!("{}", listing::header(&disk, table.as_ref()));
            if let Some(table) = &table {
                let parts =
                    listing::partitions(&disk, table, args.text("output")?, args.has("bytes"))?;
                print!("{}{parts}", if parts.is_empty() { "" } else { "\n" });
            }
        }
    }
    Ok(status)
}

/// Every disk that is not a partition.
pub(super) fn whole_disks() -> anyhow::Result<Vec<String>> {
    let devices = crate::devices::all()?.into_iter();
    let whole = devices.filter(|path| {
        let name = path.file_name().unwrap_or_default();
        !Path::new("/sys/class/block").join(name).join("partition").exists()
    });
    Ok(whole.map(|path| path.display().to_string()).collect())
}

fn verify(disk: &Disk, table: Option<&Table>) -> u8 {
    println!("{}:", disk.path.display());
    let Some(table) = table else {
        println!("unrecognized partition table type");
        return 0;
    };
    let mut errors = 0;
    for (n, part) in table.parts.iter().enumerate() {
        for other in table.parts.iter().skip(n + 1) {
            let nested = part.is_extended() && other.number > 4;
            if part.start <= other.end() && other.start <= part.end() && !nested {
                println!("Partition {}: overlaps partition {}.", part.number, other.number);
                errors += 1;
            }
        }
        if part.end() >= disk.sectors {
            println!("Partition {} ends behind the end of the disk.", part.number);
            errors += 1;
        }
    }
    let gaps = space::gaps(disk, table, None);
    let free: u64 = gaps.iter().map(|gap| gap.size()).sum();
    match &table.label {
        Label::Gpt(label) if errors == 0 => println!(
            "No errors detected.\nHeader version: 1.0\nUsing {} out of {} partitions.\n\
             A total of {free} free sectors is available in {} segment{}.",
            table.parts.len(),
            label.slots,
            gaps.len(),
            if gaps.len() == 1 { "" } else { "s" }
        ),
        _ if errors == 0 => {
            let used: u64 = table.parts.iter().filter(|p| !p.is_extended()).map(|p| p.size).sum();
            let free = disk.sectors.saturating_sub(used + 1);
            println!(
                "No errors detected.\nRemaining {free} unallocated {}-byte sectors.",
                disk.sector
            );
        }
        _ => println!("{errors} error{} detected.", if errors == 1 { "" } else { "s" }),
    }
    u8::from(errors > 0)
}

/// Writes, unless it shall not, and tells the kernel.
fn finish(args: &Args, disk: &Disk, table: &Table) -> anyhow::Result<u8> {
    let quiet = args.has("quiet");
    if args.has("no-act") {
        if !quiet {
            println!("The partition table is unchanged (--no-act).");
        }
        return Ok(0);
    }
    partitions::write(disk, table)?;
    if !quiet {
        println!("\nThe partition table has been altered.");
    }
    if disk.device && !args.has("no-tell-kernel") {
        if !quiet {
            println!("Calling ioctl() to re-read partition table.");
        }
        blockdev::read_partitions(&disk.file)
            .context("the kernel still uses the old table: re-reading it failed (see partprobe)")?;
    }
    if !quiet {
        println!("Syncing disks.");
    }
    Ok(0)
}

fn open(args: &Args, device: &Path) -> anyhow::Result<Disk> {
    let disk = Disk::open(device, !args.has("no-act"))?;
    let checked = !args.has("force") && !args.has("no-reread") && !args.has("no-act");
    if disk.device && checked && blockdev::in_use(device) {
        bail!(
            "This disk is currently in use - repartitioning is probably a bad idea. Umount all file \
             systems, and swapoff all swap partitions on this disk. Use the --no-reread flag to suppress this check."
        );
    }
    Ok(disk)
}

fn numbers(words: &[&str]) -> anyhow::Result<Vec<u32>> {
    let number = |word: &&str| match word.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => usage_error(format!("{word:?} is not a partition's number")),
    };
    words.iter().map(number).collect()
}

fn whole(args: &Args, device: &Path, rest: &[&str]) -> anyhow::Result<u8> {
    let only_reads = rest.is_empty() && (args.has("activate") || args.has("disk-id"));
    let disk = if only_reads { Disk::open(device, false)? } else { open(args, device)? };
    let mut table = read(&disk)?;
    if args.has("disk-id") {
        let [id] = rest else {
            println!("{}", table.id());
            return Ok(0);
        };
        let old = table.id();
        match &mut table.label {
            Label::Gpt(label) => {
                label.id = Guid::parse(id).with_context(|| format!("invalid GUID '{id}'"))?;
            }
            Label::Mbr(number) => *number = edit::mbr_id(id)?,
        }
        if !args.has("quiet") {
            println!("Disk identifier changed from {old} to {}.", table.id());
        }
        return finish(args, &disk, &table);
    }
    if args.has("reorder") {
        if !edit::reorder(&mut table) {
            if !args.has("quiet") {
                println!("Nothing to do. Ordering is correct already.");
            }
            return Ok(0);
        }
        return finish(args, &disk, &table);
    }
    let chosen = numbers(rest)?;
    if let Some(missing) = chosen.iter().find(|number| table.part(**number).is_none()) {
        bail!("{}: partition {missing}: failed to find it", device.display());
    }
    if args.has("delete") {
        let all = chosen.is_empty();
        table.parts.retain(|part| !all && !chosen.contains(&part.number));
        if !table.parts.iter().any(partitions::Part::is_extended) && table.label_name() == "dos" {
            table.parts.retain(|part| part.number <= 4);
        }
        return finish(args, &disk, &table);
    }
    if table.label_name() != "dos" {
        bail!("toggle boot flags is supported for MBR only");
    }
    if chosen.is_empty() {
        for part in table.parts.iter().filter(|part| part.bootable) {
            println!("{}", disk.node(part.number));
        }
        return Ok(0);
    }
    for part in &mut table.parts {
        let wanted = chosen.contains(&part.number);
        if part.bootable != wanted && !args.has("quiet") {
            let now = if wanted { "enabled" } else { "disabled" };
            println!("The bootable flag on partition {} is {now} now.", part.number);
        }
        part.bootable = wanted;
    }
    finish(args, &disk, &table)
}

fn one(args: &Args, field: &str, device: &Path, rest: &[&str]) -> anyhow::Result<u8> {
    let ([number] | [number, _]) = rest else { return usage_error("which partition's number?") };
    let number = numbers(&[number])?.first().copied().unwrap_or(0);
    let value = rest.get(1);
    let disk = if value.is_some() { open(args, device)? } else { Disk::open(device, false)? };
    let mut table = read(&disk)?;
    let gpt = table.label_name() == "gpt";
    let Some(part) = table.parts.iter_mut().find(|part| part.number == number) else {
        bail!("{}: partition {number}: partition is unused", device.display());
    };
    if !gpt && field != "part-type" {
        bail!("{}: an MBR has no such field", device.display());
    }
    let Some(value) = value else {
        let text = match field {
            "part-label" => part.name.clone(),
            "part-type" => format!("{:>2}", types::id(part.kind)),
            "part-uuid" => part.uuid.to_string(),
            _ => types::attributes(part.attributes),
        };
        if !text.is_empty() || field == "part-label" {
            println!("{text}");
        }
        return Ok(0);
    };
    match field {
        "part-label" => {
            if !args.has("quiet") {
                println!("Partition name changed from '{}' to '{value}'.", part.name);
            }
            part.name = (*value).to_owned();
        }
        "part-type" => {
            part.kind = types::parse(value, gpt)
                .with_context(|| format!("failed to parse partition type '{value}'"))?;
        }
        "part-uuid" => {
            part.uuid = Guid::parse(value).with_context(|| format!("invalid GUID '{value}'"))?;
        }
        _ => {
            part.attributes = types::parse_attributes(value)
                .with_context(|| format!("unknown attributes '{value}'"))?;
        }
    }
    finish(args, &disk, &table)
}

fn relocate(args: &Args, how: &str, device: &Path) -> anyhow::Result<u8> {
    if how != "gpt-bak-std" {
        return usage_error(format!("unsupported relocation operation {how:?}: gpt-bak-std"));
    }
    let disk = open(args, device)?;
    let mut table = read(&disk)?;
    let Label::Gpt(label) = &mut table.label else {
        bail!("{}: it has no GPT", device.display());
    };
    label.stretch(&disk);
    finish(args, &disk, &table)
}
