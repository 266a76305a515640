//! ELF programs for x86 (System V ABI, gABI chapters 4 and 5), as far as a loader of kernels reads them.

use crate::{
    bytes,
    memory::{END_32, PAGE},
};

/// No kernel has more program headers.
const MOST_HEADERS: u16 = 64;
/// From the lowest address to the highest: more is a mistake.
const MOST_SPAN: u64 = 1 << 30;

const LOAD: u32 = 1;
const MACHINE_386: u16 = 3;
const MACHINE_X86_64: u16 = 62;

/// Why a file is none that can be loaded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// It begins with something else.
    #[error("not an ELF program")]
    NoElf,
    /// For another machine, not a program, or out of bounds.
    #[error("an ELF file that cannot be loaded: {0}")]
    Unfit(&'static str),
    /// A segment leads past the end.
    #[error("the ELF file was cut short: it has {has} bytes of {needs}")]
    Short {
        /// Bytes in the file.
        has: u64,
        /// Bytes that its headers speak of.
        needs: u64,
    },
}

/// A program in one piece, as it is to lie in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The physical address of its first byte; a multiple of a page.
    pub at: u64,
    /// Its bytes, until the last one that the file has.
    pub data: Vec<u8>,
    /// Bytes in memory; those that the file does not have are zero.
    pub size: u64,
    /// The physical address where it starts.
    pub entry: u64,
}

/// What a program header says.
struct Part {
    offset: u64,
    file_size: u64,
    at: u64,
    size: u64,
    virtual_at: u64,
}

/// Whether a file is an ELF program of 64 bits.
#[must_use]
pub fn is_64(data: &[u8]) -> bool {
    data.starts_with(b"\x7fELF\x02")
}

impl Image {
    /// Reads a program for x86 of 32 or 64 bits, little-endian, at fixed physical addresses below 4 GiB.
    ///
    /// # Errors
    /// When it is none, or not whole.
    pub fn parse(file: &[u8]) -> Result<Self, Error> {
        if !file.starts_with(b"\x7fELF") {
            return Err(Error::NoElf);
        }
        let wide = match (bytes::u8(file, 4), bytes::u8(file, 5)) {
            (Some(1), Some(1)) => false,
            (Some(2), Some(1)) => true,
            _ => return Err(Error::Unfit("its class or byte order is unknown")),
        };
        let short = |needs: u64| Error::Short { has: file.len() as u64, needs };
        let header = || short(if wide { 64 } else { 52 });
        let machine = bytes::u16(file, 18).ok_or_else(header)?;
        if !matches!((wide, machine), (false, MACHINE_386) | (true, MACHINE_386 | MACHINE_X86_64)) {
            return Err(Error::Unfit("it is not for x86"));
        }
        if !matches!(bytes::u16(file, 16), Some(2 | 3)) {
            return Err(Error::Unfit("it is not a program, but an object or a library"));
        }
        let entry = number(file, wide, 24, 24).ok_or_else(header)?;
        let parts = parts(file, wide)?;
        Self::of_parts(file, &parts, entry)
    }

    fn of_parts(file: &[u8], parts: &[Part], entry: u64) -> Result<Self, Error> {
        let lowest = parts.iter().map(|part| part.at).min();
        let highest = parts.iter().map(|part| part.at + part.size).max();
        let (Some(lowest), Some(highest)) = (lowest, highest) else {
            return Err(Error::Unfit("it has nothing to load"));
        };
        let at = lowest / PAGE * PAGE;
        if highest > END_32 || highest - at > MOST_SPAN {
            return Err(Error::Unfit("its addresses are beyond 4 GiB or more than 1 GiB apart"));
        }
        let ends = parts.iter().filter(|part| part.file_size > 0);
        let end = ends.map(|part| part.at + part.file_size - at).max().unwrap_or(0);
        let mut data = vec![0; usize::try_from(end).unwrap_or(0)];
        for part in parts {
            let needs = part.offset.saturating_add(part.file_size);
            let from = usize::try_from(part.offset).ok().zip(usize::try_from(needs).ok());
            let bytes = from.and_then(|(from, to)| file.get(from..to));
            let bytes = bytes.ok_or(Error::Short { has: file.len() as u64, needs })?;
            bytes::put(&mut data, usize::try_from(part.at - at).unwrap_or(0), bytes);
        }
        Ok(Self { at, data, size: highest - at, entry: physical(parts, entry)? })
    }
}

/// The entry is an address of the program's own; where those differ from the physical ones it is translated, as
/// GRUB does. Linux' vmlinux gives a physical one.
fn physical(parts: &[Part], entry: u64) -> Result<u64, Error> {
    let within = |base: u64, part: &Part| (base..base.saturating_add(part.size)).contains(&entry);
    let moved = parts.iter().find(|part| within(part.virtual_at, part));
    match moved {
        Some(part) => Ok(entry - part.virtual_at + part.at),
        None if parts.iter().any(|part| within(part.at, part)) => Ok(entry),
        None => Err(Error::Unfit("it starts outside of what is loaded")),
    }
}

fn parts(file: &[u8], wide: bool) -> Result<Vec<Part>, Error> {
    let headers = number(file, wide, 28, 32);
    let (size, count) = if wide { (54, 56) } else { (42, 44) };
    let size = bytes::u16(file, size);
    let count = bytes::u16(file, count);
    let (Some(headers), Some(size), Some(count)) = (headers, size, count) else {
        return Err(Error::Short { has: file.len() as u64, needs: 64 });
    };
    if count > MOST_HEADERS || usize::from(size) < if wide { 56 } else { 32 } {
        return Err(Error::Unfit("its program headers are out of bounds"));
    }
    let mut parts = Vec::new();
    for index in 0..u64::from(count) {
        let at = headers.saturating_add(index * u64::from(size));
        let needs = at.saturating_add(size.into());
        let short = Error::Short { has: file.len() as u64, needs };
        let header = usize::try_from(at).ok().and_then(|at| file.get(at..));
        let header = header.and_then(|rest| rest.get(..usize::from(size))).ok_or(short)?;
        if bytes::u32(header, 0) == Some(LOAD) {
            parts.extend(part(header, wide)?);
        }
    }
    Ok(parts)
}

/// A segment to load; `None` for an empty one.
fn part(header: &[u8], wide: bool) -> Result<Option<Part>, Error> {
    let field = |narrow, wide_at| number(header, wide, narrow, wide_at);
    let fields = (|| {
        Some(Part {
            offset: field(4, 8)?,
            virtual_at: field(8, 16)?,
            at: field(12, 24)?,
            file_size: field(16, 32)?,
            size: field(20, 40)?,
        })
    })();
    let part = fields.ok_or(Error::Unfit("its program headers are out of bounds"))?;
    if part.file_size > part.size || part.at.checked_add(part.size).is_none() {
        return Err(Error::Unfit("a segment of it is larger in the file than in memory"));
    }
    Ok((part.size > 0).then_some(part))
}

/// An address or a size: four bytes, or eight in the wide class.
fn number(data: &[u8], wide: bool, narrow_at: usize, wide_at: usize) -> Option<u64> {
    if wide { bytes::u64(data, wide_at) } else { bytes::u32(data, narrow_at).map(u64::from) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A program of one segment of 32 bits at `at`, whose code is `code`, starting at its first byte.
    pub(crate) fn program(at: u32, code: &[u8], size: u32) -> Vec<u8> {
        let mut file = vec![0; 84];
        file[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
        bytes::put(&mut file, 16, &[2, 0, 3, 0, 1]);
        bytes::put(&mut file, 24, &at.to_le_bytes());
        bytes::put(&mut file, 28, &52_u32.to_le_bytes());
        bytes::put(&mut file, 42, &[32, 0, 1, 0]);
        let length = code.len() as u32;
        let header = [LOAD, 84, at, at, length, size, 7, 4096];
        for (index, word) in header.into_iter().enumerate() {
            bytes::put(&mut file, 52 + 4 * index, &word.to_le_bytes());
        }
        file.extend_from_slice(code);
        file
    }

    #[test]
    fn a_program_becomes_one_piece() {
        let image = Image::parse(&program(0x10_0010, b"code", 0x2000)).unwrap();
        assert_eq!((image.at, image.size, image.entry), (0x10_0000, 0x2010, 0x10_0010));
        assert_eq!(&image.data[0x10..], b"code");
    }

    #[test]
    fn an_entry_by_virtual_address_is_translated() {
        let mut file = program(0x10_0000, b"code", 4);
        bytes::put(&mut file, 52 + 8, &0xc000_0000_u32.to_le_bytes());
        bytes::put(&mut file, 24, &0xc000_0002_u32.to_le_bytes());
        assert_eq!(Image::parse(&file).unwrap().entry, 0x10_0002);
        bytes::put(&mut file, 24, &0xc000_0005_u32.to_le_bytes());
        assert!(matches!(Image::parse(&file), Err(Error::Unfit(why)) if why.contains("outside")));
    }

    #[test]
    fn each_fault_is_named() {
        let whole = program(0x10_0000, b"code", 4);
        let with = |at: usize, bytes: &[u8]| {
            let mut file = whole.clone();
            bytes::put(&mut file, at, bytes);
            Image::parse(&file).unwrap_err()
        };
        assert_eq!(Image::parse(b"MZ"), Err(Error::NoElf));
        assert!(matches!(with(4, &[3]), Error::Unfit(why) if why.contains("class")));
        assert!(matches!(with(18, &[40]), Error::Unfit(why) if why.contains("x86")));
        assert!(matches!(with(16, &[1]), Error::Unfit(why) if why.contains("object")));
        assert!(matches!(with(44, &[65]), Error::Unfit(why) if why.contains("bounds")));
        assert!(matches!(with(44, &[0]), Error::Unfit(why) if why.contains("nothing")));
        assert!(matches!(with(52 + 16, &[9]), Error::Unfit(why) if why.contains("larger")));
        assert!(matches!(with(52 + 20, &[0xff; 4]), Error::Unfit(why) if why.contains("4 GiB")));
        let cut = Image::parse(&whole[..whole.len() - 1]);
        assert_eq!(cut, Err(Error::Short { has: 87, needs: 88 }));
    }

    proptest! {
        #[test]
        fn damage_is_survived(at in 0_usize..84, value: u8, length in 0_usize..90) {
            let mut file = program(0x10_0000, b"code", 0x1000);
            file[at] = value;
            file.truncate(length);
            if let Ok(image) = Image::parse(&file) {
                prop_assert!(image.data.len() as u64 <= image.size && image.at + image.size <= END_32);
            }
        }
    }
}
