//! Block devices: read-only in the kernel's eyes; loop devices let go.

use crate::Kernel;
use rustix::ioctl::{self, NoArg, Setter, opcode};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// What we do to block devices. Reading one needs no trait: it is a file.
pub trait Disks {
    /// Makes the kernel refuse every write to the device and its partitions (`BLKROSET`).
    ///
    /// # Errors
    /// When the device cannot be opened or does not know the request.
    fn set_read_only(&self, device: &Path) -> io::Result<()>;

    /// Detaches every loop device from its file, or as soon as nothing uses it any more
    /// (`LOOP_CLR_FD`). Returns how many there were.
    fn detach_loops(&self) -> usize;
}

impl Disks for Kernel {
    fn set_read_only(&self, device: &Path) -> io::Result<()> {
        // linux/fs.h: _IO(0x12, 93), which reads an int in spite of its number.
        const BLKROSET: ioctl::Opcode = opcode::none(0x12, 93);
        let device = File::open(device)?;
        // SAFETY: BLKROSET reads one int through the pointer that Setter passes.
        unsafe { Ok(ioctl::ioctl(&device, Setter::<BLKROSET, i32>::new(1))?) }
    }

    fn detach_loops(&self) -> usize {
        // linux/loop.h.
        const LOOP_CLR_FD: ioctl::Opcode = 0x4c01;
        let bound =
            |name: &str| Path::new("/sys/block").join(name).join("loop/backing_file").exists();
        let names = fs::read_dir("/sys/block").into_iter().flatten().flatten();
        names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with("loop") && bound(name))
            .filter_map(|name| File::open(Path::new("/dev").join(name)).ok())
            // SAFETY: LOOP_CLR_FD takes no argument.
            .filter(|device| unsafe { ioctl::ioctl(device, NoArg::<LOOP_CLR_FD>::new()) }.is_ok())
            .count()
    }
}

/// The whole disk that the block device `name` (`sda1`) is a partition of; `None` for a whole disk.
/// `class` is `/sys/class/block`.
#[must_use]
pub fn whole_disk(class: &Path, name: &str) -> Option<String> {
    let folder = class.join(name);
    if !folder.join("partition").exists() {
        return None;
    }
    // /sys/class/block/sda1 links to .../block/sda/sda1.
    let target: PathBuf = fs::canonicalize(folder).ok()?;
    Some(target.parent()?.file_name()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_knows_its_disk() {
        let dir = tempfile::tempdir().unwrap();
        let class = dir.path().join("class");
        let disk = dir.path().join("devices/block/sda");
        fs::create_dir_all(disk.join("sda1")).unwrap();
        fs::write(disk.join("sda1/partition"), "1\n").unwrap();
        fs::create_dir(&class).unwrap();
        std::os::unix::fs::symlink(disk.join("sda1"), class.join("sda1")).unwrap();
        std::os::unix::fs::symlink(&disk, class.join("sda")).unwrap();
        assert_eq!(whole_disk(&class, "sda1").as_deref(), Some("sda"));
        assert_eq!(whole_disk(&class, "sda"), None);
        assert_eq!(whole_disk(&class, "sdb"), None);
    }
}
