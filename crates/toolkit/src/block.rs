//! Block devices as sysfs shows them, with what they are made of.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// One device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// The kernel's name, `sda1`.
    pub(crate) name: String,
    /// Its folder in /sys/class/block.
    pub(crate) folder: PathBuf,
    /// Its numbers.
    pub(crate) device: (u32, u32),
    /// Its size, bytes.
    pub(crate) size: u64,
    /// The disk that it is a partition of.
    pub(crate) disk: Option<String>,
    /// The devices that it is made of, without its disk.
    pub(crate) slaves: Vec<String>,
}

impl Block {
    /// A file in its folder, trimmed; empty when there is none.
    pub(crate) fn read(&self, file: &str) -> String {
        let text = fs::read(self.folder.join(file)).unwrap_or_default();
        String::from_utf8_lossy(&text).trim().to_owned()
    }

    /// The same as a number.
    pub(crate) fn number(&self, file: &str) -> Option<u64> {
        self.read(file).parse().ok()
    }

    /// The serial number of a disk; empty when it tells none.
    pub(crate) fn serial(&self) -> String {
        let told = ["device/serial", "serial"].map(|file| self.read(file));
        told.into_iter().find(|serial| !serial.is_empty()).unwrap_or_else(|| {
            unit_serial(&fs::read(self.folder.join("device/vpd_pg80")).unwrap_or_default())
        })
    }

    /// A file of its queue; a partition has that of its disk.
    pub(crate) fn queue(&self, file: &str) -> String {
        let own = self.read(&format!("queue/{file}"));
        if own.is_empty() && self.disk.is_some() {
            self.read(&format!("../queue/{file}"))
        } else {
            own
        }
    }

    /// Its node: `/dev/mapper/NAME` for what device-mapper made.
    pub(crate) fn path(&self) -> PathBuf {
        match self.read("dm/name").as_str() {
            "" => Path::new("/dev").join(self.name.replace('!', "/")),
            name => Path::new("/dev/mapper").join(name),
        }
    }

    /// How it is attached, as lsblk says; empty for partitions and what is not known.
    pub(crate) fn transport(&self) -> &'static str {
        let path = fs::canonicalize(&self.folder).unwrap_or_default();
        let text = path.to_string_lossy();
        if self.disk.is_some() {
            ""
        } else if self.name.starts_with("nvme") {
            "nvme"
        } else if text.contains("/usb") {
            "usb"
        } else if text.contains("/virtio") {
            "virtio"
        } else if text.contains("/ata") {
            "sata"
        } else if Path::new(&*text).join("device/sas_device").exists()
            || text.contains("/end_device-")
        {
            "sas"
        } else {
            ""
        }
    }

    /// What it is, as lsblk says.
    pub(crate) fn kind(&self) -> String {
        let mapped = self.read("dm/uuid");
        let level = self.read("md/level");
        if self.disk.is_some() {
            "part".into()
        } else if self.folder.join("dm").exists() {
            match mapped.split_once('-') {
                Some((kind, _)) if kind.starts_with("part") => "part".into(),
                Some((kind, _)) if !kind.is_empty() => kind.to_lowercase(),
                _ => "dm".into(),
            }
        } else if self.folder.join("md").exists() {
            if level.is_empty() { "md".into() } else { level }
        } else if self.name.starts_with("loop") {
            "loop".into()
        } else {
            match self.read("device/type").as_str() {
                "1" | "2" => "tape",
                "5" => "rom",
                _ if self.name.starts_with("sr") => "rom",
                _ => "disk",
            }
            .into()
        }
    }
}

/// What SCSI and SATA disks tell: the page Unit Serial Number (SPC-4, 7.8.18).
pub(crate) fn unit_serial(page: &[u8]) -> String {
    let length =
        page.get(2..4).map_or(0, |n| n.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)));
    let text = page.get(4..).unwrap_or_default();
    let text = String::from_utf8_lossy(text.get(..length).unwrap_or(text)).into_owned();
    text.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}

/// Every device, by its numbers.
///
/// # Errors
/// When sysfs is not there.
pub(crate) fn all(class: &Path) -> std::io::Result<Vec<Block>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(class)? {
        let entry = entry?;
        let folder = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let numbers = fs::read_to_string(folder.join("dev")).unwrap_or_default();
        let Some((major, minor)) = numbers.trim().split_once(':') else { continue };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
        let sectors: u64 = fs::read_to_string(folder.join("size"))
            .ok()
            .and_then(|size| size.trim().parse().ok())
            .unwrap_or(0);
        let slaves = fs::read_dir(folder.join("slaves")).into_iter().flatten().flatten();
        let mut slaves: Vec<String> =
            slaves.map(|slave| slave.file_name().to_string_lossy().into_owned()).collect();
        slaves.sort();
        let disk = xenoboot_sys::block::whole_disk(class, &name);
        let device = (major, minor);
        let size = sectors.saturating_mul(512);
        found.insert(device, Block { name, folder, device, size, disk, slaves });
    }
    Ok(found.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_what_the_page_says_and_no_more() {
        assert_eq!(unit_serial(b"\0\x80\0\x08  S3Z8NB rest"), "S3Z8NB");
        assert_eq!(unit_serial(b"\0\x80\0\xffS3Z8\0\x1b"), "S3Z8");
        assert_eq!(unit_serial(b"\0\x80"), "");
    }
}
