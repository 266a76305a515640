//! What owners of a partition write at its beginning.

/// How much of a partition is looked at, bytes.
pub(crate) const HEAD: usize = 0x1_1000;

/// Where, what, whose.
const ALL: [(usize, &[u8], &str); 14] = [
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"XFSB", "xfs"),
    (3, b"NTFS    ", "ntfs"),
    (3, b"EXFAT   ", "exfat"),
    (3, b"-FVE-FS-", "bitlocker"),
    (512, b"LABELONE", "lvm"),
    (1024, &[0x10, 0x20, 0xf5, 0xf2], "f2fs"),
    (1080, &[0x53, 0xef], "ext"),
    (4086, b"SWAPSPACE2", "swap"),
    (4096, &[0xfc, 0x4e, 0x2b, 0xa9], "md"),
    (0, &[0xfc, 0x4e, 0x2b, 0xa9], "md"),
    (0x8001, b"CD001", "iso9660"),
    (0x1_0034, b"ReIsErFs", "reiserfs"),
    (0x1_0040, b"_BHRfS_M", "btrfs"),
];

/// Whether nothing but `own` has written its name into the first [`HEAD`] bytes of a partition.
pub(crate) fn only(head: &[u8], own: &str) -> bool {
    let is_there = |at: usize, magic: &[u8]| head.get(at..).is_some_and(|h| h.starts_with(magic));
    ALL.iter().all(|(at, magic, owner)| *owner == own || !is_there(*at, magic))
}
