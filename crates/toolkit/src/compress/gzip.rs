//! Files of `gzip` (RFC 1952): members one after the other.

use std::io::{self, BufRead, Read};

/// What is read when anything else follows the members: a warning for `gzip`.
#[derive(Debug, thiserror::Error)]
#[error("decompression OK, trailing garbage ignored")]
pub(crate) struct TrailingGarbage;

/// The data of all members.
pub(crate) struct Members<R> {
    member: Option<flate2::bufread::GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub(crate) fn new(data: R) -> Self {
        Self { member: Some(flate2::bufread::GzDecoder::new(data)) }
    }

    /// Goes to the next member after the end of one; whether there is one.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(member) = self.member.take() else { return Ok(false) };
        let mut data = member.into_inner();
        // Tapes are filled up with zeros.
        loop {
            let buffered = data.fill_buf()?;
            match buffered.iter().position(|byte| *byte != 0) {
                Some(0) => break,
                Some(zeros) => data.consume(zeros),
                None if buffered.is_empty() => return Ok(false),
                None => {
                    let zeros = buffered.len();
                    data.consume(zeros);
                }
            }
        }
        if data.fill_buf()?.first() != Some(&0x1f) {
            return Err(io::Error::other(TrailingGarbage));
        }
        self.member = Some(flate2::bufread::GzDecoder::new(data));
        Ok(true)
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else { return Ok(0) };
            match member.read(out)? {
                0 if !out.is_empty() => {
                    if !self.advance()? {
                        return Ok(0);
                    }
                }
                count => return Ok(count),
            }
        }
    }
}
