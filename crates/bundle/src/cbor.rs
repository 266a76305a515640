//! Deterministic CBOR (RFC 8949, section 4.2.1): a writer, and a reader that takes nothing else.
//!
//! The reader walks the bytes once and allocates nothing, so that hostile input cannot cost more
//! memory than its own size. Floating-point numbers are not used and not accepted.

/// Bytes are not the deterministic CBOR that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes end in the middle of an item.
    #[error("cut short")]
    Truncated,
    /// A reserved additional-information value (28 to 30), or a simple value that is not allowed.
    #[error("not well-formed CBOR")]
    IllFormed,
    /// A length or number that has a shorter encoding.
    #[error("an encoding that is not the shortest")]
    NonCanonical,
    /// An item of indefinite length.
    #[error("an item of indefinite length")]
    Indefinite,
    /// An item of another type.
    #[error("an item of another type, expected {0}")]
    Type(&'static str),
    /// A string that is not UTF-8.
    #[error("a text that is not UTF-8")]
    Utf8,
    /// A map with the same key twice.
    #[error("the key {0} twice in a map")]
    DuplicateKey(i64),
    /// A map whose keys are not in order.
    #[error("keys of a map out of order at {0}")]
    KeyOrder(i64),
    /// Nesting that is too deep.
    #[error("nested too deeply")]
    Depth,
    /// Bytes after the item.
    #[error("bytes after the end")]
    Trailing,
}

const UINT: u8 = 0;
const NINT: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

/// Reads items one after the other.
#[derive(Clone)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Succeeds when everything was read.
    pub(crate) fn end(&self) -> Result<(), CborError> {
        if self.0.is_empty() { Ok(()) } else { Err(CborError::Trailing) }
    }

    fn take(&mut self, n: u64) -> Result<&'a [u8], CborError> {
        let n = usize::try_from(n).map_err(|_| CborError::Truncated)?;
        let (head, rest) = self.0.split_at_checked(n).ok_or(CborError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    /// An item's head (RFC 8949, section 3): major type and argument, in its shortest form.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let &[initial] = self.take(1)? else { return Err(CborError::Truncated) };
        let (major, info) = (initial >> 5, initial & 0x1f);
        let size = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24..=27 => 1u64 << (info - 24),
            31 if major != SIMPLE => return Err(CborError::Indefinite),
            _ => return Err(CborError::IllFormed),
        };
        let value = self.take(size)?.iter().fold(0, |n, b| n << 8 | u64::from(*b));
        let least = match info {
            24 => 24,
            25 => 1 << 8,
            26 => 1 << 16,
            _ => 1 << 32,
        };
        // For the simple types these are floats, or values below 32 that have no such form.
        if major == SIMPLE {
            return Err(CborError::IllFormed);
        }
        if value < least { Err(CborError::NonCanonical) } else { Ok((major, value)) }
    }

    fn expect(&mut self, wanted: u8, name: &'static str) -> Result<u64, CborError> {
        let (major, value) = self.head()?;
        if major == wanted { Ok(value) } else { Err(CborError::Type(name)) }
    }

    pub(crate) fn uint(&mut self) -> Result<u64, CborError> {
        self.expect(UINT, "an unsigned integer")
    }

    pub(crate) fn int(&mut self) -> Result<i64, CborError> {
        let (major, value) = self.head()?;
        let value = i64::try_from(value).map_err(|_| CborError::Type("a 64-bit integer"))?;
        match major {
            UINT => Ok(value),
            NINT => Ok(-1 - value),
            _ => Err(CborError::Type("an integer")),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let n = self.expect(BYTES, "a byte string")?;
        self.take(n)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, CborError> {
        let n = self.expect(TEXT, "a text")?;
        std::str::from_utf8(self.take(n)?).map_err(|_| CborError::Utf8)
    }

    /// An array's number of items. Each takes a byte at least, so a lie is seen at once.
    pub(crate) fn array(&mut self) -> Result<u64, CborError> {
        let n = self.expect(ARRAY, "an array")?;
        if n > self.0.len() as u64 { Err(CborError::Truncated) } else { Ok(n) }
    }

    pub(crate) fn tag(&mut self) -> Result<u64, CborError> {
        self.expect(TAG, "a tag")
    }

    /// A map with integer keys; the caller reads each value after [`MapReader::key`].
    pub(crate) fn map(&mut self) -> Result<MapReader, CborError> {
        let left = self.expect(MAP, "a map")?;
        if left > self.0.len() as u64 {
            return Err(CborError::Truncated);
        }
        Ok(MapReader { left, last: None })
    }

    /// Whether the next item is a text.
    pub(crate) fn at_text(&self) -> bool {
        self.0.first().is_some_and(|b| b >> 5 == TEXT)
    }

    /// Passes over one item of any type, at most `depth` levels deep, and returns its bytes.
    /// Its maps may have keys of any type, in order and each once.
    pub(crate) fn any(&mut self, depth: usize) -> Result<&'a [u8], CborError> {
        let start = self.0;
        self.skip(depth)?;
        let used = start.len() - self.0.len();
        start.get(..used).ok_or(CborError::Truncated)
    }

    fn skip(&mut self, depth: usize) -> Result<(), CborError> {
        let depth = depth.checked_sub(1).ok_or(CborError::Depth)?;
        let (major, value) = self.head()?;
        match major {
            UINT | NINT => Ok(()),
            BYTES => self.take(value).map(drop),
            TEXT => std::str::from_utf8(self.take(value)?).map(drop).map_err(|_| CborError::Utf8),
            ARRAY => (0..value).try_for_each(|_| self.skip(depth)),
            MAP => self.skip_map(value, depth),
            TAG => self.skip(depth),
            // false, true, null
            _ if (20..=22).contains(&value) => Ok(()),
            _ => Err(CborError::IllFormed),
        }
    }

    fn skip_map(&mut self, pairs: u64, depth: usize) -> Result<(), CborError> {
        let mut last: Option<&[u8]> = None;
        for _ in 0..pairs {
            let key = self.any(depth)?;
            match last.map(|l| l.cmp(key)) {
                Some(std::cmp::Ordering::Equal) => return Err(CborError::DuplicateKey(0)),
                Some(std::cmp::Ordering::Greater) => return Err(CborError::KeyOrder(0)),
                _ => last = Some(key),
            }
            self.skip(depth)?;
        }
        Ok(())
    }
}

/// The keys of a map, in the order of their encodings: 0, 1, 2, …, -1, -2, ….
pub(crate) struct MapReader {
    left: u64,
    last: Option<i64>,
}

impl MapReader {
    /// The next key, `None` after the last value.
    pub(crate) fn key(&mut self, reader: &mut Reader<'_>) -> Result<Option<i64>, CborError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let key = reader.int()?;
        let rank = |k: i64| if k < 0 { (1, -1 - k) } else { (0, k) };
        match self.last.map(|last| rank(last).cmp(&rank(key))) {
            Some(std::cmp::Ordering::Equal) => return Err(CborError::DuplicateKey(key)),
            Some(std::cmp::Ordering::Greater) => return Err(CborError::KeyOrder(key)),
            _ => self.last = Some(key),
        }
        Ok(Some(key))
    }
}

/// Writes items; the caller keeps counts and the order of keys right.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    fn head(&mut self, major: u8, value: u64) -> &mut Self {
        let bytes = value.to_be_bytes();
        let (info, size) = match value {
            0..24 => (value.to_le_bytes()[0], 0),
            24..0x100 => (24, 1),
            0x100..0x1_0000 => (25, 2),
            0x1_0000..0x1_0000_0000 => (26, 4),
            _ => (27, 8),
        };
        self.0.push(major << 5 | info);
        self.0.extend(bytes.iter().skip(8 - size));
        self
    }

    pub(crate) fn uint(&mut self, value: u64) -> &mut Self {
        self.head(UINT, value)
    }

    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        if value < 0 {
            self.head(NINT, (-1 - value).unsigned_abs())
        } else {
            self.head(UINT, value.unsigned_abs())
        }
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.head(BYTES, value.len() as u64).0.extend_from_slice(value);
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.head(TEXT, value.len() as u64).0.extend_from_slice(value.as_bytes());
        self
    }

    pub(crate) fn array(&mut self, items: usize) -> &mut Self {
        self.head(ARRAY, items as u64)
    }

    pub(crate) fn map(&mut self, pairs: usize) -> &mut Self {
        self.head(MAP, pairs as u64)
    }

    pub(crate) fn tag(&mut self, tag: u64) -> &mut Self {
        self.head(TAG, tag)
    }

    /// An item that is encoded already.
    pub(crate) fn raw(&mut self, item: &[u8]) -> &mut Self {
        self.0.extend_from_slice(item);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_shortest_form() {
        let read = |bytes: &[u8]| Reader::new(bytes).uint();
        assert_eq!(read(&[0x17]), Ok(23));
        assert_eq!(read(&[0x18, 24]), Ok(24));
        assert_eq!(read(&[0x18, 23]), Err(CborError::NonCanonical));
        assert_eq!(read(&[0x19, 0, 255]), Err(CborError::NonCanonical));
        assert_eq!(read(&[0x1a, 0, 0, 255, 255]), Err(CborError::NonCanonical));
        assert_eq!(read(&[0x1b, 0, 0, 0, 0, 255, 255, 255, 255]), Err(CborError::NonCanonical));
        assert_eq!(read(&[0x1c]), Err(CborError::IllFormed));
        assert_eq!(read(&[0x18]), Err(CborError::Truncated));
        assert_eq!(Reader::new(&[0x5f, 0x41, 0, 0xff]).bytes(), Err(CborError::Indefinite));
        assert_eq!(
            Reader::new(&[0x9b, 255, 0, 0, 0, 0, 0, 0, 0]).array(),
            Err(CborError::Truncated)
        );
    }

    #[test]
    fn keys_once_and_in_order() {
        let keys = |bytes: &[u8]| -> Result<Vec<i64>, CborError> {
            let mut reader = Reader::new(bytes);
            let mut map = reader.map()?;
            let mut keys = Vec::new();
            while let Some(key) = map.key(&mut reader)? {
                keys.push(key);
                reader.uint()?;
            }
            reader.end()?;
            Ok(keys)
        };
        assert_eq!(keys(&[0xa3, 1, 0, 24, 0].map(|b| b)), Err(CborError::NonCanonical));
        assert_eq!(keys(&[0xa3, 1, 0, 2, 0, 0x20, 0]), Ok(vec![1, 2, -1]));
        assert_eq!(keys(&[0xa2, 0x20, 0, 1, 0]), Err(CborError::KeyOrder(1)));
        assert_eq!(keys(&[0xa2, 1, 0, 1, 0]), Err(CborError::DuplicateKey(1)));
        assert_eq!(keys(&[0xa1, 1, 0, 1]), Err(CborError::Trailing));
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = [vec![0x81; 100], vec![0]].concat();
        assert_eq!(Reader::new(&deep).any(8), Err(CborError::Depth));
        assert_eq!(Reader::new(&deep[95..]).any(8).unwrap().len(), 6);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(n in any::<i64>(), u in any::<u64>(), b in any::<Vec<u8>>(), t in ".*") {
            let mut w = Writer::default();
            w.int(n).uint(u).bytes(&b).text(&t);
            let mut r = Reader::new(&w.0);
            prop_assert_eq!(r.int(), Ok(n));
            prop_assert_eq!(r.uint(), Ok(u));
            prop_assert_eq!(r.bytes(), Ok(&b[..]));
            prop_assert_eq!(r.text(), Ok(&t[..]));
            prop_assert_eq!(r.end(), Ok(()));
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in any::<Vec<u8>>()) {
            if let Ok(item) = Reader::new(&bytes).any(16) {
                prop_assert!(bytes.starts_with(item));
            }
        }
    }
}
