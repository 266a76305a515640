//! `mkswap`: makes a swap space.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    partitions::{self, Disk, Guid, put},
    signatures,
    sizes::{Style, human},
};
use anyhow::{Context as _, bail};
use std::{os::unix::fs::FileExt as _, path::Path};
use xenoboot_sys::blockdev;

pub(crate) static APPLET: Applet = Applet {
    name: "mkswap",
    summary: "Makes DEVICE, or a file, a swap space.",
    usage: "[-L LABEL] [-U UUID] [-f] DEVICE",
    options: &[
        Opt { short: 'L', long: "label", value: "LABEL", help: "its label, up to 15 bytes" },
        Opt { short: 'U', long: "uuid", value: "UUID", help: "its identifier" },
        Opt { short: 'f', long: "force", value: "", help: "even over a partition table" },
        Opt { short: 'p', long: "pagesize", value: "BYTES", help: "4096 if not given" },
        Opt { short: 'q', long: "quiet", value: "", help: "print nothing" },
        Opt { short: 'c', long: "check", value: "", help: "read every page first" },
        Opt { short: 'v', long: "swapversion", value: "1", help: "ignored" },
        Opt { short: '\0', long: "lock", value: "[WHEN]", help: "ignored" },
    ],
    notes: "",
    example: "mkswap -L swap /dev/sda2 && swapon /dev/sda2",
    run,
};

/// The kernel refuses less than ten pages.
const LEAST_PAGES: u64 = 10;

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let [device] = words.as_slice() else { return usage_error("which one device?") };
    let page: u64 = args.number("pagesize")?.unwrap_or(4096);
    if !(4096..=65536).contains(&page) || !page.is_power_of_two() {
        return usage_error(format!("{page} bytes is no page's size"));
    }
    let named = args.has("label");
    let label = args.text("label")?.unwrap_or("");
    let uuid = match args.text("uuid")? {
        Some("clear") => Guid::default(),
        Some("random") | None => Guid::random()?,
        Some(text) => match Guid::parse(text) {
            Some(uuid) => uuid,
            None => bail!("error: parsing UUID failed"),
        },
    };
    if !args.has("force") && blockdev::in_use(Path::new(device)) {
        bail!("error: {device} is in use; will not make swapspace");
    }
    let disk = Disk::open(Path::new(device), true)?;
    let pages = disk.bytes() / page;
    if pages < LEAST_PAGES {
        bail!("error: swap area needs to be at least {} KiB", LEAST_PAGES * page / 1024);
    }
    let pages = pages.min(u64::from(u32::MAX));
    check(args, &disk, page)?;
    write(&disk, page, pages, &uuid, label)?;
    if !args.has("quiet") {
        let bytes = (pages - 1) * page;
        println!(
            "Setting up swapspace version 1, size = {} ({bytes} bytes)",
            human(bytes, Style::Long)
        );
        let label = if named { format!("LABEL={}", cut(label)) } else { "no label".into() };
        println!("{label}, UUID={}", uuid.to_string().to_lowercase());
    }
    Ok(0)
}

/// Warns of what is overwritten, and refuses a partition table.
fn check(args: &Args, disk: &Disk, page: u64) -> anyhow::Result<()> {
    let device = disk.path.display();
    for found in signatures::all(disk).with_context(|| format!("cannot read {device}"))? {
        if matches!(found.kind, "gpt" | "dos" | "PMBR") {
            if !args.has("force") && partitions::read(disk)?.is_some() {
                bail!(
                    "error: {device} has a partition table; will not make swapspace (-f to do it)"
                );
            }
            continue;
        }
        eprintln!("mkswap: {device}: warning: wiping old {} signature.", found.kind);
        signatures::erase(disk, &found).with_context(|| format!("cannot write {device}"))?;
    }
    if args.has("check") {
        let mut bytes = vec![0; usize::try_from(page)?];
        for at in (0..disk.bytes() / page).map(|n| n * page) {
            let read = disk.file.read_exact_at(&mut bytes, at);
            read.with_context(|| format!("{device} cannot be read at byte {at}"))?;
        }
    }
    Ok(())
}

/// What fits of a label: 15 bytes and a NUL.
fn cut(label: &str) -> &str {
    let mut end = label.len().min(15);
    while !label.is_char_boundary(end) {
        end -= 1;
    }
    label.get(..end).unwrap_or("")
}

/// `union swap_header` of linux/swap.h.
fn write(disk: &Disk, page: u64, pages: u64, uuid: &Guid, label: &str) -> anyhow::Result<()> {
    let mut header = vec![0; usize::try_from(page)?];
    put(&mut header, 1024, &1_u32.to_le_bytes());
    put(&mut header, 1028, &u32::try_from(pages - 1)?.to_le_bytes());
    // Here the identifier stands in the order in which it is written.
    let mut bytes = uuid.0;
    for range in [0..4, 4..6, 6..8] {
        if let Some(group) = bytes.get_mut(range) {
            group.reverse();
        }
    }
    put(&mut header, 1036, &bytes);
    put(&mut header, 1052, cut(label).as_bytes());
    let magic = b"SWAPSPACE2";
    put(&mut header, usize::try_from(page)? - magic.len(), magic);
    disk.file
        .write_all_at(&header, 0)
        .and_then(|()| disk.file.sync_all())
        .with_context(|| format!("cannot write {}", disk.path.display()))
}
