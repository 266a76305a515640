//! What a kernel is told of the machine, by whichever version.

use crate::memory::Map;

/// A file that the kernel is given, as it lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its first address.
    pub start: u32,
    /// The one after its last.
    pub end: u32,
    /// Its name and what follows.
    pub command_line: String,
}

/// How a picture's colours are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// Of each colour, red, green and blue: the lowest bit and how many bits.
    Rgb([u8; 6]),
    /// Characters and their attributes; width and height count them.
    Text,
}

/// The picture's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framebuffer {
    /// Where it is.
    pub address: u64,
    /// Bytes from line to line.
    pub pitch: u32,
    /// Columns.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Bits of each.
    pub depth: u8,
    /// What they mean.
    pub pixels: Pixels,
}

impl Framebuffer {
    /// The screen of a PC that starts, 80 characters by 25.
    pub const TEXT: Self = Self {
        address: 0xb8000,
        pitch: 160,
        width: 80,
        height: 25,
        depth: 16,
        pixels: Pixels::Text,
    };

    /// The fields that both versions have alike.
    pub(super) fn common(&self) -> [u8; 22] {
        let kind = match self.pixels {
            Pixels::Rgb(_) => 1,
            Pixels::Text => 2,
        };
        let mut fields = [0; 22];
        crate::bytes::put(&mut fields, 0, &self.address.to_le_bytes());
        for (at, value) in [(8, self.pitch), (12, self.width), (16, self.height)] {
            crate::bytes::put(&mut fields, at, &value.to_le_bytes());
        }
        crate::bytes::put(&mut fields, 20, &[self.depth, kind]);
        fields
    }
}

/// Where the machine's ACPI tables begin (ACPI 6.5, 5.2.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rsdp {
    /// Its address, below 4 GiB.
    pub address: u32,
    /// Of ACPI 2.0 or later: 36 bytes, not 20.
    pub new: bool,
}

impl Rsdp {
    /// Its length in bytes.
    #[must_use]
    pub fn length(self) -> u32 {
        if self.new { 36 } else { 20 }
    }
}

/// Everything that a kernel is told.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The kernel's name and what follows.
    pub command_line: String,
    /// Who loads it.
    pub loader: &'a str,
    /// The modules in the order given.
    pub modules: Vec<Module>,
    /// The memory.
    pub map: Map,
    /// The picture, if there is one.
    pub framebuffer: Option<Framebuffer>,
    /// The ACPI tables, if they are known.
    pub rsdp: Option<Rsdp>,
}

impl Facts<'_> {
    /// Memory below and above 1 MiB in units of 1024 bytes, as far as it is in one piece.
    pub(super) fn memory_kib(&self) -> [u32; 2] {
        [self.map.low_end(), self.map.high_size()]
            .map(|bytes| u32::try_from(bytes >> 10).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::memory::{Kind, Range};

    pub(crate) fn module(start: u32, length: u32, line: &str) -> Module {
        Module { start, end: start + length, command_line: line.to_owned() }
    }

    pub(crate) fn facts(modules: Vec<Module>) -> Facts<'static> {
        let range = |start, end, kind| Range { start, end, kind };
        Facts {
            command_line: "xen dom0_mem=1G".to_owned(),
            loader: "Xenoboot",
            modules,
            map: Map::new([
                range(0, 0x9_fc00, Kind::Ram),
                range(0x9_fc00, 0xa_0000, Kind::Reserved),
                range(0x10_0000, 0x7fe_0000, Kind::Ram),
                range(0x7fe_0000, 0x800_0000, Kind::AcpiTables),
            ]),
            framebuffer: Some(Framebuffer {
                address: 0xfd00_0000,
                pitch: 4096,
                width: 1024,
                height: 768,
                depth: 32,
                pixels: Pixels::Rgb([16, 8, 8, 8, 0, 8]),
            }),
            rsdp: Some(Rsdp { address: 0x7fe_0014, new: true }),
        }
    }
}
