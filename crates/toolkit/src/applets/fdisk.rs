//! `fdisk -l`: disks and their partitions.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    partitions::{self, Disk, listing},
};
use std::path::Path;

pub(crate) static APPLET: Applet = Applet {
    name: "fdisk",
    summary: "Prints disks and their partitions; sfdisk changes them.",
    usage: "-l [-o LIST] [DEVICE]...\n-s DEVICE...",
    options: &[
        Opt { short: 'l', long: "list", value: "", help: "print disks and partitions" },
        Opt { short: 's', long: "show-size", value: "", help: "print sizes, KiB" },
        Opt { short: 'x', long: "list-details", value: "", help: "like -l, with more columns" },
        Opt { short: 'o', long: "output", value: "LIST", help: "columns for -l" },
        Opt { short: '\0', long: "bytes", value: "", help: "sizes in bytes" },
        Opt { short: 'u', long: "units", value: "[UNIT]", help: "sectors, as always" },
    ],
    notes: "There is no dialogue: a script gives sfdisk what it wants.",
    example: "fdisk -l /dev/sda",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut words: Vec<String> = args.words()?.into_iter().map(str::to_owned).collect();
    if args.has("show-size") {
        for word in &words {
            println!("{}", Disk::open(Path::new(word), false)?.bytes() / 1024);
        }
        return Ok(0);
    }
    if !args.has("list") && !args.has("list-details") {
        return usage_error("only -l and -s are here: changes are sfdisk's");
    }
    let named = !words.is_empty();
    if !named {
        words = super::sfdisk::whole_disks()?;
    }
    let mut status = 0;
    for (n, word) in words.iter().enumerate() {
        match Disk::open(Path::new(word), false) {
            Ok(disk) => {
                print!("{}", if n > 0 { "\n\n" } else { "" });
                list(args, &disk)?;
            }
            Err(error) if named => {
                eprintln!("fdisk: {error:#}");
                status = 1;
            }
            Err(_) => {}
        }
    }
    Ok(status)
}

fn list(args: &Args, disk: &Disk) -> anyhow::Result<()> {
    let table = partitions::read(disk)?;
    for warning in table.iter().flat_map(|table| &table.warnings) {
        eprintln!("{warning}");
    }
    print!("{}", listing::header(disk, table.as_ref()));
    let Some(table) = table else { return Ok(()) };
    let details = match table.label_name() {
        "gpt" => "Device,Start,End,Sectors,Type-UUID,UUID,Name,Attrs",
        _ => "Device,Boot,Start,End,Sectors,Id,Type,Attrs",
    };
    let chosen = args.text("output")?.or(args.has("list-details").then_some(details));
    let parts = listing::partitions(disk, &table, chosen, args.has("bytes"))?;
    print!("{}{parts}", if parts.is_empty() { "" } else { "\n" });
    Ok(())
}
