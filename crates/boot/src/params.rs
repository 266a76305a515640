//! The page of parameters that Linux is started with at its 32-bit and 64-bit entries (kernel:
//! `Documentation/arch/x86/zero-page.rst` and `boot.rst`), for kernels that `kexec_file_load` does not take.

use crate::{
    bytes,
    linux::{BOOT_FLAG, COMMAND_LINE_SIZE, LOAD_FLAGS, MAGIC, SETUP_SECTORS, VERSION},
    memory::Map,
    screen,
};

/// Its length.
pub const SIZE: usize = 4096;

const RSDP: usize = 0x70;
const MAP_COUNT: usize = 0x1E8;
const MAP_TABLE: usize = 0x2D0;
/// There is no room for more.
const MAP_MOST: usize = 128;

const LOADER: usize = 0x210;
const RAMDISK: usize = 0x218;
const COMMAND_LINE: usize = 0x228;
const ALIGNMENT: usize = 0x230;
/// The setup header ends where the jump at its beginning leads to.
const JUMP: usize = 0x201;
/// A loader that has no number of its own.
const UNKNOWN_LOADER: u8 = 0xFF;

/// The memory map has too many ranges.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the firmware's memory map has {0} ranges, {MAP_MOST} are the most that can be handed on")]
pub struct TooMany(usize);

/// What the kernel is told.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The running kernel's own parameters: the screen is taken from them.
    pub running: &'a [u8],
    /// The memory.
    pub map: &'a Map,
    /// Where the ACPI tables begin; 0: to be looked for where a BIOS has them.
    pub rsdp: u64,
    /// Where the command line lies, with its final zero.
    pub command_line: u32,
    /// Where the initial RAM disk lies and its length.
    pub initrd: Option<(u32, u32)>,
}

/// The page for a bzImage, of which `head` has the setup header.
///
/// # Errors
/// When the memory map does not fit.
pub fn of_image(head: &[u8], facts: &Facts<'_>) -> Result<Vec<u8>, TooMany> {
    let mut page = vec![0; SIZE];
    let end = MAGIC + usize::from(bytes::u8(head, JUMP).unwrap_or(0));
    // The jump's distance is one byte, so this stays before the memory map.
    bytes::put(&mut page, SETUP_SECTORS, head.get(SETUP_SECTORS..end).unwrap_or_default());
    fill(page, facts)
}

/// The page for a `vmlinux`, which has no setup header: one as a kernel of protocol 2.15 has it.
///
/// # Errors
/// When the memory map does not fit.
pub fn of_program(facts: &Facts<'_>) -> Result<Vec<u8>, TooMany> {
    let mut page = vec![0; SIZE];
    bytes::put(&mut page, BOOT_FLAG, &[0x55, 0xAA]);
    bytes::put(&mut page, MAGIC, b"HdrS");
    bytes::put(&mut page, VERSION, &0x020F_u16.to_le_bytes());
    bytes::put(&mut page, LOAD_FLAGS, &[1]);
    bytes::put(&mut page, ALIGNMENT, &0x0100_0000_u32.to_le_bytes());
    bytes::put(&mut page, COMMAND_LINE_SIZE, &2047_u32.to_le_bytes());
    fill(page, facts)
}

fn fill(mut page: Vec<u8>, facts: &Facts<'_>) -> Result<Vec<u8>, TooMany> {
    bytes::put(&mut page, 0, facts.running.get(..screen::SIZE).unwrap_or_default());
    bytes::put(&mut page, RSDP, &facts.rsdp.to_le_bytes());
    bytes::put(&mut page, LOADER, &[UNKNOWN_LOADER]);
    bytes::put(&mut page, COMMAND_LINE, &facts.command_line.to_le_bytes());
    let (at, size) = facts.initrd.unwrap_or_default();
    bytes::put(&mut page, RAMDISK, &[at, size].map(u32::to_le_bytes).concat());
    let ranges = facts.map.ranges();
    let count = u8::try_from(ranges.len()).ok().filter(|count| usize::from(*count) <= MAP_MOST);
    bytes::put(&mut page, MAP_COUNT, &[count.ok_or(TooMany(ranges.len()))?]);
    for (index, range) in ranges.iter().enumerate() {
        let at = MAP_TABLE + 20 * index;
        bytes::put(&mut page, at, &range.start.to_le_bytes());
        bytes::put(&mut page, at + 8, &(range.end - range.start).to_le_bytes());
        bytes::put(&mut page, at + 16, &range.kind.number().to_le_bytes());
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Kind, Range};

    fn map(ranges: u64) -> Map {
        let range = |n| Range { start: n * 0x2000, end: n * 0x2000 + 0x1000, kind: Kind::Ram };
        Map::new((0..ranges).map(range))
    }

    fn facts<'a>(map: &'a Map, running: &'a [u8]) -> Facts<'a> {
        let initrd = Some((0x600_0000, 0x1234));
        Facts { running, map, rsdp: 0xf_5a00, command_line: 0x9_1000, initrd }
    }

    #[test]
    fn a_page_says_where_everything_is() {
        let (map, running) = (map(2), vec![7; SIZE]);
        let page = of_program(&facts(&map, &running)).unwrap();
        assert_eq!((page[0x3f], page[0x40]), (7, 0), "the screen and nothing more");
        assert_eq!(bytes::u64(&page, RSDP), Some(0xf_5a00));
        assert_eq!((page[MAP_COUNT], page[LOADER]), (2, 0xff));
        let second = [bytes::u64(&page, 0x2e4), bytes::u64(&page, 0x2ec)];
        assert_eq!((second, bytes::u32(&page, 0x2f4)), ([Some(0x2000), Some(0x1000)], Some(1)));
        let words = [0x218, 0x21c, 0x228].map(|at| bytes::u32(&page, at).unwrap());
        assert_eq!(words, [0x600_0000, 0x1234, 0x9_1000]);
        assert_eq!(&page[0x202..0x206], b"HdrS");
    }

    #[test]
    fn an_images_own_header_is_kept_up_to_its_end() {
        let map = map(1);
        let mut head = vec![9; 0x1000];
        head[JUMP] = 0x66;
        let page = of_image(&head, &facts(&map, &[])).unwrap();
        assert_eq!((page[0x1f0], page[0x1f1], page[0x267], page[0x268]), (0, 9, 9, 0));
    }

    #[test]
    fn a_map_that_does_not_fit_is_refused() {
        assert!(of_program(&facts(&map(128), &[])).is_ok());
        assert_eq!(of_program(&facts(&map(129), &[])), Err(TooMany(129)));
    }
}
