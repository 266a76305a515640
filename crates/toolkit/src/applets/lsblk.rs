//! `lsblk`: block devices and what they hold.

mod facts;

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    block::{self, Block},
    columns::{self, Cell, Column, Format, JSON, Line, NO_HEADINGS, OUTPUT, PAIRS, RAW},
    mounts::{self, Mount},
};
use anyhow::{Context as _, bail};
use facts::Facts;
use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::PathBuf};

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
        let facts = Facts::new(self, block, parent);
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
