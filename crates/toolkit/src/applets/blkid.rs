//! `blkid`: what block devices hold.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    devices,
    probe::{self, Signature},
};
use std::path::{Path, PathBuf};

pub(crate) static APPLET: Applet = Applet {
    name: "blkid",
    summary: "Prints type, UUID and label of what DEVICEs, or all block devices, hold.",
    usage: "[-s TAG]... [-o full|value] [DEVICE]...\n-U UUID\n-L LABEL",
    options: &[
        Opt { short: 's', long: "match-tag", value: "TAG", help: "print only TYPE, UUID or LABEL" },
        Opt { short: 'o', long: "output", value: "FORMAT", help: "value: no names and quotes" },
        Opt { short: 'U', long: "uuid", value: "UUID", help: "print the device with this UUID" },
        Opt { short: 'L', long: "label", value: "LABEL", help: "print the device with this label" },
    ],
    notes: "The exit status is 2 when nothing was found.",
    example: "blkid -s TYPE -o value /dev/sda1",
    run,
};

const NOTHING_FOUND: u8 = 2;

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
    let only_values = match args.text("output")? {
        None | Some("full") => false,
        Some("value") => true,
        Some(other) => return usage_error(format!("no format {other:?}: full or value")),
    };
    let named = !args.operands.is_empty();
    let devices =
        if named { args.operands.iter().map(PathBuf::from).collect() } else { devices::all()? };
    let mut found = false;
    for device in &devices {
        match probe::probe(device) {
            Ok(Some(signature)) => {
                found = true;
                print(args, device, &signature, only_values);
            }
            Err(error) if named => eprintln!("blkid: {}: {error}", device.display()),
            _ => {}
        }
    }
    Ok(if found { 0 } else { NOTHING_FOUND })
}

fn print(args: &Args, device: &Path, signature: &Signature, only_values: bool) {
    let tags = [
        ("LABEL", signature.label.as_str()),
        ("UUID", signature.uuid.as_str()),
        ("TYPE", signature.kind),
    ];
    let wanted =
        |tag: &str| !args.has("match-tag") || args.values("match-tag").any(|wanted| wanted == tag);
    let tags = tags.into_iter().filter(|(tag, value)| wanted(tag) && !value.is_empty());
    if only_values {
        tags.for_each(|(_, value)| println!("{value}"));
    } else {
        let shown: String = tags.map(|(tag, value)| format!(" {tag}={value:?}")).collect();
        println!("{}:{shown}", device.display());
    }
}
