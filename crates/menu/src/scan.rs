//! Everywhere that a boot loader keeps its configuration is looked at.

use crate::{
    bls, convention,
    entry::{Entry, Fault, Menu},
    files::{self, Files, Place, any_case},
    grub, lilo, syslinux,
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

/// Looks at every device.
#[must_use]
pub fn scan(files: &dyn Files, firmware: Firmware) -> Found {
    let mut all = All::default();
    let devices = 0..files.devices().len();
    for device in devices.clone() {
        for config in grub_configurations(files, device) {
            if !all.read.contains(&config) {
                all.read.push(config.clone());
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
    all.found
}

#[derive(Default)]
struct All {
    found: Found,
    read: Vec<Place>,
}

impl All {
    /// Adds a menu, without what another one has already.
    fn take(&mut self, menu: Menu) {
        self.read.extend(menu.read);
        for fault in menu.faults {
            if !self.found.faults.contains(&fault) {
                self.found.faults.push(fault);
            }
        }
        let known = self.found.entries.len();
        for entry in menu.entries {
            let earlier = self.found.entries.iter().take(known);
            if earlier.clone().any(|other| is_same(other, &entry)) {
                continue;
            }
            if entry.default && self.found.default.is_none() {
                self.found.default = Some(self.found.entries.len());
            }
            self.found.entries.push(entry);
        }
    }
}

/// Whether both start the same.
fn is_same(a: &Entry, b: &Entry) -> bool {
    let files = |entry: &Entry| {
        (entry.kind, entry.kernel.clone(), entry.initrds.clone(), entry.modules.clone())
    };
    a.command_line == b.command_line && files(a) == files(b)
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
