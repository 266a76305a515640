//! Multiboot 2: the header (3.1) and the boot information (3.6).

use super::{Addresses, Error, Facts, Header, Pixels, Relocatable};
use crate::bytes;

/// What EAX has when the kernel starts (3.3).
pub const MAGIC: u32 = 0x36D7_6289;

const HEADER: u32 = 0xE852_50D6;
/// Protected mode of i386; the other that there is is MIPS.
const I386: u32 = 0;

/// A tag of the header without which the kernel can do has this bit in its flags.
const OPTIONAL: u16 = 1;

// Tags of the header.
const END: u16 = 0;
const REQUEST: u16 = 1;
const ADDRESS: u16 = 2;
const ENTRY: u16 = 3;
const CONSOLE: u16 = 4;
const FRAMEBUFFER: u16 = 5;
const MODULE_ALIGN: u16 = 6;
const EFI_SERVICES: u16 = 7;
const ENTRY_EFI_32: u16 = 8;
const ENTRY_EFI_64: u16 = 9;
const RELOCATABLE: u16 = 10;

// Tags of the information.
const COMMAND_LINE: u32 = 1;
const LOADER: u32 = 2;
const MODULE: u32 = 3;
const MEMORY: u32 = 4;
const MAP: u32 = 6;
const SCREEN: u32 = 8;
const ACPI_OLD: u32 = 14;
const ACPI_NEW: u32 = 15;
const LOAD_BASE: u32 = 21;

pub(super) fn find(head: &[u8]) -> Result<Header, Error> {
    let mut error = Error::NoHeader;
    for at in (0..head.len()).step_by(8) {
        if bytes::u32(head, at) != Some(HEADER) {
            continue;
        }
        let word = |index: usize| bytes::u32(head, at + 4 * index);
        match (word(1), word(2), word(3)) {
            (Some(machine), Some(length), Some(sum))
                if [HEADER, machine, length, sum].into_iter().fold(0, u32::wrapping_add) == 0 =>
            {
                if machine != I386 {
                    return Err(Error::Damaged("it is for another machine than x86"));
                }
                let end = at.checked_add(length as usize);
                let tags = end.and_then(|end| head.get(at + 16..end));
                return header(tags.ok_or(Error::Damaged("it is cut short"))?, at);
            }
            _ => error = Error::Checksum { version: 2, at },
        }
    }
    Err(error)
}

fn header(mut tags: &[u8], at: usize) -> Result<Header, Error> {
    let short = || Error::Damaged("a tag of it is cut short");
    let mut header =
        Header { version: 2, addresses: None, entry: None, framebuffer: false, relocatable: None };
    loop {
        let (kind, flags) = bytes::u16(tags, 0).zip(bytes::u16(tags, 2)).ok_or_else(short)?;
        let size = bytes::u32(tags, 4).ok_or_else(short)? as usize;
        let tag = tags.get(..size).filter(|_| size >= 8).ok_or_else(short)?;
        if kind == END {
            return Ok(header);
        }
        let word = |index: usize| bytes::u32(tag, 8 + 4 * index).ok_or_else(short);
        match kind {
            REQUEST if flags & OPTIONAL == 0 => requests(tag)?,
            ADDRESS => {
                let fields = [word(0)?, word(1)?, word(2)?, word(3)?];
                header.addresses = Some(Addresses::new(at, fields)?);
            }
            ENTRY => header.entry = Some(word(0)?),
            FRAMEBUFFER => header.framebuffer = flags & OPTIONAL == 0,
            RELOCATABLE => {
                let (least, most, align) = (word(0)?, word(1)?, word(2)?.max(1));
                header.relocatable = Some(Relocatable { least, most, align, high: word(3)? == 2 });
            }
            // The running kernel has ended the firmware's boot services: one that needs them has to come from there.
            EFI_SERVICES if flags & OPTIONAL == 0 => {
                return Err(Error::Wants("EFI boot services: start it from the firmware".into()));
            }
            REQUEST | CONSOLE | MODULE_ALIGN | EFI_SERVICES | ENTRY_EFI_32 | ENTRY_EFI_64 => {}
            _ if flags & OPTIONAL != 0 => {}
            unknown => return Err(Error::Wants(format!("the tag {unknown} of Multiboot 2"))),
        }
        tags = tags.get(size.next_multiple_of(8)..).ok_or_else(short)?;
    }
}

/// The kernel cannot do without these tags of the information. What only some machines have (the picture, the tables of
/// ACPI) is not refused: it is given where it is there.
fn requests(tag: &[u8]) -> Result<(), Error> {
    const GIVEN: [u32; 8] = [COMMAND_LINE, LOADER, MODULE, MEMORY, MAP, SCREEN, ACPI_OLD, ACPI_NEW];
    let (words, _) = tag.get(8..).unwrap_or_default().as_chunks::<4>();
    let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
    match words.find(|word| !GIVEN.contains(word) && *word != LOAD_BASE) {
        Some(kind) => Err(Error::Wants(format!("the information {kind} of Multiboot 2"))),
        None => Ok(()),
    }
}

/// The boot information, to lie at a multiple of eight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Information {
    /// Its bytes.
    pub data: Vec<u8>,
    /// Where in it the root pointer of ACPI is to be copied to, if there is one.
    pub rsdp: Option<usize>,
}

/// Makes it. `moved` is where the kernel lies, if it can lie anywhere.
#[must_use]
pub fn information(facts: &Facts<'_>, moved: Option<u32>) -> Information {
    let mut data = vec![0; 8];
    tag(&mut data, COMMAND_LINE, &text(&[], &facts.command_line));
    tag(&mut data, LOADER, &text(&[], facts.loader));
    for module in &facts.modules {
        tag(&mut data, MODULE, &text(&[module.start, module.end], &module.command_line));
    }
    tag(&mut data, MEMORY, &facts.memory_kib().map(u32::to_le_bytes).concat());
    // Each entry has 24 bytes, of version 0.
    let mut map = [24_u32, 0].map(u32::to_le_bytes).concat();
    for range in facts.map.ranges() {
        map.extend(range.start.to_le_bytes());
        map.extend((range.end - range.start).to_le_bytes());
        map.extend(u64::from(range.kind.number()).to_le_bytes());
    }
    tag(&mut data, MAP, &map);
    if let Some(framebuffer) = &facts.framebuffer {
        let mut body = framebuffer.common().to_vec();
        body.extend([0, 0]);
        if let Pixels::Rgb(masks) = framebuffer.pixels {
            body.extend(masks);
        }
        tag(&mut data, SCREEN, &body);
    }
    let rsdp = facts.rsdp.map(|rsdp| {
        let at = data.len() + 8;
        let kind = if rsdp.new { ACPI_NEW } else { ACPI_OLD };
        tag(&mut data, kind, &vec![0; rsdp.length() as usize]);
        at
    });
    if let Some(base) = moved {
        tag(&mut data, LOAD_BASE, &base.to_le_bytes());
    }
    tag(&mut data, END.into(), &[]);
    let size = data.len() as u32;
    bytes::put(&mut data, 0, &size.to_le_bytes());
    Information { data, rsdp }
}

/// Appends a tag; the next one begins at a multiple of eight.
fn tag(data: &mut Vec<u8>, kind: u32, body: &[u8]) {
    data.extend(kind.to_le_bytes());
    data.extend((body.len() as u32 + 8).to_le_bytes());
    data.extend(body);
    data.resize(data.len().next_multiple_of(8), 0);
}

/// Words, then a string with its final zero.
fn text(words: &[u32], text: &str) -> Vec<u8> {
    let words = words.iter().flat_map(|word| word.to_le_bytes());
    words.chain(text.bytes()).chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        elf::tests::program,
        multiboot::machine::tests::{facts, module},
    };
    use proptest::prelude::*;

    /// A header with `tags`: type, flags, words.
    fn head(tags: &[(u16, u16, &[u32])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, flags, words) in tags.iter().chain(&[(END, 0, &[][..])]) {
            body.extend(kind.to_le_bytes());
            body.extend(flags.to_le_bytes());
            body.extend((8 + 4 * words.len() as u32).to_le_bytes());
            body.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            body.resize(body.len().next_multiple_of(8), 0);
        }
        let length = 16 + body.len() as u32;
        let sum = 0_u32.wrapping_sub(HEADER).wrapping_sub(I386).wrapping_sub(length);
        let words = [HEADER, I386, length, sum];
        [words.into_iter().flat_map(u32::to_le_bytes).collect(), body].concat()
    }

    #[test]
    fn a_header_as_xens_is_obeyed() {
        let tags: [(u16, u16, &[u32]); 6] = [
            (REQUEST, 0, &[MEMORY, MAP]),
            (MODULE_ALIGN, 0, &[]),
            (RELOCATABLE, 0, &[0x20_0000, u32::MAX, 0x20_0000, 2]),
            (CONSOLE, OPTIONAL, &[2]),
            (EFI_SERVICES, OPTIONAL, &[]),
            (ENTRY_EFI_64, OPTIONAL, &[0x3f_b531]),
        ];
        let file = program(0x20_0000, &head(&tags), 0x1000);
        // In the file the header is behind the ELF header, at a multiple of four.
        assert_eq!(Header::find(&file, None), Err(Error::NoHeader));
        let mut file = file;
        file.splice(84..84, [0; 4]);
        bytes::put(&mut file, 56, &88_u32.to_le_bytes());
        let header = Header::find(&file, None).unwrap();
        assert_eq!(header.version, 2);
        let high = Relocatable { least: 0x20_0000, most: u32::MAX, align: 0x20_0000, high: true };
        assert_eq!(header.relocatable, Some(high));
        assert_eq!(header.image(&file).unwrap().entry, 0x20_0000);
    }

    #[test]
    fn addresses_and_entry_replace_those_of_elf() {
        let tags: [(u16, u16, &[u32]); 2] =
            [(ADDRESS, 0, &[0x10_0000, u32::MAX, 0, 0]), (ENTRY, 0, &[0x10_0010])];
        let mut file = head(&tags);
        file.resize(0x200, 0xf4);
        let image = Header::find(&file, None).unwrap().image(&file).unwrap();
        assert_eq!((image.at, image.size, image.entry), (0x10_0000, 0x200, 0x10_0010));
        let file = head(&tags[..1]);
        let error = Header::find(&file, None).unwrap().image(&file).unwrap_err();
        assert!(matches!(error, Error::Damaged(why) if why.contains("no entry")));
    }

    #[test]
    fn each_fault_is_named() {
        let find = |head: &[u8]| Header::find(head, None).unwrap_err();
        let mut wrong = head(&[]);
        wrong[12] ^= 1;
        assert_eq!(find(&wrong), Error::Checksum { version: 2, at: 0 });
        let wants = |tag| match find(&head(&[tag])) {
            Error::Wants(what) => what,
            other => panic!("{other:?}"),
        };
        assert!(wants((REQUEST, 0, &[MAP, 9])).contains("information 9"));
        assert!(wants((77, 0, &[])).contains("tag 77"));
        assert!(wants((EFI_SERVICES, 0, &[])).contains("EFI"));
        assert!(Header::find(&head(&[(77, OPTIONAL, &[])]), None).is_ok());
        assert!(matches!(find(&head(&[(ENTRY, 0, &[])])), Error::Damaged(_)));
        let whole = head(&[(ENTRY, 0, &[1])]);
        assert!(matches!(find(&whole[..30]), Error::Damaged(why) if why.contains("cut short")));
    }

    #[test]
    fn information_is_a_list_of_tags() {
        let facts = facts(vec![module(0x40_0000, 5, "initrd quiet")]);
        let information = information(&facts, Some(0x20_0000));
        let mut rest = &information.data[8..];
        assert_eq!(bytes::u32(&information.data, 0), Some(information.data.len() as u32));
        let mut found = Vec::new();
        while let (Some(kind), Some(size)) = (bytes::u32(rest, 0), bytes::u32(rest, 4)) {
            found.push((kind, rest[8..size as usize].to_vec()));
            rest = &rest[(size as usize).next_multiple_of(8)..];
        }
        let kinds: Vec<_> = found.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [1, 2, 3, 4, 6, 8, 15, 21, 0]);
        assert_eq!(found[0].1, b"xen dom0_mem=1G\0");
        assert_eq!(found[2].1, [&[0, 0, 0x40, 0, 5, 0, 0x40, 0], &b"initrd quiet\0"[..]].concat());
        assert_eq!(found[3].1[..4], 639_u32.to_le_bytes());
        assert_eq!(found[4].1.len(), 8 + 24 * facts.map.ranges().len());
        assert_eq!(found[5].1[20..], [32, 1, 0, 0, 16, 8, 8, 8, 0, 8]);
        assert_eq!(found[6].1, [0; 36]);
        let rsdp = information.rsdp.unwrap();
        assert_eq!(bytes::u32(&information.data, rsdp - 8), Some(ACPI_NEW));
    }

    proptest! {
        #[test]
        fn damage_is_survived(at in 0_usize..0x48, value: u8, length in 0_usize..0x200) {
            let tags: [(u16, u16, &[u32]); 2] = [(ADDRESS, 0, &[0x10_0000, u32::MAX, 0, 0]), (ENTRY, 0, &[0x10_0010])];
            let mut file = head(&tags);
            file.resize(0x200, 0xf4);
            file[at] = value;
            file.truncate(length);
            if let Ok(image) = Header::find(&file, None).and_then(|header| header.image(&file)) {
                prop_assert!(image.data.len() as u64 <= image.size);
            }
        }
    }
}
