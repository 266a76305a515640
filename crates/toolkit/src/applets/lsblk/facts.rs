//! What `lsblk` says of one device.

use super::View;
use crate::{
    block::Block,
    columns::Cell,
    mounts::Mount,
    partitions::{self, Disk, Table, types},
    probe::{self, Signature},
    sizes::{Style, human},
};
use std::{cell::OnceCell, fs, os::unix::fs::MetadataExt as _, path::Path};

/// A device, and what is looked up only when a column asks.
pub(super) struct Facts<'a> {
    view: &'a View<'a>,
    block: &'a Block,
    parent: Option<&'a Block>,
    probed: OnceCell<Signature>,
    table: OnceCell<Option<Table>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(view: &'a View<'a>, block: &'a Block, parent: Option<&'a Block>) -> Self {
        Self { view, block, parent, probed: OnceCell::new(), table: OnceCell::new() }
    }

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

    /// The cell of a column.
    pub(super) fn cell(&self, column: &str) -> Cell {
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
                Cell::text(if aligned { crate::applets::findmnt::wide(&numbers) } else { numbers })
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
                space.map_or(Cell::Null, |space| {
                    Cell::text(crate::applets::findmnt::used_of(&space))
                })
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
            "SERIAL" => Cell::text(block.serial()),
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
            "TRAN" => Cell::text(block.transport()),
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
                (Some(table), Some(part)) => Cell::text(table.part_uuid(part)),
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
