//! `lsusb`: USB devices.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    smbios::text,
};
use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

pub(crate) static APPLET: Applet = Applet {
    name: "lsusb",
    summary: "Prints USB devices: bus, number, identity, and the name that they say.",
    usage: "[-v] [-t] [-d [VENDOR]:[PRODUCT]] [-s [BUS:][NUMBER]]",
    options: &[
        Opt {
            short: 'v',
            long: "verbose",
            value: "",
            help: "with class, speed, serial number and drivers",
        },
        Opt { short: 't', long: "tree", value: "", help: "as a tree of hubs and ports" },
        Opt {
            short: 'd',
            long: "device",
            value: "ID",
            help: "only [VENDOR]:[PRODUCT], hexadecimal",
        },
        Opt { short: 's', long: "slot", value: "PLACE", help: "only [BUS:][NUMBER], decimal" },
        Opt { short: '\0', long: "sysroot", value: "FOLDER", help: "look at FOLDER/sys" },
    ],
    notes: "Names are what the devices say of themselves.",
    example: "lsusb -t",
    run,
};

/// One device.
#[derive(Clone, Debug, Default)]
struct Device {
    /// `usb1` for a root hub, `1-2.3` for port 3 of the hub at port 2 of bus 1.
    place: String,
    bus: u32,
    number: u32,
    vendor: u16,
    product: u16,
    class: u8,
    /// Mbit/s, as the kernel writes it.
    speed: String,
    maker: String,
    name: String,
    serial: String,
    ports: u32,
    /// Number, class and driver of the interfaces.
    interfaces: Vec<(u32, u8, String)>,
}

/// No machine has more.
const MOST: usize = 4096;

fn line(path: PathBuf) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(4096).read_to_end(&mut bytes);
    }
    text(bytes.split(|byte| *byte == b'\n').next().unwrap_or_default())
}

fn hex(text: &str) -> u16 {
    u16::from_str_radix(text, 16).unwrap_or(0)
}

fn all(folder: &Path) -> Vec<Device> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut places: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("usb") || name.contains('-'))
        .take(MOST)
        .collect();
    places.sort();
    let (interfaces, devices): (Vec<_>, Vec<_>) = places.into_iter().partition(|n| n.contains(':'));
    let mut found: Vec<Device> =
        devices.iter().map(|place| read(folder, place, &interfaces)).collect();
    found.sort_by_key(|device| (device.bus, device.number));
    found
}

fn read(folder: &Path, place: &str, interfaces: &[String]) -> Device {
    let own = |file: &str| line(folder.join(place).join(file));
    // The interfaces of a root hub are those of `1-0`.
    let prefix = match place.strip_prefix("usb") {
        Some(bus) => format!("{bus}-0:"),
        None => format!("{place}:"),
    };
    let interface = |name: &String| {
        let file = |file: &str| folder.join(name).join(file);
        let driver = fs::read_link(file("driver")).unwrap_or_default();
        let driver = text(driver.file_name().unwrap_or_default().as_encoded_bytes());
        let class = u8::try_from(hex(&line(file("bInterfaceClass")))).unwrap_or(0);
        (hex(&line(file("bInterfaceNumber"))).into(), class, driver)
    };
    Device {
        place: place.to_owned(),
        bus: own("busnum").parse().unwrap_or(0),
        number: own("devnum").parse().unwrap_or(0),
        vendor: hex(&own("idVendor")),
        product: hex(&own("idProduct")),
        class: u8::try_from(hex(&own("bDeviceClass"))).unwrap_or(0),
        speed: own("speed"),
        maker: own("manufacturer"),
        name: own("product"),
        serial: own("serial"),
        ports: own("maxchild").parse().unwrap_or(0),
        interfaces: interfaces.iter().filter(|n| n.starts_with(&prefix)).map(interface).collect(),
    }
}

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    let root = args.value("sysroot").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let mut devices = all(&root.join("sys/bus/usb/devices"));
    let part = |text: &str, radix: u32| match text {
        "" => Ok(None),
        text => match u32::from_str_radix(text, radix) {
            Ok(number) => Ok(Some(number)),
            Err(_) => usage_error(format!("not a number: {text:?}")),
        },
    };
    let is = |wanted: Option<u32>, own: u32| wanted.is_none_or(|wanted| wanted == own);
    if let Some(id) = args.text("device")? {
        let Some((vendor, product)) = id.split_once(':') else {
            return usage_error("-d needs VENDOR:PRODUCT");
        };
        let (vendor, product) = (part(vendor, 16)?, part(product, 16)?);
        devices.retain(|d| is(vendor, d.vendor.into()) && is(product, d.product.into()));
    }
    if let Some(slot) = args.text("slot")? {
        let (bus, number) = slot.split_once(':').unwrap_or(("", slot));
        let (bus, number) = (part(bus, 10)?, part(number, 10)?);
        devices.retain(|d| is(bus, d.bus) && is(number, d.number));
    }
    let chosen = args.has("device") || args.has("slot");
    let mut out = std::io::stdout().lock();
    for device in &devices {
        if !args.has("tree") {
            out.write_all(describe(device, args.has("verbose")).as_bytes())?;
        } else if device.place.starts_with("usb") {
            out.write_all(tree(device, &devices).as_bytes())?;
        }
    }
    Ok(u8::from(devices.is_empty() && chosen))
}

fn describe(device: &Device, verbose: bool) -> String {
    let words = [device.maker.as_str(), device.name.as_str()];
    let name = words.iter().filter(|w| !w.is_empty()).copied().collect::<Vec<_>>().join(" ");
    let head = format!(
        "Bus {:03} Device {:03}: ID {:04x}:{:04x} {name}",
        device.bus, device.number, device.vendor, device.product
    );
    let mut out = format!("{}\n", head.trim_end());
    if verbose {
        out += &format!("  Class {}\n  Speed {} Mbit/s\n", class(device.class), device.speed);
        if !device.serial.is_empty() {
            out += &format!("  Serial {}\n", device.serial);
        }
        for (number, kind, driver) in &device.interfaces {
            let driver = if driver.is_empty() { "[none]" } else { driver };
            out += &format!("  Interface {number}: {}, driver {driver}\n", class(*kind));
        }
        out.push('\n');
    }
    out
}

/// `/:  Bus 01.Port 1: Dev 1, Class=root_hub, Driver=xhci_hcd/4p, 480M`, and what hangs on it.
fn tree(hub: &Device, all: &[Device]) -> String {
    let ports = |device: &Device| {
        if device.ports > 0 { format!("/{}p", device.ports) } else { String::new() }
    };
    let driver = |device: &Device, interface: &(u32, u8, String)| {
        let name = if interface.2.is_empty() { "[none]" } else { &interface.2 };
        format!("Driver={name}{}, {}M", ports(device), device.speed)
    };
    let first = hub.interfaces.first().cloned().unwrap_or_default();
    let mut out = format!(
        "/:  Bus {:02}.Port 1: Dev {}, Class=root_hub, {}\n",
        hub.bus,
        hub.number,
        driver(hub, &first)
    );
    let mut below: Vec<&Device> =
        all.iter().filter(|d| d.bus == hub.bus && !d.place.starts_with("usb")).collect();
    let path = |device: &Device| -> Vec<u32> {
        let ports = device.place.split_once('-').map_or("", |(_, ports)| ports);
        ports.split('.').map(|port| port.parse().unwrap_or(0)).collect()
    };
    below.sort_by_key(|device| path(device));
    for device in below {
        let path = path(device);
        for interface in &device.interfaces {
            out += &format!(
                "{}|__ Port {}: Dev {}, If {}, Class={}, {}\n",
                "    ".repeat(path.len()),
                path.last().unwrap_or(&0),
                device.number,
                interface.0,
                class(interface.1),
                driver(device, interface)
            );
        }
    }
    out
}

/// Classes of USB (usb.org, Defined Class Codes).
fn class(number: u8) -> String {
    let name = match number {
        0x00 => "(Defined at Interface level)",
        0x01 => "Audio",
        0x02 => "Communications",
        0x03 => "Human Interface Device",
        0x05 => "Physical Interface Device",
        0x06 => "Imaging",
        0x07 => "Printer",
        0x08 => "Mass Storage",
        0x09 => "Hub",
        0x0a => "CDC Data",
        0x0b => "Chip/SmartCard",
        0x0e => "Video",
        0xdc => "Diagnostic",
        0xe0 => "Wireless",
        0xef => "Miscellaneous Device",
        0xfe => "Application Specific Interface",
        0xff => "Vendor Specific Class",
        other => return format!("{other:02x}"),
    };
    name.to_owned()
}
