//! The items of `xargs`' input.

use anyhow::bail;
use std::{
    fs::File,
    io::{BufReader, Read as _},
};

/// What ends an item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    /// Blanks and newlines, with quotes and backslashes.
    Blanks,
    /// Newlines, with quotes and backslashes; blanks before an item are left out.
    Lines,
    /// This byte, and nothing is special.
    Byte(u8),
}

/// One item.
pub(super) struct Item {
    pub(super) bytes: Vec<u8>,
    /// Whether it is the last of its line. A line that ends with a blank goes on.
    pub(super) ends_line: bool,
}

/// Reads items.
pub(super) struct Items {
    input: BufReader<File>,
    separator: Separator,
    /// An item that ends everything.
    end: Option<Vec<u8>>,
    ended: bool,
    /// A byte that was read too much.
    ahead: Option<u8>,
    /// Bytes that were read.
    read: u64,
}

/// Longest item, bytes: longer than any argument can be.
const LONGEST: usize = 2 << 20;

impl Items {
    pub(super) fn new(input: BufReader<File>, separator: Separator, end: Option<Vec<u8>>) -> Self {
        Self { input, separator, end, ended: false, ahead: None, read: 0 }
    }

    /// The next item, `None` at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Item>> {
        if self.ended {
            return Ok(None);
        }
        let item = match self.separator {
            Separator::Byte(byte) => self.until(byte)?,
            Separator::Blanks | Separator::Lines => self.quoted()?,
        };
        let ends = match (&item, &self.end) {
            (None, _) => true,
            (Some(item), Some(end)) => {
                !matches!(self.separator, Separator::Byte(_)) && item.bytes == *end
            }
            (Some(_), None) => false,
        };
        self.ended = ends;
        Ok(item.filter(|_| !ends))
    }

    /// Bytes of the input that the items took: what follows belongs to whoever reads on.
    pub(super) fn taken(&self) -> u64 {
        self.read.saturating_sub(u64::from(self.ahead.is_some()))
    }

    fn byte(&mut self) -> anyhow::Result<Option<u8>> {
        if let Some(byte) = self.ahead.take() {
            return Ok(Some(byte));
        }
        let mut byte = [0];
        loop {
            match self.input.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => {
                    self.read += 1;
                    return Ok(Some(byte[0]));
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn until(&mut self, separator: u8) -> anyhow::Result<Option<Item>> {
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                Some(byte) if byte == separator => break,
                Some(byte) => push(&mut bytes, byte)?,
                None if bytes.is_empty() => return Ok(None),
                None => break,
            }
        }
        Ok(Some(Item { bytes, ends_line: true }))
    }

    fn quoted(&mut self) -> anyhow::Result<Option<Item>> {
        let (mut bytes, mut quote, mut begun) = (Vec::new(), None, false);
        let lines = self.separator == Separator::Lines;
        loop {
            let Some(byte) = self.byte()? else {
                if let Some(quote) = quote {
                    unmatched(quote)?;
                }
                return Ok(begun.then_some(Item { bytes, ends_line: true }));
            };
            match (byte, quote) {
                (b'\n', Some(quote)) => unmatched(quote)?,
                (byte, Some(open)) if byte == open => quote = None,
                (byte, Some(_)) => push(&mut bytes, byte)?,
                (b'\'' | b'"', None) => (quote, begun) = (Some(byte), true),
                (b'\\', None) => {
                    begun = true;
                    if let Some(byte) = self.byte()? {
                        push(&mut bytes, byte)?;
                    }
                }
                (b'\n', None) if begun => return Ok(Some(Item { bytes, ends_line: true })),
                (b'\n', None) => {}
                (b' ' | b'\t' | b'\r' | 0x0b | 0x0c, None) if !begun => {}
                (b' ' | b'\t', None) if !lines => {
                    let ends_line = self.line_ends_here()?;
                    return Ok(Some(Item { bytes, ends_line }));
                }
                (byte, None) => {
                    begun = true;
                    push(&mut bytes, byte)?;
                }
            }
        }
    }

    /// After a blank: whether nothing but the end of everything follows. A newline right behind blanks
    /// does not end the line (POSIX).
    fn line_ends_here(&mut self) -> anyhow::Result<bool> {
        self.ahead = self.byte()?;
        Ok(self.ahead.is_none())
    }
}

fn push(bytes: &mut Vec<u8>, byte: u8) -> anyhow::Result<()> {
    if bytes.len() >= LONGEST {
        bail!("argument line too long");
    }
    bytes.push(byte);
    Ok(())
}

fn unmatched(quote: u8) -> anyhow::Result<()> {
    let name = if quote == b'"' { "double" } else { "single" };
    bail!(
        "unmatched {name} quote; by default quotes are special to xargs unless you use the -0 option"
    );
}
