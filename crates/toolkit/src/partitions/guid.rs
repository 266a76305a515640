//! Identifiers as GPT stores them: the first three groups little-endian.

use std::fmt;

/// An identifier, in its order on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guid(pub(crate) [u8; 16]);

/// Where the bytes of the usual spelling stand on disk.
const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

impl Guid {
    /// From the usual spelling; `None` when it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        if groups != [8, 4, 4, 4, 12] || !text.is_ascii() {
            return None;
        }
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| *c != '-')
            .map(|c| c.to_digit(16).map(|d| d as u8))
            .collect::<Option<_>>()?;
        let mut bytes = [0; 16];
        for (pair, at) in digits.chunks(2).zip(ORDER) {
            if let ([high, low], Some(byte)) = (pair, bytes.get_mut(at)) {
                *byte = high << 4 | low;
            }
        }
        Some(Self(bytes))
    }

    /// A new one (RFC 9562, version 4).
    pub(crate) fn random() -> anyhow::Result<Self> {
        let mut bytes = [0; 16];
        random(&mut bytes)?;
        // Version and variant, at the 7th and 9th byte of the usual spelling.
        let [_, _, _, _, _, _, _, version, variant, ..] = &mut bytes;
        *version = *version & 0x0f | 0x40;
        *variant = *variant & 0x3f | 0x80;
        Ok(Self(bytes))
    }

    /// Whether it is all zeros, which stands for none.
    pub(crate) fn is_nil(self) -> bool {
        self.0 == [0; 16]
    }
}

/// Fills with random bytes.
pub(crate) fn random(bytes: &mut [u8]) -> anyhow::Result<()> {
    use anyhow::Context as _;
    use std::io::Read as _;
    let path = "/dev/urandom";
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(bytes))
        .with_context(|| format!("cannot read {path}"))
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, at) in ORDER.into_iter().enumerate() {
            if matches!(n, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{:02X}", self.0.get(at).copied().unwrap_or(0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_and_order() {
        let text = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
        let guid = Guid::parse(text).unwrap();
        assert_eq!(guid.0[..4], [0x28, 0x73, 0x2a, 0xc1]);
        assert_eq!(guid.to_string(), text);
        assert_eq!(Guid::parse(&text.to_lowercase()), Some(guid));
        for wrong in
            ["", "C12A7328F81F11D2BA4B00A0C93EC93B", "x12A7328-F81F-11D2-BA4B-00A0C93EC93B"]
        {
            assert_eq!(Guid::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Guid::random().unwrap().to_string().as_bytes()[14], b'4');
    }
}
