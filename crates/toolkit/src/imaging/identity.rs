//! What a disk is called, by its maker and in `/dev/disk/by-id`.
//!
//! The links there are made by udev, which this system does not have. The names are put together here by the same rules
//! (systemd's 60-persistent-storage.rules, `ata_id`, `usb_id`), so that those that an operator knows mean the same disk.

use crate::block::Block;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Of an ATA disk behind SCSI: where the data that it identifies itself with begins in its page 0x89, and where serial number
/// and model are in it (SAT-5, ACS-4).
const ATA_DATA: usize = 60;
const ATA_SERIAL: std::ops::Range<usize> = 20..40;
const ATA_MODEL: std::ops::Range<usize> = 54..94;

/// What a disk says of itself; empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its serial number.
    pub(crate) serial: String,
    /// What it is called by its maker.
    pub(crate) model: String,
    /// Its worldwide name, as the kernel has it: `naa.5000c500a1b2c3d4`, `eui.0025385b71b0cf4e`.
    pub(crate) wwn: String,
    /// Its names in `/dev/disk/by-id`.
    pub(crate) ids: Vec<String>,
}

impl Identity {
    /// That of a whole disk.
    pub(crate) fn of(block: &Block) -> Self {
        let first = |files: [&str; 2]| {
            let mut texts = files.into_iter().map(|file| block.read(file));
            texts.find(|text| !text.is_empty()).unwrap_or_default()
        };
        let mut identity = Self {
            serial: first(["device/serial", "serial"]),
            model: block.read("device/model"),
            wwn: first(["wwid", "device/wwid"]),
            ids: Vec::new(),
        };
        let ata = ata(&block.folder);
        if let Some((model, serial)) = &ata {
            // SCSI has room for the first 16 letters only.
            (identity.model, identity.serial) = (model.clone(), serial.clone());
        } else if identity.serial.is_empty() {
            identity.serial = page_80(&block.folder).unwrap_or_default();
        }
        let mut ids = identity.names(block, ata.is_some());
        ids.retain(|id| !id.ends_with('-') && !id.ends_with('_'));
        identity.ids = ids;
        identity
    }

    fn names(&self, block: &Block, is_ata: bool) -> Vec<String> {
        let (model, serial) = (plain(&self.model), plain(&self.serial));
        let naa = self.wwn.strip_prefix("naa.");
        let mut names = Vec::new();
        if block.name.starts_with("nvme") {
            names.push(format!("nvme-{model}_{serial}"));
            names.push(format!("nvme-{model}_{serial}_{}", block.read("nsid")));
            names.push(format!("nvme-{}", plain(&self.wwn)));
        } else if block.name.starts_with("mmcblk") {
            names.push(format!("mmc-{}_{serial}", plain(&block.read("device/name"))));
        } else if block.transport() == "virtio" && !serial.is_empty() {
            names.push(format!("virtio-{serial}"));
        } else if block.transport() == "usb" {
            names.extend(usb(&block.folder, &block.read("device/vendor"), &model));
        } else if is_ata {
            names.push(format!("ata-{model}_{serial}"));
        } else if let Some(naa) = naa {
            names.push(format!("scsi-3{naa}"));
        }
        if let Some(naa) = naa {
            names.push(format!("wwn-0x{naa}"));
        }
        names
    }
}

/// As names of links have it: blanks at the ends are left out, those between are one `_`, and so is each other strange
/// character.
fn plain(text: &str) -> String {
    let joined = text.split_ascii_whitespace().collect::<Vec<_>>().join("_");
    let good = |c: char| c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c);
    joined.chars().map(|c| if good(c) { c } else { '_' }).collect()
}

/// Model and serial number of an ATA disk, in which each pair of letters is the other way round.
fn ata(folder: &Path) -> Option<(String, String)> {
    let page = fs::read(folder.join("device/vpd_pg89")).ok()?;
    let data = page.get(ATA_DATA..)?;
    let text = |range: std::ops::Range<usize>| {
        let swapped: Vec<u8> =
            data.get(range)?.as_chunks::<2>().0.iter().flat_map(|[a, b]| [*b, *a]).collect();
        Some(String::from_utf8_lossy(&swapped).trim_matches([' ', '\0']).to_owned())
    };
    Some((text(ATA_MODEL)?, text(ATA_SERIAL)?))
}

/// The serial number that a SCSI disk gives in its page 0x80.
fn page_80(folder: &Path) -> Option<String> {
    let page = fs::read(folder.join("device/vpd_pg80")).ok()?;
    let length = usize::from(u16::from_be_bytes([*page.get(2)?, *page.get(3)?]));
    let text = String::from_utf8_lossy(page.get(4..4 + length)?).into_owned();
    Some(text.trim_matches([' ', '\0']).to_owned())
}

/// `usb-VENDOR_MODEL_SERIAL-0:0`: the serial number is that of the USB device, at the end the place behind it.
fn usb(folder: &Path, vendor: &str, model: &str) -> Option<String> {
    let real = fs::canonicalize(folder).ok()?;
    let device = real.ancestors().find(|path| path.join("idVendor").exists())?;
    let serial = plain(&fs::read_to_string(device.join("serial")).ok()?);
    // Host, channel, target and unit.
    let place: PathBuf = fs::canonicalize(folder.join("device")).ok()?;
    let place = place.file_name()?.to_str()?;
    let (_, behind) = place.split_once(':')?.1.split_once(':')?;
    Some(format!("usb-{}_{model}_{serial}-{behind}", plain(vendor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A disk whose files are in `device`, below a bus.
    fn disk(bus: &str, name: &str, files: &[(&str, &[u8])]) -> (tempfile::TempDir, Block) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(bus).join("0:0:0:0/block").join(name);
        fs::create_dir_all(&folder).unwrap();
        symlink("../..", folder.join("device")).unwrap();
        for (file, content) in files {
            fs::write(folder.join(file), content).unwrap();
        }
        (root, Block { name: name.into(), folder, ..Block::default() })
    }

    #[test]
    fn disks_have_the_names_that_udev_gives_them() {
        let swapped = |text: &str, length: usize| {
            let padded = format!("{text:<length$}");
            padded.as_bytes().chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect::<Vec<u8>>()
        };
        let mut page = vec![0; ATA_DATA + 512];
        page[ATA_DATA + 20..ATA_DATA + 40].copy_from_slice(&swapped("      S3Z8NB0K123456", 20));
        page[ATA_DATA + 54..ATA_DATA + 94]
            .copy_from_slice(&swapped("Samsung SSD 860 EVO 500GB", 40));
        let (_root, sata) = disk(
            "pci/ata1",
            "sda",
            &[
                ("device/model", b"Samsung SSD 860 \n"),
                ("device/wwid", b"naa.5002538e40a1b2c3\n"),
                ("device/vpd_pg89", &page),
            ],
        );
        let identity = Identity::of(&sata);
        assert_eq!(identity.model, "Samsung SSD 860 EVO 500GB");
        assert_eq!(identity.serial, "S3Z8NB0K123456");
        let ids = ["ata-Samsung_SSD_860_EVO_500GB_S3Z8NB0K123456", "wwn-0x5002538e40a1b2c3"];
        assert_eq!(identity.ids, ids);

        let (_root, sas) = disk(
            "pci/end_device-0:0",
            "sdb",
            &[
                ("device/wwid", b"naa.5000c500a1b2c3d4\n"),
                ("device/vpd_pg80", b"\0\x80\0\x08 Z1X2Y3 "),
            ],
        );
        let identity = Identity::of(&sas);
        assert_eq!(identity.serial, "Z1X2Y3");
        assert_eq!(identity.ids, ["scsi-35000c500a1b2c3d4", "wwn-0x5000c500a1b2c3d4"]);

        let (_root, nvme) = disk(
            "pci/nvme",
            "nvme0n1",
            &[
                ("device/model", b"INTEL SSDPE2KX010T8   \n"),
                ("device/serial", b"PHLJ1  \n"),
                ("wwid", b"eui.01000000010000005cd2e4\n"),
                ("nsid", b"1\n"),
            ],
        );
        let ids = [
            "nvme-INTEL_SSDPE2KX010T8_PHLJ1",
            "nvme-INTEL_SSDPE2KX010T8_PHLJ1_1",
            "nvme-eui.01000000010000005cd2e4",
        ];
        assert_eq!(Identity::of(&nvme).ids, ids);

        let (_root, virtio) = disk("pci/virtio2", "vda", &[("serial", b"root disk/1")]);
        assert_eq!(Identity::of(&virtio).ids, ["virtio-root_disk_1"]);
        let (_root, nameless) = disk("pci/virtio2", "vda", &[]);
        assert_eq!(Identity::of(&nameless).ids, [""; 0]);

        let (root, stick) = disk(
            "pci/usb1/1-2/host6",
            "sdc",
            &[("device/vendor", b"SanDisk \n"), ("device/model", b"Ultra Fit       \n")],
        );
        fs::write(root.path().join("pci/usb1/1-2/idVendor"), "0781\n").unwrap();
        fs::write(root.path().join("pci/usb1/1-2/serial"), "4C53\n").unwrap();
        assert_eq!(Identity::of(&stick).ids, ["usb-SanDisk_Ultra_Fit_4C53-0:0"]);
    }
}
