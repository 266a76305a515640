//! Formats that are known by numbers at fixed places.

use super::{Data, Kind, be16, be32, le16, le32, name, printable};
use crate::dates::utc;

/// Offset, magic number, words, media type: formats of which nothing more is said.
type Row = (usize, &'static [u8], &'static str, &'static str);

const OCTETS: &str = "application/octet-stream";

#[rustfmt::skip]
const TABLE: &[Row] = &[
    (0, b"BZh", "bzip2 compressed data", "application/x-bzip2"),
    (0, b"\x04\x22\x4d\x18", "LZ4 compressed data (v1.4+)", "application/x-lz4"),
    (0, b"LZIP", "lzip compressed data", "application/x-lzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-zip archive data", "application/x-7z-compressed"),
    (0, b"070701", "ASCII cpio archive (SVR4 with no CRC)", "application/x-cpio"),
    (0, b"070702", "ASCII cpio archive (SVR4 with CRC)", "application/x-cpio"),
    (0, b"070707", "ASCII cpio archive (pre-SVR4 or odc)", "application/x-cpio"),
    (0, b"!<arch>\ndebian-binary", "Debian binary package (format 2.0)", "application/vnd.debian.binary-package"),
    (0, b"!<arch>\n", "current ar archive", "application/x-archive"),
    (257, b"ustar\0", "POSIX tar archive", "application/x-tar"),
    (257, b"ustar  \0", "POSIX tar archive (GNU)", "application/x-tar"),
    (0, b"SQLite format 3\0", "SQLite 3.x database", "application/vnd.sqlite3"),
    (0, b"\xed\xab\xee\xdb", "RPM", "application/x-rpm"),
    (0, b"XFSB", "SGI XFS filesystem data", OCTETS),
    (0x400, b"\x10\x20\xf5\xf2", "F2FS filesystem", OCTETS),
    (0x400, b"\xe2\xe1\xf5\xe0", "EROFS filesystem", OCTETS),
    (0x8000, b"JFS1", "JFS2 filesystem", OCTETS),
    (3, b"NTFS    ", "NTFS filesystem data", OCTETS),
    (3, b"EXFAT   ", "exFAT filesystem data", OCTETS),
    (0x218, b"LVM2 001", "LVM2 PV (Linux Logical Volume Manager)", OCTETS),
    (0, b"\xfc\x4e\x2b\xa9", "Linux Software RAID version 1.1", OCTETS),
    (4096, b"\xfc\x4e\x2b\xa9", "Linux Software RAID version 1.2", OCTETS),
    (0, b"\xd0\x0d\xfe\xed", "Device Tree Blob", OCTETS),
    (0, b"\x30\x37\x07", "cpio archive", "application/x-cpio"),
];

pub(super) fn identify(data: &Data<'_>) -> Option<Kind> {
    let own = [
        gzip, xz, zstd, zip, kernel, pe, pdf, png, gif, jpeg, squashfs, swap, ext, btrfs, luks, iso,
    ];
    own.iter()
        .find_map(|of| of(data))
        .or_else(|| table(data))
        .or_else(|| fat(data))
        .or_else(|| sector(data))
}

fn table(data: &Data<'_>) -> Option<Kind> {
    let (_, magic, words, mime) = TABLE.iter().find(|(at, magic, ..)| data.has(*at, magic))?;
    let mut text = (*words).to_owned();
    if *magic == b"BZh" {
        let level = data.head.get(3).filter(|level| level.is_ascii_digit())?;
        text.push_str(&format!(", block size = {}00k", char::from(*level)));
    }
    Some(Kind::binary(text, mime))
}

fn gzip(data: &Data<'_>) -> Option<Kind> {
    let head = data.head;
    let flags = *head.get(3).filter(|_| data.has(0, b"\x1f\x8b"))?;
    let mut text = "gzip compressed data".to_owned();
    // RFC 1952: FEXTRA comes before FNAME.
    let extra = if flags & 4 != 0 { usize::from(le16(head, 10)?) + 2 } else { 0 };
    if flags & 8 != 0 {
        text.push_str(&format!(", was \"{}\"", name(head, 10 + extra, 255)));
    }
    let time = le32(head, 4)?;
    if time != 0 {
        let date = utc(i64::from(time));
        let (day, month) = (date.weekday, date.month);
        text.push_str(&format!(
            ", last modified: {day} {month} {:>2} {} {}",
            date.day, date.time, date.year
        ));
    }
    text.push_str(match head.get(8)? {
        2 => ", max compression",
        4 => ", max speed",
        _ => "",
    });
    text.push_str(match head.get(9)? {
        0 => ", from FAT filesystem (MS-DOS, OS/2, NT)",
        3 => ", from Unix",
        11 => ", from NTFS filesystem (NT)",
        _ => "",
    });
    let length = data.file.metadata().ok()?.len();
    if let Some(size) =
        length.checked_sub(4).and_then(|at| data.at(at, 4)).and_then(|b| le32(&b, 0))
    {
        text.push_str(&format!(", original size modulo 2^32 {size}"));
    }
    Some(Kind::binary(text, "application/gzip"))
}

fn xz(data: &Data<'_>) -> Option<Kind> {
    let check = data.head.get(7).filter(|_| data.has(0, b"\xfd7zXZ\0"))?;
    let check = match check & 0xf {
        0 => ", checksum NONE",
        1 => ", checksum CRC32",
        4 => ", checksum CRC64",
        10 => ", checksum SHA-256",
        _ => "",
    };
    Some(Kind::binary(format!("XZ compressed data{check}"), "application/x-xz"))
}

fn zstd(data: &Data<'_>) -> Option<Kind> {
    let descriptor = data.head.get(4).filter(|_| data.has(0, b"\x28\xb5\x2f\xfd"))?;
    let dictionary = if descriptor & 3 == 0 { ", Dictionary ID: None" } else { "" };
    Some(Kind::binary(format!("Zstandard compressed data (v0.8+){dictionary}"), "application/zstd"))
}

fn zip(data: &Data<'_>) -> Option<Kind> {
    if !data.has(0, b"PK\x03\x04") {
        return None;
    }
    let version = le16(data.head, 4)?;
    let method = match le16(data.head, 8)? {
        0 => "store",
        8 => "deflate",
        _ => "other",
    };
    let text = format!(
        "Zip archive data, at least v{}.{} to extract, compression method={method}",
        version / 10,
        version % 10
    );
    Some(Kind::binary(text, "application/zip"))
}

/// Linux for x86: Documentation/arch/x86/boot.rst of the kernel.
fn kernel(data: &Data<'_>) -> Option<Kind> {
    let head = data.head;
    if !data.has(0x202, b"HdrS") {
        return None;
    }
    let image = if head.get(0x211)? & 1 == 1 { "bzImage" } else { "zImage" };
    let mut text = format!("Linux kernel x86 boot executable {image}");
    let at = usize::from(le16(head, 0x20e)?);
    if at > 0 {
        text.push_str(&format!(", version {}", name(head, at + 0x200, 256)));
    }
    text.push_str(if le16(head, 0x1f2)? == 0 { ", RW-rootFS" } else { ", RO-rootFS" });
    for (at, what) in [(0x1fc, "root_dev"), (0x1f6, "swap_dev")] {
        match le16(head, at)? {
            0 => {}
            number => text.push_str(&format!(", {what} 0X{number:X}")),
        }
    }
    match le16(head, 0x1fa)? {
        0xffff => text.push_str(", Normal VGA"),
        0xfffe => text.push_str(", Extended VGA"),
        0xfffd => text.push_str(", Prompt for Videomode"),
        0 => {}
        mode => text.push_str(&format!(", Video mode {mode}")),
    }
    Some(Kind::binary(text, OCTETS))
}

fn pe(data: &Data<'_>) -> Option<Kind> {
    if !data.has(0, b"MZ") {
        return None;
    }
    let at = usize::try_from(le32(data.head, 0x3c)?).ok()?;
    let header = data.head.get(at..).filter(|header| header.starts_with(b"PE\0\0"));
    let Some(header) = header else {
        return Some(Kind::binary("MS-DOS executable", "application/x-dosexec"));
    };
    let format = if le16(header, 24)? == 0x20b { "PE32+" } else { "PE32" };
    let system = match le16(header, 24 + 68)? {
        1 => "native",
        2 => "GUI",
        3 => "console",
        10 => "EFI application",
        11 => "EFI boot service driver",
        12 => "EFI runtime driver",
        _ => "unknown",
    };
    let machine = match le16(header, 4)? {
        0x14c => "Intel 80386",
        0x8664 => "x86-64",
        0xaa64 => "Aarch64",
        _ => "unknown processor",
    };
    let kind = if le16(header, 22)? & 0x2000 != 0 { "DLL" } else { "executable" };
    let sections = le16(header, 6)?;
    let text = format!("{format} {kind} ({system}) {machine}, for MS Windows, {sections} sections");
    Some(Kind::binary(text, "application/vnd.microsoft.portable-executable"))
}

fn pdf(data: &Data<'_>) -> Option<Kind> {
    let version = data.head.strip_prefix(b"%PDF-")?.get(..3)?;
    Some(Kind::binary(format!("PDF document, version {}", printable(version)), "application/pdf"))
}

fn png(data: &Data<'_>) -> Option<Kind> {
    let head = data.head;
    if !data.has(0, b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR") {
        return None;
    }
    let colour = match head.get(25)? {
        0 => " grayscale",
        2 => "/color RGB",
        3 => " colormap",
        4 => " gray+alpha",
        6 => "/color RGBA",
        _ => "",
    };
    let interlaced = if *head.get(28)? == 0 { "non-interlaced" } else { "interlaced" };
    let (width, height, bits) = (be32(head, 16)?, be32(head, 20)?, head.get(24)?);
    let text = format!("PNG image data, {width} x {height}, {bits}-bit{colour}, {interlaced}");
    Some(Kind::binary(text, "image/png"))
}

fn gif(data: &Data<'_>) -> Option<Kind> {
    let version = data.head.strip_prefix(b"GIF8")?.get(..2)?;
    let (width, height) = (le16(data.head, 6)?, le16(data.head, 8)?);
    let text = format!("GIF image data, version 8{}, {width} x {height}", printable(version));
    Some(Kind::binary(text, "image/gif"))
}

fn jpeg(data: &Data<'_>) -> Option<Kind> {
    if !data.has(0, b"\xff\xd8\xff") {
        return None;
    }
    let mut text = "JPEG image data".to_owned();
    if data.has(6, b"JFIF") {
        let [major, minor, units] = data.head.get(11..14)? else { return None };
        let (across, down) = (be16(data.head, 14)?, be16(data.head, 16)?);
        let units = match units {
            1 => "resolution (DPI)",
            2 => "resolution (DPCM)",
            _ => "aspect ratio",
        };
        let segment = be16(data.head, 4)?;
        text.push_str(&format!(
            ", JFIF standard {major}.{minor:02}, {units}, density {across}x{down}, segment length {segment}"
        ));
    }
    Some(Kind::binary(text, "image/jpeg"))
}

fn squashfs(data: &Data<'_>) -> Option<Kind> {
    let head = data.head;
    if !data.has(0, b"hsqs") {
        return None;
    }
    let packed = match le16(head, 20)? {
        1 => "zlib",
        2 => "lzma",
        3 => "lzo",
        4 => "xz",
        5 => "lz4",
        6 => "zstd",
        _ => "unknown",
    };
    let made = utc(i64::from(le32(head, 8)?));
    let bytes = u64::from(le32(head, 40)?) | u64::from(le32(head, 44)?) << 32;
    let text = format!(
        "Squashfs filesystem, little endian, version {}.{}, {packed} compressed, {bytes} bytes, {} inodes, \
         blocksize: {} bytes, created: {} {} {:>2} {} {}",
        le16(head, 28)?,
        le16(head, 30)?,
        le32(head, 4)?,
        le32(head, 12)?,
        made.weekday,
        made.month,
        made.day,
        made.time,
        made.year
    );
    Some(Kind::binary(text, OCTETS))
}

/// An identifier in its usual spelling.
fn uuid(bytes: &[u8], at: usize) -> Option<String> {
    let digits: String = bytes.get(at..at + 16)?.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    Some([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

fn swap(data: &Data<'_>) -> Option<Kind> {
    let head = data.head;
    if !data.has(4086, b"SWAPSPACE2") {
        return None;
    }
    let label = match name(head, 1052, 16) {
        label if label.is_empty() => "no label".into(),
        label => format!("LABEL={label}"),
    };
    let text = format!(
        "Linux swap file, 4k page size, little endian, version {}, size {} pages, {} bad pages, {label}, UUID={}",
        le32(head, 1024)?,
        le32(head, 1028)?,
        le32(head, 1032)?,
        uuid(head, 1036)?
    );
    Some(Kind::binary(text, OCTETS))
}

/// ext2, ext3, ext4: the superblock is 1 KiB in.
fn ext(data: &Data<'_>) -> Option<Kind> {
    let block = data.head.get(1024..)?;
    if le16(block, 56)? != 0xef53 {
        return None;
    }
    let (compatible, incompatible, read_only) =
        (le32(block, 92)?, le32(block, 96)?, le32(block, 100)?);
    // What ext3 and ext2 know (magic of file(1)).
    let version = if incompatible & !0x16 != 0 || read_only & !0x7 != 0 {
        4
    } else if compatible & 4 != 0 {
        3
    } else {
        2
    };
    let mut text =
        format!("Linux rev {}.{} ext{version} filesystem data", le32(block, 76)?, le16(block, 62)?);
    let state = le16(block, 58)?;
    if state & 1 == 0 {
        text.push_str(" (mounted or unclean)");
    }
    if state & 2 != 0 {
        text.push_str(" (errors)");
    }
    text.push_str(&format!(", UUID={}", uuid(block, 104)?));
    let label = name(block, 120, 16);
    if !label.is_empty() {
        text.push_str(&format!(", volume name \"{label}\""));
    }
    for (word, bit, says) in [
        (incompatible, 0x4, " (needs journal recovery)"),
        (incompatible, 0x40, " (extents)"),
        (incompatible, 0x80, " (64bit)"),
        (read_only, 0x2, " (large files)"),
        (read_only, 0x8, " (huge files)"),
    ] {
        text.push_str(if word & bit != 0 { says } else { "" });
    }
    Some(Kind::binary(text, OCTETS))
}

fn btrfs(data: &Data<'_>) -> Option<Kind> {
    let block = data.head.get(0x1_0000..).filter(|_| data.has(0x1_0040, b"_BHRfS_M"))?;
    let label = match name(block, 0x12b, 256) {
        label if label.is_empty() => String::new(),
        label => format!(" label \"{label}\","),
    };
    let text = format!(
        "BTRFS Filesystem{label} sectorsize {}, nodesize {}, UUID={}",
        le32(block, 0x90)?,
        le32(block, 0x94)?,
        uuid(block, 0x20)?
    );
    Some(Kind::binary(text, OCTETS))
}

fn luks(data: &Data<'_>) -> Option<Kind> {
    let version = be16(data.head, 6).filter(|_| data.has(0, b"LUKS\xba\xbe"))?;
    let text = format!("LUKS encrypted file, ver {version}, UUID={}", name(data.head, 168, 40));
    Some(Kind::binary(text, OCTETS))
}

fn iso(data: &Data<'_>) -> Option<Kind> {
    if !data.has(0x8001, b"CD001") {
        return None;
    }
    let label = name(data.head, 0x8028, 32);
    let bootable = if data.has(0x8801, b"CD001\x01EL TORITO") { " (bootable)" } else { "" };
    let text = format!("ISO 9660 CD-ROM filesystem data '{}'{bootable}", label.trim_end());
    Some(Kind::binary(text, "application/x-iso9660-image"))
}

fn fat(data: &Data<'_>) -> Option<Kind> {
    let (bits, at) = [(32, 0x52), (16, 0x36), (12, 0x36)]
        .into_iter()
        .find(|(bits, at)| data.has(*at, format!("FAT{bits}   ").as_bytes()))?;
    let label = name(data.head, at - 11, 11);
    let serial = le32(data.head, at - 15)?;
    let text = format!(
        "DOS/MBR boot sector, FAT ({bits} bit), serial number {serial:#x}, label: \"{label}\""
    );
    Some(Kind::binary(text, OCTETS))
}

/// A table of partitions.
fn sector(data: &Data<'_>) -> Option<Kind> {
    if !data.has(510, b"\x55\xaa") {
        return None;
    }
    let mut text = "DOS/MBR boot sector".to_owned();
    for n in 0..4 {
        let entry = data.head.get(446 + n * 16..462 + n * 16)?;
        let [status, head, sector, cylinder, id, last_head, last_sector, last_cylinder, ..] = entry
        else {
            return None;
        };
        if *id == 0 {
            continue;
        }
        let place = |head: u8, sector: u8, cylinder: u8| {
            let cylinder = u16::from(cylinder) | u16::from(sector & 0xc0) << 2;
            format!("(0x{cylinder:x},{head},{})", sector & 0x3f)
        };
        let active = if *status == 0x80 { ", active" } else { "" };
        text.push_str(&format!(
            "; partition {} : ID=0x{id:x}{active}, start-CHS {}, end-CHS {}, startsector {}, {} sectors",
            n + 1,
            place(*head, *sector, *cylinder),
            place(*last_head, *last_sector, *last_cylinder),
            le32(entry, 8)?,
            le32(entry, 12)?
        ));
    }
    if data.has(512, b"EFI PART") || data.has(4096, b"EFI PART") {
        text.push_str("; GUID partition table");
    }
    Some(Kind::binary(text, OCTETS))
}
