//! Everything on the machine's disks that can be read.

use super::{assemble::Assembled, mounting, mounting::Mounts, names, volumes::Volumes};
use crate::{
    block::{self, Block},
    imaging::{marker, refuse, target::Target},
    probe::{self, Signature},
};
use anyhow::Context as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
};
use xenoboot_sys::blockdev;

const CLASS: &str = "/sys/class/block";

/// RAID in LVM in encryption in RAID: nobody has more.
const ROUNDS: usize = 5;

/// The most file systems that are mounted.
const MAX_VOLUMES: usize = 128;

/// What was found. When it is dropped, everything is as it was.
// The order is that of taking down: first what has files open, last what keeps disks from being written.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    /// The files.
    pub(crate) volumes: Volumes,
    /// What could not be looked at, and why.
    pub(crate) notes: Vec<String>,
    /// The names of the disks that [`xenoboot_menu::Device::disk`] counts.
    pub(crate) names: Vec<String>,
    mounts: Mounts,
    assembled: Assembled,
    held: Held,
}

/// Disks that refuse to be written until this is dropped.
#[derive(Debug, Default)]
struct Held(Vec<File>);

impl Drop for Held {
    fn drop(&mut self) {
        for disk in &self.0 {
            let _ = blockdev::set_read_only(disk, false);
        }
    }
}

/// The disks that are there, and what is on each device.
struct Look {
    blocks: Vec<Block>,
    content: BTreeMap<String, Signature>,
    disks: Vec<String>,
}

impl Disks {
    /// Looks at every disk. `key` opens what is encrypted.
    pub(crate) fn find(key: Option<&[u8]>) -> anyhow::Result<Self> {
        let mut found = Self::default();
        let left_out = found.hold()?;
        let mut tried = BTreeSet::new();
        for _ in 0..ROUNDS {
            let look = Look::new(&left_out)?;
            if !found.assemble(&look, key, &mut tried) {
                break;
            }
        }
        let look = Look::new(&left_out)?;
        for block in &look.blocks {
            if found.volumes_full() {
                found
                    .notes
                    .push(format!("more than {MAX_VOLUMES} file systems: the rest is left out"));
                break;
            }
            found.add(block, &look);
        }
        found.names = look.disks;
        Ok(found)
    }

    fn volumes_full(&self) -> bool {
        use xenoboot_menu::Files as _;
        self.volumes.devices().len() >= MAX_VOLUMES
    }

    /// Lets no disk be written that nobody uses; returns the disks that are not looked at.
    fn hold(&mut self) -> anyhow::Result<BTreeSet<String>> {
        let blocks = block::all(Path::new(CLASS)).context("cannot read /sys/class/block")?;
        let mut left_out = BTreeSet::new();
        for block in blocks.iter().filter(|block| block.disk.is_none()) {
            let path = block.path();
            if !is_looked_at(block) || refuse::is_medium(block, &blocks) {
                left_out.insert(block.name.clone());
                continue;
            }
            if let Ok(target) = Target::open(&path, false)
                && let Some(image) = marker::found(&target)
            {
                left_out.insert(block.name.clone());
                let path = path.display();
                self.notes.push(format!(
                    "{path} is not booted: image {image} is being written to it and is not complete; \
                     `xb image write` goes on"
                ));
                continue;
            }
            let is_free = block.kind() == "disk" && refuse::trouble(block, &blocks).is_none();
            if let (true, Ok(disk)) = (is_free, File::open(&path))
                && blockdev::set_read_only(&disk, true).is_ok()
            {
                self.held.0.push(disk);
            }
        }
        Ok(left_out)
    }

    /// Brings up what is made of the devices that are there; whether there is more to look at now.
    fn assemble(&mut self, look: &Look, key: Option<&[u8]>, tried: &mut BTreeSet<PathBuf>) -> bool {
        let before = self.assembled.count();
        let mut arrays: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
        let mut groups = Vec::new();
        let mut encrypted = Vec::new();
        for block in look.blocks.iter().filter(|block| !has_holder(block)) {
            let path = block.path();
            let Some(content) = look.content.get(&block.name) else { continue };
            if !tried.contains(&path) {
                match content.kind {
                    "linux_raid_member" => {
                        arrays.entry(&content.uuid).or_default().push(path.clone())
                    }
                    "LVM2_member" => groups.push(path.clone()),
                    "crypto_LUKS" => encrypted.push(path.clone()),
                    _ => continue,
                }
                tried.insert(path);
            }
        }
        let mut failed = Vec::new();
        for members in arrays.values() {
            let what = || format!("RAID on {}", shown(members));
            failed.extend(self.assembled.array(members).with_context(what).err());
        }
        for device in &encrypted {
            let what = || device.display().to_string();
            let opened = match key {
                Some(key) => self.assembled.open(device, key),
                None => Err(anyhow::anyhow!(
                    "encrypted: give its key, --secret NAME or --key-file FILE"
                )),
            };
            failed.extend(opened.with_context(what).err());
        }
        if !groups.is_empty() {
            let what = || format!("volumes on {}", shown(&groups));
            failed.extend(self.assembled.groups(&groups).with_context(what).err());
        }
        self.notes.extend(failed.into_iter().map(|error| format!("{error:#}")));
        self.assembled.count() > before
    }

    /// Mounts a device if it has a file system.
    fn add(&mut self, block: &Block, look: &Look) {
        let Some(content) = look.content.get(&block.name) else { return };
        if !mounting::is_known(content.kind) || has_holder(block) {
            return;
        }
        match self.mounts.roots(block, content.kind) {
            Ok(roots) => {
                let array = block.slaves.iter().filter_map(|slave| look.content.get(slave));
                let mut array = array.filter(|slave| slave.kind == "linux_raid_member");
                let array = array.next().map_or("", |slave| slave.uuid.as_str());
                self.volumes.add(names::device(block, &look.disks, content, array), roots);
            }
            Err(error) => self.notes.push(format!("{error:#}")),
        }
    }
}

impl Look {
    fn new(left_out: &BTreeSet<String>) -> anyhow::Result<Self> {
        let blocks = block::all(Path::new(CLASS)).context("cannot read /sys/class/block")?;
        let kept = |block: &Block| {
            let disk = block.disk.as_ref().unwrap_or(&block.name);
            block.size > 0
                && !left_out.contains(disk)
                && (block.disk.is_some() || is_looked_at(block))
        };
        let blocks = as_firmware_sees(blocks.into_iter().filter(kept).collect());
        let content = blocks
            .iter()
            .filter_map(|block| Some((block.name.clone(), probe::probe(&block.path()).ok()??)));
        let content = content.collect();
        let is_disk = |block: &&Block| block.disk.is_none() && block.kind() == "disk";
        let disks = blocks.iter().filter(is_disk).map(|block| block.name.clone()).collect();
        Ok(Self { blocks, content, disks })
    }
}

/// What the firmware could start from comes first, and behind it what is made of other devices: the numbers of drivers
/// say nothing of that.
fn as_firmware_sees(mut blocks: Vec<Block>) -> Vec<Block> {
    let made = blocks.iter().filter(|block| !block.slaves.is_empty());
    let made: BTreeSet<String> = made.map(|block| block.name.clone()).collect();
    blocks.sort_by_key(|block| made.contains(block.disk.as_ref().unwrap_or(&block.name)));
    blocks
}

/// Whether a device without a disk is one that an installed system may be on.
fn is_looked_at(block: &Block) -> bool {
    let made_here = ["ram", "zram", "fd", "nbd", "sr", "loop"];
    // The agent's device for the toolbox has no identifier, as those of installed systems have.
    let is_toolbox =
        block.read("dm/name").starts_with("toolbox-") && block.read("dm/uuid").is_empty();
    block.size > 0 && !is_toolbox && !made_here.iter().any(|name| block.name.starts_with(name))
}

/// Whether something is made of a device already.
fn has_holder(block: &Block) -> bool {
    let holders = std::fs::read_dir(block.folder.join("holders"));
    holders.is_ok_and(|mut holders| holders.next().is_some())
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_disks_comes_behind_them() {
        let block = |name: &str, disk: Option<&str>, slave: Option<&str>| Block {
            name: name.to_owned(),
            disk: disk.map(str::to_owned),
            slaves: slave.map(str::to_owned).into_iter().collect(),
            ..Block::default()
        };
        let blocks = vec![
            block("md0", None, Some("nvme0n1p2")),
            block("md0p1", Some("md0"), None),
            block("dm-0", None, Some("nvme0n1p3")),
            block("nvme0n1", None, None),
            block("nvme0n1p1", Some("nvme0n1"), None),
        ];
        let names: Vec<String> = as_firmware_sees(blocks).into_iter().map(|b| b.name).collect();
        assert_eq!(names, ["nvme0n1", "nvme0n1p1", "md0", "md0p1", "dm-0"]);
    }
}
