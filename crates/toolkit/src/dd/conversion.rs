//! What `conv=` does to the bytes between reading and writing.

use super::{ebcdic, operands::Settings};

/// Sets of characters to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Ascii,
    Ebcdic,
    Ibm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Upper,
}

/// Lines of any length to records of `cbs` bytes, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Records {
    Block,
    Unblock,
}

/// The conversion of a stream, which may be cut anywhere.
#[derive(Debug)]
pub(crate) struct Conversion {
    table: Option<Box<[u8; 256]>>,
    newline: u8,
    space: u8,
    swab: bool,
    /// The first byte of a pair whose second was not read yet.
    odd: Option<u8>,
    lines: Option<Records>,
    cbs: usize,
    /// How far into the line (or record) it is.
    column: usize,
    /// Spaces that end a record unless something follows them.
    spaces: usize,
    /// Lines that were longer than a record.
    truncated: u64,
}

impl Conversion {
    /// What is asked for; `None` when bytes stay as they are.
    pub(crate) fn new(set: &Settings) -> Option<Self> {
        if set.charset.is_none() && set.case.is_none() && set.lines.is_none() && !set.swab {
            return None;
        }
        let mut table: [u8; 256] = std::array::from_fn(|byte| u8::try_from(byte).unwrap_or(0));
        let (mut newline, mut space) = (b'\n', b' ');
        // From EBCDIC first, to EBCDIC last: upper and lower case are ASCII's.
        if set.charset == Some(Charset::Ascii) {
            table = ebcdic::TO_ASCII;
        }
        for byte in &mut table {
            match set.case {
                Some(Case::Lower) => byte.make_ascii_lowercase(),
                Some(Case::Upper) => byte.make_ascii_uppercase(),
                None => {}
            }
        }
        let to = match set.charset {
            Some(Charset::Ebcdic) => Some(&ebcdic::TO_EBCDIC),
            Some(Charset::Ibm) => Some(&ebcdic::TO_IBM),
            _ => None,
        };
        if let Some(to) = to {
            let through = |byte: u8| to.get(usize::from(byte)).copied().unwrap_or(byte);
            table = table.map(through);
            (newline, space) = (through(newline), through(space));
        }
        Some(Self {
            table: (set.charset.is_some() || set.case.is_some()).then(|| Box::new(table)),
            newline,
            space,
            swab: set.swab,
            odd: None,
            lines: set.lines,
            cbs: set.cbs,
            column: 0,
            spaces: 0,
            truncated: 0,
        })
    }

    pub(crate) fn truncated(&self) -> u64 {
        self.truncated
    }

    /// Converts what was read, in place; what it is then is appended to `to`.
    pub(crate) fn convert(&mut self, bytes: &mut [u8], to: &mut Vec<u8>) {
        if let Some(table) = &self.table {
            for byte in &mut *bytes {
                *byte = table.get(usize::from(*byte)).copied().unwrap_or(*byte);
            }
        }
        if !self.swab {
            return self.lay(bytes, to);
        }
        let mut swapped = Vec::with_capacity(bytes.len() + 1);
        for &byte in &*bytes {
            match self.odd.take() {
                None => self.odd = Some(byte),
                Some(first) => swapped.extend([byte, first]),
            }
        }
        self.lay(&swapped, to);
    }

    /// What is still to come when the input has ended.
    pub(crate) fn finish(&mut self, to: &mut Vec<u8>) {
        if let Some(odd) = self.odd.take() {
            self.lay(&[odd], to);
        }
        match self.lines {
            Some(Records::Block) if self.column > 0 => self.pad(to),
            Some(Records::Unblock) if self.column > 0 => to.push(self.newline),
            _ => {}
        }
    }

    /// Lines to records, or back.
    fn lay(&mut self, bytes: &[u8], to: &mut Vec<u8>) {
        match self.lines {
            None => to.extend_from_slice(bytes),
            Some(Records::Block) => bytes.iter().for_each(|byte| self.block(*byte, to)),
            Some(Records::Unblock) => bytes.iter().for_each(|byte| self.unblock(*byte, to)),
        }
    }

    fn block(&mut self, byte: u8, to: &mut Vec<u8>) {
        if byte == self.newline {
            self.pad(to);
            self.column = 0;
            return;
        }
        if self.column < self.cbs {
            to.push(byte);
        } else if self.column == self.cbs {
            self.truncated += 1;
        }
        self.column += 1;
    }

    fn pad(&self, to: &mut Vec<u8>) {
        let missing = self.cbs.saturating_sub(self.column);
        to.resize(to.len() + missing, self.space);
    }

    fn unblock(&mut self, byte: u8, to: &mut Vec<u8>) {
        if self.column == self.cbs {
            to.push(self.newline);
            (self.column, self.spaces) = (0, 0);
        }
        self.column += 1;
        if byte == self.space {
            self.spaces += 1;
            return;
        }
        to.resize(to.len() + std::mem::take(&mut self.spaces), self.space);
        to.push(byte);
    }
}
