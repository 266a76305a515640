//! `xb inventory`: what the machine is made of.

use crate::{
    block,
    json::Json,
    pci,
    processes::kib,
    sizes::{Style, human},
    smbios::{self, Structure},
};
use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

/// The table of the firmware is never larger.
const TABLE: u64 = 1 << 20;
/// Most disks, cards and devices that are told of.
const MOST: usize = 512;

/// Prints the inventory: JSON, or lines for people.
pub(super) fn run(root: &Path, json: bool) -> anyhow::Result<u8> {
    let all = take(root);
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{all}")?;
    } else {
        out.write_all(lines(&all).as_bytes())?;
    }
    Ok(0)
}

/// A file's first line, as printable text.
fn line(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(4096).read_to_end(&mut bytes);
    }
    smbios::text(bytes.split(|byte| *byte == b'\n').next().unwrap_or_default())
}

fn object(pairs: Vec<(&str, Json)>) -> Json {
    Json::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn text_or_null(text: String) -> Json {
    if text.is_empty() { Json::Null } else { Json::Text(text) }
}

fn number_or_null(number: Option<u64>) -> Json {
    number.map_or(Json::Null, Json::Number)
}

fn take(root: &Path) -> Json {
    let mut table = Vec::new();
    if let Ok(file) = fs::File::open(root.join("sys/firmware/dmi/tables/DMI")) {
        let _ = file.take(TABLE).read_to_end(&mut table);
    }
    let table = smbios::parse(&table);
    let firmware = if root.join("sys/firmware/efi").exists() { "uefi" } else { "bios" };
    object(vec![
        ("firmware", Json::text(firmware)),
        ("bios", part(root, &table, 0, &BIOS)),
        ("system", system(root, &table)),
        ("board", part(root, &table, 2, &BOARD)),
        ("chassis", part(root, &table, 3, &CHASSIS)),
        ("cpu", cpu(root)),
        ("processors", Json::List(of(&table, 4).map(processor).collect())),
        ("memory", memory(root, &table)),
        ("disks", Json::List(disks(root))),
        ("cards", Json::List(cards(root))),
        ("pci", Json::List(devices(root))),
    ])
}

/// Key, place of the string in the structure, file in /sys/class/dmi/id.
type Part = (&'static str, usize, &'static str);

const BIOS: [Part; 3] =
    [("vendor", 4, "bios_vendor"), ("version", 5, "bios_version"), ("date", 8, "bios_date")];
const SYSTEM: [Part; 6] = [
    ("vendor", 4, "sys_vendor"),
    ("product", 5, "product_name"),
    ("version", 6, "product_version"),
    ("serial", 7, "product_serial"),
    ("sku", 0x19, "product_sku"),
    ("family", 0x1a, "product_family"),
];
const BOARD: [Part; 5] = [
    ("vendor", 4, "board_vendor"),
    ("product", 5, "board_name"),
    ("version", 6, "board_version"),
    ("serial", 7, "board_serial"),
    ("asset", 8, "board_asset_tag"),
];
const CHASSIS: [Part; 4] = [
    ("vendor", 4, "chassis_vendor"),
    ("version", 6, "chassis_version"),
    ("serial", 7, "chassis_serial"),
    ("asset", 8, "chassis_asset_tag"),
];

fn of(table: &[Structure], kind: u8) -> impl Iterator<Item = &Structure> {
    table.iter().filter(move |structure| structure.kind == kind)
}

/// The strings of the first structure of a kind; what the kernel took from it when it cannot be read.
fn part(root: &Path, table: &[Structure], kind: u8, parts: &[Part]) -> Json {
    let structure = of(table, kind).next();
    let value = |(key, at, file): &Part| {
        let own = structure.map(|structure| structure.string(*at)).unwrap_or_default();
        let kept = || line(&root.join("sys/class/dmi/id").join(file));
        (*key, text_or_null(if own.is_empty() { kept() } else { own }))
    };
    object(parts.iter().map(value).collect())
}

fn system(root: &Path, table: &[Structure]) -> Json {
    let mut system = part(root, table, 1, &SYSTEM);
    let uuid = of(table, 1).next().and_then(|structure| structure.uuid(8));
    let kept = || line(&root.join("sys/class/dmi/id/product_uuid")).to_ascii_lowercase();
    system.put("uuid", text_or_null(uuid.unwrap_or_else(kept)));
    system
}

fn cpu(root: &Path) -> Json {
    let text = fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
    let values = |key: &'static str| {
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        pairs.filter(move |(name, _)| name.trim() == key).map(|(_, value)| value.trim())
    };
    let distinct = |key: &'static str| {
        let mut all: Vec<&str> = values(key).collect();
        all.sort_unstable();
        all.dedup();
        all.len().max(1) as u64
    };
    let first = |key: &'static str| values(key).next().unwrap_or_default();
    object(vec![
        ("model", text_or_null(smbios::text(first("model name").as_bytes()))),
        ("sockets", Json::Number(distinct("physical id"))),
        ("cores_per_socket", number_or_null(first("cpu cores").parse().ok())),
        ("threads", Json::Number(values("processor").count() as u64)),
        ("virtualization", text_or_null(virtualization(first("flags")).to_owned())),
    ])
}

fn virtualization(flags: &str) -> &'static str {
    let has = |wanted: &str| flags.split(' ').any(|flag| flag == wanted);
    match () {
        () if has("vmx") => "VT-x",
        () if has("svm") => "AMD-V",
        () => "",
    }
}

/// Processor Information (7.5).
fn processor(structure: &Structure) -> Json {
    // More than 254 are in a wider field.
    let count = |narrow: usize, wide: usize| match structure.byte(narrow) {
        Some(0xff) => structure.word(wide).map(u64::from),
        count => count.map(u64::from).filter(|count| *count > 0),
    };
    let speed = |at: usize| structure.word(at).map(u64::from).filter(|speed| *speed > 0);
    object(vec![
        ("socket", text_or_null(structure.string(4))),
        ("populated", Json::Flag(structure.byte(0x18).is_some_and(|status| status & 0x40 != 0))),
        ("vendor", text_or_null(structure.string(7))),
        ("version", text_or_null(structure.string(0x10))),
        ("serial", text_or_null(structure.string(0x20))),
        ("cores", number_or_null(count(0x23, 0x2a))),
        ("threads", number_or_null(count(0x25, 0x2e))),
        ("max_mhz", number_or_null(speed(0x14))),
    ])
}

fn memory(root: &Path, table: &[Structure]) -> Json {
    let text = fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    let bytes = |name: &str| Json::Number(kib(&text, name).saturating_mul(1024));
    let module = |structure: &Structure| {
        object(vec![
            ("slot", text_or_null(structure.string(0x10))),
            ("size", number_or_null(structure.memory_size())),
            ("type", text_or_null(structure.memory_kind().to_owned())),
            ("mts", number_or_null(structure.word(0x15).map(u64::from).filter(|n| *n > 0))),
            ("vendor", text_or_null(structure.string(0x17))),
            ("part", text_or_null(structure.string(0x1a))),
            ("serial", text_or_null(structure.string(0x18))),
        ])
    };
    object(vec![
        ("total", bytes("MemTotal")),
        ("available", bytes("MemAvailable")),
        ("modules", Json::List(of(table, 17).take(MOST).map(module).collect())),
    ])
}

/// The names in a folder of sysfs, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names.truncate(MOST);
    names
}

/// The last part of where a link leads.
fn target(link: PathBuf) -> String {
    let path = fs::read_link(link).unwrap_or_default();
    smbios::text(path.file_name().unwrap_or_default().as_encoded_bytes())
}

fn disks(root: &Path) -> Vec<Json> {
    let folder = root.join("sys/block");
    let by_id = root.join("dev/disk/by-id");
    let ids: Vec<(String, String)> =
        names(&by_id).into_iter().map(|name| (target(by_id.join(&name)), name)).collect();
    let disk = |name: String| {
        let own = |file: &str| line(&folder.join(&name).join(file));
        let either = |one: &str, other: &str| {
            let text = own(one);
            text_or_null(if text.is_empty() { own(other) } else { text })
        };
        let size = own("size").parse::<u64>().ok()?.saturating_mul(512);
        // Loop, RAM and mapped devices have no device behind them.
        if size == 0 || !folder.join(&name).join("device").exists() {
            return None;
        }
        let by_id = ids.iter().filter(|(disk, _)| *disk == name);
        Some(object(vec![
            ("name", Json::text(name.clone())),
            ("size", Json::Number(size)),
            ("vendor", text_or_null(own("device/vendor"))),
            ("model", text_or_null(own("device/model"))),
            ("serial", text_or_null(serial(&folder.join(&name)))),
            ("wwn", either("wwid", "device/wwid")),
            ("firmware", either("device/firmware_rev", "device/rev")),
            ("by_id", Json::List(by_id.map(|(_, id)| Json::text(id.clone())).collect())),
            ("rotational", Json::Flag(own("queue/rotational") == "1")),
            ("removable", Json::Flag(own("removable") == "1")),
            ("read_only", Json::Flag(own("ro") == "1")),
            ("sector", number_or_null(own("queue/logical_block_size").parse().ok())),
        ]))
    };
    names(&folder).into_iter().filter_map(disk).collect()
}

/// The serial number of a disk, from its folder.
fn serial(folder: &Path) -> String {
    let told = ["device/serial", "serial"].map(|file| line(&folder.join(file)));
    told.into_iter().find(|serial| !serial.is_empty()).unwrap_or_else(|| {
        block::unit_serial(&fs::read(folder.join("device/vpd_pg80")).unwrap_or_default())
    })
}

fn cards(root: &Path) -> Vec<Json> {
    let folder = root.join("sys/class/net");
    let card = |name: String| {
        let own = |file: &str| line(&folder.join(&name).join(file));
        // Bridges, loopback and the like have no device.
        if !folder.join(&name).join("device").exists() {
            return None;
        }
        // What is not a PCI device has a name of another form.
        let device = target(folder.join(&name).join("device"));
        Some(object(vec![
            ("name", Json::text(name.clone())),
            ("mac", text_or_null(own("address"))),
            ("driver", text_or_null(target(folder.join(&name).join("device/driver")))),
            ("device", text_or_null(device)),
            ("carrier", Json::Flag(own("carrier") == "1")),
            ("mbits", number_or_null(own("speed").parse().ok())),
            ("mtu", number_or_null(own("mtu").parse().ok())),
        ]))
    };
    names(&folder).into_iter().filter_map(card).collect()
}

fn devices(root: &Path) -> Vec<Json> {
    let all = pci::all(root).unwrap_or_default();
    let device = |function: &pci::Function| {
        let (vendor, card) = function.subsystem;
        object(vec![
            ("place", Json::text(function.place())),
            ("class", Json::text(format!("{:04x}", function.kind()))),
            ("name", text_or_null(pci::class(function.kind()).unwrap_or_default().to_owned())),
            ("id", Json::text(format!("{:04x}:{:04x}", function.vendor, function.device))),
            ("subsystem", Json::text(format!("{vendor:04x}:{card:04x}"))),
            ("revision", Json::Number(function.revision.into())),
            ("driver", text_or_null(function.driver.clone())),
        ])
    };
    all.iter().take(MOST).map(device).collect()
}

/// For people: one line a thing, only what is known.
fn lines(all: &Json) -> String {
    let mut out = String::new();
    let Json::Object(pairs) = all else { return out };
    for (key, value) in pairs {
        let mut say = |what: &Json| {
            let words = words(what);
            if !words.is_empty() {
                out += &format!("{key:<11} {words}\n");
            }
        };
        match value {
            Json::List(list) => list.iter().for_each(say),
            Json::Object(inner) => {
                let (lists, plain): (Vec<_>, Vec<_>) =
                    inner.iter().cloned().partition(|(_, value)| matches!(value, Json::List(_)));
                say(&Json::Object(plain));
                for (_, list) in &lists {
                    if let Json::List(list) = list {
                        list.iter().for_each(&mut say);
                    }
                }
            }
            other => say(other),
        }
    }
    out
}

fn words(value: &Json) -> String {
    let pair = |(key, value): &(String, Json)| match value {
        Json::Number(bytes) if matches!(key.as_str(), "size" | "total" | "available") => {
            Some(format!("{key} {}", human(*bytes, Style::Short)))
        }
        Json::Flag(true) => Some(key.replace('_', " ")),
        Json::Flag(false) | Json::Null => None,
        other => Some(words(other)).filter(|w| !w.is_empty()).map(|w| match key.as_str() {
            "vendor" | "product" | "model" | "name" | "place" | "class" | "slot" | "socket" => w,
            key => format!("{} {w}", key.replace('_', " ")),
        }),
    };
    match value {
        Json::Object(pairs) => pairs.iter().filter_map(pair).collect::<Vec<_>>().join(", "),
        Json::List(list) => list.iter().map(words).collect::<Vec<_>>().join(" "),
        Json::Text(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Flag(_) | Json::Null => String::new(),
    }
}
