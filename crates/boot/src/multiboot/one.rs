//! Multiboot 1: the header (3.1) and the boot information (3.3).

use super::{Addresses, Error, Facts, Header, Pixels};
use crate::bytes;

/// What EAX has when the kernel starts (3.2).
pub const MAGIC: u32 = 0x2BAD_B002;

/// The header is in so many bytes, at a multiple of four.
const HEAD: usize = 8192;
const HEADER: u32 = 0x1BAD_B002;

// The header's flags. Of the lower half, those unknown are not optional.
const PAGE_ALIGN: u32 = 1;
const MEMORY: u32 = 1 << 1;
const VIDEO: u32 = 1 << 2;
const ADDRESSES: u32 = 1 << 16;

pub(super) fn find(head: &[u8]) -> Result<Header, Error> {
    let within = head.get(..head.len().min(HEAD)).unwrap_or_default();
    let mut error = Error::NoHeader;
    for at in (0..within.len()).step_by(4) {
        if bytes::u32(within, at) != Some(HEADER) {
            continue;
        }
        match (bytes::u32(within, at + 4), bytes::u32(within, at + 8)) {
            (Some(flags), Some(sum)) if HEADER.wrapping_add(flags).wrapping_add(sum) == 0 => {
                return header(within, at, flags);
            }
            _ => error = Error::Checksum { version: 1, at },
        }
    }
    Err(error)
}

fn header(head: &[u8], at: usize, flags: u32) -> Result<Header, Error> {
    let unknown = flags & 0xffff & !(PAGE_ALIGN | MEMORY | VIDEO);
    if unknown != 0 {
        return Err(Error::Wants(format!("the flags {unknown:#x} of Multiboot 1")));
    }
    let field = |index: usize| {
        bytes::u32(head, at + 12 + 4 * index).ok_or(Error::Damaged("it is cut short"))
    };
    let (mut addresses, mut entry) = (None, None);
    if flags & ADDRESSES != 0 {
        addresses = Some(Addresses::new(at, [field(0)?, field(1)?, field(2)?, field(3)?])?);
        entry = Some(field(4)?);
    }
    let framebuffer = flags & VIDEO != 0;
    Ok(Header { version: 1, addresses, entry, framebuffer, relocatable: None })
}

// The information's flags: which of its fields are there.
const HAS_MEMORY: u32 = 1;
const HAS_COMMAND_LINE: u32 = 1 << 2;
const HAS_MODULES: u32 = 1 << 3;
const HAS_MAP: u32 = 1 << 6;
const HAS_LOADER: u32 = 1 << 9;
const HAS_FRAMEBUFFER: u32 = 1 << 12;

/// The fixed part.
const SIZE: usize = 116;

/// The boot information for a place at `at`, below 4 GiB. Its length does not depend on the place.
#[must_use]
pub fn information(facts: &Facts<'_>, at: u32) -> Vec<u8> {
    let mut info = vec![0; SIZE];
    let mut flags = HAS_MEMORY | HAS_MAP | HAS_COMMAND_LINE | HAS_LOADER;
    let put =
        |info: &mut Vec<u8>, offset, value: u32| bytes::put(info, offset, &value.to_le_bytes());
    let [low, high] = facts.memory_kib();
    put(&mut info, 4, low);
    put(&mut info, 8, high);
    let line = append_text(&mut info, at, &facts.command_line);
    put(&mut info, 16, line);
    let loader = append_text(&mut info, at, facts.loader);
    put(&mut info, 64, loader);
    if !facts.modules.is_empty() {
        flags |= HAS_MODULES;
        let texts: Vec<u32> =
            facts.modules.iter().map(|m| append_text(&mut info, at, &m.command_line)).collect();
        let list = align(&mut info, at);
        for (module, text) in facts.modules.iter().zip(texts) {
            let words = [module.start, module.end, text, 0];
            info.extend(words.into_iter().flat_map(u32::to_le_bytes));
        }
        put(&mut info, 20, facts.modules.len() as u32);
        put(&mut info, 24, list);
    }
    let map = align(&mut info, at);
    let before = info.len();
    for range in facts.map.ranges() {
        // The size field is not counted in the size.
        info.extend(20_u32.to_le_bytes());
        info.extend(range.start.to_le_bytes());
        info.extend((range.end - range.start).to_le_bytes());
        info.extend(range.kind.number().to_le_bytes());
    }
    let length = (info.len() - before) as u32;
    put(&mut info, 44, length);
    put(&mut info, 48, map);
    if let Some(framebuffer) = &facts.framebuffer {
        flags |= HAS_FRAMEBUFFER;
        bytes::put(&mut info, 88, &framebuffer.common());
        if let Pixels::Rgb(masks) = framebuffer.pixels {
            bytes::put(&mut info, 110, &masks);
        }
    }
    put(&mut info, 0, flags);
    info
}

/// Appends a string with its final zero; returns where it lies.
fn append_text(info: &mut Vec<u8>, at: u32, text: &str) -> u32 {
    let place = at.wrapping_add(info.len() as u32);
    info.extend(text.bytes());
    info.push(0);
    place
}

/// Goes on at a multiple of eight; returns where that is.
fn align(info: &mut Vec<u8>, at: u32) -> u32 {
    info.resize(info.len().next_multiple_of(8), 0);
    at.wrapping_add(info.len() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        elf::tests::program,
        multiboot::machine::tests::{facts, module},
    };
    use proptest::prelude::*;

    /// A header, after `before` bytes.
    fn head(before: usize, flags: u32, rest: &[u32]) -> Vec<u8> {
        let mut head = vec![0x90; before];
        let sum = 0_u32.wrapping_sub(HEADER).wrapping_sub(flags);
        let words = [HEADER, flags, sum].into_iter().chain(rest.iter().copied());
        head.extend(words.flat_map(u32::to_le_bytes));
        head
    }

    #[test]
    fn a_header_with_addresses_says_how_it_is_loaded() {
        let mut file = head(
            0x20,
            ADDRESSES | MEMORY,
            &[0x10_0020, 0x10_0010, 0x10_0050, 0x10_2000, 0x10_0040],
        );
        file.resize(0x100, 7);
        let header = Header::find(&file, None).unwrap();
        assert_eq!(header.version, 1);
        let image = header.image(&file).unwrap();
        assert_eq!((image.at, image.size, image.entry), (0x10_0000, 0x2000, 0x10_0040));
        assert_eq!(image.data.len(), 0x50);
        assert_eq!(image.data[0x10..0x50], file[0x10..0x50]);
        let short = header.image(&file[..0x44]);
        assert_eq!(short, Err(Error::Elf(crate::elf::Error::Short { has: 0x44, needs: 0x50 })));
    }

    #[test]
    fn without_addresses_it_is_elf() {
        let code = [head(0, PAGE_ALIGN, &[]), vec![0xf4; 8]].concat();
        let file = program(0x10_0000, &code, 0x4000);
        let header = Header::find(&file, Some(1)).unwrap();
        assert_eq!(header.image(&file).unwrap().size, 0x4000);
        assert_eq!(Header::find(&file, Some(2)), Err(Error::NoHeader));
    }

    #[test]
    fn each_fault_is_named() {
        let find = |head: &[u8]| Header::find(head, None).unwrap_err();
        assert_eq!(find(b"nothing"), Error::NoHeader);
        assert_eq!(find(&head(2, 0, &[])), Error::NoHeader, "not at a multiple of four");
        assert_eq!(find(&head(8192, 0, &[])), Error::NoHeader, "too late");
        let mut wrong = head(8, 3, &[]);
        wrong[16] ^= 1;
        assert_eq!(find(&wrong), Error::Checksum { version: 1, at: 8 });
        assert!(matches!(find(&head(0, 1 << 5, &[])), Error::Wants(what) if what.contains("0x20")));
        assert!(matches!(find(&head(0, ADDRESSES, &[1, 1])), Error::Damaged(_)));
        let late = head(8, ADDRESSES, &[0x10_0000, 0x20_0000, 0, 0, 0x20_0000]);
        assert!(matches!(find(&late), Error::Damaged(why) if why.contains("load address")));
        let entry = head(0, ADDRESSES, &[0x10_0000, 0x10_0000, 0, 0, 0x20_0000]);
        let entry = Header::find(&entry, None).unwrap().image(&entry).unwrap_err();
        assert!(matches!(entry, Error::Damaged(why) if why.contains("outside")));
    }

    #[test]
    fn information_points_at_what_it_has() {
        let facts = facts(vec![module(0x40_0000, 5, "initrd quiet")]);
        let at = 0x30_0000;
        let info = information(&facts, at);
        assert_eq!(info.len(), information(&facts, 0).len());
        let word = |offset| bytes::u32(&info, offset).unwrap();
        let text = |offset| {
            let from = (word(offset) - at) as usize;
            let end = info[from..].iter().position(|b| *b == 0).unwrap();
            String::from_utf8(info[from..from + end].to_vec()).unwrap()
        };
        assert_eq!(word(0), 0b1_0010_0100_1101);
        assert_eq!((word(4), word(8)), (639, 0x7ee_0000 >> 10));
        assert_eq!((text(16), text(64)), ("xen dom0_mem=1G".to_owned(), "Xenoboot".to_owned()));
        assert_eq!(word(20), 1);
        let module = (word(24) - at) as usize;
        assert_eq!((word(module), word(module + 4)), (0x40_0000, 0x40_0005));
        assert_eq!(text(module + 8), "initrd quiet");
        assert_eq!(word(44), 24 * facts.map.ranges().len() as u32);
        let map = (word(48) - at) as usize;
        assert_eq!(
            (word(map), bytes::u64(&info, map + 12), word(map + 20)),
            (20, Some(0x9_fc00), 1)
        );
        assert_eq!(
            (bytes::u64(&info, 88), word(96), word(100), word(104)),
            (Some(0xfd00_0000), 4096, 1024, 768)
        );
        assert_eq!(info[108..116], [32, 1, 16, 8, 8, 8, 0, 8]);
    }

    proptest! {
        #[test]
        fn damage_is_survived(at in 0_usize..0x60, value: u8, length in 0_usize..0x100) {
            let mut file = head(0x20, ADDRESSES | MEMORY, &[0x10_0020, 0x10_0010, 0, 0x10_2000, 0x10_0040]);
            file.resize(0x100, 7);
            file[at] = value;
            file.truncate(length);
            if let Ok(image) = Header::find(&file, None).and_then(|header| header.image(&file)) {
                prop_assert!(image.data.len() as u64 <= image.size);
            }
        }
    }
}
