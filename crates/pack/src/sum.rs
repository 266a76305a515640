//! What names chunks and pages: SHA-512/256 (FIPS 180-4).

use ring::digest;
use serde::{Deserialize, Serialize};
use std::fmt;
use xenoboot_wire::Digest;

/// The SHA-512/256 of a chunk, of its file, or of a page. Another type than [`Digest`], which is a SHA-256, so that
/// they are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sum(Digest);

impl Sum {
    /// That of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let found = digest::digest(&digest::SHA512_256, bytes);
        let mut sum = [0; 32];
        sum.iter_mut().zip(found.as_ref()).for_each(|(to, from)| *to = *from);
        Self(Digest(sum))
    }

    /// Its first byte, by which what has many of them may be parted.
    pub(crate) fn first(&self) -> u8 {
        self.0.0[0]
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of FIPS 180's example "abc".
    #[test]
    fn it_is_the_published_function() {
        let abc = "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23";
        assert_eq!(Sum::of(b"abc").to_string(), abc);
    }
}
