//! One chunk: packed, and unpacked again without believing anything.

use crate::index::{self, Chunk};
use std::io;
use xenoboot_wire::Digest;

/// Why a chunk is not right.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not the one that was asked for.
    #[error("a chunk's file is not right: {0}")]
    Packed(index::Error),
    /// zstd refuses it.
    #[error("a chunk cannot be decompressed: {0}")]
    Decompress(io::Error),
    /// What is in it is something else.
    #[error("a chunk's content is not right: {0}")]
    Plain(index::Error),
    /// It is longer or shorter than a chunk.
    #[error("a chunk of {0} bytes in place of {1}")]
    Length(usize, usize),
}

/// Packs one chunk after the other.
pub struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
}

impl Packer {
    /// One that compresses as closely as `level` says, 1 to 22.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn new(level: i32) -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(level)? })
    }

    /// Packs a chunk: what describes it, and its file's content.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn pack(&mut self, plain: &[u8]) -> io::Result<(Chunk, Vec<u8>)> {
        let packed = self.zstd.compress(plain)?;
        let size = packed.len() as u64;
        let chunk = Chunk { plain: Digest::of(plain), packed: Digest::of(&packed), size };
        Ok((chunk, packed))
    }
}

/// Unpacks one chunk after the other.
pub struct Unpacker {
    zstd: zstd::bulk::Decompressor<'static>,
}

impl Unpacker {
    /// One that is ready.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn new() -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Decompressor::new()? })
    }

    /// Unpacks a chunk's file into `plain`, which is as long as the chunk.
    ///
    /// # Errors
    /// When anything is not as the chunk says. The decompressor sees nothing with a wrong digest.
    pub fn unpack(&mut self, chunk: &Chunk, packed: &[u8], plain: &mut [u8]) -> Result<(), Error> {
        index::verify(packed, chunk.packed).map_err(Error::Packed)?;
        let length = plain.len();
        let got = self.zstd.decompress_to_buffer(packed, plain).map_err(Error::Decompress)?;
        if got != length {
            return Err(Error::Length(got, length));
        }
        index::verify(plain, chunk.plain).map_err(Error::Plain)
    }
}

/// Whether there is nothing but zeros.
#[must_use]
pub fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<64>();
    words.iter().all(|word| *word == [0; 64]) && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_packed_comes_out(plain in proptest::collection::vec(any::<u8>(), 1..5000), level in 1..20) {
            let (chunk, packed) = Packer::new(level).unwrap().pack(&plain).unwrap();
            prop_assert_eq!(chunk.size as usize, packed.len());
            let mut out = vec![0; plain.len()];
            Unpacker::new().unwrap().unpack(&chunk, &packed, &mut out).unwrap();
            prop_assert_eq!(out, plain);
        }

        #[test]
        fn zeros_are_zeros(length in 0_usize..300, at in 0_usize..300) {
            let mut bytes = vec![0; length];
            prop_assert!(is_zero(&bytes));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = 1;
                prop_assert!(!is_zero(&bytes));
            }
        }
    }

    #[test]
    fn whatever_is_wrong_is_said() {
        let plain = vec![7; 1000];
        let (chunk, packed) = Packer::new(3).unwrap().pack(&plain).unwrap();
        let mut unpacker = Unpacker::new().unwrap();
        let mut unpack = |chunk: &Chunk, packed: &[u8], length: usize| {
            unpacker.unpack(chunk, packed, &mut vec![0; length]).unwrap_err()
        };
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 1;
            assert!(matches!(unpack(&chunk, &damaged, 1000), Error::Packed(_)));
        }
        assert!(matches!(unpack(&chunk, &packed[..9], 1000), Error::Packed(_)));
        assert!(matches!(unpack(&chunk, &packed, 1001), Error::Length(1000, 1001)));
        // What somebody made on purpose: a bomb, what zstd never wrote, other content.
        assert!(matches!(unpack(&chunk, &packed, 999), Error::Decompress(_)));
        let garbage = Chunk { packed: Digest::of(b"garbage"), ..chunk };
        assert!(matches!(unpack(&garbage, b"garbage", 1000), Error::Decompress(_)));
        let other = Chunk { plain: Digest::of(b"other"), ..chunk };
        assert!(matches!(unpack(&other, &packed, 1000), Error::Plain(_)));
    }
}
