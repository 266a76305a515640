//! `blkid`: what block devices hold.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    devices,
    partitions::{self, Disk},
    probe::{self, Signature},
};
use std::path::{Path, PathBuf};

pub(crate) static APPLET: Applet = Applet {
    name: "blkid",
    summary: "Prints type, UUID and label of what DEVICEs, or all block devices, hold.",
    usage: "[-s TAG]... [-o FORMAT] [-t NAME=VALUE] [DEVICE]...\n-U UUID\n-L LABEL",
    options: &[
        Opt { short: 's', long: "match-tag", value: "TAG", help: "print only such tags" },
        Opt { short: 'o', long: "output", value: "FORMAT", help: "see below" },
        Opt {
            short: 't',
            long: "match-token",
            value: "NAME=VALUE",
            help: "only those that have it",
        },
        Opt { short: 'l', long: "list-one", value: "", help: "only the first, with -t" },
        Opt { short: 'U', long: "uuid", value: "UUID", help: "print the device with this UUID" },
        Opt { short: 'L', long: "label", value: "LABEL", help: "print the device with this label" },
        Opt { short: 'p', long: "probe", value: "", help: "understood: it always looks" },
        Opt { short: 'g', long: "garbage-collect", value: "", help: "understood: nothing is kept" },
        Opt { short: 'c', long: "cache-file", value: "FILE", help: "understood, without effect" },
    ],
    notes: "Tags are LABEL, UUID, TYPE, PTUUID, PTTYPE, PARTLABEL and PARTUUID. The formats: full, value (no names and\n\
            quotes), device (its path only), export (a line each, for eval), udev. The exit status is 2\n\
            when nothing was found.",
    example: "blkid -s TYPE -o value /dev/sda1\nblkid -t TYPE=ext4 -o device",
    run,
};

const NOTHING_FOUND: u8 = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Full,
    Value,
    Device,
    Export,
    Udev,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    for (option, tag) in [("uuid", "UUID"), ("label", "LABEL")] {
        if let Some(wanted) = args.text(option)? {
            return Ok(match devices::resolve(Path::new(&format!("{tag}={wanted}"))) {
                Ok(device) => {
                    println!("{}", device.display());
                    0
                }
                Err(_) => NOTHING_FOUND,
            });
        }
    }
    let format = match args.text("output")? {
        None | Some("full") => Format::Full,
        Some("value") => Format::Value,
        Some("device") => Format::Device,
        Some("export") => Format::Export,
        Some("udev") => Format::Udev,
        Some(other) => {
            return usage_error(format!(
                "no format {other:?}: full, value, device, export or udev"
            ));
        }
    };
    let token = match args.text("match-token")?.map(|token| token.split_once('=')) {
        Some(None) => return usage_error("-t wants NAME=VALUE"),
        token => token.flatten().map(|(name, value)| (name, value.trim_matches('"'))),
    };
    let named = !args.operands.is_empty();
    let devices =
        if named { args.operands.iter().map(PathBuf::from).collect() } else { devices::all()? };
    let mut found = 0_usize;
    for device in &devices {
        match probe::probe(device) {
            Ok(signature) => {
                let tags = tags(device, signature.as_ref());
                let fits = |(name, value)| tags.iter().any(|(n, v)| *n == name && v == value);
                if tags.is_empty() || !token.is_none_or(fits) {
                    continue;
                }
                if format == Format::Export && found > 0 {
                    println!();
                }
                found += 1;
                print(args, device, &tags, format);
                if token.is_some() && args.has("list-one") {
                    break;
                }
            }
            Err(error) if named => eprintln!("blkid: {}: {error}", device.display()),
            Err(_) => {}
        }
    }
    Ok(if found > 0 { 0 } else { NOTHING_FOUND })
}

/// What there is to say, in the usual order.
fn tags(device: &Path, signature: Option<&Signature>) -> Vec<(&'static str, String)> {
    let mut tags = Vec::new();
    if let Some(signature) = signature {
        tags.push(("LABEL", signature.label.clone()));
        tags.push(("UUID", signature.uuid.clone()));
        tags.push(("TYPE", signature.kind.to_owned()));
        if signature.kind == "iso9660" {
            // Its identifier is looked for first.
            tags.swap(0, 1);
        }
    }
    // The first sector of most file systems is too much like a table.
    let may_be_table = signature.is_none_or(|signature| signature.kind == "iso9660");
    let disk = if may_be_table { Disk::open(device, false).ok() } else { None };
    if let Some(table) = disk.and_then(|disk| partitions::read(&disk).ok()?) {
        let id = table.id().to_lowercase();
        tags.push(("PTUUID", id.trim_start_matches("0x").to_owned()));
        tags.push(("PTTYPE", table.label_name().to_owned()));
    }
    if let Some((table, part)) = devices::partition(device) {
        tags.push(("PARTLABEL", part.name.clone()));
        tags.push(("PARTUUID", table.part_uuid(&part)));
    }
    tags.retain(|(_, value)| !value.is_empty());
    tags
}

fn print(args: &Args, device: &Path, tags: &[(&str, String)], format: Format) {
    let wanted =
        |tag: &str| !args.has("match-tag") || args.values("match-tag").any(|wanted| wanted == tag);
    let tags = tags.iter().filter(|(tag, _)| wanted(tag));
    match format {
        Format::Device => println!("{}", device.display()),
        Format::Value => tags.for_each(|(_, value)| println!("{value}")),
        Format::Full => {
            let shown: String = tags.map(|(tag, value)| format!(" {tag}={value:?}")).collect();
            println!("{}:{shown}", device.display());
        }
        Format::Export => {
            println!("DEVNAME={}", device.display());
            tags.for_each(|(tag, value)| println!("{tag}={}", escaped(value)));
        }
        Format::Udev => tags.for_each(|(tag, value)| match tag.strip_prefix("PART") {
            None if tag.starts_with("PT") => {
                println!("ID_PART_TABLE_{}={value}", tag.trim_start_matches("PT"));
            }
            Some(tag) => {
                println!("ID_PART_ENTRY_{}={}", tag.replace("LABEL", "NAME"), encoded(value))
            }
            None if *tag == "TYPE" => println!("ID_FS_TYPE={value}"),
            None => {
                println!("ID_FS_{tag}={}", value.replace(|c: char| !harmless(c), "_"));
                println!("ID_FS_{tag}_ENC={}", encoded(value));
            }
        }),
    }
}

/// For a shell: whatever it could take for its own gets a backslash.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if c.is_ascii_graphic() && !harmless(c) || c == ' ' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// For udev: whatever could be taken for something else as its bytes in hexadecimal.
fn encoded(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if harmless(c) {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("\\x{byte:02x}"));
            }
        }
    }
    out
}

fn harmless(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() && !c.is_control() || "#+-.:=@_/".contains(c)
}
