//! One chunk: packed, and unpacked again without believing anything.

use crate::{
    Sum,
    index::{self, Chunk, File},
};
use std::io;
use zstd::stream::raw::CParameter;

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

/// From this level on zstd's tables would be larger than [`TABLES`] says, up to 128 MiB for the largest chunks.
const LARGE: i32 = 14;

/// The binary logarithm of how many entries of four bytes each of the two tables has at most.
const TABLES: u32 = 22;

/// Packs one chunk after the other.
pub struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
}

impl Packer {
    /// How much memory one needs that packs chunks of so many bytes, with room for a chunk and its file.
    #[must_use]
    pub fn memory(level: i32, chunk: u64) -> u64 {
        let tables = if level < 5 { 2 << 20 } else { (16 * chunk).min((8 << TABLES) + (4 << 20)) };
        2 * chunk + tables
    }

    /// One that compresses as closely as `level` says, 1 to 22.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn new(level: i32) -> io::Result<Self> {
        let mut zstd = zstd::bulk::Compressor::new(level)?;
        if level >= LARGE {
            zstd.set_parameter(CParameter::ChainLog(TABLES))?;
            zstd.set_parameter(CParameter::HashLog(TABLES))?;
        }
        Ok(Self { zstd })
    }

    /// Packs a chunk: what describes it, and its file's content.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn pack(&mut self, plain: &[u8]) -> io::Result<(Chunk, Vec<u8>)> {
        let packed = self.zstd.compress(plain)?;
        let size = packed.len() as u64;
        let chunk = Chunk { plain: Sum::of(plain), packed: Sum::of(&packed), size };
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
    pub fn unpack(&mut self, chunk: &Chunk, file: &File, plain: &mut [u8]) -> Result<(), Error> {
        let (wanted, found) = (chunk.packed, file.sum());
        if found != wanted {
            return Err(Error::Packed(index::Error::Digest { wanted, found }));
        }
        let length = plain.len();
        let got = self.zstd.decompress_to_buffer(file.bytes(), plain).map_err(Error::Decompress)?;
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
            let file = File::verify(packed, chunk.packed).unwrap();
            Unpacker::new().unwrap().unpack(&chunk, &file, &mut out).unwrap();
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
            let file = File::verify(packed.to_vec(), chunk.packed).map_err(Error::Packed);
            file.and_then(|file| unpacker.unpack(chunk, &file, &mut vec![0; length])).unwrap_err()
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
        let garbage = Chunk { packed: Sum::of(b"garbage"), ..chunk };
        assert!(matches!(unpack(&garbage, b"garbage", 1000), Error::Decompress(_)));
        let other = Chunk { plain: Sum::of(b"other"), ..chunk };
        assert!(matches!(unpack(&other, &packed, 1000), Error::Plain(_)));
    }
}
