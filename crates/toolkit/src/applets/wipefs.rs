//! `wipefs`: the magic numbers on a device, and away with them.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    columns::{self, Cell, Column, Format, JSON, Line, NO_HEADINGS, OUTPUT},
    partitions::{Disk, plain},
    signatures::{self, Found},
    sizes,
};
use anyhow::{Context as _, bail};
use std::{fs, path::Path};
use xenoboot_sys::blockdev;

pub(crate) static APPLET: Applet = Applet {
    name: "wipefs",
    summary: "Prints the signatures of file systems and partition tables on DEVICEs, or erases them.",
    usage: "[-i] [-J|-p] [-o LIST] DEVICE...\n-a|-o OFFSET [-n] [-t TYPE] DEVICE...",
    options: &[
        Opt { short: 'a', long: "all", value: "", help: "erase all signatures" },
        Opt { short: 'o', long: "offset", value: "OFFSET", help: "erase the one at this offset" },
        Opt { short: 't', long: "types", value: "LIST", help: "only these; noLIST: all but these" },
        Opt {
            short: 'b',
            long: "backup",
            value: "[FOLDER]",
            help: "keep what is erased in a file",
        },
        Opt { short: 'f', long: "force", value: "", help: "even when the device is in use" },
        Opt { short: 'n', long: "no-act", value: "", help: "write nothing" },
        Opt { short: 'q', long: "quiet", value: "", help: "print nothing about what is erased" },
        Opt { short: 'p', long: "parsable", value: "", help: "offset,uuid,label,type" },
        Opt { short: 'i', long: "noheadings", value: "", help: NO_HEADINGS.help },
        JSON,
        Opt { short: 'O', long: "output", value: "LIST", help: OUTPUT.help },
        Opt { short: '\0', long: "lock", value: "[WHEN]", help: "ignored" },
    ],
    notes: "",
    example: "wipefs -a /dev/sdb",
    run,
};

const COLUMNS: &[Column] = &[
    Column::left("DEVICE", 0),
    Column::left("OFFSET", 0),
    Column::left("TYPE", 0),
    Column::left("UUID", 0),
    Column::left("LABEL", 0),
    Column::left("LENGTH", 0),
    Column::left("USAGE", 0),
];

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    if words.is_empty() {
        return usage_error("no device specified");
    }
    let erases = args.has("all") || args.has("offset");
    let mut lines = Vec::new();
    let chosen = columns::choose(args, COLUMNS, &["DEVICE", "OFFSET", "TYPE", "UUID", "LABEL"])?;
    for word in words {
        let writes = erases && !args.has("no-act");
        if writes && !args.has("force") && blockdev::in_use(Path::new(word)) {
            bail!("error: {word}: probing initialization failed: Device or resource busy");
        }
        let disk = match Disk::open(Path::new(word), writes) {
            Ok(disk) => disk,
            Err(error) => {
                bail!("error: {word}: {}", error.to_string().rsplit(": ").next().unwrap_or(""))
            }
        };
        let found = signatures::all(&disk)
            .map_err(|error| anyhow::anyhow!("error: {word}: {}", plain(&error)))?;
        let found: Vec<Found> = found.into_iter().filter(|found| wanted(args, found)).collect();
        if erases {
            erase(args, &disk, &found)?;
        } else {
            lines.extend(found.iter().map(|found| line(&disk, found, &chosen)));
        }
    }
    if !erases && args.has("parsable") {
        let parsable = ["OFFSET", "UUID", "LABEL", "TYPE"];
        for line in &lines {
            let of = |name: &&str| {
                let at = chosen.iter().position(|c| c.name == *name);
                match at.and_then(|at| line.cells.get(at)) {
                    Some(Cell::Text(text)) => text.clone(),
                    _ => String::new(),
                }
            };
            println!("{}", parsable.iter().map(of).collect::<Vec<_>>().join(","));
        }
    } else if !lines.is_empty() {
        let format = if args.has("json") { Format::Json("signatures") } else { Format::Plain };
        print!("{}", columns::print(&chosen, &lines, format, !args.has("noheadings")));
    }
    Ok(0)
}

fn wanted(args: &Args, found: &Found) -> bool {
    let Ok(Some(list)) = args.text("types") else { return true };
    let (list, is_in) = match list.strip_prefix("no") {
        Some(list) => (list, false),
        None => (list, true),
    };
    list.split(',').any(|kind| kind == found.kind) == is_in
}

fn line(disk: &Disk, found: &Found, columns: &[Column]) -> Line {
    let cell = |column: &Column| {
        Cell::text(match column.name {
            "DEVICE" => disk.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            "OFFSET" => format!("{:#x}", found.offset),
            "TYPE" => found.kind.to_owned(),
            "UUID" => found.uuid.clone(),
            "LABEL" => found.label.clone(),
            "LENGTH" => found.magic.len().to_string(),
            _ => usage(found.kind).to_owned(),
        })
    };
    Line { cells: columns.iter().map(cell).collect(), children: Vec::new() }
}

fn usage(kind: &str) -> &'static str {
    match kind {
        "gpt" | "dos" | "PMBR" => "partition-table",
        "linux_raid_member" | "LVM2_member" => "raid",
        "crypto_LUKS" => "crypto",
        "swap" => "other",
        _ => "filesystem",
    }
}

fn erase(args: &Args, disk: &Disk, found: &[Found]) -> anyhow::Result<()> {
    let device = disk.path.display();
    let at = match args.text("offset")? {
        Some(text) => match sizes::parse(text) {
            Some(at) => Some(at),
            None => return usage_error(format!("failed to parse offset {text:?}")),
        },
        None => None,
    };
    let chosen: Vec<&Found> = found.iter().filter(|f| at.is_none_or(|at| at == f.offset)).collect();
    if let (Some(at), true) = (at, chosen.is_empty()) {
        eprintln!("wipefs: {device}: offset {at:#x} not found");
    }
    for found in &chosen {
        if args.has("backup") {
            backup(args, disk, found)?;
        }
        if !args.has("no-act") {
            signatures::erase(disk, found).with_context(|| format!("{device}: failed to erase"))?;
        }
        if !args.has("quiet") {
            let bytes: Vec<String> = found.magic.iter().map(|b| format!("{b:02x}")).collect();
            println!(
                "{device}: {} byte{} erased at offset {:#010x} ({}): {}",
                bytes.len(),
                if bytes.len() == 1 { " was" } else { "s were" },
                found.offset,
                found.kind,
                bytes.join(" ")
            );
        }
    }
    if args.has("no-act") || chosen.is_empty() {
        return Ok(());
    }
    disk.file.sync_all().with_context(|| format!("cannot write {device}"))?;
    if disk.device && chosen.iter().any(|f| usage(f.kind) == "partition-table") {
        println!("{device}: calling ioctl to re-read partition table: Success");
        blockdev::read_partitions(&disk.file).context("the kernel still uses the old table")?;
    }
    Ok(())
}

/// Keeps the bytes as the original does: `wipefs-DEVICE-OFFSET.bak`, in the home folder.
fn backup(args: &Args, disk: &Disk, found: &Found) -> anyhow::Result<()> {
    let folder = match args.text("backup")? {
        Some("") | None => {
            std::env::var("HOME").context("no folder for --backup: HOME is not set")?
        }
        Some(folder) => folder.to_owned(),
    };
    let name = disk.path.file_name().unwrap_or_default().to_string_lossy();
    let path = Path::new(&folder).join(format!("wipefs-{name}-{:#010x}.bak", found.offset));
    fs::write(&path, &found.magic).with_context(|| format!("cannot write {}", path.display()))
}
