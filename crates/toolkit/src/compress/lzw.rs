//! Files of `compress` (`.Z`), which `gzip -d` reads too: Lempel and Ziv's method with Welch's codes, of 9 to 16 bits.

use std::io::{self, BufRead, Read};

/// The bytes that such a file begins with.
pub(crate) const MAGIC: &[u8] = &[0x1f, 0x9d];

/// The code that empties the table.
const CLEAR: usize = 256;
const FIRST_BITS: u32 = 9;

/// What such a file's data was.
pub(crate) struct Lzw<R> {
    data: R,
    /// The most bits of a code.
    most_bits: u32,
    /// Whether [`CLEAR`] is what it is, and no text.
    clears: bool,
    /// Bits of a code now.
    bits: u32,
    /// For each code what it is but for its last byte, and that byte.
    table: Vec<(u16, u8)>,
    last: Option<(usize, u8)>,
    /// Bits that were read and not used, and how many.
    held: u32,
    count: u32,
    /// Bits that were used since the size of the codes changed: they come in groups of eight.
    used: u32,
    /// What was decoded, the last byte first.
    out: Vec<u8>,
}

impl<R: BufRead> Lzw<R> {
    pub(crate) fn new(mut data: R) -> io::Result<Self> {
        let mut head = [0; 3];
        data.read_exact(&mut head)?;
        let most_bits = u32::from(head[2] & 0x1f);
        if !(FIRST_BITS..=16).contains(&most_bits) || head[2] & 0x60 != 0 {
            return Err(io::Error::other("compressed with bits that are not known"));
        }
        let clears = head[2] & 0x80 != 0;
        let mut lzw = Self {
            data,
            most_bits,
            clears,
            bits: FIRST_BITS,
            table: Vec::new(),
            last: None,
            held: 0,
            count: 0,
            used: 0,
            out: Vec::new(),
        };
        lzw.empty(clears);
        Ok(lzw)
    }

    /// The table as it is at first: the bytes, and the code that empties it.
    fn empty(&mut self, with_clear: bool) {
        self.table = (0..=u8::MAX).map(|byte| (0, byte)).collect();
        if with_clear {
            self.table.push((0, 0));
        }
    }

    /// So many bits; `None` at the end.
    fn take(&mut self, bits: u32) -> io::Result<Option<usize>> {
        while self.count < bits {
            let Some(byte) = self.data.fill_buf()?.first().copied() else { return Ok(None) };
            self.data.consume(1);
            self.held |= u32::from(byte) << self.count;
            self.count += 8;
        }
        let code = self.held & ((1 << bits) - 1);
        self.held >>= bits;
        self.count -= bits;
        self.used += bits;
        Ok(usize::try_from(code).ok())
    }

    /// Passes the rest of a group of eight codes.
    fn end_group(&mut self) -> io::Result<()> {
        let group = self.bits * 8;
        let mut left = (group - self.used % group) % group;
        while left > 0 {
            let some = left.min(8);
            if self.take(some)?.is_none() {
                break;
            }
            left -= some;
        }
        self.used = 0;
        Ok(())
    }

    /// Decodes a code; whether there was one.
    fn step(&mut self) -> io::Result<bool> {
        if self.table.len() >= 1 << self.bits && self.bits < self.most_bits {
            self.end_group()?;
            self.bits += 1;
        }
        let Some(code) = self.take(self.bits)? else { return Ok(false) };
        if code == CLEAR && self.clears && self.last.is_some() {
            self.end_group()?;
            self.bits = FIRST_BITS;
            // The next code makes an entry that nothing asks for, in this one's place.
            self.empty(false);
            self.last = Some((0, 0));
            return Ok(true);
        }
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "corrupt input");
        let Some((last, first)) = self.last else {
            let byte = u8::try_from(code).map_err(|_| damaged())?;
            self.out.push(byte);
            self.last = Some((code, byte));
            return Ok(true);
        };
        let mut place = code;
        if code >= self.table.len() {
            // The entry that this code makes.
            if code > self.table.len() {
                return Err(damaged());
            }
            self.out.push(first);
            place = last;
        }
        loop {
            let (before, byte) = self.table.get(place).copied().ok_or_else(damaged)?;
            self.out.push(byte);
            if place < CLEAR {
                break;
            }
            place = before.into();
        }
        let first = self.out.last().copied().unwrap_or_default();
        if self.table.len() < 1 << self.most_bits {
            self.table.push((u16::try_from(last).map_err(|_| damaged())?, first));
        }
        self.last = Some((code, first));
        Ok(true)
    }
}

impl<R: BufRead> Read for Lzw<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(place) = out.get_mut(filled) {
            match self.out.pop() {
                Some(byte) => {
                    *place = byte;
                    filled += 1;
                }
                None if self.step()? => {}
                None => break,
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn damaged_data_never_panics(data: Vec<u8>, bits in 0..=255u8) {
            let data = [MAGIC, &[bits], &data].concat();
            if let Ok(reader) = Lzw::new(&data[..]) {
                let _ = reader.take(1 << 20).read_to_end(&mut Vec::new());
            }
        }
    }
}
