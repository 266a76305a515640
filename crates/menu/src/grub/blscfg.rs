//! `blscfg`: a menu from files of the Boot Loader Specification, as Fedora's GRUB has it.

use super::{
    parse,
    run::{Item, Machine, STEPS_OF_FILE},
};
use crate::{
    bls::{self, Spec},
    files::{Place, What},
    version,
};
use std::rc::Rc;

/// The most files that are read.
const MAX_FILES: usize = 500;

/// `blscfg [PATH]`: a folder of files, or one file.
pub(super) fn run(machine: &mut Machine<'_>, arguments: &[String]) -> bool {
    let places: Vec<Place> = match arguments.first() {
        Some(path) => machine.place(path).into_iter().collect(),
        None => folders(machine),
    };
    let Some(mut confs) = places.iter().map(|place| confs(machine, place)).find(|c| !c.is_empty())
    else {
        machine.fault("blscfg: there are no entries (*.conf) in loader/entries".to_owned());
        return false;
    };
    // The newest first, by the files' names.
    confs.sort_by(|a, b| version::compare(b.name(), a.name()));
    for conf in confs {
        if !machine.spend(STEPS_OF_FILE) {
            break;
        }
        machine.read.push(conf.clone());
        match bls::read(machine.files, &conf) {
            Ok((spec, faults)) => {
                faults.into_iter().for_each(|fault| machine.tell(fault));
                add(machine, &spec);
            }
            Err(fault) => machine.tell(fault),
        }
    }
    true
}

/// Where the files may be: on the device of `$boot` or `$root`, which may have `/boot` in it.
fn folders(machine: &Machine<'_>) -> Vec<Place> {
    let paths = match machine.variable("blsdir") {
        "" => vec!["/loader/entries", "/boot/loader/entries"],
        own => vec![own, "/loader/entries", "/boot/loader/entries"],
    };
    let boot = Some(machine.variable("boot")).filter(|name| !name.is_empty());
    let devices = [boot, None].map(|name| machine.device(name));
    let devices = devices.into_iter().flatten().chain(std::iter::once(machine.home));
    devices.flat_map(|device| paths.iter().map(move |path| Place::new(device, path))).collect()
}

fn confs(machine: &Machine<'_>, place: &Place) -> Vec<Place> {
    match machine.files.what(place) {
        Some(What::File(_)) => vec![place.clone()],
        Some(What::Folder) => {
            let names = machine.files.list(place).into_iter();
            let confs = names.filter(|name| name.ends_with(".conf"));
            confs.take(MAX_FILES).map(|name| place.join(&name)).collect()
        }
        None => Vec::new(),
    }
}

/// Writes the entry as GRUB's own commands, which then are run like any others.
fn add(machine: &mut Machine<'_>, spec: &Spec) {
    let Some(kernel) = &spec.linux else {
        let what = "GRUB starts only what has a line `linux`".to_owned();
        machine.tell(crate::Fault { config: spec.config.clone(), line: 0, what });
        return;
    };
    let device = machine.files.devices().get(spec.config.device);
    let device = device.map(|device| device.name.clone()).unwrap_or_default();
    let path = |path: &str| {
        format!("'({device}){}'", bls::resolve(machine.files, &spec.config, path).path)
    };
    let own = spec.options.join(" ");
    let options = if spec.options.is_empty() { "$default_kernelopts" } else { own.as_str() };
    let mut initrds = early(machine);
    for initrd in &spec.initrds {
        // What a variable stands for may be several files, or none.
        initrds.extend(words(machine, initrd));
    }
    let initrds: Vec<String> = initrds.iter().map(|initrd| path(initrd)).collect();
    let mut text = format!("linux {} {options}\n", path(kernel));
    if !initrds.is_empty() {
        text.push_str(&format!("initrd {}\n", initrds.join(" ")));
    }
    if let Some(tree) = &spec.device_tree {
        text.push_str(&format!("devicetree {}\n", path(tree)));
    }
    if !machine.spend_bytes(text.len()) {
        return;
    }
    let (body, faults) = parse::parse(&text);
    for fault in faults {
        let what = format!("options: {}", fault.what);
        machine.tell(crate::Fault { config: spec.config.clone(), line: 0, what });
    }
    let title = match spec.title.as_str() {
        "" => spec.id.clone(),
        title => words(machine, title).join(" "),
    };
    machine.add(Item {
        arguments: vec![title.clone()],
        title,
        id: spec.id.clone(),
        body: Rc::new(body),
        submenu: false,
        config: spec.config.clone(),
        line: 0,
    });
}

/// Files that come before the entries' own.
fn early(machine: &Machine<'_>) -> Vec<String> {
    machine.variable("early_initrd").split_whitespace().map(str::to_owned).collect()
}

/// A value of the file with its variables replaced.
fn words(machine: &Machine<'_>, value: &str) -> Vec<String> {
    let words = value.split_whitespace().map(|word| {
        let mut pieces = word.split('$');
        let first = pieces.next().unwrap_or_default().to_owned();
        pieces.fold(first, |done, piece| {
            let bare = piece.trim_start_matches('{');
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = bare.find(|c| !is_name(c)).unwrap_or(bare.len());
            let (name, rest) = bare.split_at(end);
            let rest = if bare.len() < piece.len() { rest.trim_start_matches('}') } else { rest };
            format!("{done}{}{rest}", machine.variable(name))
        })
    });
    words.flat_map(|word| word.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}
