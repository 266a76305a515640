//! `efibootmgr`: the firmware's boot entries.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    efi::{
        ACTIVE, Entry, Variables,
        make::{self, Wish},
        numbers,
    },
    partitions::plain,
};
use anyhow::{Context as _, bail};
use std::{
    io,
    path::{Path, PathBuf},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "efibootmgr",
    summary: "Prints and changes what the firmware (UEFI) boots.",
    usage: "[-v] [-q]\n[-n NUMBER|-N] [-o LIST|-O] [-t SECONDS|-T]\n-b NUMBER -B|-a|-A\n-c|-C [-d DISK] [-p PART] [-l LOADER] [-L LABEL] [-u] [OPTION]...",
    options: &[
        flag('v', "verbose", "with the place of each entry"),
        flag('q', "quiet", "do not print the entries after a change"),
        value('n', "bootnext", "NUMBER", "boot this entry next time, once"),
        flag('N', "delete-bootnext", "no such entry"),
        value('o', "bootorder", "LIST", "try entries in this order"),
        flag('O', "delete-bootorder", "no order"),
        value('t', "timeout", "SECONDS", "how long the firmware's menu waits"),
        flag('T', "delete-timeout", "the firmware decides how long"),
        value('b', "bootnum", "NUMBER", "which entry -B, -a or -A is about"),
        flag('B', "delete-bootnum", "delete the entry"),
        flag('a', "active", "the entry may be booted"),
        flag('A', "inactive", "it may not"),
        flag('c', "create", "make an entry, which is tried first"),
        flag('C', "create-only", "make an entry that is not in the order"),
        value('d', "disk", "DISK", "the disk of its loader; /dev/sda if not given"),
        value('p', "part", "PART", "the partition, a number; 1 if not given"),
        value('l', "loader", "LOADER", "the file there; \\EFI\\BOOT\\BOOTX64.EFI if not given"),
        value('L', "label", "LABEL", "the entry's name; Linux if not given"),
        flag('u', "unicode", "what is told to the loader is UTF-16, not ASCII"),
        value('\0', "sysroot", "FOLDER", "use FOLDER/sys/firmware/efi/efivars"),
    ],
    notes: "Numbers are hexadecimal. Operands are told to the loader of a new entry. `-C -n new` boots the new entry once, and\n\
            leaves everything else as it is. Status 2: this machine was not booted by UEFI.",
    example: "efibootmgr -n 0003 && reboot\nefibootmgr -C -n new -d /dev/sda -p 1 -l '\\EFI\\tool.efi' -L tool && reboot",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let create = args.has("create") || args.has("create-only");
    if !create {
        args.no_operands()?;
    }
    let entry = args.text("bootnum")?.map(parse).transpose()?;
    let wants_new = create && args.text("bootnext")? == Some("new");
    let next = args.text("bootnext")?.filter(|_| !wants_new).map(parse).transpose()?;
    let order = args.text("bootorder")?.map(list).transpose()?;
    let timeout = args.number::<u16>("timeout")?;
    let about_one = ["delete-bootnum", "active", "inactive"].iter().any(|o| args.has(o));
    if about_one && entry.is_none() {
        return usage_error("You must specify an entry with -b");
    }
    let root = args.value("sysroot").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let variables = Variables(root.join("sys/firmware/efi/efivars"));
    let Ok(known) = variables.entries() else {
        eprintln!("EFI variables are not supported on this system.");
        return Ok(2);
    };
    let new = if create { Some(self::create(args, &variables, &known)?) } else { None };
    let next = next.or(new.filter(|_| wants_new));
    let known = [known, new.into_iter().collect()].concat();
    let missing =
        next.iter().chain(order.iter().flatten()).chain(&entry).find(|n| !known.contains(n));
    if let Some(number) = missing {
        bail!("Boot{number:04X} does not exist");
    }
    if let Some(number) = entry {
        change(args, &variables, number)?;
    }
    let set = |name: &str, data: &[u8]| wrap(name, variables.set(name, data));
    let delete = |name: &str| wrap(name, variables.delete(name).map(drop));
    if args.has("delete-bootnext") {
        delete("BootNext")?;
    }
    if args.has("delete-bootorder") {
        delete("BootOrder")?;
    }
    if args.has("delete-timeout") {
        delete("Timeout")?;
    }
    if let Some(number) = next {
        set("BootNext", &number.to_le_bytes())?;
    }
    if let Some(order) = order {
        set("BootOrder", &order.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>())?;
    }
    if let Some(seconds) = timeout {
        set("Timeout", &seconds.to_le_bytes())?;
    }
    if !args.has("quiet") {
        show(args, &variables)?;
    }
    Ok(0)
}

/// Makes an entry, with the lowest number that is free.
fn create(args: &Args, variables: &Variables, known: &[u16]) -> anyhow::Result<u16> {
    let told = args.words()?.join(" ");
    let wish = Wish {
        disk: args.value("disk").map_or_else(|| Path::new("/dev/sda"), Path::new),
        part: args.number("part")?.unwrap_or(1),
        loader: args.text("loader")?.unwrap_or("\\EFI\\BOOT\\BOOTX64.EFI"),
        label: args.text("label")?.unwrap_or("Linux"),
        options: if args.has("unicode") { make::utf16(&told) } else { told.into_bytes() },
    };
    let data = make::entry(&wish)?;
    let number = (0..=u16::MAX).find(|number| !known.contains(number));
    let number = number.context("there are 65536 entries already")?;
    let name = format!("Boot{number:04X}");
    wrap(&name, variables.set(&name, &data))?;
    if args.has("create") {
        let order = wrap("BootOrder", variables.get("BootOrder"))?.unwrap_or_default();
        let order = [number.to_le_bytes().to_vec(), order].concat();
        wrap("BootOrder", variables.set("BootOrder", &order))?;
    }
    Ok(number)
}

fn wrap<T>(name: &str, done: io::Result<T>) -> anyhow::Result<T> {
    done.map_err(|error| anyhow::anyhow!("Could not set {name}: {}", plain(&error)))
}

fn parse(text: &str) -> anyhow::Result<u16> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    match u16::from_str_radix(digits, 16) {
        Ok(number) if !digits.starts_with('+') => Ok(number),
        _ => usage_error(format!("Invalid hex characters in boot number {text:?}")),
    }
}

fn list(text: &str) -> anyhow::Result<Vec<u16>> {
    text.split(',').map(parse).collect()
}

/// Deletes an entry, in the order, too; or says whether it may be booted.
fn change(args: &Args, variables: &Variables, number: u16) -> anyhow::Result<()> {
    let name = format!("Boot{number:04X}");
    if args.has("delete-bootnum") {
        wrap(&name, variables.delete(&name))?;
        let order = numbers(&wrap("BootOrder", variables.get("BootOrder"))?.unwrap_or_default());
        if order.contains(&number) {
            let left = order.iter().filter(|n| **n != number).flat_map(|n| n.to_le_bytes());
            wrap("BootOrder", variables.set("BootOrder", &left.collect::<Vec<_>>()))?;
        }
        return Ok(());
    }
    let data = wrap(&name, variables.get(&name))?.unwrap_or_default();
    let Some((attributes, rest)) = data.split_first_chunk::<4>() else {
        bail!("{name} is damaged");
    };
    let old = u32::from_le_bytes(*attributes);
    let new = if args.has("inactive") {
        old & !ACTIVE
    } else if args.has("active") {
        old | ACTIVE
    } else {
        old
    };
    if new != old {
        wrap(&name, variables.set(&name, &[&new.to_le_bytes(), rest].concat()))?;
    }
    Ok(())
}

fn show(args: &Args, variables: &Variables) -> anyhow::Result<()> {
    let number = |name: &str| -> anyhow::Result<Option<u16>> {
        let data = wrap(name, variables.get(name))?;
        Ok(data.and_then(|data| numbers(&data).first().copied()))
    };
    for name in ["BootNext", "BootCurrent"] {
        if let Some(number) = number(name)? {
            println!("{name}: {number:04X}");
        }
    }
    if let Some(seconds) = number("Timeout")? {
        println!("Timeout: {seconds} seconds");
    }
    match wrap("BootOrder", variables.get("BootOrder"))? {
        Some(data) => {
            let order: Vec<String> = numbers(&data).iter().map(|n| format!("{n:04X}")).collect();
            println!("BootOrder: {}", order.join(","));
        }
        None => println!("No BootOrder is set; firmware will attempt recovery"),
    }
    for number in wrap("entries", variables.entries())? {
        let name = format!("Boot{number:04X}");
        let data = wrap(&name, variables.get(&name))?.unwrap_or_default();
        let Some(entry) = Entry::parse(&data) else {
            eprintln!("efibootmgr: {name} is damaged");
            continue;
        };
        let star = if entry.attributes & ACTIVE == 0 { ' ' } else { '*' };
        print!("{name}{star} {}", entry.name);
        if args.has("verbose") {
            print!("\t{}{}", entry.path, options(&entry.options));
        }
        println!();
    }
    Ok(())
}

/// Options are text in UTF-16 or whatever the loader wants.
fn options(data: &[u8]) -> String {
    let units = numbers(data);
    let text = char::decode_utf16(units.iter().copied().take_while(|unit| *unit != 0));
    match text.collect::<Result<String, _>>() {
        Ok(text)
            if data.len().is_multiple_of(2) && text.chars().all(|c| matches!(c, ' '..='~')) =>
        {
            text
        }
        _ => data
            .iter()
            .map(|b| if (b' '..=b'~').contains(b) { char::from(*b) } else { '.' })
            .collect(),
    }
}
