//! A member's header, and the records of an extended one.

use super::{
    invalid,
    sparse::{self, Extent},
};
use std::io;

/// Everything comes in blocks of so many bytes.
pub(super) const BLOCK: usize = 512;

/// One block that describes a member; its checksum is right.
pub(super) struct Header([u8; BLOCK]);

impl Header {
    pub(super) fn new(block: [u8; BLOCK]) -> io::Result<Self> {
        let header = Self(block);
        let blanks = 148..156;
        let byte = |(at, byte): (usize, &u8)| if blanks.contains(&at) { b' ' } else { *byte };
        let sum: u64 = block.iter().enumerate().map(byte).map(u64::from).sum();
        if header.number(148, 8)? != sum {
            return Err(invalid("a header with a wrong checksum"));
        }
        Ok(header)
    }

    fn field(&self, at: usize, length: usize) -> &[u8] {
        self.0.get(at..at + length).unwrap_or_default()
    }

    /// A text that ends with a zero byte or with the field.
    fn text(&self, at: usize, length: usize) -> Vec<u8> {
        let field = self.field(at, length);
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(length);
        field.get(..end).unwrap_or_default().to_vec()
    }

    fn number(&self, at: usize, length: usize) -> io::Result<u64> {
        number(self.field(at, length))
    }

    fn is_gnu(&self) -> bool {
        self.field(257, 8) == b"ustar  \0"
    }

    fn is_ustar(&self) -> bool {
        self.field(257, 6) == b"ustar\0"
    }

    pub(super) fn kind(&self) -> u8 {
        self.field(156, 1).first().copied().unwrap_or(0)
    }

    pub(super) fn name(&self) -> Vec<u8> {
        let (prefix, name) = (self.text(345, 155), self.text(0, 100));
        if self.is_ustar() && !prefix.is_empty() { [prefix, name].join(&b'/') } else { name }
    }

    pub(super) fn link(&self) -> Vec<u8> {
        self.text(157, 100)
    }

    pub(super) fn mode(&self) -> io::Result<u32> {
        Ok(u32::try_from(self.number(100, 8)? & 0o7777).unwrap_or(0))
    }

    pub(super) fn uid(&self) -> io::Result<u64> {
        self.number(108, 8)
    }

    pub(super) fn gid(&self) -> io::Result<u64> {
        self.number(116, 8)
    }

    pub(super) fn size(&self) -> io::Result<u64> {
        self.number(124, 12)
    }

    /// Seconds since 1970; may be before.
    pub(super) fn mtime(&self) -> io::Result<i64> {
        let field = self.field(136, 12);
        if field.first() != Some(&0xff) {
            return Ok(i64::try_from(number(field)?).unwrap_or(0));
        }
        Ok(field.iter().fold(-1_i64, |sum, byte| sum.wrapping_shl(8) | i64::from(*byte)))
    }

    /// Names of owners and numbers of devices have no place in headers of the first kind.
    fn has_more(&self) -> bool {
        self.is_gnu() || self.is_ustar()
    }

    pub(super) fn user(&self) -> Vec<u8> {
        if self.has_more() { self.text(265, 32) } else { Vec::new() }
    }

    pub(super) fn group(&self) -> Vec<u8> {
        if self.has_more() { self.text(297, 32) } else { Vec::new() }
    }

    fn device(&self, at: usize) -> io::Result<u32> {
        let number = if self.has_more() { self.number(at, 8)? } else { 0 };
        u32::try_from(number).map_err(|_| invalid("a device's number is too large"))
    }

    pub(super) fn major(&self) -> io::Result<u32> {
        self.device(329)
    }

    pub(super) fn minor(&self) -> io::Result<u32> {
        self.device(337)
    }

    /// Of a sparse file in GNU's old format: the first extents.
    pub(super) fn extents(&self) -> io::Result<Vec<Extent>> {
        let mut extents = Vec::new();
        sparse::entries(self.field(386, 96), &mut extents)?;
        Ok(extents)
    }

    pub(super) fn is_extended(&self) -> bool {
        self.field(482, 1) != [0]
    }

    pub(super) fn real_size(&self) -> io::Result<u64> {
        self.number(483, 12)
    }
}

/// Octal digits between blanks and zero bytes; or GNU's binary number, whose first byte has its highest bit set.
pub(super) fn number(field: &[u8]) -> io::Result<u64> {
    if let Some((first @ 0x80.., rest)) = field.split_first() {
        let push = |sum: u64, byte: &u8| sum.checked_mul(256)?.checked_add(u64::from(*byte));
        let value = rest.iter().try_fold(u64::from(first & 0x7f), push);
        return value.ok_or_else(|| invalid("a number that is too large"));
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let digits = field.trim_ascii_start().split(is_blank).next().unwrap_or_default();
    digits.iter().try_fold(0_u64, |sum, byte| match byte {
        b'0'..=b'7' => {
            let sum = sum.checked_mul(8).and_then(|sum| sum.checked_add(u64::from(byte - b'0')));
            sum.ok_or_else(|| invalid("a number that is too large"))
        }
        _ => Err(invalid("a number that is none")),
    })
}

/// `-12.5`: seconds since 1970, and nanoseconds after them.
pub(super) fn time(text: &[u8]) -> io::Result<(i64, u32)> {
    let parsed = (|| {
        let text = str::from_utf8(text).ok()?;
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let seconds: i64 = whole.parse().ok()?;
        let nanos = format!("{part:0<9}").get(..9)?.parse::<u32>().ok()?;
        if !whole.starts_with('-') || nanos == 0 {
            return Some((seconds, nanos));
        }
        Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos))
    })();
    parsed.ok_or_else(|| invalid("a time that is none"))
}

/// Records of an extended header, in order.
#[derive(Default)]
pub(super) struct Records(Vec<(Vec<u8>, Vec<u8>)>);

impl Records {
    /// `LENGTH KEY=VALUE\n` each, where LENGTH counts everything; a value may have any bytes.
    pub(super) fn parse(mut bytes: &[u8]) -> io::Result<Self> {
        let mut records = Self::default();
        while !bytes.is_empty() && bytes.first() != Some(&0) {
            let record = (|| {
                let blank = bytes.iter().position(|byte| *byte == b' ')?;
                let length: usize = str::from_utf8(bytes.get(..blank)?).ok()?.parse().ok()?;
                let (record, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                let record = record.get(blank + 1..)?.strip_suffix(b"\n")?;
                let equals = record.iter().position(|byte| *byte == b'=')?;
                Some((record.get(..equals)?.to_vec(), record.get(equals + 1..)?.to_vec()))
            })();
            records.0.push(record.ok_or_else(|| invalid("a malformed extended header"))?);
        }
        Ok(records)
    }

    /// What these do not say, those of the whole archive say.
    pub(super) fn behind(&mut self, globals: &Self) {
        self.0.splice(0..0, globals.0.iter().cloned());
    }

    /// The last value of a key; an empty one takes it back.
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let (_, value) = self.0.iter().rev().find(|(other, _)| other == key)?;
        Some(value.as_slice()).filter(|value| !value.is_empty())
    }

    pub(super) fn number(&self, key: &[u8]) -> io::Result<Option<u64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| invalid("a number that is none"))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }
}
