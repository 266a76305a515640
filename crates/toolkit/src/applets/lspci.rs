//! `lspci`: PCI devices.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    pci::{self, Function, Names},
};
use anyhow::Context as _;
use std::{io::Write as _, path::PathBuf};
use xenoboot_sys::kmod::Modules;

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "lspci",
    summary: "Prints PCI devices: place, class, vendor, device.",
    usage: "[OPTION]...",
    options: &[
        flag('n', "numbers", "numbers; -nn: names and numbers"),
        flag('v', "verbose", "with memory, interrupt and driver"),
        flag('k', "kernel", "with the driver that has it, and those that could"),
        flag('m', "machine", "for scripts: quoted; with -v one field a line"),
        flag('D', "domains", "always with the domain"),
        Opt {
            short: 's',
            long: "slot",
            value: "PLACE",
            help: "only [[DOMAIN:]BUS:][DEVICE][.FUNCTION]",
        },
        Opt { short: 'd', long: "device", value: "ID", help: "only [VENDOR]:[DEVICE][:CLASS]" },
        Opt { short: '\0', long: "sysroot", value: "FOLDER", help: "look at FOLDER/sys" },
    ],
    notes: "Names of classes are built in; those of vendors and devices are numbers unless there is a\n\
            /usr/share/misc/pci.ids, as with the toolbox.",
    example: "lspci -nnk -d ::0200",
    run,
};

/// How names are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Names,
    Numbers,
    Both,
}

struct View<'a> {
    args: &'a Args,
    show: Show,
    names: Names,
    modules: Option<Modules>,
    domains: bool,
    verbose: bool,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    let slot = args.text("slot")?.map(place).transpose()?;
    let id = args.text("device")?.map(ids).transpose()?;
    let root = args.value("sysroot").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let count = |name: &str| args.all().filter(|(given, _)| *given == name).count();
    let show = match count("numbers") {
        0 => Show::Names,
        1 => Show::Numbers,
        _ => Show::Both,
    };
    // A machine may have no PCI at all.
    let all = match pci::all(&root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        all => all.context("cannot read /sys/bus/pci/devices")?,
    };
    let kernel = args.has("kernel") || args.has("verbose");
    let view = View {
        args,
        show,
        names: if show == Show::Numbers { Names::default() } else { Names::read() },
        modules: kernel.then(modules).flatten(),
        domains: args.has("domains") || all.iter().any(|f| f.address.0 != 0),
        verbose: args.has("verbose"),
    };
    let mut out = std::io::stdout().lock();
    for function in &all {
        if slot.as_ref().is_some_and(|slot| !slot.takes(function))
            || id.as_ref().is_some_and(|id| !id.takes(function))
        {
            continue;
        }
        let text = match (args.has("machine"), view.verbose) {
            (true, true) => view.fields(function),
            (true, false) => view.quoted(function),
            (false, _) => view.block(function),
        };
        out.write_all(text.as_bytes())?;
    }
    Ok(0)
}

fn modules() -> Option<Modules> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    Modules::open(&PathBuf::from("/lib/modules").join(release)).ok()
}

/// What `-s` wants; `None` is any.
struct Place {
    domain: Option<u32>,
    bus: Option<u32>,
    device: Option<u32>,
    function: Option<u32>,
}

impl Place {
    fn takes(&self, function: &Function) -> bool {
        let (domain, bus, device, number) = function.address;
        let is = |wanted: Option<u32>, own: u32| wanted.is_none_or(|wanted| wanted == own);
        is(self.domain, domain)
            && is(self.bus, bus.into())
            && is(self.device, device.into())
            && is(self.function, number.into())
    }
}

fn number(text: &str) -> anyhow::Result<Option<u32>> {
    match text {
        "" | "*" => Ok(None),
        text => match u32::from_str_radix(text, 16) {
            Ok(number) => Ok(Some(number)),
            Err(_) => usage_error(format!("not a hexadecimal number: {text:?}")),
        },
    }
}

fn place(text: &str) -> anyhow::Result<Place> {
    let (front, last) = text.rsplit_once(':').map_or((None, text), |(f, l)| (Some(f), l));
    let (domain, bus) = match front.map(|front| front.rsplit_once(':')) {
        None => (None, None),
        Some(None) => (None, number(front.unwrap_or(""))?),
        Some(Some((domain, bus))) => (number(domain)?, number(bus)?),
    };
    let (device, function) = last.split_once('.').unwrap_or((last, ""));
    Ok(Place { domain, bus, device: number(device)?, function: number(function)? })
}

struct Ids {
    vendor: Option<u32>,
    device: Option<u32>,
    class: Option<u32>,
}

impl Ids {
    fn takes(&self, function: &Function) -> bool {
        let is = |wanted: Option<u32>, own: u32| wanted.is_none_or(|wanted| wanted == own);
        is(self.vendor, function.vendor.into())
            && is(self.device, function.device.into())
            && is(self.class, function.kind())
    }
}

fn ids(text: &str) -> anyhow::Result<Ids> {
    let parts: Vec<&str> = text.split(':').collect();
    let [vendor, device, class @ ..] = parts.as_slice() else {
        return usage_error("-d: ':' expected");
    };
    let class = number(class.first().unwrap_or(&""))?;
    Ok(Ids { vendor: number(vendor)?, device: number(device)?, class })
}

impl View<'_> {
    fn slot(&self, function: &Function) -> String {
        let place = function.place();
        if self.domains {
            return place;
        }
        place.strip_prefix("0000:").unwrap_or(&place).to_owned()
    }

    fn class(&self, function: &Function) -> String {
        let number = format!("{:04x}", function.kind());
        match (self.show, pci::class(function.kind())) {
            (Show::Numbers, _) => number,
            (Show::Names, Some(name)) => name.into(),
            (Show::Both, Some(name)) => format!("{name} [{number}]"),
            // What is not assigned.
            (_, None) if function.kind() == 0xffff => "Unassigned class [ffff]".into(),
            (_, None) => format!("Class [{number}]"),
        }
    }

    /// A vendor and its device.
    fn pair(&self, vendor: u16, device: u16, name: Option<&str>) -> String {
        let numbers = format!("{vendor:04x}:{device:04x}");
        match (self.show, self.names.vendor(vendor), name) {
            (Show::Numbers, ..) => numbers,
            (Show::Names, Some(maker), Some(name)) => format!("{maker} {name}"),
            (Show::Names, Some(maker), None) => format!("{maker} Device {device:04x}"),
            (Show::Names, None, _) => format!("Device {numbers}"),
            (Show::Both, Some(maker), Some(name)) => format!("{maker} {name} [{numbers}]"),
            (Show::Both, Some(maker), None) => format!("{maker} Device [{numbers}]"),
            (Show::Both, None, _) => format!("Device [{numbers}]"),
        }
    }

    fn card(&self, function: &Function) -> Option<String> {
        let (vendor, device) = function.subsystem;
        ((vendor, device) != (0, 0) && vendor != 0xffff)
            .then(|| self.pair(vendor, device, self.names.card(function)))
    }

    fn block(&self, function: &Function) -> String {
        let device = self.names.device(function.vendor, function.device);
        let device = self.pair(function.vendor, function.device, device);
        let mut out = format!("{} {}: {device}", self.slot(function), self.class(function));
        if function.revision != 0 {
            out += &format!(" (rev {:02x})", function.revision);
        }
        let interface = function.class & 0xff;
        if self.verbose && (interface != 0 || interface_name(function.class).is_some()) {
            let name = interface_name(function.class).filter(|_| self.show != Show::Numbers);
            let name = name.map_or(String::new(), |name| format!(" [{name}]"));
            out += &format!(" (prog-if {interface:02x}{name})");
        }
        out.push('\n');
        if self.verbose || self.args.has("kernel") {
            if let Some(card) = self.card(function) {
                out += &format!("\tSubsystem: {card}\n");
            }
            if self.verbose {
                out += &resources(function);
            }
            if !function.driver.is_empty() {
                out += &format!("\tKernel driver in use: {}\n", function.driver);
            }
            let modules = self.modules_of(function);
            if !modules.is_empty() {
                out += &format!("\tKernel modules: {}\n", modules.join(", "));
            }
        }
        if self.verbose {
            out.push('\n');
        }
        out
    }

    fn modules_of(&self, function: &Function) -> Vec<String> {
        let found = self.modules.as_ref().and_then(|all| all.resolve(&function.alias).ok());
        found.unwrap_or_default()
    }

    /// One part of a vendor's or device's name, for scripts.
    fn part(&self, number: u16, name: Option<&str>, word: &str) -> String {
        match (self.show, name) {
            (Show::Numbers, _) => format!("{number:04x}"),
            (Show::Names, Some(name)) => name.into(),
            (Show::Names, None) => format!("{word} {number:04x}"),
            (Show::Both, Some(name)) => format!("{name} [{number:04x}]"),
            (Show::Both, None) => format!("{word} [{number:04x}]"),
        }
    }

    /// Class, vendor, device, and the card's vendor and device if it has some.
    fn parts(&self, function: &Function) -> ([String; 3], Option<[String; 2]>) {
        let names = &self.names;
        let vendor = |id: u16| self.part(id, names.vendor(id), "Vendor");
        let (card_vendor, card) = function.subsystem;
        let device = names.device(function.vendor, function.device);
        let own = [
            self.class(function),
            vendor(function.vendor),
            self.part(function.device, device, "Device"),
        ];
        let card = self
            .card(function)
            .map(|_| [vendor(card_vendor), self.part(card, names.card(function), "Device")]);
        (own, card)
    }

    fn quoted(&self, function: &Function) -> String {
        let ([class, vendor, device], card) = self.parts(function);
        let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let mut out = format!(
            "{} {} {} {}",
            self.slot(function),
            quote(&class),
            quote(&vendor),
            quote(&device)
        );
        if function.revision != 0 {
            out += &format!(" -r{:02x}", function.revision);
        }
        out += &format!(" -p{:02x}", function.class & 0xff);
        let [vendor, device] = card.unwrap_or_default();
        out + &format!(" {} {}\n", quote(&vendor), quote(&device))
    }

    fn fields(&self, function: &Function) -> String {
        let ([class, vendor, device], card) = self.parts(function);
        let mut out = format!(
            "Slot:\t{}\nClass:\t{class}\nVendor:\t{vendor}\nDevice:\t{device}\n",
            self.slot(function)
        );
        if let Some([vendor, device]) = card {
            out += &format!("SVendor:\t{vendor}\nSDevice:\t{device}\n");
        }
        if function.revision != 0 {
            out += &format!("Rev:\t{:02x}\n", function.revision);
        }
        out += &format!("ProgIf:\t{:02x}\n", function.class & 0xff);
        if self.args.has("kernel") {
            if !function.driver.is_empty() {
                out += &format!("Driver:\t{}\n", function.driver);
            }
            for module in self.modules_of(function) {
                out += &format!("Module:\t{module}\n");
            }
        }
        out + "\n"
    }
}

/// Programming interfaces that say something.
fn interface_name(class: u32) -> Option<&'static str> {
    Some(match class {
        0x01_0601 => "AHCI 1.0",
        0x01_0802 => "NVM Express",
        0x03_0000 => "VGA controller",
        0x06_0400 => "Normal decode",
        0x06_0401 => "Subtractive decode",
        0x07_0002 => "16550",
        0x0c_0300 => "UHCI",
        0x0c_0310 => "OHCI",
        0x0c_0320 => "EHCI",
        0x0c_0330 => "XHCI",
        0x0c_0340 => "USB4 Host Interface",
        _ => return None,
    })
}

/// The lines of `-v` about flags and regions (PCI Local Bus Specification 3.0, 6.2; the flags of
/// regions: include/linux/ioport.h).
fn resources(function: &Function) -> String {
    let byte = |at: usize| function.config.get(at).copied().unwrap_or(0);
    let (command, status) = (byte(4), byte(7));
    let master = command & 4 != 0;
    let speed = ["fast", "medium", "slow", "??"].get(usize::from(status >> 1 & 3)).unwrap_or(&"??");
    let mut flags = String::new();
    if master {
        flags += "bus master, ";
    }
    flags += &format!("{speed} devsel");
    if master {
        flags += &format!(", latency {}", byte(13));
    }
    if function.irq != 0 {
        flags += &format!(", IRQ {}", function.irq);
    }
    let mut out = format!("\tFlags: {flags}\n");
    for (n, (start, end, flags)) in function.regions.iter().enumerate() {
        if *start == 0 && *end == 0 {
            continue;
        }
        let size = size(end.saturating_sub(*start).saturating_add(1));
        let off = |bit: u8| if command & bit == 0 { " [disabled]" } else { "" };
        out += &if flags & 0x100 != 0 {
            format!("\tI/O ports at {start:04x}{} [size={size}]\n", off(1))
        } else if n == 6 {
            format!("\tExpansion ROM at {start:08x} [disabled] [size={size}]\n")
        } else {
            let width = if flags & 0x0010_0000 != 0 { "64-bit" } else { "32-bit" };
            let fetch = if flags & 0x2000 != 0 { "prefetchable" } else { "non-prefetchable" };
            format!("\tMemory at {start:08x} ({width}, {fetch}){} [size={size}]\n", off(2))
        };
    }
    out
}

fn size(bytes: u64) -> String {
    let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
    let unit = units.iter().find(|(shift, _)| bytes >> shift > 0);
    unit.map_or_else(|| bytes.to_string(), |(shift, letter)| format!("{}{letter}", bytes >> shift))
}
