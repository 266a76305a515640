//! PCI functions, from sysfs (Documentation/ABI/testing/sysfs-bus-pci), and their names.

use std::{
    collections::HashMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// One function of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Function {
    /// Domain, bus, device, function.
    pub(crate) address: (u32, u8, u8, u8),
    /// Base class, subclass and programming interface.
    pub(crate) class: u32,
    pub(crate) vendor: u16,
    pub(crate) device: u16,
    /// Vendor and device of the card it is on; zero for none.
    pub(crate) subsystem: (u16, u16),
    pub(crate) revision: u8,
    pub(crate) irq: u32,
    /// The driver that has it; empty for none.
    pub(crate) driver: String,
    /// Start, end and flags of its regions, the six of memory and ports and its ROM.
    pub(crate) regions: Vec<(u64, u64, u64)>,
    /// The first 64 bytes of its configuration.
    pub(crate) config: Vec<u8>,
    /// What its drivers are found by.
    pub(crate) alias: String,
    pub(crate) folder: PathBuf,
}

/// All functions below `root`/sys, by address.
pub(crate) fn all(root: &Path) -> std::io::Result<Vec<Function>> {
    let folder = root.join("sys/bus/pci/devices");
    let mut found: Vec<Function> =
        fs::read_dir(folder)?.flatten().filter_map(|entry| read(&entry.path())).collect();
    found.sort_by_key(|function| function.address);
    Ok(found)
}

fn read(folder: &Path) -> Option<Function> {
    let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let number = |file: &str| hex(text(file).trim());
    let short = |file: &str| number(file).and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
    let mut config = Vec::new();
    if let Ok(file) = fs::File::open(folder.join("config")) {
        let _ = file.take(64).read_to_end(&mut config);
    }
    let region = |line: &str| {
        let mut numbers = line.split_whitespace().map(hex);
        Some((numbers.next()??, numbers.next()??, numbers.next()??))
    };
    let link = fs::read_link(folder.join("driver")).unwrap_or_default();
    Some(Function {
        address: address(&folder.file_name()?.to_string_lossy())?,
        class: number("class").and_then(|n| u32::try_from(n).ok())? & 0x00ff_ffff,
        vendor: short("vendor"),
        device: short("device"),
        subsystem: (short("subsystem_vendor"), short("subsystem_device")),
        revision: number("revision").and_then(|n| u8::try_from(n).ok()).unwrap_or(0),
        irq: text("irq").trim().parse().unwrap_or(0),
        driver: link.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        regions: text("resource").lines().take(7).filter_map(region).collect(),
        config,
        alias: text("modalias").trim().to_owned(),
        folder: folder.to_owned(),
    })
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// `0000:00:1f.2`
fn address(name: &str) -> Option<(u32, u8, u8, u8)> {
    let (domain, rest) = name.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let byte = |text: &str| u8::from_str_radix(text, 16).ok();
    Some((u32::from_str_radix(domain, 16).ok()?, byte(bus)?, byte(device)?, byte(function)?))
}

impl Function {
    /// `0000:00:1f.2`
    pub(crate) fn place(&self) -> String {
        let (domain, bus, device, function) = self.address;
        format!("{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }

    /// Base class and subclass.
    pub(crate) fn kind(&self) -> u32 {
        self.class >> 8
    }
}

/// Names, of `/usr/share/misc/pci.ids` where there is one (the toolbox has it); those of classes are
/// built in.
#[derive(Default)]
pub(crate) struct Names {
    vendors: HashMap<u16, String>,
    devices: HashMap<(u16, u16), String>,
    subsystems: HashMap<(u16, u16, u16, u16), String>,
}

/// The list is below 2 MB today.
const MOST: u64 = 16 << 20;

impl Names {
    pub(crate) fn read() -> Self {
        let places = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"];
        let mut text = Vec::new();
        if let Some(file) = places.iter().find_map(|place| fs::File::open(place).ok()) {
            let _ = file.take(MOST).read_to_end(&mut text);
        }
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// Vendors at the margin, their devices behind a tab, cards behind two; classes come last.
    fn parse(text: &str) -> Self {
        let mut names = Self::default();
        let id = |text: &str| u16::from_str_radix(text, 16).ok();
        let (mut vendor, mut device) = (None, None);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with("C ") {
                break;
            }
            if let Some(card) = line.strip_prefix("\t\t") {
                let mut words = card.splitn(3, ' ');
                let ids = (words.next().and_then(id), words.next().and_then(id));
                if let ((Some(one), Some(two)), Some(name)) = (ids, words.next())
                    && let (Some(vendor), Some(device)) = (vendor, device)
                {
                    names.subsystems.insert((vendor, device, one, two), name.trim().to_owned());
                }
            } else if let Some((number, name)) = line.trim_start().split_once("  ") {
                if line.starts_with('\t') {
                    device = id(number);
                    if let (Some(vendor), Some(device)) = (vendor, device) {
                        names.devices.insert((vendor, device), name.trim().to_owned());
                    }
                } else {
                    vendor = id(number);
                    device = None;
                    vendor.map(|vendor| names.vendors.insert(vendor, name.trim().to_owned()));
                }
            }
        }
        names
    }

    pub(crate) fn vendor(&self, vendor: u16) -> Option<&str> {
        self.vendors.get(&vendor).map(String::as_str)
    }

    pub(crate) fn device(&self, vendor: u16, device: u16) -> Option<&str> {
        self.devices.get(&(vendor, device)).map(String::as_str)
    }

    /// The card's name. Many cards have the name of their chip.
    pub(crate) fn card(&self, function: &Function) -> Option<&str> {
        let (vendor, device) = function.subsystem;
        let exact = (function.vendor, function.device, vendor, device);
        let own = || {
            self.device(vendor, device)
                .filter(|_| vendor == function.vendor && device == function.device)
        };
        self.subsystems.get(&exact).map(String::as_str).or_else(own)
    }
}

/// The name of a class: of base and subclass, else of the base.
pub(crate) fn class(kind: u32) -> Option<&'static str> {
    CLASSES.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name)
}

/// PCI Code and ID Assignment Specification, in the words that administrators know from `lspci`.
const CLASSES: &[(u32, &str)] = &[
    (0x0000, "Non-VGA unclassified device"),
    (0x0001, "VGA compatible unclassified device"),
    (0x0100, "SCSI storage controller"),
    (0x0101, "IDE interface"),
    (0x0102, "Floppy disk controller"),
    (0x0104, "RAID bus controller"),
    (0x0105, "ATA controller"),
    (0x0106, "SATA controller"),
    (0x0107, "Serial Attached SCSI controller"),
    (0x0108, "Non-Volatile memory controller"),
    (0x0109, "Universal Flash Storage controller"),
    (0x0180, "Mass storage controller"),
    (0x0200, "Ethernet controller"),
    (0x0207, "Infiniband controller"),
    (0x0208, "Fabric controller"),
    (0x0280, "Network controller"),
    (0x0300, "VGA compatible controller"),
    (0x0301, "XGA compatible controller"),
    (0x0302, "3D controller"),
    (0x0380, "Display controller"),
    (0x0400, "Multimedia video controller"),
    (0x0401, "Multimedia audio controller"),
    (0x0403, "Audio device"),
    (0x0480, "Multimedia controller"),
    (0x0500, "RAM memory"),
    (0x0501, "FLASH memory"),
    (0x0502, "CXL"),
    (0x0580, "Memory controller"),
    (0x0600, "Host bridge"),
    (0x0601, "ISA bridge"),
    (0x0602, "EISA bridge"),
    (0x0604, "PCI bridge"),
    (0x0607, "CardBus bridge"),
    (0x060a, "InfiniBand to PCI host bridge"),
    (0x0680, "Bridge"),
    (0x0700, "Serial controller"),
    (0x0701, "Parallel controller"),
    (0x0780, "Communication controller"),
    (0x0800, "PIC"),
    (0x0801, "DMA controller"),
    (0x0802, "Timer"),
    (0x0803, "RTC"),
    (0x0805, "SD Host controller"),
    (0x0806, "IOMMU"),
    (0x0880, "System peripheral"),
    (0x0900, "Keyboard controller"),
    (0x0902, "Mouse controller"),
    (0x0980, "Input device controller"),
    (0x0b40, "Co-processor"),
    (0x0c00, "FireWire (IEEE 1394)"),
    (0x0c03, "USB controller"),
    (0x0c04, "Fibre Channel"),
    (0x0c05, "SMBus"),
    (0x0c06, "InfiniBand"),
    (0x0c07, "IPMI Interface"),
    (0x0d11, "Bluetooth"),
    (0x0d80, "Wireless controller"),
    (0x0e00, "I2O"),
    (0x1000, "Network and computing encryption device"),
    (0x1010, "Entertainment encryption device"),
    (0x1080, "Encryption controller"),
    (0x1101, "Performance counters"),
    (0x1180, "Signal processing controller"),
    (0x1200, "Processing accelerators"),
    (0x1300, "Non-Essential Instrumentation"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_list() {
        let names = Names::parse(
            "# remark\n8086  Intel\n\t1533  I210\n\t\t103c 0003  Ethernet I210-T1\n\t1539  I211\nbad\n1af4  Red Hat\nC 01  Mass\n\t06  SATA\n",
        );
        assert_eq!(names.vendor(0x8086), Some("Intel"));
        assert_eq!(names.device(0x8086, 0x1539), Some("I211"));
        let card = Function {
            vendor: 0x8086,
            device: 0x1533,
            subsystem: (0x103c, 3),
            ..Function::default()
        };
        assert_eq!(names.card(&card), Some("Ethernet I210-T1"));
        assert_eq!(names.vendor(0x06), None);
    }

    #[test]
    fn addresses() {
        assert_eq!(address("0000:00:1f.2"), Some((0, 0, 0x1f, 2)));
        assert_eq!(address("10000:e1:00.0"), Some((0x10000, 0xe1, 0, 0)));
        assert_eq!(address("00:1f.2"), None);
        assert_eq!(class(0x0106), Some("SATA controller"));
    }
}
