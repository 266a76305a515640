//! What was found: entries of a menu, and what was wrong on the way.

use crate::files::Place;

/// Whose configuration an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loader {
    /// GRUB 2.
    Grub,
    /// A file of the Boot Loader Specification, type 1, or systemd-boot's.
    Bls,
    /// A unified kernel image, which is type 2 of that specification.
    Uki,
    /// SYSLINUX, EXTLINUX, ISOLINUX.
    Syslinux,
    /// LILO.
    Lilo,
    /// None: a kernel at a place where kernels are.
    Convention,
}

impl Loader {
    /// A word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Grub => "grub",
            Self::Bls => "bls",
            Self::Uki => "uki",
            Self::Syslinux => "syslinux",
            Self::Lilo => "lilo",
            Self::Convention => "kernel",
        }
    }
}

/// What an entry starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A Linux kernel.
    Linux,
    /// An EFI program.
    Efi,
    /// A unified kernel image: kernel, initial RAM disk and command line in an EFI program.
    Uki,
    /// A kernel by Multiboot, version 1.
    Multiboot,
    /// A kernel by Multiboot 2.
    Multiboot2,
    /// A boot sector, or another loader.
    Chain,
}

impl Kind {
    /// A word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Efi => "efi",
            Self::Uki => "uki",
            Self::Multiboot => "multiboot",
            Self::Multiboot2 => "multiboot2",
            Self::Chain => "chainload",
        }
    }
}

/// A module of a Multiboot kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Module {
    /// The file.
    pub place: Place,
    /// What it is given.
    pub command_line: String,
}

/// One thing that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the loader knows it by.
    pub id: String,
    /// What people see.
    pub title: String,
    /// The titles of the menus that it is in, outermost first.
    pub submenu: Vec<String>,
    /// Whose it is.
    pub loader: Loader,
    /// What it starts.
    pub kind: Kind,
    /// The kernel, or whatever is started.
    pub kernel: Place,
    /// Initial RAM disks, in order.
    pub initrds: Vec<Place>,
    /// The kernel's command line.
    pub command_line: String,
    /// Modules of a Multiboot kernel, in order.
    pub modules: Vec<Module>,
    /// A device tree.
    pub device_tree: Option<Place>,
    /// Where it is said.
    pub config: Place,
    /// The line there, from 1; 0 when there are none.
    pub line: usize,
    /// Whether its loader would start it if nobody asked for another.
    pub default: bool,
    /// Why it cannot be started.
    pub trouble: Option<String>,
}

impl Entry {
    /// An entry with nothing but what every one has.
    #[must_use]
    pub(crate) fn new(loader: Loader, kind: Kind, kernel: Place, config: Place) -> Self {
        Self {
            id: String::new(),
            title: String::new(),
            submenu: Vec::new(),
            loader,
            kind,
            kernel,
            initrds: Vec::new(),
            command_line: String::new(),
            modules: Vec::new(),
            device_tree: None,
            config,
            line: 0,
            default: false,
            trouble: None,
        }
    }
}

/// Something wrong in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub config: Place,
    /// The line, from 1; 0 for the whole file.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// What one configuration gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Menu {
    /// In the order of the menu.
    pub entries: Vec<Entry>,
    /// In the order of being met.
    pub faults: Vec<Fault>,
    /// What else was read, and so need not be looked at by itself.
    pub(crate) read: Vec<Place>,
}
