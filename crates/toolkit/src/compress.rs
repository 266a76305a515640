//! Compressed data: the formats, and the commands that each of them has three of (`gzip`, `gunzip`,
//! `zcat`).

pub(crate) mod command;
mod endings;
mod gzip;
mod input;
mod lzw;
mod pack;
mod refusals;
mod report;

use lzma_rust2::{CheckType, XzOptions, XzReader, XzWriter};
use std::io::{self, BufRead, BufReader, Read, Write};

/// A format of compressed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

/// Every one.
pub(crate) const FORMATS: [Format; 4] = [Format::Gzip, Format::Bzip2, Format::Xz, Format::Zstd];

/// Bytes that are read at once.
const BUFFER: usize = 1 << 17;

/// Data as it was before it was compressed, if it was.
pub(crate) fn plain<'a>(data: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut data = BufReader::with_capacity(BUFFER, data);
    Ok(match Format::of(data.fill_buf()?) {
        Some(format) => Box::new(BufReader::with_capacity(BUFFER, format.reader(data)?)),
        None => Box::new(data),
    })
}

impl Format {
    /// The bytes that a file of this format begins with.
    pub(crate) fn magic(self) -> &'static [u8] {
        match self {
            Self::Gzip => &[0x1f, 0x8b],
            Self::Bzip2 => b"BZh",
            Self::Xz => b"\xfd7zXZ\0",
            Self::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
        }
    }

    /// Whether data begins as what [`Format::reader`] reads.
    pub(crate) fn reads(self, data: &[u8]) -> bool {
        let others = [lzw::MAGIC, &pack::MAGIC];
        data.starts_with(self.magic())
            || self == Self::Gzip && others.iter().any(|magic| data.starts_with(magic))
    }

    /// The format that data begins with.
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        FORMATS.into_iter().find(|format| data.starts_with(format.magic()))
    }

    /// The format of a file's name, for `tar --auto-compress`.
    pub(crate) fn of_name(name: &[u8]) -> Option<Self> {
        let endings: [(&[u8], Self); 12] = [
            (b".gz", Self::Gzip),
            (b".tgz", Self::Gzip),
            (b".taz", Self::Gzip),
            (b".bz2", Self::Bzip2),
            (b".tbz", Self::Bzip2),
            (b".tbz2", Self::Bzip2),
            (b".tz2", Self::Bzip2),
            (b".xz", Self::Xz),
            (b".txz", Self::Xz),
            (b".zst", Self::Zstd),
            (b".tzst", Self::Zstd),
            (b".zstd", Self::Zstd),
        ];
        endings.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| format)
    }

    /// What the data of a compressed file was. Several files one after the other are one.
    pub(crate) fn reader<'a>(self, data: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Gzip => {
                let mut data = data;
                let begin = data.fill_buf()?;
                if begin.starts_with(lzw::MAGIC) {
                    Box::new(lzw::Lzw::new(data)?)
                } else if begin.starts_with(&pack::MAGIC) {
                    Box::new(pack::Packed::new(data)?)
                } else {
                    Box::new(gzip::Members::new(data, false)?)
                }
            }
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(data)),
            Self::Xz => Box::new(XzReader::new(data, true)),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(data)?;
                // As the program `zstd` has it; more would let a file ask for all memory.
                decoder.window_log_max(27)?;
                Box::new(decoder)
            }
        })
    }

    /// Compresses what is written to it, as closely as `level` says.
    pub(crate) fn writer<'a>(self, level: u32, to: impl Write + 'a) -> io::Result<Writer<'a>> {
        let to: Box<dyn Write + 'a> = Box::new(to);
        Ok(match self {
            Self::Gzip => Writer::Gzip(flate2::write::GzEncoder::new(
                to,
                flate2::Compression::new(level.min(9)),
            )),
            Self::Bzip2 => Writer::Bzip2(bzip2::write::BzEncoder::new(
                to,
                bzip2::Compression::new(level.clamp(1, 9)),
            )),
            Self::Xz => {
                let mut options = XzOptions::with_preset(level.min(9));
                options.set_check_sum_type(CheckType::Crc64);
                Writer::Xz(Box::new(XzWriter::new(to, options)?))
            }
            Self::Zstd => {
                let level = i32::try_from(level).unwrap_or(22).min(22);
                let mut encoder = zstd::Encoder::new(to, level)?;
                encoder.include_checksum(true)?;
                Writer::Zstd(encoder)
            }
        })
    }
}

/// Where data goes to be compressed.
pub(crate) enum Writer<'a> {
    Gzip(flate2::write::GzEncoder<Box<dyn Write + 'a>>),
    Bzip2(bzip2::write::BzEncoder<Box<dyn Write + 'a>>),
    Xz(Box<XzWriter<Box<dyn Write + 'a>>>),
    Zstd(zstd::Encoder<'static, Box<dyn Write + 'a>>),
}

impl Writer<'_> {
    fn inner(&mut self) -> &mut dyn Write {
        match self {
            Self::Gzip(writer) => writer,
            Self::Bzip2(writer) => writer,
            Self::Xz(writer) => writer,
            Self::Zstd(writer) => writer,
        }
    }

    /// Writes the end.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Gzip(writer) => writer.finish()?,
            Self::Bzip2(writer) => writer.finish()?,
            Self::Xz(writer) => writer.finish()?,
            Self::Zstd(writer) => writer.finish()?,
        }
        .flush()
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.inner().write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

/// Copies until the end, in pieces large enough for a disk.
pub(crate) fn copy(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 17];
    let mut total = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(buffer.get(..count).unwrap_or_default())?;
        total += u64::try_from(count).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(format: Format, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = format.writer(6, &mut out).unwrap();
        writer.write_all(data).unwrap();
        writer.finish().unwrap();
        out
    }

    fn unpacked(data: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Format::of(data).unwrap().reader(data)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn what_was_packed_comes_out_and_cut_data_is_refused() {
        let data: Vec<u8> =
            (0..200_000_u32).flat_map(|n| (n % 251 * n / 7).to_le_bytes()).collect();
        for format in FORMATS {
            let mut twice = packed(format, &data);
            let once = twice.len();
            assert_eq!(unpacked(&twice).unwrap(), data, "{format:?}");
            for cut in [once - 1, once / 2, once - 9] {
                assert!(unpacked(&twice[..cut]).is_err(), "{format:?} cut at {cut} of {once}");
            }
            twice.extend(packed(format, b"more"));
            assert_eq!(unpacked(&twice).unwrap(), [&data, &b"more"[..]].concat(), "{format:?}");
            twice[once / 2] ^= 1;
            assert!(unpacked(&twice).is_err(), "{format:?} with a flipped bit");
        }
    }
}
