//! Files of `pack` (`.z`), which `gzip -d` reads too: Huffman's codes, of 24 bits at most.

use std::io::{self, BufRead, Read};

/// The bytes that such a file begins with.
pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x1e];

const MOST_BITS: usize = 24;

/// One depth of the tree of codes: the first of its nodes have others below them, the rest are leaves.
struct Level {
    /// How many inner nodes there are.
    inner: u32,
    /// The leaves' bytes.
    leaves: Vec<u8>,
}

/// What such a file's data was.
pub(crate) struct Packed<R> {
    data: R,
    levels: Vec<Level>,
    /// Bytes that are still to come.
    left: u32,
    /// Bits of the last byte that was read, and how many of them are left.
    held: u8,
    count: u32,
    /// The mark of the end was there.
    done: bool,
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "corrupt input")
}

impl<R: BufRead> Packed<R> {
    /// Reads the header: the size, how many leaves each depth has, and their bytes.
    pub(crate) fn new(mut data: R) -> io::Result<Self> {
        let mut head = [0; 7];
        data.read_exact(&mut head)?;
        let [_, _, a, b, c, d, depth] = head;
        let depth = usize::from(depth);
        if !(1..=MOST_BITS).contains(&depth) {
            return Err(damaged());
        }
        let mut counts = vec![0; depth];
        data.read_exact(&mut counts)?;
        let mut levels = Vec::new();
        for (at, count) in counts.iter().enumerate() {
            // The deepest leaves' number is kept less two: the end's mark is one of them, without a
            // byte, and there is another one always.
            let last = at + 1 == depth;
            let mut leaves = vec![0; usize::from(*count) + usize::from(last)];
            data.read_exact(&mut leaves)?;
            levels.push(Level { inner: 0, leaves });
        }
        // From the deepest up: two nodes have one above them.
        let mut below = 0;
        for (at, level) in levels.iter_mut().enumerate().rev() {
            level.inner = below;
            let mark = usize::from(at + 1 == depth);
            let leaves = u32::try_from(level.leaves.len() + mark).map_err(|_| damaged())?;
            let nodes = below + leaves;
            if nodes % 2 != 0 || nodes > 1 << (at + 1) {
                return Err(damaged());
            }
            below = nodes / 2;
        }
        if below != 1 {
            return Err(damaged());
        }
        let left = u32::from_be_bytes([a, b, c, d]);
        Ok(Self { data, levels, left, held: 0, count: 0, done: false })
    }

    fn bit(&mut self) -> io::Result<u32> {
        if self.count == 0 {
            let byte = self.data.fill_buf()?.first().copied();
            self.held = byte.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.data.consume(1);
            self.count = 8;
        }
        self.count -= 1;
        Ok(u32::from(self.held >> self.count & 1))
    }

    /// The next byte; `None` at the mark of the end.
    fn symbol(&mut self) -> io::Result<Option<u8>> {
        let mut code = 0;
        for depth in 0..self.levels.len() {
            code = code << 1 | self.bit()?;
            let level = self.levels.get(depth).ok_or_else(damaged)?;
            if let Some(leaf) = code.checked_sub(level.inner) {
                let at = usize::try_from(leaf).map_err(|_| damaged())?;
                return match level.leaves.get(at) {
                    Some(byte) => Ok(Some(*byte)),
                    None if depth + 1 == self.levels.len() => Ok(None),
                    None => Err(damaged()),
                };
            }
        }
        Err(damaged())
    }
}

impl<R: BufRead> Read for Packed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let (Some(place), 1..) = (out.get_mut(filled), self.left) {
            // The mark of the end before the end.
            *place = self.symbol()?.ok_or_else(damaged)?;
            self.left -= 1;
            filled += 1;
        }
        if filled == 0 && !out.is_empty() && !self.done {
            if self.symbol()?.is_some() {
                return Err(damaged());
            }
            self.done = true;
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANANA: &[u8] = b"\x1f\x1e\x00\x00\x00\x06\x03\x01\x01\x00\x61\x6e\x62\x16\xc8";

    #[test]
    fn what_pack_made_is_read_and_cut_data_is_refused() {
        let mut text = Vec::new();
        Packed::new(BANANA).unwrap().read_to_end(&mut text).unwrap();
        assert_eq!(text, b"banana");
        for cut in 0..BANANA.len() {
            let read = Packed::new(&BANANA[..cut]).and_then(|mut p| p.read_to_end(&mut Vec::new()));
            assert!(read.is_err(), "{cut}");
        }
    }

    proptest::proptest! {
        #[test]
        fn damaged_data_never_panics(data: Vec<u8>) {
            let data = [&MAGIC[..], &data].concat();
            if let Ok(reader) = Packed::new(&data[..]) {
                let _ = reader.take(1 << 20).read_to_end(&mut Vec::new());
            }
        }
    }
}
