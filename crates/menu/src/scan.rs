//! Everywhere that a boot loader keeps its configuration is looked at.

use crate::{
    bls, convention,
    entry::{Entry, Fault, Menu},
    files::{self, Files, Place, any_case},
    grub, lilo,
    metered::Metered,
    syslinux,
};
use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

/// What the machine's firmware is: some configurations ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// A BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of devices, then of menus.
    pub entries: Vec<Entry>,
    /// What is wrong in configurations.
    pub faults: Vec<Fault>,
    /// Which of the entries is started if nobody says which: that which the first menu would start.
    pub default: Option<usize>,
}

/// The most folders below `EFI` that are looked into.
const MAX_FOLDERS: usize = 50;

/// The most configurations of GRUB that are run.
const MAX_PROGRAMS: usize = 64;

/// The most entries, bytes of them, and faults that are told.
const MAX_ENTRIES: usize = 5000;
const MAX_BYTES: usize = 32 << 20;
const MAX_FAULTS: usize = 500;

/// Looks at every device.
#[must_use]
pub fn scan(files: &dyn Files, firmware: Firmware) -> Found {
    let files = &Metered::new(files);
    let mut all = All::default();
    let devices = 0..files.devices().len();
    for device in devices.clone() {
        for config in grub_configurations(files, device) {
            if all.programs < MAX_PROGRAMS && all.read.insert(config.clone()) {
                all.programs += 1;
                all.take(grub::evaluate(files, &config, firmware));
            }
        }
        for boot in ["/", "/boot", "/efi", "/boot/efi"] {
            let menu = bls::menu(files, &Place::new(device, boot), &all.read);
            all.take(menu);
        }
        let places = syslinux::PLACES.iter().map(|path| Place::new(device, path));
        if let Some(config) = places.clone().find(|config| files::is_file(files, config)) {
            all.take(syslinux::evaluate(files, &config));
        }
        let config = Place::new(device, "/etc/lilo.conf");
        if files::is_file(files, &config) {
            all.take(lilo::evaluate(files, &config));
        }
    }
    for device in devices {
        // Where a menu is, its owner has said which kernels count.
        let has_some = |entry: &Entry| entry.kernel.device == device && entry.trouble.is_none();
        if !all.found.entries.iter().any(has_some) {
            all.take(convention::menu(files, device));
        }
    }
    if files.is_spent() || all.is_full() {
        all.found.faults.push(Fault {
            config: Place::default(),
            line: 0,
            what: "there is more on the disks than is looked at; something was left out".to_owned(),
        });
    }
    all.found
}

#[derive(Default)]
struct All {
    found: Found,
    read: HashSet<Place>,
    programs: usize,
    /// What the entries start, so that none is there twice.
    known: HashSet<u64>,
    bytes: usize,
}

impl All {
    /// Adds a menu, without what another one has already.
    fn take(&mut self, menu: Menu) {
        self.read.extend(menu.read);
        for fault in menu.faults {
            if self.found.faults.len() < MAX_FAULTS && !self.found.faults.contains(&fault) {
                self.found.faults.push(fault);
            }
        }
        let mut own = Vec::new();
        for entry in menu.entries {
            let started = started(&entry);
            if self.known.contains(&started) || self.is_full() {
                continue;
            }
            own.push(started);
            self.bytes += size(&entry);
            if entry.default && self.found.default.is_none() {
                self.found.default = Some(self.found.entries.len());
            }
            self.found.entries.push(entry);
        }
        // Within one menu the same may be there several times.
        self.known.extend(own);
    }

    fn is_full(&self) -> bool {
        self.found.entries.len() >= MAX_ENTRIES || self.bytes >= MAX_BYTES
    }
}

/// A number for what an entry starts: it is the same for those that start the same.
fn started(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    (entry.kind, &entry.kernel, &entry.initrds, &entry.modules).hash(&mut hasher);
    entry.command_line.hash(&mut hasher);
    hasher.finish()
}

/// About what an entry takes, bytes.
fn size(entry: &Entry) -> usize {
    let place = |place: &Place| size_of::<Place>() + place.path.len();
    let files = entry.initrds.iter().chain([&entry.kernel, &entry.config]).map(place);
    let modules = entry.modules.iter().map(|m| place(&m.place) + m.command_line.len());
    let texts = entry.submenu.iter().chain([&entry.id, &entry.title, &entry.command_line]);
    let texts = texts.map(|text| size_of::<String>() + text.len());
    size_of::<Entry>() + files.chain(modules).chain(texts).sum::<usize>()
}

/// Configurations of GRUB on a device: those of its own folder first, then those beside its EFI program.
fn grub_configurations(files: &dyn Files, device: usize) -> Vec<Place> {
    let mut folders: Vec<Place> = ["/boot/grub", "/boot/grub2", "/grub", "/grub2", "/"]
        .iter()
        .map(|path| Place::new(device, path))
        .collect();
    for efi in [&["EFI"][..], &["boot", "efi", "EFI"], &["efi", "EFI"]] {
        let Some(efi) = any_case(files, device, efi) else { continue };
        folders.extend(files.list(&efi).iter().take(MAX_FOLDERS).map(|name| efi.join(name)));
    }
    let configs = folders.iter().map(|folder| folder.join("grub.cfg"));
    configs.filter(|config| files::is_file(files, config)).collect()
}
