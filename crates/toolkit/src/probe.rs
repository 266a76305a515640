//! What a block device holds, by the magic numbers of its format.
//!
//! Offsets are from the formats' own documents: the kernel's `Documentation/filesystems`, ECMA-119
//! for ISO 9660, the LUKS and UEFI specifications, and the headers that the kernel reads.

mod labels;

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::Path,
};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    /// The file system's usual name, or `swap`, `crypto_LUKS`, `LVM2_member`, `linux_raid_member`.
    pub(crate) kind: &'static str,
    /// The identifier in its usual spelling, or empty.
    pub(crate) uuid: String,
    /// The label, or empty.
    pub(crate) label: String,
}

/// The first bytes of a device, and its size: all that is looked at but what RAID keeps at the end.
struct Device {
    file: File,
    head: Vec<u8>,
    size: u64,
}

/// Enough for btrfs' superblock at 64 KiB.
const HEAD: u64 = 0x11000;

impl Device {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let size = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        let mut head = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut head)?;
        Ok(Self { file, head, size })
    }

    fn bytes(&self, at: usize, length: usize) -> &[u8] {
        self.head.get(at..).and_then(|b| b.get(..length)).unwrap_or(&[])
    }

    fn has(&self, at: usize, magic: &[u8]) -> bool {
        self.bytes(at, magic.len()) == magic
    }

    fn u32(&self, at: usize) -> u32 {
        self.bytes(at, 4).try_into().map_or(0, u32::from_le_bytes)
    }

    /// A label: up to the first NUL, without the blanks that pad it.
    fn text(&self, at: usize, length: usize) -> String {
        text(self.bytes(at, length))
    }

    fn uuid(&self, at: usize) -> String {
        uuid(self.bytes(at, 16))
    }

    fn u16(&self, at: usize) -> u64 {
        self.bytes(at, 2).try_into().map_or(0, u16::from_le_bytes).into()
    }

    fn u64(&self, at: usize) -> u64 {
        self.bytes(at, 8).try_into().map_or(0, u64::from_le_bytes)
    }

    /// Bytes that are further in, or none.
    fn read_at(&self, at: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, at);
        if read.is_ok() { bytes } else { Vec::new() }
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let shown = String::from_utf8_lossy(bytes.get(..end).unwrap_or(&[])).into_owned();
    shown.trim_end().chars().filter(|c| !c.is_control()).collect()
}

fn uuid(bytes: &[u8]) -> String {
    if bytes.len() != 16 || bytes.iter().all(|b| *b == 0) {
        return String::new();
    }
    let mut out = String::with_capacity(36);
    for (n, byte) in bytes.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

/// Looks at a device or an image file; `None` when nothing known is on it.
///
/// # Errors
/// When it cannot be opened or read.
pub(crate) fn probe(path: &Path) -> io::Result<Option<Signature>> {
    let device = Device::open(path)?;
    // What wraps a file system goes first: a mirror's half looks like the file system in it.
    let found = raid(&device)
        .or_else(|| firmware_raid(&device))
        .or_else(|| luks(&device))
        .or_else(|| lvm(&device))
        .or_else(|| bcache(&device));
    Ok(found.or_else(|| file_system(&device)).or_else(|| zfs(&device)))
}

/// The kinds that hold no file system that could be mounted.
pub(crate) fn is_container(kind: &str) -> bool {
    kind.ends_with("_raid_member")
        || matches!(
            kind,
            "crypto_LUKS" | "LVM2_member" | "swap" | "bcache" | "BitLocker" | "zfs_member" | "jbd"
        )
}

const MD_MAGIC: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();

fn raid(device: &Device) -> Option<Signature> {
    let kind = "linux_raid_member";
    let version_1 = |super_block: &[u8]| {
        let part =
            |at: usize, n: usize| super_block.get(at..).and_then(|b| b.get(..n)).unwrap_or(&[]);
        (part(0, 4) == MD_MAGIC && part(4, 4) == [1, 0, 0, 0]).then(|| Signature {
            kind,
            uuid: uuid(part(16, 16)),
            label: text(part(32, 32)),
        })
    };
    // Versions 1.1 and 1.2 at the start, 1.0 and 0.90 at the end.
    let front = [0, 4096].into_iter().find_map(|at| version_1(device.bytes(at, 256)));
    if front.is_some() {
        return front;
    }
    let sectors = (device.size / 512).checked_sub(16)? & !7;
    if let Some(found) = version_1(&device.read_at(sectors * 512, 256)) {
        return Some(found);
    }
    let old = (device.size & !0xffff).checked_sub(0x1_0000)?;
    let super_block = device.read_at(old, 256);
    let part = |at: usize| super_block.get(at..at + 4).unwrap_or(&[]).iter().rev().copied();
    (super_block.get(..4) == Some(&MD_MAGIC)).then(|| {
        // Words 5, 13, 14 and 15, little-endian.
        let id: Vec<u8> = [20, 52, 56, 60].into_iter().flat_map(part).collect();
        Signature { kind, uuid: uuid(&id), label: String::new() }
    })
}

/// The arrays of Intel's firmware, and of others by SNIA's standard.
fn firmware_raid(device: &Device) -> Option<Signature> {
    let found = |kind| Some(Signature { kind, ..Signature::default() });
    let sectors = device.size / 512;
    if device.read_at(sectors.checked_sub(2)? * 512, 24) == b"Intel Raid ISM Cfg Sig. " {
        return found("isw_raid_member");
    }
    let header = device.read_at(sectors.checked_sub(1)? * 512, 4);
    if header == 0xde11_de11_u32.to_be_bytes() { found("ddf_raid_member") } else { None }
}

fn bcache(device: &Device) -> Option<Signature> {
    const MAGIC: [u8; 16] = [
        0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d,
        0x81,
    ];
    // A backing device or a cache; later formats, which keep files, have the same magic number.
    let version = device.u64(0x1010);
    (device.has(0x1018, &MAGIC) && version <= 6).then(|| Signature {
        kind: "bcache",
        uuid: device.uuid(0x1028),
        label: String::new(),
    })
}

/// Some blocks that point to the pool's root, in the first label.
fn zfs(device: &Device) -> Option<Signature> {
    const MAGIC: u64 = 0x00ba_b10c;
    let ring = device.read_at(0x2_0000, 0x2_0000);
    let blocks = ring.chunks(1024).filter(|block| {
        let magic = block.first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(magic) == MAGIC || u64::from_be_bytes(magic) == MAGIC
    });
    (blocks.count() >= 4).then(|| Signature { kind: "zfs_member", ..Signature::default() })
}

fn luks(device: &Device) -> Option<Signature> {
    device.has(0, b"LUKS\xba\xbe").then(|| Signature {
        kind: "crypto_LUKS",
        uuid: device.text(168, 40),
        label: if device.has(6, &[0, 2]) { device.text(24, 48) } else { String::new() },
    })
}

fn lvm(device: &Device) -> Option<Signature> {
    let at = (0..4)
        .map(|sector| sector * 512)
        .find(|at| device.has(*at, b"LABELONE") && device.has(at + 24, b"LVM2 001"))?;
    let id = device.text(at + 32, 32);
    let mut rest = id.as_str();
    let mut parts = Vec::new();
    for length in [6, 4, 4, 4, 4, 4, 6] {
        let (part, after) = rest.split_at_checked(length)?;
        parts.push(part);
        rest = after;
    }
    Some(Signature { kind: "LVM2_member", uuid: parts.join("-"), label: String::new() })
}

fn file_system(device: &Device) -> Option<Signature> {
    let plain = |kind, uuid, label| Signature { kind, uuid, label };
    let found = if device.has(0x438, &[0x53, 0xef]) {
        plain(ext_kind(device), device.uuid(0x468), device.text(0x478, 16))
    } else if device.has(0, b"XFSB") {
        plain("xfs", device.uuid(32), device.text(108, 12))
    } else if device.has(0x1_0040, b"_BHRfS_M") {
        plain("btrfs", device.uuid(0x1_0020), device.text(0x1_012b, 256))
    } else if device.has(0x400, &0xf2f5_2010_u32.to_le_bytes()) {
        plain("f2fs", device.uuid(0x46c), labels::utf16(device.bytes(0x47c, 1024)))
    } else if device.has(0x400, &0xe0f5_e1e2_u32.to_le_bytes()) {
        plain("erofs", device.uuid(0x430), device.text(0x440, 16))
    } else if device.has(0, b"hsqs") {
        plain("squashfs", String::new(), String::new())
    } else if device.has(0x8000, b"JFS1") {
        plain("jfs", device.uuid(0x8088), device.text(0x8098, 16))
    } else if device.has(0x1_0034, b"ReIsEr") {
        plain("reiserfs", device.uuid(0x1_0054), device.text(0x1_0064, 16))
    } else if device.has(4086, b"SWAPSPACE2") || device.has(4086, b"SWAP-SPACE") {
        plain("swap", device.uuid(1036), device.text(1052, 16))
    } else if device.has(3, b"-FVE-FS-") {
        plain("BitLocker", String::new(), String::new())
    } else if device.has(3, b"NTFS    ") {
        let id: String = device.bytes(72, 8).iter().rev().map(|b| format!("{b:02X}")).collect();
        plain("ntfs", id, labels::ntfs(device))
    } else if device.has(3, b"EXFAT   ") {
        plain("exfat", serial(device.u32(100)), labels::exfat(device))
    } else if device.has(510, &[0x55, 0xaa]) && device.has(82, b"FAT32   ") {
        plain("vfat", serial(device.u32(67)), labels::fat(device))
    } else if device.has(510, &[0x55, 0xaa]) && device.has(54, b"FAT1") {
        plain("vfat", serial(device.u32(39)), labels::fat(device))
    } else if device.has(0x8001, b"CD001") {
        labels::disc(device)
    } else if device.has(0x8001, b"BEA01") {
        labels::udf(device)?
    } else if let Some(at) = [0, 512].into_iter().find(|at| device.has(*at, b"\x45\x3d\xcd\x28")) {
        plain("cramfs", String::new(), device.text(at + 48, 16))
    } else if device.has(0, b"-rom1fs-") {
        plain("romfs", String::new(), device.text(16, 128))
    } else if device.has(0x406, b"\x34\x34") && device.u32(0x400) == 2 {
        plain("nilfs2", device.uuid(0x498), device.text(0x4a8, 80))
    } else if device.has(0x400, b"H+\0\x04") || device.has(0x400, b"HX\0\x05") {
        plain("hfsplus", String::new(), String::new())
    } else if device.has(0x400, b"BD") {
        labels::hfs(device)
    } else {
        return None;
    };
    Some(found)
}

/// ext2, ext3 or ext4, by the features that each brought (the kernel's `fs/ext4/ext4.h`).
fn ext_kind(device: &Device) -> &'static str {
    let (compatible, incompatible, read_only) =
        (device.u32(0x45c), device.u32(0x460), device.u32(0x464));
    if incompatible & 0x8 != 0 {
        // A journal by itself.
        "jbd"
    } else if incompatible & !0x1e != 0 || read_only & !0x7 != 0 {
        "ext4"
    } else if compatible & 0x4 != 0 {
        "ext3"
    } else {
        "ext2"
    }
}

fn serial(number: u32) -> String {
    format!("{:04X}-{:04X}", number >> 16, number & 0xffff)
}
