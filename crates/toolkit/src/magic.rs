//! What a file's bytes are, in the words of file(1).
//!
//! A table of ours: what is met on the disks of machines that boot, not all that file(1) knows.
//! Every number in a file is hostile: reads are bounded, and go by `get`.

mod elf;
mod formats;
mod text;

use std::{fs::File, io, os::unix::fs::FileExt as _};

/// So much of the beginning is looked at, bytes: file systems have their magic numbers up to there.
const HEAD: usize = 0x1_1000;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// For people.
    pub(crate) text: String,
    /// Media type.
    pub(crate) mime: &'static str,
    /// `us-ascii`, `utf-8`, ...; `binary` when it is no text.
    pub(crate) charset: &'static str,
}

impl Kind {
    fn binary(text: impl Into<String>, mime: &'static str) -> Self {
        Self { text: text.into(), mime, charset: "binary" }
    }
}

/// A file's beginning, and the rest where it is needed.
struct Data<'a> {
    head: &'a [u8],
    file: &'a File,
}

impl Data<'_> {
    /// So many bytes at an offset, or none when there are fewer.
    fn at(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        let begin = usize::try_from(offset).ok()?;
        if let Some(bytes) = self.head.get(begin..begin.checked_add(length)?) {
            return Some(bytes.to_vec());
        }
        let mut bytes = vec![0; length.min(1 << 20)];
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        (bytes.len() == length).then_some(bytes)
    }

    fn has(&self, offset: usize, magic: &[u8]) -> bool {
        self.head.get(offset..).is_some_and(|rest| rest.starts_with(magic))
    }
}

/// Numbers within bytes, as the format has them.
fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    le16(bytes, at).map(u16::swap_bytes)
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    le32(bytes, at).map(u32::swap_bytes)
}

/// A name within bytes up to a zero, printable; so many bytes at most.
fn name(bytes: &[u8], at: usize, most: usize) -> String {
    let rest = bytes.get(at..).unwrap_or_default();
    let rest = rest.split(|byte| *byte == 0).next().unwrap_or_default();
    printable(rest.get(..rest.len().min(most)).unwrap_or_default())
}

/// Text that can be printed: anything else as in octal.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                text.push_str(&format!("\\{:03o}", u32::from(c)));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\{byte:03o}")));
    }
    text
}

/// What the bytes of a file or a device are.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn identify(file: &File) -> io::Result<Kind> {
    let mut head = vec![0; HEAD];
    let mut length = 0;
    while let Some(room) = head.get_mut(length..).filter(|room| !room.is_empty()) {
        match file.read_at(room, length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(length);
    Ok(of_data(&Data { head: &head, file }))
}

/// What bytes that come from a pipe are.
pub(crate) fn identify_bytes(head: &[u8]) -> io::Result<Kind> {
    // Formats that are looked at further in need a file.
    let null = File::open("/dev/null")?;
    Ok(of_data(&Data { head, file: &null }))
}

fn of_data(data: &Data<'_>) -> Kind {
    if data.head.is_empty() {
        return Kind::binary("empty", "inode/x-empty");
    }
    elf::identify(data)
        .or_else(|| {
            let kind = formats::identify(data)?;
            // Some begin as text, or are all text.
            Some(Kind { charset: text::charset(data.head).unwrap_or(kind.charset), ..kind })
        })
        .or_else(|| text::identify(data.head))
        .unwrap_or_else(|| {
            let text = if data.head.len() == 1 { "very short file (no magic)" } else { "data" };
            Kind::binary(text, "application/octet-stream")
        })
}

/// So much is read from a pipe, bytes: what is further in cannot be sought there.
pub(crate) const FROM_PIPE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_something(
            start in proptest::sample::select(vec![
                &b""[..], &b"\x7fELF\x02\x01"[..], &b"\x7fELF\x01\x02"[..], &b"\x1f\x8b\x08\x0c"[..], &b"MZ"[..], &b"#! "[..], &b"hsqs"[..], &b"\xff\xfe"[..], &b"PK\x03\x04"[..],
            ]),
            rest in proptest::collection::vec(any::<u8>(), 0..3000),
        ) {
            let bytes = [start, &rest].concat();
            let kind = identify_bytes(&bytes).unwrap();
            prop_assert!(!kind.text.is_empty());
            prop_assert!(!kind.text.chars().any(char::is_control));
        }
    }
}
