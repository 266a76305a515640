//! Kernels by the Multiboot Specification, versions 0.6.96 ("Multiboot 1") and 2.0.
//!
//! [`Header::find`] tells what a kernel wants, [`Header::image`] how it lies in memory, and `one` and `two` make the
//! information that it is given.

pub mod one;
pub mod two;

mod machine;

pub use machine::{Facts, Framebuffer, Module, Pixels, Rsdp};

use crate::{
    elf::{self, Image},
    memory::{END_32, PAGE},
};

/// So much of a file's beginning may have a header: Multiboot 2, 3.1.
pub const HEAD: usize = 32768;

/// Why a file cannot be started by Multiboot.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Neither version's header is where it must be.
    #[error("it has no Multiboot header")]
    NoHeader,
    /// The header's numbers do not add up.
    #[error("its Multiboot {version} header at byte {at} has a wrong checksum")]
    Checksum {
        /// 1 or 2.
        version: u8,
        /// Where it was found.
        at: usize,
    },
    /// The header is cut short or contradicts itself.
    #[error("its Multiboot header is damaged: {0}")]
    Damaged(&'static str),
    /// It cannot do without something.
    #[error("it asks for what cannot be given: {0}")]
    Wants(String),
    /// It is to be loaded as ELF.
    #[error(transparent)]
    Elf(#[from] elf::Error),
}

/// What a kernel's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// 1 or 2.
    pub version: u8,
    /// How it is loaded, where it says so itself; else as ELF.
    addresses: Option<Addresses>,
    /// Where it starts, where that differs from what the ELF header says.
    entry: Option<u32>,
    /// It wants to be told of a picture.
    pub framebuffer: bool,
    /// It can lie elsewhere: `min`, `max`, `align`, and whether the highest place is the best.
    pub relocatable: Option<Relocatable>,
}

/// Where a kernel that is not bound to its address can lie (Multiboot 2, 3.1.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocatable {
    /// The lowest address.
    pub least: u32,
    /// The highest that any byte of it may have.
    pub most: u32,
    /// Its address is a multiple of this.
    pub align: u32,
    /// The highest place is the best.
    pub high: bool,
}

/// The addresses of a header (Multiboot 1, 3.1.3; Multiboot 2, 3.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Addresses {
    /// Where in the file the first byte to load is.
    offset: usize,
    /// Where it lies.
    load: u32,
    /// Where the data end; 0: the file's end.
    load_end: u32,
    /// Where the zeros after them end; 0: there are none.
    bss_end: u32,
}

impl Addresses {
    /// From the header's fields; the header is at `at` in the file.
    fn new(at: usize, [header, load, load_end, bss_end]: [u32; 4]) -> Result<Self, Error> {
        // All bits set: from the file's beginning (Multiboot 2, 3.1.5).
        let before = if load == u32::MAX {
            at as u64
        } else {
            u64::from(header) - u64::from(load.min(header))
        };
        let load = if load == u32::MAX { header.wrapping_sub(at as u32) } else { load };
        let offset = usize::try_from(before).ok().and_then(|before| at.checked_sub(before));
        match offset {
            Some(offset) if load <= header => Ok(Self { offset, load, load_end, bss_end }),
            _ => Err(Error::Damaged("its load address is not before its header")),
        }
    }

    fn image(self, file: &[u8], entry: u32) -> Result<Image, Error> {
        let rest = file.get(self.offset..).unwrap_or_default();
        let length = match self.load_end {
            0 => rest.len() as u64,
            end => u64::from(end)
                .checked_sub(self.load.into())
                .ok_or(Error::Damaged("it ends before it begins"))?,
        };
        let needs = self.offset as u64 + length;
        let data = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let data = data.ok_or(elf::Error::Short { has: file.len() as u64, needs })?;
        let load = u64::from(self.load);
        let end = (load + length).max(self.bss_end.into());
        if !(load..end).contains(&entry.into()) || end > END_32 {
            return Err(Error::Damaged("it starts outside of what is loaded"));
        }
        let at = load / PAGE * PAGE;
        let mut whole = vec![0; usize::try_from(load - at).unwrap_or(0)];
        whole.extend_from_slice(data);
        Ok(Image { at, data: whole, size: end - at, entry: entry.into() })
    }
}

impl Header {
    /// Looks in the first [`HEAD`] bytes of a file, or all if it has fewer. `wanted` is the version to look for; without
    /// one the newer is taken where a kernel has both.
    ///
    /// # Errors
    /// When there is none, or one that cannot be obeyed.
    pub fn find(head: &[u8], wanted: Option<u8>) -> Result<Self, Error> {
        let mut error = Error::NoHeader;
        for version in [2, 1].into_iter().filter(|version| wanted.is_none_or(|w| w == *version)) {
            let found = if version == 2 { two::find(head) } else { one::find(head) };
            match found {
                Err(Error::NoHeader) => {}
                // A number that only looks like a header's beginning has no checksum either.
                Err(wrong @ Error::Checksum { .. }) => error = wrong,
                other => return other,
            }
        }
        Err(error)
    }

    /// How the kernel lies in memory.
    ///
    /// # Errors
    /// When the file is not whole, or contradicts itself.
    pub fn image(&self, file: &[u8]) -> Result<Image, Error> {
        if let Some(addresses) = self.addresses {
            let entry = self.entry.ok_or(Error::Damaged("it has addresses, but no entry"))?;
            return addresses.image(file, entry);
        }
        let mut image = Image::parse(file)?;
        image.entry = self.entry.map_or(image.entry, u64::from);
        if (image.at..image.at + image.size).contains(&image.entry) {
            return Ok(image);
        }
        Err(Error::Damaged("it starts outside of what is loaded"))
    }
}
