//! Unified kernel images: an EFI program (PE32+) whose sections are a kernel and what goes with it.

use crate::files::ReadError;
use std::ops::Range;

/// Why a file is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It begins with something else.
    #[error("it is no EFI program (PE32+) for x86-64")]
    NotEfi,
    /// It has no kernel.
    #[error("it is no unified kernel image: there is no section {0}")]
    Lacks(&'static str),
    /// A header says what cannot be.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// The system's words.
    #[error("it cannot be read: {0}")]
    Read(#[from] ReadError),
}

/// What an image says of itself, and where its parts are, bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The kernel.
    pub linux: Range<u64>,
    /// The initial RAM disks in order: updates of the processor's microcode first.
    pub initrds: Vec<Range<u64>>,
    /// The kernel's command line.
    pub command_line: String,
    /// As `uname -r`; empty when it does not say.
    pub kernel_version: String,
    os_release: String,
}

impl Facts {
    /// A value of the image's os-release(5); empty when it has none.
    #[must_use]
    pub fn release(&self, name: &str) -> String {
        let pairs = self.os_release.lines().filter_map(|line| line.trim().split_once('='));
        let value = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back();
        value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    }
}

/// So much of the file has all headers.
const HEAD: usize = 16 << 10;

/// The longest text that a section may be.
const MAX_TEXT: u64 = 64 << 10;

const AMD64: u16 = 0x8664;
const PE32_PLUS: u16 = 0x20b;
const HEADER: usize = 24;
const SECTION: usize = 40;
const MAX_SECTIONS: u16 = 96;

/// Reads the facts of a file of `size` bytes; `read` gives bytes from an offset.
///
/// # Errors
/// When it is none, or damaged.
pub fn read(
    size: u64,
    mut read: impl FnMut(u64, usize) -> Result<Vec<u8>, ReadError>,
) -> Result<Facts, Error> {
    let head = read(0, HEAD)?;
    let mut facts = Facts::default();
    let (mut linux, mut initrd, mut microcode) = (None, None, None);
    for (name, range) in sections(&head, size)? {
        let mut text = |range: &Range<u64>| text(range, &mut read);
        match name.as_str() {
            ".linux" => linux = linux.or(Some(range)),
            ".initrd" => initrd = initrd.or(Some(range)),
            ".ucode" => microcode = microcode.or(Some(range)),
            ".cmdline" => facts.command_line = text(&range)?.trim().to_owned(),
            ".osrel" => facts.os_release = text(&range)?,
            ".uname" => facts.kernel_version = text(&range)?.trim().to_owned(),
            // What follows belongs to one of several profiles; the first is that of the base.
            ".profile" => break,
            _ => {}
        }
    }
    facts.linux = linux.ok_or(Error::Lacks(".linux"))?;
    facts.initrds = microcode.into_iter().chain(initrd).collect();
    Ok(facts)
}

fn text(
    range: &Range<u64>,
    read: &mut impl FnMut(u64, usize) -> Result<Vec<u8>, ReadError>,
) -> Result<String, Error> {
    let length = range.end - range.start;
    if length > MAX_TEXT {
        return Err(Error::Damaged("a text is too long"));
    }
    let bytes = read(range.start, usize::try_from(length).unwrap_or(0))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(text.trim_end_matches('\0').to_owned())
}

/// The sections' names and places, in their order.
fn sections(head: &[u8], size: u64) -> Result<Vec<(String, Range<u64>)>, Error> {
    if head.get(..2) != Some(b"MZ") {
        return Err(Error::NotEfi);
    }
    let at = number(head, 0x3c).ok_or(Error::NotEfi)? as usize;
    if head.get(at..at.saturating_add(4)) != Some(b"PE\0\0")
        || half(head, at + 4) != Some(AMD64)
        || half(head, at + HEADER) != Some(PE32_PLUS)
    {
        return Err(Error::NotEfi);
    }
    let count = half(head, at + 6).ok_or(Error::NotEfi)?;
    let optional = usize::from(half(head, at + 20).ok_or(Error::NotEfi)?);
    if count > MAX_SECTIONS {
        return Err(Error::Damaged("it has too many sections"));
    }
    let table = at + HEADER + optional;
    (0..usize::from(count)).map(|nth| section(head, table + nth * SECTION, size)).collect()
}

fn section(head: &[u8], at: usize, size: u64) -> Result<(String, Range<u64>), Error> {
    let cut = Error::Damaged("its table of sections is cut short");
    let name = head.get(at..at + 8).ok_or(cut.clone())?;
    let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
    let field = |offset| number(head, at + offset).map(u64::from).ok_or(cut.clone());
    // In memory a section has its true length, in the file it is padded.
    let length = field(8)?.min(field(16)?);
    let start = field(20)?;
    if start + length > size {
        return Err(Error::Damaged("a section reaches beyond its end"));
    }
    Ok((name, start..start + length))
}

fn half(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

fn number(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}
