//! Packets: numbers big-endian, strings with their length in front.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::PathBuf};

/// A packet is not what it should be.
#[derive(Debug)]
pub(super) struct Malformed;

/// Takes a packet's fields one after the other.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(packet: &'a [u8]) -> Self {
        Self(packet)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.number()? as usize;
        let (string, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(string)
    }

    /// A path; nothing is the folder where one is.
    pub(super) fn path(&mut self) -> Result<PathBuf, Malformed> {
        let bytes = self.string()?;
        let bytes = if bytes.is_empty() { b"." } else { bytes };
        Ok(OsString::from_vec(bytes.to_vec()).into())
    }

    pub(super) fn handle(&mut self) -> Result<u32, Malformed> {
        let bytes = self.string()?.try_into().map_err(|_| Malformed)?;
        Ok(u32::from_be_bytes(bytes))
    }
}

/// Puts a packet together.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, kind])
    }

    pub(super) fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    pub(super) fn long(&mut self, number: u64) {
        self.0.extend(number.to_be_bytes());
    }

    pub(super) fn string(&mut self, string: &[u8]) {
        self.number(u32::try_from(string.len()).unwrap_or(u32::MAX));
        self.0.extend(string);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len().saturating_sub(4)).unwrap_or(u32::MAX);
        for (to, from) in self.0.iter_mut().zip(length.to_be_bytes()) {
            *to = from;
        }
        self.0
    }
}
