//! Just enough of ISO 9660 (ECMA-119) to find a file's extent and the volume's dates in an image.
//!
//! An image handed to `stamp` or `inspect` is hostile until it has been understood: every offset is
//! checked against the file, the depth and the number of records are bounded.

use std::io::{Read, Seek, SeekFrom};

/// Bytes of a logical sector.
pub const SECTOR: u64 = 2048;

/// Where the primary volume descriptor lies, bytes from the start.
pub const PVD: u64 = 16 * SECTOR;

/// Offset of the volume's creation date in a volume descriptor (8.4.26); the modification date follows.
pub const DATES: u64 = 813;

/// Bytes of one date: sixteen digits and the offset from Greenwich.
pub const DATE: usize = 17;

/// Largest folder that is read, bytes.
const MAX_FOLDER: u32 = 1 << 20;

/// Why a file is not an ISO image that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading failed or ended early.
    #[error("cannot read the image")]
    Io(#[from] std::io::Error),
    /// No ISO 9660 volume descriptor.
    #[error("not an ISO 9660 image")]
    NotIso,
    /// A structure contradicts itself.
    #[error("damaged ISO 9660 structure: {0}")]
    Damaged(&'static str),
    /// No such file.
    #[error("the image has no file /{0}")]
    NotFound(String),
}

/// Where a file's bytes lie: one extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Bytes from the start of the image.
    pub offset: u64,
    /// Length in bytes.
    pub size: u32,
}

/// Reads an image.
pub struct Iso<F> {
    file: F,
    root: Extent,
}

impl<F: Read + Seek> Iso<F> {
    /// Reads the primary volume descriptor.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(mut file: F) -> Result<Self, Error> {
        let mut descriptor = [0; 2048];
        file.seek(SeekFrom::Start(PVD))?;
        file.read_exact(&mut descriptor)?;
        let [1, b'C', b'D', b'0', b'0', b'1', 1, ..] = descriptor else {
            return Err(Error::NotIso);
        };
        let record = descriptor.get(156..190).ok_or(Error::NotIso)?;
        let root = Record::parse(record).ok_or(Error::Damaged("root folder"))?;
        Ok(Self { file, root: root.extent })
    }

    /// The volume's identifier as `blkid` shows it: `2026-11-23-01-20-00-00`, from the volume's
    /// modification date.
    ///
    /// # Errors
    /// When the date is not made of digits.
    pub fn uuid(&mut self) -> Result<String, Error> {
        let mut date = [0; 16];
        self.file.seek(SeekFrom::Start(PVD + DATES + DATE as u64))?;
        self.file.read_exact(&mut date)?;
        uuid_of(&date).ok_or(Error::Damaged("volume date"))
    }

    /// The extent of the file at `path` (`boot/site.img`), compared without regard to case.
    ///
    /// # Errors
    /// When it is not there or a folder on the way is damaged.
    pub fn find(&mut self, path: &str) -> Result<Extent, Error> {
        let mut at = self.root;
        let mut names = path.split('/').peekable();
        while let Some(name) = names.next() {
            let folder = self.folder(at)?;
            let found = folder.iter().find(|r| r.name.eq_ignore_ascii_case(name));
            let record = found.ok_or_else(|| Error::NotFound(path.to_owned()))?;
            if record.folder != names.peek().is_some() {
                return Err(Error::NotFound(path.to_owned()));
            }
            at = record.extent;
        }
        Ok(at)
    }

    /// The content of the file at `path`, when it has at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Iso::find`]; when it is larger.
    pub fn read(&mut self, path: &str, limit: u32) -> Result<Vec<u8>, Error> {
        let extent = self.find(path)?;
        if extent.size > limit {
            return Err(Error::Damaged("a file is larger than it can be"));
        }
        self.extent(extent)
    }

    /// The bytes of an extent.
    ///
    /// # Errors
    /// When the image ends before.
    pub fn extent(&mut self, extent: Extent) -> Result<Vec<u8>, Error> {
        self.file.seek(SeekFrom::Start(extent.offset))?;
        let mut content = Vec::new();
        (&mut self.file).take(extent.size.into()).read_to_end(&mut content)?;
        if content.len() == extent.size as usize {
            Ok(content)
        } else {
            Err(Error::Damaged("the image is cut short"))
        }
    }

    fn folder(&mut self, extent: Extent) -> Result<Vec<Record>, Error> {
        if extent.size > MAX_FOLDER {
            return Err(Error::Damaged("folder size"));
        }
        let bytes = self.extent(extent)?;
        let mut records = Vec::new();
        // Records do not cross sectors; a zero length ends those of a sector (6.8.1.1).
        for sector in bytes.chunks(SECTOR as usize) {
            let mut rest = sector;
            while let Some(length) = rest.first().copied().filter(|n| *n > 0) {
                let (record, tail) =
                    rest.split_at_checked(length.into()).ok_or(Error::Damaged("folder record"))?;
                records.push(Record::parse(record).ok_or(Error::Damaged("folder record"))?);
                rest = tail;
            }
        }
        Ok(records)
    }
}

/// The identifier that sixteen digits of a date make.
#[must_use]
pub fn uuid_of(date: &[u8; 16]) -> Option<String> {
    let text = std::str::from_utf8(date).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
    let part = |from: usize, to: usize| text.get(from..to);
    let (year, rest) = (part(0, 4)?, text.get(4..)?);
    let pairs = rest.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned());
    Some(std::iter::once(year.to_owned()).chain(pairs).collect::<Vec<_>>().join("-"))
}

/// A directory record (9.1).
struct Record {
    extent: Extent,
    folder: bool,
    name: String,
}

impl Record {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let four = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_le_bytes(four))
        };
        let offset = u64::from(word(2)?) * SECTOR;
        let size = word(10)?;
        let folder = bytes.get(25)? & 2 != 0;
        let length = usize::from(*bytes.get(32)?);
        let name = String::from_utf8_lossy(bytes.get(33..33 + length)?).into_owned();
        // `KERNEL.;1` is the file `kernel`.
        let name = name.split(';').next().unwrap_or_default().trim_end_matches('.').to_owned();
        Some(Self { extent: Extent { offset, size }, folder, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_date_is_an_identifier() {
        assert_eq!(uuid_of(b"2026112301200007").unwrap(), "2026-11-23-01-20-00-07");
        assert_eq!(uuid_of(b"2026112301200x07"), None);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        assert!(matches!(Iso::open(Cursor::new(vec![0; 40_000])), Err(Error::NotIso)));
        assert!(matches!(Iso::open(Cursor::new(vec![0; 40])), Err(Error::Io(_))));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_folders_do_no_harm(root: [u8; 34], folder in proptest::collection::vec(0u8.., 0..4096)) {
            let mut bytes = vec![0; PVD as usize + 2048];
            bytes[PVD as usize..][..7].copy_from_slice(b"\x01CD001\x01");
            bytes[PVD as usize + 156..][..34].copy_from_slice(&root);
            let start = u32::try_from(bytes.len() as u64 / SECTOR).unwrap();
            bytes[PVD as usize + 158..][..4].copy_from_slice(&start.to_le_bytes());
            bytes[PVD as usize + 166..][..4].copy_from_slice(&u32::try_from(folder.len()).unwrap().to_le_bytes());
            bytes.extend(folder);
            if let Ok(mut iso) = Iso::open(Cursor::new(bytes)) {
                let _ = iso.find("boot/site.img");
                let _ = iso.uuid();
            }
        }
    }
}
