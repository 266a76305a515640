//! The body of an answer (RFC 9112, sections 6 and 7).

use super::{Error, head::Head};
use std::io::{self, BufRead, Read};

/// Longest line between chunks, bytes, and most bytes behind the last.
const MAX_LINE: usize = 4096;
const MAX_TRAILER: usize = 16 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// So many bytes are left.
    Length(u64),
    /// So many of this chunk are left.
    Chunk(u64),
    /// The next line has the length of a chunk; the first one is not preceded by the end of another.
    NextChunk { first: bool },
    /// Until the server closes the connection.
    Close,
}

/// A body, without what frames it.
#[derive(Debug)]
pub(crate) struct Body<S> {
    stream: S,
    frame: Frame,
}

impl<S: BufRead> Body<S> {
    /// The body that follows a head; `none` when the request was one whose answer has none.
    pub(crate) fn new(stream: S, head: &Head, none: bool) -> Result<Self, Error> {
        let frame = if none || matches!(head.status, 204 | 304) {
            Frame::Length(0)
        } else if head.is_chunked()? {
            Frame::NextChunk { first: true }
        } else {
            head.length()?.map_or(Frame::Close, Frame::Length)
        };
        Ok(Self { stream, frame })
    }

    fn next_chunk(&mut self, first: bool) -> Result<(), Error> {
        if !first && !self.line()?.is_empty() {
            return Err(Error::Chunk("a chunk that is longer than it says"));
        }
        let line = self.line()?;
        let digits = line.split(|b| matches!(b, b';' | b' ' | b'\t')).next().unwrap_or_default();
        let digits = str::from_utf8(digits).unwrap_or_default();
        let good =
            (1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let length = u64::from_str_radix(digits, 16).ok().filter(|_| good);
        match length {
            None => Err(Error::Chunk("a chunk without a length")),
            Some(0) => {
                let mut rest = MAX_TRAILER;
                loop {
                    let line = self.line()?;
                    if line.is_empty() {
                        self.frame = Frame::Length(0);
                        return Ok(());
                    }
                    rest =
                        rest.checked_sub(line.len()).ok_or(Error::Chunk("an endless trailer"))?;
                }
            }
            Some(length) => {
                self.frame = Frame::Chunk(length);
                Ok(())
            }
        }
    }

    /// A line without its end.
    fn line(&mut self) -> Result<Vec<u8>, Error> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(MAX_LINE as u64);
        limited.read_until(b'\n', &mut line).map_err(Error::of_read)?;
        if line.pop() != Some(b'\n') {
            return Err(if line.len() + 1 < MAX_LINE {
                Error::Short(1)
            } else {
                Error::Chunk("an endless line between chunks")
            });
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    fn some(&mut self, buffer: &mut [u8], left: u64) -> Result<u64, Error> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let into = buffer.get_mut(..most).unwrap_or_default();
        match self.stream.read(into).map_err(Error::of_read)? {
            0 => Err(Error::Short(left)),
            got => Ok(got as u64),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.frame {
                Frame::Length(0) => return Ok(0),
                Frame::Length(left) => {
                    let got = self.some(buffer, left)?;
                    self.frame = Frame::Length(left - got);
                    return Ok(usize::try_from(got).unwrap_or(0));
                }
                Frame::Chunk(0) => self.frame = Frame::NextChunk { first: false },
                Frame::Chunk(left) => {
                    let got = self.some(buffer, left)?;
                    self.frame = Frame::Chunk(left - got);
                    return Ok(usize::try_from(got).unwrap_or(0));
                }
                Frame::NextChunk { first } => self.next_chunk(first)?,
                Frame::Close => return self.stream.read(buffer).map_err(Error::of_read),
            }
        }
    }
}

impl<S: BufRead> Read for Body<S> {
    /// The errors are those of this module, brought through by [`Error::into_io`].
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.fill(buffer).map_err(Error::into_io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(head: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        let head =
            Head::read(&mut format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes()).unwrap();
        let mut all = Vec::new();
        Body::new(body, &head, false)?.read_to_end(&mut all).map_err(Error::of_read)?;
        Ok(all)
    }

    const CHUNKED: &str = "Transfer-Encoding: chunked";

    #[test]
    fn all_framings_are_read() {
        assert_eq!(body("Content-Length: 3", b"abcdef").unwrap(), b"abc");
        assert_eq!(body("A: b", b"abcdef").unwrap(), b"abcdef");
        assert_eq!(
            body(CHUNKED, b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: x\r\n\r\nrest").unwrap(),
            b"abcd"
        );
    }

    #[test]
    fn a_body_that_is_cut_is_an_error() {
        assert!(matches!(body("Content-Length: 9", b"abc"), Err(Error::Short(6))));
        for cut in ["", "3", "3\r\n", "3\r\nab", "3\r\nabc", "3\r\nabc\r\n", "3\r\nabc\r\n0\r\n"] {
            assert!(matches!(body(CHUNKED, cut.as_bytes()), Err(Error::Short(_))), "{cut:?}");
        }
        for wrong in ["x\r\n", "-1\r\n", "3\r\nabcd\r\n", "11111111111111111\r\n", "\r\n"] {
            assert!(matches!(body(CHUNKED, wrong.as_bytes()), Err(Error::Chunk(_))), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn chunks_are_joined(parts in proptest::collection::vec("[a-z]{1,20}", 0..6)) {
            let mut sent: String = parts.iter().map(|part| format!("{:x}\r\n{part}\r\n", part.len())).collect();
            sent.push_str("0\r\n\r\n");
            prop_assert_eq!(body(CHUNKED, sent.as_bytes()).unwrap(), parts.concat().into_bytes());
        }

        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = body(CHUNKED, &bytes);
        }
    }
}
