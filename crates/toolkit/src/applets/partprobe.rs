//! `partprobe`: makes the kernel read partition tables.

use crate::{
    applet::{Applet, Args, Opt},
    partitions::{self, Disk, plain},
};
use std::path::Path;
use xenoboot_sys::blockdev;

pub(crate) static APPLET: Applet = Applet {
    name: "partprobe",
    summary: "Makes the kernel read the partition tables of DEVICEs, or of all disks.",
    usage: "[-d] [-s] [DEVICE]...",
    options: &[
        Opt { short: 'd', long: "dry-run", value: "", help: "do not tell the kernel" },
        Opt { short: 's', long: "summary", value: "", help: "print each disk's partitions" },
    ],
    notes: "A disk with a partition in use keeps its old table: exit status 1.",
    example: "partprobe /dev/sda",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut words: Vec<String> = args.words()?.into_iter().map(str::to_owned).collect();
    let named = !words.is_empty();
    if !named {
        words = super::sfdisk::whole_disks()?;
    }
    let mut status = 0;
    for word in words {
        let probed = probe(args, Path::new(&word));
        // Without names, drives without a medium and the like are nobody's error.
        if let (Err(error), true) = (probed, named) {
            eprintln!("partprobe: {error:#}");
            status = 1;
        }
    }
    Ok(status)
}

fn probe(args: &Args, path: &Path) -> anyhow::Result<()> {
    let disk = Disk::open(path, false)?;
    if args.has("summary") {
        let table = partitions::read(&disk)?;
        let label = table.as_ref().map_or("no", |table| match table.label_name() {
            "dos" => "msdos",
            name => name,
        });
        let numbers = table.iter().flat_map(|table| &table.parts);
        let numbers: Vec<String> = numbers.map(|part| part.number.to_string()).collect();
        println!("{}: {label} partitions {}", path.display(), numbers.join(" "));
    }
    if args.has("dry-run") {
        return Ok(());
    }
    blockdev::read_partitions(&disk.file).map_err(|error| {
        anyhow::anyhow!("{}: the kernel keeps the old table: {}", path.display(), plain(&error))
    })
}
