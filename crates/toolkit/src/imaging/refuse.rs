//! Why a disk must not be overwritten.

use crate::{block::Block, mounts};
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};
use xenoboot_sys::blockdev;

/// Written by init: the device of the boot medium, and where it is mounted.
const MEDIUM: &str = "/run/xenoboot/medium";

/// What a path that names a block device is; `None` for a file.
pub(crate) fn block<'a>(path: &Path, all: &'a [Block]) -> Option<&'a Block> {
    use rustix::fs::{FileType, major, minor};
    let meta = fs::metadata(path).ok()?;
    let is_device = FileType::from_raw_mode(meta.mode()) == FileType::BlockDevice;
    let numbers = (major(meta.rdev()), minor(meta.rdev()));
    all.iter().find(|block| is_device && block.device == numbers)
}

/// Whether a device is the medium that this system was booted from, or on it.
pub(crate) fn is_medium(block: &Block, all: &[Block]) -> bool {
    let whole = |block: &Block| block.disk.clone().unwrap_or_else(|| block.name.clone());
    let medium = fs::read_to_string(MEDIUM).unwrap_or_default();
    let medium =
        medium.split_whitespace().next().and_then(|path| self::block(Path::new(path), all));
    medium.is_some_and(|medium| whole(medium) == whole(block))
}

/// What speaks against writing to a device, and what to do about it.
pub(crate) fn trouble(block: &Block, all: &[Block]) -> Option<String> {
    if is_medium(block, all) {
        return Some("it is the medium that this system was booted from".into());
    }
    // The device and everything in it.
    let parts: Vec<&Block> = all
        .iter()
        .filter(|other| other.name == block.name || other.disk.as_ref() == Some(&block.name))
        .collect();
    let within = |path: &Path| {
        let found = self::block(path, all)?;
        parts.iter().find(|part| part.device == found.device).map(|part| part.path())
    };
    for mount in mounts::all().unwrap_or_default() {
        let part = parts.iter().find(|part| {
            let (major, minor) = part.device;
            mount.device == format!("{major}:{minor}")
        });
        // Some file systems have devices of their own.
        if let Some(path) = part.map(|part| part.path()).or_else(|| within(&mount.source)) {
            let target = mount.target.display();
            return Some(format!("{} is mounted on {target}: umount {target}", path.display()));
        }
    }
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    for line in swaps.lines().skip(1) {
        let swap = PathBuf::from(line.split_whitespace().next().unwrap_or_default());
        if let Some(path) = within(&swap) {
            let path = path.display();
            return Some(format!("{path} is swap space in use: swapoff {path}"));
        }
    }
    for part in &parts {
        let holder = fs::read_dir(part.folder.join("holders")).ok()?.flatten().next();
        if let Some(holder) = holder {
            let holder = holder.file_name().to_string_lossy().into_owned();
            let path = part.path();
            return Some(format!(
                "{} is part of {holder} (RAID, LVM or encryption): take that apart first",
                path.display()
            ));
        }
    }
    // The kernel lets a loop device share a disk with others.
    for other in all {
        let backing = other.read("loop/backing_file");
        if let Some(path) = within(Path::new(&backing)).filter(|_| !backing.is_empty()) {
            let (path, name) = (path.display(), &other.name);
            return Some(format!("{path} is what /dev/{name} is made of: losetup -d /dev/{name}"));
        }
    }
    if block.read("ro") == "1" {
        return Some("it is read-only: blockdev --setrw, or its switch".into());
    }
    let busy = blockdev::in_use(&block.path());
    busy.then(|| "something has it open for itself alone: lsof tells what".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that nothing else knows of, with these files in its folder.
    fn device(root: &Path, name: &str, number: u32, files: &[(&str, &str)]) -> Block {
        let folder = root.join(name);
        fs::create_dir_all(folder.join("holders")).unwrap();
        for (file, text) in files {
            fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            fs::write(folder.join(file), text).unwrap();
        }
        Block { name: name.into(), folder, device: (4094, number), ..Block::default() }
    }

    #[test]
    fn members_and_disks_that_refuse_writes_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let disk = device(root.path(), "xbtest1", 1, &[]);
        let mut part = device(root.path(), "xbtest1p1", 2, &[]);
        part.disk = Some("xbtest1".into());
        let said = |disk: &Block, part: &Block| trouble(disk, &[disk.clone(), part.clone()]);
        assert_eq!(said(&disk, &part), None);
        // Only a partition of it is a member.
        fs::create_dir(part.folder.join("holders/md0")).unwrap();
        let words =
            "/dev/xbtest1p1 is part of md0 (RAID, LVM or encryption): take that apart first";
        assert_eq!(said(&disk, &part).as_deref(), Some(words));
        assert_eq!(said(&part, &disk).as_deref(), Some(words));
        fs::remove_dir(part.folder.join("holders/md0")).unwrap();
        let locked = device(root.path(), "xbtest2", 3, &[("ro", "1\n")]);
        let words = "it is read-only: blockdev --setrw, or its switch";
        assert_eq!(said(&locked, &part).as_deref(), Some(words));
    }
}
