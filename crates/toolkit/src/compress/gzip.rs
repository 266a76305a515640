//! Files of `gzip` (RFC 1952): members one after the other.

use super::{lzw, pack};
use flate2::{Crc, bufread::DeflateDecoder};
use std::io::{self, BufRead, Read, Write};

/// What is wrong with such a file, in the words that scripts look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("unexpected end of file")]
    End,
    #[error("not in gzip format")]
    Foreign,
    #[error("invalid compressed data--format violated")]
    Format,
    #[error("invalid compressed data--crc error")]
    Crc,
    #[error("invalid compressed data--length error")]
    Length,
    #[error("invalid compressed data--crc error, length error")]
    CrcAndLength,
    /// A warning: all of the data was good.
    #[error("decompression OK, trailing garbage ignored")]
    Garbage,
    #[error("unknown method {0} -- not supported")]
    Method(u8),
    #[error("is encrypted -- not supported")]
    Encrypted,
    #[error("has flags 0x{0:x} -- not supported")]
    Flags(u8),
    #[error("header checksum 0x{0:04x} != computed checksum 0x{1:04x}")]
    HeaderCrc(u16, u16),
}

impl Fault {
    /// The fault that an error is of.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        if let Some(fault) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return Some(*fault);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Some(Self::End),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Some(Self::Format),
            _ => None,
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::End => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, fault)
    }
}

/// What a member says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The name of the file that it was, without folders.
    pub(crate) name: Option<Vec<u8>>,
    /// When that was changed, in seconds since 1970; 0 if it does not say.
    pub(crate) time: u32,
    /// Bytes that are no data: of this and of what follows the data.
    pub(crate) size: u64,
}

/// Bytes of a name that are kept; no file system has longer ones.
const LONGEST_NAME: usize = 4096;

/// What a header begins with; the second once, in files of gzip 0.5.
pub(crate) const MAGICS: [[u8; 2]; 2] = [[0x1f, 0x8b], [0x1f, 0x9e]];

/// Reads a header, with all its bytes summed.
struct Header<R> {
    data: R,
    crc: Crc,
    size: u64,
}

impl<R: BufRead> Header<R> {
    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.data.read_exact(&mut bytes).map_err(ended)?;
        self.crc.update(&bytes);
        self.size += u64::try_from(N).unwrap_or(0);
        Ok(bytes)
    }

    /// A text up to its zero byte.
    fn text(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            let [byte] = self.bytes()?;
            if byte == 0 {
                return Ok(text);
            }
            if text.len() < LONGEST_NAME {
                text.push(byte);
            }
        }
    }

    /// All of it but the two bytes of its magic.
    fn head(&mut self) -> io::Result<Head> {
        let [method] = self.bytes()?;
        if method != 8 {
            return Err(Fault::Method(method).into());
        }
        let [flags] = self.bytes()?;
        if flags & 0x20 != 0 {
            return Err(Fault::Encrypted.into());
        }
        if flags & 0xc0 != 0 {
            return Err(Fault::Flags(flags).into());
        }
        let time = u32::from_le_bytes(self.bytes()?);
        let [_level, _system] = self.bytes()?;
        if flags & 4 != 0 {
            for _ in 0..u16::from_le_bytes(self.bytes()?) {
                let [_] = self.bytes()?;
            }
        }
        let name = if flags & 8 != 0 { Some(self.text()?) } else { None };
        if flags & 16 != 0 {
            self.text()?;
        }
        if flags & 2 != 0 {
            let [low, high] = self.crc.sum().to_le_bytes().first_chunk().copied().unwrap_or([0; 2]);
            let computed = u16::from_le_bytes([low, high]);
            let stored = u16::from_le_bytes(self.bytes()?);
            if stored != computed {
                return Err(Fault::HeaderCrc(stored, computed).into());
            }
        }
        // A name with folders would lead elsewhere.
        let name =
            name.and_then(|name| name.rsplit(|byte| *byte == b'/').next().map(<[u8]>::to_vec));
        Ok(Head {
            name: name.filter(|name| !matches!(name.as_slice(), b"" | b"." | b"..")),
            time,
            size: self.size + 8,
        })
    }
}

fn ended(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { Fault::End.into() } else { error }
}

/// The rest of a header, whose magic has been read.
fn head(data: impl BufRead, magic: [u8; 2]) -> io::Result<Head> {
    let mut crc = Crc::new();
    crc.update(&magic);
    Header { data, crc, size: 2 }.head()
}

/// The data of all members.
pub(crate) struct Members<'a, R> {
    state: State<'a, R>,
    /// What follows the members and is none is passed on as it is.
    pass: bool,
    first: Head,
}

enum State<'a, R> {
    Member {
        data: DeflateDecoder<R>,
        crc: Crc,
    },
    /// Data of another format, or of none.
    Other(Box<dyn Read + 'a>),
    End,
}

impl<'a, R: BufRead + 'a> Members<'a, R> {
    /// Reads the first member's header.
    pub(crate) fn new(mut data: R, pass: bool) -> io::Result<Self> {
        let mut magic = [0; 2];
        data.read_exact(&mut magic).map_err(ended)?;
        if !MAGICS.contains(&magic) {
            return Err(Fault::Foreign.into());
        }
        let first = head(&mut data, magic)?;
        let state = State::Member { data: DeflateDecoder::new(data), crc: Crc::new() };
        Ok(Self { state, pass, first })
    }

    /// What the first member says of itself.
    pub(crate) fn head(&self) -> &Head {
        &self.first
    }

    /// Goes on after the end of a member's data.
    fn advance(&mut self) -> io::Result<()> {
        let State::Member { data, crc } = std::mem::replace(&mut self.state, State::End) else {
            return Ok(());
        };
        let mut data = data.into_inner();
        let mut trailer = [0; 8];
        data.read_exact(&mut trailer).map_err(ended)?;
        let [a, b, c, d, size @ ..] = trailer;
        match (
            u32::from_le_bytes([a, b, c, d]) == crc.sum(),
            u32::from_le_bytes(size) == crc.amount(),
        ) {
            (true, true) => {}
            (false, true) => return Err(Fault::Crc.into()),
            (true, false) => return Err(Fault::Length.into()),
            (false, false) => return Err(Fault::CrcAndLength.into()),
        }
        // Tapes are filled up with zeros.
        let mut zeros = 0;
        let first = loop {
            match byte(&mut data)? {
                Some(0) => zeros += 1,
                Some(byte) => break byte,
                None => return Ok(()),
            }
        };
        let second = byte(&mut data)?;
        self.state = match second.map(|second| [first, second]) {
            Some(magic) if zeros == 0 && MAGICS.contains(&magic) => {
                head(&mut data, magic)?;
                State::Member { data: DeflateDecoder::new(data), crc: Crc::new() }
            }
            Some(magic) if zeros == 0 && magic == lzw::MAGIC => {
                let data = io::Cursor::new(magic).chain(data);
                State::Other(Box::new(lzw::Lzw::new(data)?))
            }
            Some(magic) if zeros == 0 && magic == pack::MAGIC => {
                let data = io::Cursor::new(magic).chain(data);
                State::Other(Box::new(pack::Packed::new(data)?))
            }
            _ if self.pass => {
                let start = [Some(first), second].into_iter().flatten().collect::<Vec<u8>>();
                let rest = io::repeat(0).take(zeros).chain(io::Cursor::new(start)).chain(data);
                State::Other(Box::new(rest))
            }
            // Half of what a member begins with.
            None if zeros == 0 => return Err(Fault::End.into()),
            _ => return Err(Fault::Garbage.into()),
        };
        Ok(())
    }
}

fn byte(data: &mut impl BufRead) -> io::Result<Option<u8>> {
    let byte = data.fill_buf()?.first().copied();
    data.consume(usize::from(byte.is_some()));
    Ok(byte)
}

impl<'a, R: BufRead + 'a> Read for Members<'a, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.state {
                State::Member { data, crc } => {
                    let count = data.read(out)?;
                    if count > 0 || out.is_empty() {
                        crc.update(out.get(..count).unwrap_or_default());
                        return Ok(count);
                    }
                }
                State::Other(data) => return data.read(out),
                State::End => return Ok(0),
            }
            self.advance()?;
        }
    }
}

/// Compresses what is written to it, as closely as `level` says; the header has a name and a time.
pub(crate) fn writer<'a>(
    level: u32,
    name: Option<Vec<u8>>,
    time: u32,
    to: Box<dyn Write + 'a>,
) -> flate2::write::GzEncoder<Box<dyn Write + 'a>> {
    // The system's number is Unix', as in the files of GNU's gzip.
    let mut builder = flate2::GzBuilder::new().operating_system(3).mtime(time);
    if let Some(name) = name.filter(|name| !name.contains(&0)) {
        builder = builder.filename(name);
    }
    builder.write(to, flate2::Compression::new(level.min(9)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = writer(6, Some(b"dir/name".to_vec()), 7, Box::new(&mut out));
        writer.write_all(text).unwrap();
        drop(writer.finish().unwrap());
        out
    }

    fn read(data: &[u8], pass: bool) -> Result<Vec<u8>, Fault> {
        let mut text = Vec::new();
        let members = Members::new(data, pass);
        match members.and_then(|mut members| members.read_to_end(&mut text)) {
            Ok(_) => Ok(text),
            Err(error) => Err(Fault::of(&error).unwrap()),
        }
    }

    #[test]
    fn what_follows_a_member_is_read_refused_or_passed_on() {
        let one = member(b"one");
        let with = |rest: &[u8]| [&one, rest].concat();
        assert_eq!(read(&with(&member(b"two")), false), Ok(b"onetwo".to_vec()));
        assert_eq!(read(&with(b"\0\0\0"), false), Ok(b"one".to_vec()));
        assert_eq!(read(&with(b"x"), false), Err(Fault::End));
        assert_eq!(read(&with(b"xy"), false), Err(Fault::Garbage));
        assert_eq!(read(&with(b"\0x"), false), Err(Fault::Garbage));
        assert_eq!(read(&with(b"\0xy"), true), Ok(b"one\0xy".to_vec()));
        assert_eq!(read(&with(b"\x1f\x8b\x07"), true), Err(Fault::Method(7)));
    }

    #[test]
    fn damage_has_its_name() {
        let good = member(b"some text");
        let changed = |at: usize| {
            let mut data = good.clone();
            let place = data.len() - at;
            data[place] ^= 1;
            read(&data, false)
        };
        assert_eq!(changed(8), Err(Fault::Crc));
        assert_eq!(changed(4), Err(Fault::Length));
        assert_eq!(read(&good[..good.len() - 1], false), Err(Fault::End));
        assert_eq!(read(b"text", false), Err(Fault::Foreign));
        assert_eq!(read(b"\x1f\x8b\x08\x20", false), Err(Fault::Encrypted));
        assert_eq!(read(b"\x1f\x8b\x08\x40", false), Err(Fault::Flags(0x40)));
    }

    #[test]
    fn a_header_has_a_name_without_folders() {
        let data = member(b"");
        let head = Members::new(&data[..], false).unwrap().head().clone();
        assert_eq!(head, Head { name: Some(b"name".to_vec()), time: 7, size: 27 });
    }

    proptest::proptest! {
        #[test]
        fn damaged_data_never_panics(rest: Vec<u8>, flags in 0..64_u8) {
            let _ = read(&[&[0x1f, 0x8b, 8, flags][..], &rest].concat(), true);
        }
    }
}
