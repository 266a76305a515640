//! Where on a device the magic numbers stand by which file systems and the like are known.

use crate::{partitions::Disk, probe};
use std::{io, os::unix::fs::FileExt as _};

/// A magic number that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The format's usual name.
    pub(crate) kind: &'static str,
    /// Where, bytes from the start.
    pub(crate) offset: u64,
    /// Its bytes.
    pub(crate) magic: Vec<u8>,
    /// The format's identifier, or empty.
    pub(crate) uuid: String,
    /// Its label, or empty.
    pub(crate) label: String,
}

/// Format, offset, magic number. Offsets of libblkid, so that wiped means wiped for it, too.
const KNOWN: &[(&str, u64, &[u8])] = &[
    ("linux_raid_member", 0, &0xa92b_4efc_u32.to_le_bytes()),
    ("linux_raid_member", 4096, &0xa92b_4efc_u32.to_le_bytes()),
    ("crypto_LUKS", 0, b"LUKS\xba\xbe"),
    ("crypto_LUKS", 0x4000, b"SKUL\xba\xbe"),
    ("LVM2_member", 0x018, b"LVM2 001"),
    ("LVM2_member", 0x218, b"LVM2 001"),
    ("ext", 0x438, b"\x53\xef"),
    ("xfs", 0, b"XFSB"),
    ("btrfs", 0x1_0040, b"_BHRfS_M"),
    ("f2fs", 0x400, &0xf2f5_2010_u32.to_le_bytes()),
    ("erofs", 0x400, &0xe0f5_e1e2_u32.to_le_bytes()),
    ("squashfs", 0, b"hsqs"),
    ("jfs", 0x8000, b"JFS1"),
    ("reiserfs", 0x1_0034, b"ReIsEr"),
    ("swap", 4086, b"SWAPSPACE2"),
    ("swap", 4086, b"SWAP-SPACE"),
    ("ntfs", 3, b"NTFS    "),
    ("exfat", 3, b"EXFAT   "),
    ("vfat", 0x52, b"FAT32   "),
    ("vfat", 0x36, b"FAT16   "),
    ("vfat", 0x36, b"FAT12   "),
    ("iso9660", 0x8001, b"CD001"),
    ("udf", 0x8001, b"BEA01"),
    ("BitLocker", 3, b"-FVE-FS-"),
    ("bcache", 0x1018, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"),
    ("nilfs2", 0x406, b"\x34\x34"),
    ("cramfs", 0, b"\x45\x3d\xcd\x28"),
    ("romfs", 0, b"-rom1fs-"),
];

/// Every magic number on a device, file systems first, then partition tables.
///
/// # Errors
/// When the device cannot be read.
pub(crate) fn all(disk: &Disk) -> io::Result<Vec<Found>> {
    let signature = probe::probe(&disk.path)?.unwrap_or_default();
    let mut found = Vec::new();
    let mut look = |kind: &'static str, offset: u64, magic: &[u8]| -> io::Result<bool> {
        let mut bytes = vec![0; magic.len()];
        if offset + magic.len() as u64 > disk.bytes() {
            return Ok(false);
        }
        disk.file.read_exact_at(&mut bytes, offset)?;
        let is_there = bytes == magic;
        if is_there {
            let kind = if kind == "ext" && signature.kind.starts_with("ext") {
                signature.kind
            } else {
                kind
            };
            let own = kind == signature.kind;
            let of = |text: &String| if own { text.clone() } else { String::new() };
            let (uuid, label) = (of(&signature.uuid), of(&signature.label));
            found.push(Found { kind, offset, magic: bytes, uuid, label });
        }
        Ok(is_there)
    };
    let mut is_fat = false;
    for (kind, offset, magic) in KNOWN {
        is_fat |= look(kind, *offset, magic)? && matches!(*kind, "vfat" | "ntfs" | "exfat");
    }
    // RAID keeps its superblock at the end in versions 1.0 and 0.90.
    let sectors = disk.bytes() / 512;
    let ends = [
        (sectors.saturating_sub(16) & !7) * 512,
        (disk.bytes() & !0xffff).saturating_sub(0x1_0000),
    ];
    for end in ends.into_iter().filter(|end| *end > 4096) {
        look("linux_raid_member", end, &0xa92b_4efc_u32.to_le_bytes())?;
    }
    // So do the arrays of firmwares.
    if let Some(at) = sectors.checked_sub(2) {
        look("isw_raid_member", at * 512, b"Intel Raid ISM Cfg Sig. ")?;
        look("ddf_raid_member", (at + 1) * 512, b"\xde\x11\xde\x11")?;
    }
    let gpt = look("gpt", disk.sector, b"EFI PART")?;
    let backup = look("gpt", disk.bytes().saturating_sub(disk.sector), b"EFI PART")?;
    if !is_fat {
        let mut first = [0; 512];
        let is_mbr = disk.bytes() >= 512
            && disk.file.read_exact_at(&mut first, 0).is_ok()
            && first.iter().skip(446).take(64).any(|byte| *byte != 0);
        if is_mbr {
            look(if gpt || backup { "PMBR" } else { "dos" }, 0x1fe, b"\x55\xaa")?;
        }
    }
    Ok(found)
}

/// Overwrites a magic number with zeros.
pub(crate) fn erase(disk: &Disk, found: &Found) -> io::Result<()> {
    disk.file.write_all_at(&vec![0; found.magic.len()], found.offset)
}
