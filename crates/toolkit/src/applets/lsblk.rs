//! `lsblk`: block devices and what they hold.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    block::{self, Block},
    columns::{self, Cell, Column, Format, JSON, Line, NO_HEADINGS, OUTPUT, PAIRS, RAW},
    mounts::{self, Mount},
    partitions::{self, Disk, Table, types},
    probe::{self, Signature},
    sizes::{Style, human},
};
use anyhow::{Context as _, bail};
use std::{
    cell::OnceCell,
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "lsblk",
    summary: "Prints block devices: all of them as a tree, or DEVICEs with what is made of them.",
    usage: "[OPTION]... [DEVICE]...",
    options: &[
        flag('a', "all", "empty devices and RAM disks, too"),
        flag('b', "bytes", "sizes in bytes"),
        flag('d', "nodeps", "no partitions and the like"),
        flag('D', "discard", "columns about discarding"),
        flag('f', "fs", "columns about file systems"),
        flag('i', "ascii", "draw the tree in ASCII"),
        JSON,
        flag('l', "list", "a list, no tree"),
        flag('m', "perms", "columns about permissions"),
        NO_HEADINGS,
        OUTPUT,
        flag('O', "output-all", "all columns"),
        PAIRS,
        flag('p', "paths", "whole paths"),
        RAW,
        flag('s', "inverse", "what DEVICEs are made of"),
        flag('S', "scsi", "SCSI devices only"),
        flag('t', "topology", "columns about sectors and requests"),
        flag('T', "tree", "a tree, as always"),
        Opt {
            short: 'e',
            long: "exclude",
            value: "LIST",
            help: "not those of these major numbers",
        },
        Opt {
            short: 'I',
            long: "include",
            value: "LIST",
            help: "only those of these major numbers",
        },
        Opt { short: 'x', long: "sort", value: "COLUMN", help: "sort by a column" },
        Opt { short: '\0', long: "sysroot", value: "FOLDER", help: "look at FOLDER/sys" },
    ],
    notes: "Columns: NAME KNAME PKNAME PATH MAJ:MIN FSAVAIL FSSIZE FSTYPE FSUSED FSUSE% FSROOTS FSVER MOUNTPOINT\n\
            MOUNTPOINTS LABEL UUID PTUUID PTTYPE PARTTYPE PARTTYPENAME PARTLABEL PARTUUID PARTFLAGS START RA RO RM\n\
            HOTPLUG MODEL SERIAL SIZE STATE OWNER GROUP MODE ALIGNMENT MIN-IO OPT-IO PHY-SEC LOG-SEC ROTA SCHED\n\
            RQ-SIZE TYPE DISC-ALN DISC-GRAN DISC-MAX DISC-ZERO WSAME WWN RAND HCTL TRAN REV VENDOR ZONED.",
    example: "lsblk -o NAME,SIZE,FSTYPE,MOUNTPOINTS\nlsblk -J -b",
    run,
};

const COLUMNS: &[Column] = &[
    Column::left("NAME", 0),
    Column::left("KNAME", 0),
    Column::left("PKNAME", 0),
    Column::left("PATH", 0),
    Column::left("MAJ:MIN", 6),
    Column::right("FSAVAIL", 5),
    Column::right("FSSIZE", 5),
    Column::left("FSTYPE", 0),
    Column::right("FSUSED", 5),
    Column::right("FSUSE%", 3),
    Column::left("FSROOTS", 0),
    Column::left("FSVER", 0),
    Column::left("MOUNTPOINT", 0),
    Column::left("MOUNTPOINTS", 0),
    Column::left("LABEL", 0),
    Column::left("UUID", 0),
    Column::left("PTUUID", 0),
    Column::left("PTTYPE", 0),
    Column::left("PARTTYPE", 0),
    Column::left("PARTTYPENAME", 0),
    Column::left("PARTLABEL", 0),
    Column::left("PARTUUID", 0),
    Column::left("PARTFLAGS", 0),
    Column::right("START", 5),
    Column::right("RA", 3),
    Column::right("RO", 1),
    Column::right("RM", 1),
    Column::right("HOTPLUG", 1),
    Column::left("MODEL", 0),
    Column::left("SERIAL", 0),
    Column::right("SIZE", 5),
    Column::left("STATE", 7),
    Column::left("OWNER", 0),
    Column::left("GROUP", 0),
    Column::left("MODE", 0),
    Column::right("ALIGNMENT", 6),
    Column::right("MIN-IO", 6),
    Column::right("OPT-IO", 6),
    Column::right("PHY-SEC", 7),
    Column::right("LOG-SEC", 7),
    Column::right("ROTA", 1),
    Column::left("SCHED", 0),
    Column::right("RQ-SIZE", 5),
    Column::left("TYPE", 4),
    Column::right("DISC-ALN", 6),
    Column::right("DISC-GRAN", 6),
    Column::right("DISC-MAX", 6),
    Column::right("DISC-ZERO", 1),
    Column::right("WSAME", 5),
    Column::left("WWN", 18),
    Column::right("RAND", 1),
    Column::left("HCTL", 10),
    Column::left("TRAN", 6),
    Column::right("REV", 4),
    Column::left("VENDOR", 0),
    Column::left("ZONED", 0),
];

const DEFAULT: &[&str] = &["NAME", "MAJ:MIN", "RM", "SIZE", "RO", "TYPE", "MOUNTPOINTS"];
const SETS: &[(&str, &[&str])] = &[
    ("fs", &["NAME", "FSTYPE", "FSVER", "LABEL", "UUID", "FSAVAIL", "FSUSE%", "MOUNTPOINTS"]),
    ("perms", &["NAME", "SIZE", "OWNER", "GROUP", "MODE"]),
    ("discard", &["NAME", "DISC-ALN", "DISC-GRAN", "DISC-MAX", "DISC-ZERO"]),
    (
        "topology",
        &[
            "NAME",
            "ALIGNMENT",
            "MIN-IO",
            "OPT-IO",
            "PHY-SEC",
            "LOG-SEC",
            "ROTA",
            "SCHED",
            "RQ-SIZE",
            "RA",
            "WSAME",
        ],
    ),
    ("scsi", &["NAME", "HCTL", "TYPE", "VENDOR", "MODEL", "REV", "SERIAL", "TRAN"]),
];

/// Major numbers of RAM disks and floppy disks' kin that nobody asks for.
const RAM: u32 = 1;
const LOOP: u32 = 7;

struct View<'a> {
    args: &'a Args,
    columns: Vec<Column>,
    blocks: BTreeMap<String, Block>,
    mounts: Vec<Mount>,
    swaps: String,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let set = SETS.iter().find(|(option, _)| args.has(option)).map_or(DEFAULT, |(_, set)| *set);
    let mut columns = columns::choose(args, COLUMNS, set)?;
    if args.has("output-all") {
        columns = COLUMNS.to_vec();
    }
    let root = args.value("sysroot").map_or_else(PathBuf::new, PathBuf::from);
    let class =
        root.join(if root.as_os_str().is_empty() { "/sys/class/block" } else { "sys/class/block" });
    let all = block::all(&class).with_context(|| format!("cannot read {}", class.display()))?;
    let view = View {
        args,
        columns,
        blocks: all.iter().map(|block| (block.name.clone(), block.clone())).collect(),
        mounts: mounts::all().unwrap_or_default(),
        swaps: fs::read_to_string("/proc/swaps").unwrap_or_default(),
    };
    let mut status = 0;
    let mut lines = Vec::new();
    let words = args.words()?;
    if words.is_empty() {
        let shown = |block: &&Block| view.is_shown(block).unwrap_or(false);
        let is_root = |block: &&Block| {
            if args.has("inverse") {
                view.children(block).is_empty()
            } else {
                block.disk.is_none() && block.slaves.is_empty()
            }
        };
        view.is_shown_checked()?;
        let roots = all.iter().filter(shown).filter(is_root);
        lines.extend(roots.map(|block| view.line(block, None, 0)));
    }
    for word in words {
        let device =
            fs::metadata(word).ok().map(|metadata| metadata.rdev()).filter(|rdev| *rdev != 0);
        let numbers = device.map(|rdev| (rustix::fs::major(rdev), rustix::fs::minor(rdev)));
        match all.iter().find(|block| Some(block.device) == numbers) {
            Some(block) => lines.push(view.line(block, None, 0)),
            None => {
                eprintln!("lsblk: {word}: not a block device");
                status = 32;
            }
        }
    }
    if lines.is_empty() {
        return Ok(if status == 0 { 0 } else { status });
    }
    view.print(lines)?;
    Ok(if status != 0 && !args.operands.is_empty() && args.operands.len() > 1 {
        64
    } else {
        status
    })
}

impl View<'_> {
    /// Whether the numbers of --include and --exclude are numbers.
    fn is_shown_checked(&self) -> anyhow::Result<()> {
        self.is_shown(&Block::default()).map(drop)
    }

    fn is_shown(&self, block: &Block) -> anyhow::Result<bool> {
        let list = |option: &str| -> anyhow::Result<Option<Vec<u32>>> {
            let Some(text) = self.args.text(option)? else { return Ok(None) };
            match text.split(',').map(|n| n.trim().parse().ok()).collect::<Option<Vec<u32>>>() {
                Some(list) => Ok(Some(list)),
                None => bail!("failed to parse list '{text}'"),
            }
        };
        let major = block.device.0;
        if let Some(only) = list("include")? {
            return Ok(only.contains(&major));
        }
        let without = list("exclude")?.unwrap_or_else(|| vec![RAM]);
        if self.args.has("scsi") && block.read("device/type").is_empty() {
            return Ok(false);
        }
        let all = self.args.has("all");
        let empty = major == LOOP && block.size == 0;
        Ok(all || (!without.contains(&major) && !empty))
    }

    /// What is made of a device: its partitions, then its holders.
    fn children(&self, block: &Block) -> Vec<&Block> {
        let below = |other: &&Block| {
            other.disk.as_ref() == Some(&block.name) || other.slaves.contains(&block.name)
        };
        let mut found: Vec<&Block> = self.blocks.values().filter(below).collect();
        found.sort_by_key(|block| (block.disk.is_none(), block.device));
        found
    }

    fn parents(&self, block: &Block) -> Vec<&Block> {
        let names = block.disk.iter().chain(&block.slaves);
        names.filter_map(|name| self.blocks.get(name)).collect()
    }

    fn line(&self, block: &Block, parent: Option<&Block>, depth: usize) -> Line {
        let facts =
            Facts { view: self, block, parent, probed: OnceCell::new(), table: OnceCell::new() };
        let cells = self.columns.iter().map(|column| facts.cell(column.name)).collect();
        let mut line = Line { cells, children: Vec::new() };
        // Nothing is that deep; sysfs has no circles, but a folder given by --sysroot may.
        if !self.args.has("nodeps") && depth < 32 {
            let next =
                if self.args.has("inverse") { self.parents(block) } else { self.children(block) };
            line.children =
                next.into_iter().map(|other| self.line(other, Some(block), depth + 1)).collect();
        }
        line
    }

    fn print(&self, mut lines: Vec<Line>) -> anyhow::Result<()> {
        let args = self.args;
        if let Some(name) = args.text("sort")? {
            let at = self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
            let Some(at) = at else {
                return usage_error(format!("the sort column {name} is not shown"));
            };
            lines = flat(lines);
            lines.sort_by_key(|line| sort_key(line.cells.get(at)));
        }
        if args.has("ascii") {
            columns::draw_in_ascii();
        }
        let tree = self.columns.iter().position(|column| column.name == "NAME");
        let format = if args.has("json") {
            Format::Json("blockdevices")
        } else if args.has("pairs") {
            Format::Pairs
        } else if args.has("raw") {
            Format::Raw
        } else if args.has("list") {
            lines = flat(lines);
            Format::Plain
        } else {
            tree.map_or(Format::Plain, Format::Tree)
        };
        print!("{}", columns::print(&self.columns, &lines, format, !args.has("noheadings")));
        Ok(())
    }
}

fn flat(lines: Vec<Line>) -> Vec<Line> {
    let mut out = Vec::new();
    for mut line in lines {
        let children = std::mem::take(&mut line.children);
        out.push(line);
        out.extend(flat(children));
    }
    out
}

/// Numbers by value, text by letters.
fn sort_key(cell: Option<&Cell>) -> (u64, String) {
    match cell {
        Some(Cell::Text(text) | Cell::Number(text)) => (
            text.parse().or_else(|_| crate::sizes::parse(text).ok_or(())).unwrap_or(0),
            text.clone(),
        ),
        Some(Cell::Flag(on)) => (u64::from(*on), String::new()),
        Some(Cell::Lines(lines)) => (0, lines.join("\n")),
        _ => (0, String::new()),
    }
}

/// A device, and what is looked up only when a column asks.
struct Facts<'a> {
    view: &'a View<'a>,
    block: &'a Block,
    parent: Option<&'a Block>,
    probed: OnceCell<Signature>,
    table: OnceCell<Option<Table>>,
}

impl Facts<'_> {
    fn probed(&self) -> &Signature {
        self.probed
            .get_or_init(|| probe::probe(&self.block.path()).ok().flatten().unwrap_or_default())
    }

    /// The table of the disk that it is or is on.
    fn table(&self) -> Option<&Table> {
        let read = || {
            let disk = match &self.block.disk {
                Some(disk) => self.view.blocks.get(disk)?.path(),
                None => self.block.path(),
            };
            partitions::read(&Disk::open(&disk, false).ok()?).ok().flatten()
        };
        self.table.get_or_init(read).as_ref()
    }

    fn part(&self) -> Option<&partitions::Part> {
        self.block.disk.as_ref()?;
        let number = u32::try_from(self.block.number("partition")?).ok()?;
        self.table()?.part(number)
    }

    fn size(&self, bytes: u64) -> Cell {
        if self.view.args.has("bytes") {
            Cell::Number(bytes.to_string())
        } else {
            Cell::Text(human(bytes, Style::Short))
        }
    }

    fn number(&self, text: String) -> Cell {
        if text.is_empty() { Cell::Null } else { Cell::Number(text) }
    }

    /// The mounts of it, the last one first.
    fn mounts(&self) -> Vec<&Mount> {
        let numbers = format!("{}:{}", self.block.device.0, self.block.device.1);
        let path = self.block.path();
        let own = |mount: &&Mount| mount.device == numbers || mount.source == path;
        self.view.mounts.iter().rev().filter(own).collect()
    }

    fn is_swap(&self) -> bool {
        let path = self.block.path().display().to_string();
        self.view.swaps.lines().any(|line| line.split_whitespace().next() == Some(path.as_str()))
    }

    fn mount_points(&self) -> Vec<String> {
        let mut list: Vec<String> =
            self.mounts().iter().map(|mount| mount.target.display().to_string()).collect();
        if list.is_empty() && self.is_swap() {
            list.push("[SWAP]".into());
        }
        list
    }

    fn name(&self, block: &Block) -> String {
        if self.view.args.has("paths") {
            return block.path().display().to_string();
        }
        match block.read("dm/name") {
            name if name.is_empty() => block.name.replace('!', "/"),
            name => name,
        }
    }

    fn space(&self, blocks: fn(&rustix::fs::StatVfs) -> u64) -> Cell {
        let mounts = self.mounts();
        let space = mounts.first().and_then(|mount| rustix::fs::statvfs(&mount.target).ok());
        space.map_or(Cell::Null, |space| self.size(blocks(&space).saturating_mul(space.f_frsize)))
    }

    fn cell(&self, column: &str) -> Cell {
        let block = self.block;
        let queue = |file: &str| self.number(block.queue(file));
        let flag = |file: &str| Cell::Flag(block.queue(file) == "1");
        let queue_size = |file: &str| self.size(block.queue(file).parse().unwrap_or(0));
        let disk = || block.disk.as_ref().and_then(|disk| self.view.blocks.get(disk));
        let whole = || disk().unwrap_or(block);
        match column {
            "NAME" => Cell::text(self.name(block)),
            "KNAME" => Cell::text(block.name.replace('!', "/")),
            "PKNAME" => {
                Cell::text(self.parent.or_else(disk).map_or(String::new(), |p| p.name.clone()))
            }
            "PATH" => Cell::text(block.path().display().to_string()),
            "MAJ:MIN" => {
                let numbers = format!("{}:{}", block.device.0, block.device.1);
                let aligned = !["json", "raw", "pairs"].iter().any(|f| self.view.args.has(f));
                Cell::text(if aligned { super::findmnt::wide(&numbers) } else { numbers })
            }
            "SIZE" => self.size(block.size),
            "TYPE" => Cell::text(block.kind()),
            "RM" => Cell::Flag(whole().read("removable") == "1"),
            "RO" => Cell::Flag(block.read("ro") == "1"),
            "HOTPLUG" => Cell::Flag(is_hotplug(whole())),
            "MOUNTPOINT" => {
                // The whole file system rather than a folder of it.
                let mounts = self.mounts();
                let whole = mounts.iter().find(|mount| mount.root == Path::new("/"));
                let point = whole.map(|mount| mount.target.display().to_string());
                Cell::text(point.or_else(|| self.mount_points().pop()).unwrap_or_default())
            }
            "MOUNTPOINTS" => Cell::Lines(self.mount_points()),
            "FSROOTS" => {
                Cell::Lines(self.mounts().iter().map(|m| m.root.display().to_string()).collect())
            }
            "FSAVAIL" => self.space(|space| space.f_bavail),
            "FSSIZE" => self.space(|space| space.f_blocks),
            "FSUSED" => self.space(|space| space.f_blocks.saturating_sub(space.f_bfree)),
            "FSUSE%" => {
                let mounts = self.mounts();
                let space = mounts.first().and_then(|m| rustix::fs::statvfs(&m.target).ok());
                space.map_or(Cell::Null, |space| Cell::text(super::findmnt::used_of(&space)))
            }
            "FSTYPE" => Cell::text(self.probed().kind),
            "LABEL" => Cell::text(self.probed().label.clone()),
            "UUID" => Cell::text(self.probed().uuid.clone()),
            "START" => self.number(block.read("start")),
            "RA" => queue("read_ahead_kb"),
            "ALIGNMENT" => self.number(block.read("alignment_offset")),
            "MIN-IO" => queue("minimum_io_size"),
            "OPT-IO" => queue("optimal_io_size"),
            "PHY-SEC" => queue("physical_block_size"),
            "LOG-SEC" => queue("logical_block_size"),
            "ROTA" => flag("rotational"),
            "RAND" => flag("add_random"),
            "RQ-SIZE" => queue("nr_requests"),
            "DISC-ALN" => self.number(block.read("discard_alignment")),
            "DISC-GRAN" => queue_size("discard_granularity"),
            "DISC-MAX" => queue_size("discard_max_bytes"),
            "DISC-ZERO" => flag("discard_zeroes_data"),
            "WSAME" => queue_size("write_same_max_bytes"),
            "ZONED" => Cell::text(block.queue("zoned")),
            "SCHED" => {
                let text = block.queue("scheduler");
                let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
                Cell::text(chosen.map_or("", |(name, _)| name))
            }
            _ => self.more(column),
        }
    }

    fn more(&self, column: &str) -> Cell {
        let block = self.block;
        let device = |file: &str| {
            Cell::text(if block.disk.is_some() {
                String::new()
            } else {
                block.read(&format!("device/{file}"))
            })
        };
        let part = |text: fn(&partitions::Part) -> String| {
            Cell::text(self.part().map_or(String::new(), text))
        };
        let lower = |text: String| if text.contains('-') { text.to_lowercase() } else { text };
        match column {
            "MODEL" => device("model"),
            "VENDOR" => device("vendor"),
            "REV" => match device("rev") {
                Cell::Null => device("firmware_rev"),
                revision => revision,
            },
            "STATE" => device("state"),
            "SERIAL" => match device("serial") {
                Cell::Null => Cell::text(block.read("serial")),
                serial => serial,
            },
            "WWN" => Cell::text(match block.read("wwid") {
                id if id.is_empty() => block.read("device/wwid"),
                id => id,
            }),
            "HCTL" => match fs::canonicalize(block.folder.join("device")) {
                Ok(path) if block.disk.is_none() => {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    Cell::text(if name.matches(':').count() == 3 { name } else { String::new() })
                }
                _ => Cell::Null,
            },
            "TRAN" => Cell::text(transport(block)),
            "OWNER" | "GROUP" | "MODE" => self.permissions(column),
            "PTTYPE" => Cell::text(self.table().map_or("", Table::label_name)),
            "PTUUID" => Cell::text(
                lower(self.table().map_or(String::new(), Table::id)).trim_start_matches("0x"),
            ),
            "PARTTYPE" => part(|part| match part.kind {
                partitions::Kind::Gpt(guid) => guid.to_string().to_lowercase(),
                partitions::Kind::Mbr(byte) => format!("{byte:#x}"),
            }),
            "PARTTYPENAME" => part(|part| types::name(part.kind).to_owned()),
            "PARTLABEL" => part(|part| part.name.clone()),
            "PARTFLAGS" => part(|part| match (part.attributes, part.bootable) {
                (0, false) => String::new(),
                (0, true) => "0x80".into(),
                (bits, _) => format!("{bits:#x}"),
            }),
            "PARTUUID" => match (self.table(), self.part()) {
                (Some(table), Some(part)) => Cell::text(match part.kind {
                    partitions::Kind::Gpt(_) => part.uuid.to_string().to_lowercase(),
                    partitions::Kind::Mbr(_) => {
                        format!("{}-{:02x}", table.id().trim_start_matches("0x"), part.number)
                    }
                }),
                _ => Cell::Null,
            },
            _ => Cell::Null,
        }
    }

    fn permissions(&self, column: &str) -> Cell {
        let Ok(metadata) = fs::metadata(self.block.path()) else { return Cell::Null };
        let named = |file: &str, id: u32| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.split(':').nth(2) == Some(&id.to_string()));
            line.and_then(|line| line.split(':').next()).map_or(id.to_string(), str::to_owned)
        };
        Cell::text(match column {
            "OWNER" => named("/etc/passwd", metadata.uid()),
            "GROUP" => named("/etc/group", metadata.gid()),
            _ => mode(metadata.mode()),
        })
    }
}

/// `brw-rw----`
fn mode(bits: u32) -> String {
    let letter = |n: u32| {
        if bits >> n & 1 == 1 {
            ["x", "w", "r"].get(n as usize % 3).copied().unwrap_or("-")
        } else {
            "-"
        }
    };
    let letters: String = (0..9).rev().map(letter).collect();
    format!("b{letters}")
}

fn is_hotplug(disk: &Block) -> bool {
    let path = fs::canonicalize(&disk.folder).unwrap_or_default();
    let text = path.to_string_lossy();
    disk.read("removable") == "1" || text.contains("/usb") || text.contains("/mmc_host/")
}

fn transport(block: &Block) -> &'static str {
    let path = fs::canonicalize(&block.folder).unwrap_or_default();
    let text = path.to_string_lossy();
    if block.disk.is_some() {
        ""
    } else if block.name.starts_with("nvme") {
        "nvme"
    } else if text.contains("/usb") {
        "usb"
    } else if text.contains("/virtio") {
        "virtio"
    } else if text.contains("/ata") {
        "sata"
    } else if Path::new(&*text).join("device/sas_device").exists() || text.contains("/end_device-")
    {
        "sas"
    } else {
        ""
    }
}
